"""The definition of every operator: plain PyTorch in float64, written to be read, not to be fast.

Shapes are those of :mod:`simba_ssm.ops`: B batch, L length, D channels, N states, S sequences, K
conv width. Inputs of any float type are taken to float64 and results are float64 (indices int64).
Packed input has B = 1 and ``cu_seqlens`` (S + 1); each of its sequences is a batch of one.
Gradients are those of the definitions here, by autograd.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor


def _double(*tensors: Tensor | None) -> list[Tensor | None]:
    return [None if tensor is None else tensor.double() for tensor in tensors]


def _spans(cu_seqlens: Tensor) -> Iterator[tuple[int, slice]]:
    """Each sequence of a packed row: its number and its positions."""
    bounds = cu_seqlens.tolist()
    for s in range(len(bounds) - 1):
        yield s, slice(bounds[s], bounds[s + 1])


def _cut(tensor: Tensor | None, where: slice) -> Tensor | None:
    return None if tensor is None else tensor[:, where]


def _softplus(x: Tensor) -> Tensor:
    # Not torch's softplus, which is the identity beyond 20: that is off by 2e-9.
    return torch.logaddexp(x, torch.zeros_like(x))


def _silu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


def selective_scan(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    initial_state: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
    delta_softplus: bool = False,
) -> tuple[Tensor, Tensor]:
    """Mamba-1's recurrence (arXiv 2312.00752); see :func:`simba_ssm.ops.selective_scan`."""
    if cu_seqlens is not None:
        outs, states = [u[:, :0].double()], [A[None, :0].double().new_zeros(0, *A.shape)]
        for s, span in _spans(cu_seqlens):
            initial = None if initial_state is None else initial_state[s : s + 1]
            per_token = [_cut(tensor, span) for tensor in (u, delta, B, C, z)]
            out, state = selective_scan(
                per_token[0], per_token[1], A, per_token[2], per_token[3], D, per_token[4],
                delta_bias, initial, None, delta_softplus,
            )  # fmt: skip
            outs.append(out)
            states.append(state)
        return torch.cat(outs, dim=1), torch.cat(states)

    u, delta, A, B, C, D, z, delta_bias, state = _double(
        u, delta, A, B, C, D, z, delta_bias, initial_state
    )
    if delta_bias is not None:
        delta = delta + delta_bias
    if delta_softplus:
        delta = _softplus(delta)
    if state is None:
        state = u.new_zeros(u.shape[0], *A.shape)
    state = state.clone()
    outs = []
    for t in range(u.shape[1]):
        dt = delta[:, t, :, None]  # (B, D, 1)
        state = torch.exp(dt * A) * state + dt * B[:, t, None, :] * u[:, t, :, None]
        outs.append((state * C[:, t, None, :]).sum(-1))
    out = torch.stack(outs, dim=1) if outs else torch.zeros_like(u)
    if D is not None:
        out = out + D * u
    if z is not None:
        out = out * _silu(z)
    return out, state


def _gradients(op: Callable, inputs: dict, options: dict, grads: Sequence[Tensor | None]) -> tuple:
    """d(sum of op's results times ``grads``) by each of ``inputs``, None where that is None."""
    leaves = {
        name: None if tensor is None else tensor.detach().double().requires_grad_()
        for name, tensor in inputs.items()
    }
    with torch.enable_grad():
        outs = op(**leaves, **options)
        outs = outs if isinstance(outs, tuple) else (outs,)
        pairs = [(out, grad.double()) for out, grad in zip(outs, grads, strict=True)
                 if grad is not None and out.requires_grad]  # fmt: skip
    given = [leaf for leaf in leaves.values() if leaf is not None]
    found = iter(
        torch.autograd.grad(
            [out for out, _ in pairs], given, [grad for _, grad in pairs], materialize_grads=True
        )
        if pairs
        else [torch.zeros_like(leaf) for leaf in given]
    )
    return tuple(None if leaf is None else next(found) for leaf in leaves.values())


def selective_scan_backward(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    initial_state: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
    delta_softplus: bool = False,
    *,
    grad_out: Tensor,
    grad_last_state: Tensor | None = None,
) -> tuple[Tensor | None, ...]:
    """Gradients of u, delta, A, B, C, D, z, delta_bias and initial_state."""
    inputs = {
        "u": u, "delta": delta, "A": A, "B": B, "C": C, "D": D, "z": z, "delta_bias": delta_bias,
        "initial_state": initial_state,
    }  # fmt: skip
    options = {"cu_seqlens": cu_seqlens, "delta_softplus": delta_softplus}
    return _gradients(selective_scan, inputs, options, (grad_out, grad_last_state))


def _decay_delta(delta: Tensor, delta_bias: Tensor | None, decay: str) -> Tensor:
    if decay == "no_bias":
        return _softplus(delta)
    if decay == "full":
        return _softplus(delta if delta_bias is None else delta + delta_bias)
    if decay == "none":
        return torch.zeros_like(delta)
    raise ValueError(f"decay must be no_bias, full or none, got {decay!r}")


def _token_terms(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    delta_bias: Tensor | None,
    decay: str,
) -> tuple[Tensor, Tensor]:
    """Eq. 4 before its sum over states, unpacked: (ln|term|, sign), both (B, L, D, N).

    term = C_T[n] exp(A[d, n] R_t[d]) dt_t[d] B_t[n] u_t[d], R_t the sum of decay deltas after t.
    """
    u, delta, A, B, C, delta_bias = _double(u, delta, A, B, C, delta_bias)
    dt = _softplus(delta if delta_bias is None else delta + delta_bias)
    decay_dt = _decay_delta(delta, delta_bias, decay)
    # A suffix sum, never a difference of prefix sums: the newest tokens would cancel.
    from_t = decay_dt.flip(1).cumsum(1).flip(1)
    after_t = torch.cat([from_t[:, 1:], torch.zeros_like(from_t[:, :1])], dim=1)
    C_last = C[:, -1:, None, :]  # (B, 1, 1, N)
    product = C_last * B[:, :, None, :] * (dt * u)[..., None]
    log_size = after_t[..., None] * A + torch.log(product.abs())
    return log_size, torch.sign(product)


def token_contributions(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    delta_bias: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
    decay: str = "no_bias",
) -> Tensor:
    """Signed contribution of token t to y_T of its sequence, per channel: (B, L, D) (Simba, Eq. 4).

    ``delta`` is raw, before bias and softplus. With decay "full" and no initial state the sum over
    t is y_T - D u_T.
    """
    if cu_seqlens is not None:
        parts = [u[:, :0].double()]
        for _, span in _spans(cu_seqlens):
            cut = [_cut(tensor, span) for tensor in (u, delta, B, C)]
            parts.append(
                token_contributions(cut[0], cut[1], A, cut[2], cut[3], delta_bias, None, decay)
            )
        return torch.cat(parts, dim=1)
    if u.shape[1] == 0:
        return torch.zeros_like(u, dtype=torch.float64)
    log_size, sign = _token_terms(u, delta, A, B, C, delta_bias, decay)
    return (sign * torch.exp(log_size)).sum(-1)


def influence_scores(
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    delta_bias: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
    decay: str = "no_bias",
    reduction: str = "max",
) -> Tensor:
    """log2 of :func:`token_contributions` reduced over channels, all in the log domain."""
    if cu_seqlens is not None:
        parts = [u[:, :0, 0].double()] if u.shape[2] else [u.new_zeros(1, 0).double()]
        for _, span in _spans(cu_seqlens):
            cut = [_cut(tensor, span) for tensor in (u, delta, B, C)]
            inputs = (cut[0], cut[1], A, cut[2], cut[3], delta_bias)
            parts.append(influence_scores(*inputs, None, decay, reduction))
        return torch.cat(parts, dim=1)
    if u.shape[1] == 0 or u.shape[2] == 0:
        return u.new_full(u.shape[:2], -math.inf, dtype=torch.float64)

    log_size, sign = _token_terms(u, delta, A, B, C, delta_bias, decay)
    largest = log_size.amax(-1, keepdim=True)
    offset = torch.where(largest == -math.inf, torch.zeros_like(largest), largest)
    scaled = (sign * torch.exp(log_size - offset)).sum(-1)  # (B, L, D), in units of exp(offset)
    log_abs = torch.log(scaled.abs()) + offset[..., 0]
    if reduction == "max":
        log_score = log_abs.amax(-1)
    elif reduction == "signed_max":
        log_score = torch.where(scaled < 0, torch.full_like(log_abs, -math.inf), log_abs).amax(-1)
    elif reduction == "l1":
        log_score = torch.logsumexp(log_abs, -1)
    elif reduction == "l2":
        log_score = torch.logsumexp(2 * log_abs, -1) / 2
    else:
        raise ValueError(f"reduction must be max, l2, l1 or signed_max, got {reduction!r}")
    return log_score / math.log(2)


def _select(scores: Sequence[float], keep: int) -> list[int]:
    """The last position and the keep - 1 highest others by (score, position), ascending."""
    last = len(scores) - 1
    order = sorted(range(last), key=lambda t: (not math.isnan(scores[t]), _rank(scores[t]), t))
    return sorted(order[len(order) - (keep - 1) :] + [last]) if keep else []


def _rank(score: float) -> float:
    return 0.0 if math.isnan(score) else score


def select_tokens(
    scores: Tensor, keep: int | Sequence[int], cu_seqlens: Tensor | None = None
) -> Tensor | tuple[Tensor, Tensor]:
    """The tokens to keep: order by (score, position), NaN below -inf, the last token always in."""
    device = scores.device
    if cu_seqlens is None:
        kept = [_select(row, keep) for row in scores.tolist()]
        return torch.tensor(kept, dtype=torch.int64, device=device).reshape(scores.shape[0], keep)
    row, flat, bounds = scores[0].tolist(), [], [0]
    for s, span in _spans(cu_seqlens):
        flat += [span.start + t for t in _select(row[span], keep[s])]
        bounds.append(len(flat))
    indices = torch.tensor(flat, dtype=torch.int64, device=device).reshape(1, -1)
    return indices, torch.tensor(bounds, dtype=torch.int32, device=device)


def causal_conv1d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    initial_state: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
    silu: bool = False,
) -> tuple[Tensor, Tensor]:
    """Depthwise causal convolution; see :func:`simba_ssm.ops.causal_conv1d`."""
    width = weight.shape[1]
    if cu_seqlens is not None:
        outs, states = [x[:, :0].double()], [x.new_zeros(0, x.shape[2], width - 1).double()]
        for s, span in _spans(cu_seqlens):
            initial = None if initial_state is None else initial_state[s : s + 1]
            out, state = causal_conv1d(x[:, span], weight, bias, initial, None, silu)
            outs.append(out)
            states.append(state)
        return torch.cat(outs, dim=1), torch.cat(states)

    x, weight, bias, initial_state = _double(x, weight, bias, initial_state)
    batch, length, channels = x.shape
    if initial_state is None:
        initial_state = x.new_zeros(batch, channels, width - 1)
    padded = torch.cat([initial_state.transpose(1, 2), x], dim=1)  # (B, K - 1 + L, D)
    out = torch.zeros_like(x) if bias is None else bias.expand_as(x)
    for k in range(width):
        out = out + weight[:, k] * padded[:, k : k + length]
    return (_silu(out) if silu else out), padded[:, length:].transpose(1, 2).contiguous()


def causal_conv1d_backward(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    initial_state: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
    silu: bool = False,
    *,
    grad_out: Tensor,
    grad_last_state: Tensor | None = None,
) -> tuple[Tensor | None, ...]:
    """Gradients of x, weight, bias and initial_state."""
    inputs = {"x": x, "weight": weight, "bias": bias, "initial_state": initial_state}
    options = {"cu_seqlens": cu_seqlens, "silu": silu}
    return _gradients(causal_conv1d, inputs, options, (grad_out, grad_last_state))


def _gather_rows(x: Tensor, indices: Tensor) -> Tensor:
    return torch.stack([rows[picked] for rows, picked in zip(x, indices, strict=True)])


def add_norm(
    x: Tensor,
    residual: Tensor | None,
    weight: Tensor,
    bias: Tensor | None = None,
    indices: Tensor | None = None,
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor]:
    """Residual addition and RMSNorm, or LayerNorm where a bias is given: (normed, new residual)."""
    x, residual, weight, bias = _double(x, residual, weight, bias)
    if residual is not None:
        x = x + (residual if indices is None else _gather_rows(residual, indices))
    elif indices is not None:
        x = _gather_rows(x, indices)
    centred = x if bias is None else x - x.mean(-1, keepdim=True)
    normed = centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + eps) * weight
    return (normed if bias is None else normed + bias), x


def add_norm_backward(
    x: Tensor,
    residual: Tensor | None,
    weight: Tensor,
    bias: Tensor | None = None,
    indices: Tensor | None = None,
    eps: float = 1e-5,
    *,
    grad_normed: Tensor,
    grad_new_residual: Tensor | None = None,
) -> tuple[Tensor | None, ...]:
    """Gradients of x, residual, weight and bias."""
    inputs = {"x": x, "residual": residual, "weight": weight, "bias": bias}
    options = {"indices": indices, "eps": eps}
    return _gradients(add_norm, inputs, options, (grad_normed, grad_new_residual))


def gate(y: Tensor, z: Tensor, indices: Tensor | None = None) -> Tensor:
    """y * silu(z), of the rows that ``indices`` (B, K) pick in each batch row, or of all."""
    y, z = _double(y, z)
    out = y * _silu(z)
    return out if indices is None else _gather_rows(out, indices)


def gate_backward(
    y: Tensor, z: Tensor, indices: Tensor | None = None, *, grad_out: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of y and z."""
    return _gradients(gate, {"y": y, "z": z}, {"indices": indices}, (grad_out,))


def selective_state_update(
    state: Tensor,
    u: Tensor,
    delta: Tensor,
    A: Tensor,
    B: Tensor,
    C: Tensor,
    D: Tensor | None = None,
    z: Tensor | None = None,
    delta_bias: Tensor | None = None,
    delta_softplus: bool = False,
) -> tuple[Tensor, Tensor]:
    """One step of :func:`selective_scan` from ``state``: (out (S, D), the state after it)."""
    step = [None if tensor is None else tensor[:, None] for tensor in (u, delta, B, C, z)]
    out, after = selective_scan(
        step[0], step[1], A, step[2], step[3], D, step[4], delta_bias, state, None, delta_softplus
    )
    return out[:, 0], after


def gemv(x: Tensor, weight: Tensor) -> Tensor:
    """x weight^T."""
    x, weight = _double(x, weight)
    return x @ weight.mT


def in_proj_step(
    hidden: Tensor,
    residual: Tensor | None,
    norm_weight: Tensor,
    eps: float,
    in_proj: Tensor,
    conv_state: Tensor,
    conv_weight: Tensor,
    conv_bias: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One token of each sequence from the residual to the convolution: (u, z, the new residual,
    ``conv_state`` after it). Nothing is rounded on the way.
    """
    normed, new_residual = add_norm(
        hidden[None], None if residual is None else residual[None], norm_weight, eps=eps
    )
    xz = gemv(normed[0], in_proj)
    channels = conv_weight.shape[0]
    x, z = xz[:, :channels], xz[:, channels:]
    u, after = causal_conv1d(x[:, None], conv_weight, conv_bias, conv_state, silu=True)
    return u[:, 0], z, new_residual[0], after


def ssm_step(
    state: Tensor,
    u: Tensor,
    dt_B_C: Tensor,
    dt_proj: Tensor,
    A: Tensor,
    D: Tensor,
    z: Tensor,
    delta_bias: Tensor,
) -> tuple[Tensor, Tensor]:
    """dt_proj, then :func:`selective_state_update`: (out (S, D), the state after it). Nothing is
    rounded on the way.
    """
    states = A.shape[1]
    dt, B, C = dt_B_C.split([dt_proj.shape[1], states, states], dim=1)
    return selective_state_update(
        state, u, gemv(dt, dt_proj), A, B, C, D, z, delta_bias, delta_softplus=True
    )
