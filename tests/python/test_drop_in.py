"""mamba_ssm's and causal_conv1d's functions, against plain definitions of what they mean."""

from __future__ import annotations

import inspect

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from simba_ssm import drop_in
from simba_ssm.drop_in import causal_conv1d_fn, selective_scan_fn, selective_state_update

# As mamba_ssm 2.3.2 and causal_conv1d 1.7.0 declare them.
SIGNATURES = {
    "selective_scan_fn": "u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False, "
    "return_last_state=False",
    "causal_conv1d_fn": "x, weight, bias=None, seq_idx=None, initial_states=None, "
    "return_final_states=False, final_states_out=None, activation=None",
    "selective_state_update": "state, x, dt, A, B, C, D=None, z=None, dt_bias=None, "
    "dt_softplus=False, state_batch_indices=None",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name):
    parameters = inspect.signature(getattr(drop_in, name)).parameters.values()
    texts = [p.name + ("" if p.default is p.empty else f"={p.default}") for p in parameters]
    assert ", ".join(texts) == SIGNATURES[name]


def close(actual: Tensor, expected: Tensor) -> None:
    tolerance = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 1e-2}[actual.dtype]
    assert actual.shape == expected.shape
    assert (actual.double() - expected).abs().max() <= tolerance * expected.abs().max()


def scan_definition(u, delta, A, B, C, D, z, delta_bias, softplus):
    """Channel by channel, step by step, in float64."""
    batch, dim, length = u.shape
    out = torch.zeros(batch, dim, length, dtype=torch.float64)
    last = torch.zeros(batch, dim, A.shape[1], dtype=torch.float64)

    def of_channel(t: Tensor, b: int, d: int) -> Tensor:
        t = t[b] if t.dim() == 3 else t[b, d // (dim // t.shape[1])]
        return t.double()

    for b in range(batch):
        for d in range(dim):
            h = torch.zeros(A.shape[1], dtype=torch.float64)
            B_d, C_d = of_channel(B, b, d), of_channel(C, b, d)
            for t in range(length):
                dt = delta[b, d, t].double() + (0 if delta_bias is None else delta_bias[d].double())
                dt = torch.log1p(torch.exp(dt)) if softplus else dt
                h = torch.exp(dt * A[d].double()) * h + dt * B_d[:, t] * u[b, d, t].double()
                y = (h * C_d[:, t]).sum()
                if D is not None:
                    y = y + D[d].double() * u[b, d, t].double()
                if z is not None:
                    y = y * F.silu(z[b, d, t].double())
                out[b, d, t] = y
            last[b, d] = h
    return out, last


def normal(*shape: int, dtype=torch.float32, seed: int = 0, channels_last: bool = False) -> Tensor:
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)
    return values.transpose(1, 2).contiguous().transpose(1, 2) if channels_last else values


SCANS = {
    "plain": {},
    "channels last": {"channels_last": True},
    "softplus and bias": {"bias": True, "softplus": True},
    "D and z": {"D": True, "z": True},
    "2 groups": {"B": 2, "C": 2},
    "groups of C alone": {"C": 3, "z": True, "D": True, "bias": True},
    "bfloat16": {"dtype": torch.bfloat16, "D": True, "z": True, "bias": True, "softplus": True},
    "float64": {"dtype": torch.float64},
    "one channel": {"dim": 1},
    "one token": {"length": 1, "D": True},
}


@torch.no_grad()
@pytest.mark.parametrize("case", SCANS)
def test_selective_scan_fn(case):
    options = {"dtype": torch.float32, "dim": 6, "length": 9, "channels_last": False} | SCANS[case]
    dtype, dim, length = options["dtype"], options["dim"], options["length"]
    layout = {"dtype": dtype, "channels_last": options["channels_last"]}
    u = normal(2, dim, length, seed=1, **layout)
    delta = normal(2, dim, length, seed=2, **layout).abs()
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    A = -normal(dim, 4, seed=3, dtype=wide).exp()
    B, C = (
        normal(2, *((options[name],) if name in options else ()), 4, length, dtype=dtype, seed=4 + i)
        for i, name in enumerate("BC")
    )
    D = normal(dim, seed=6, dtype=wide) if "D" in options else None
    z = normal(2, dim, length, seed=7, **layout) if "z" in options else None
    bias = normal(dim, seed=8, dtype=wide) if "bias" in options else None
    softplus = options.get("softplus", False)

    out, last = selective_scan_fn(u, delta, A, B, C, D, z, bias, softplus, return_last_state=True)
    expected, expected_last = scan_definition(u, delta, A, B, C, D, z, bias, softplus)
    assert out.dtype == dtype and last.dtype == wide
    assert out.stride() == u.stride() or 1 in (dim, length)
    close(out, expected)
    close(last, expected_last)
    assert torch.equal(selective_scan_fn(u, delta, A, B, C, D, z, bias, softplus), out)


def test_what_selective_scan_fn_does_not_take():
    u, A, B = normal(2, 6, 9), -torch.ones(6, 4), normal(2, 4, 9)
    with pytest.raises(NotImplementedError, match="A: expected a real tensor"):
        selective_scan_fn(u, u, A.cfloat(), B, B)
    with pytest.raises(NotImplementedError, match="a constant B is not supported"):
        selective_scan_fn(u, u, A, normal(6, 4), B)
    with pytest.raises(NotImplementedError, match="C: expected 1 or 3 groups, got 2"):
        selective_scan_fn(u, u, A, normal(2, 3, 4, 9), normal(2, 2, 4, 9))
    with pytest.raises(ValueError, match="groups that divide 6, got"):
        selective_scan_fn(u, u, A, normal(2, 4, 4, 9), B)


def conv_definition(x, weight, bias, seq_idx, initial, silu):
    """Tap by tap in float64; a tap counts where its token belongs to the same sequence."""
    batch, dim, length = x.shape
    width = weight.shape[1]
    out = torch.zeros(x.shape, dtype=torch.float64)
    for b in range(batch):
        for t in range(length):
            if seq_idx is not None and seq_idx[b, t] < 0:
                continue
            y = torch.zeros(dim, dtype=torch.float64)
            for k in range(width):
                at = t - (width - 1) + k
                if at >= 0:
                    same = seq_idx is None or seq_idx[b, at] == seq_idx[b, t]
                    value = x[b, :, at].double()
                else:
                    same = initial is not None and (seq_idx is None or seq_idx[b, 0] == seq_idx[b, t])
                    value = 0 if initial is None else initial[b, :, width - 1 + at].double()
                if same:
                    y = y + weight[:, k].double() * value
            if bias is not None:
                y = y + bias.double()
            out[b, :, t] = F.silu(y) if silu else y
    return out


SEQ_IDX = torch.tensor([[0, 0, 0, 1, 2, 2, 2, 2, 3], [5, 5, 5, 5, 5, 5, 6, -1, -1]], dtype=torch.int32)

CONVS = {
    "plain": {},
    "bias, silu": {"bias": True, "activation": "silu"},
    "swish, bfloat16": {"activation": "swish", "dtype": torch.bfloat16},
    "initial": {"initial": True, "bias": True},
    "channels last": {"channels_last": True, "initial": True},
    "width 2": {"width": 2, "initial": True},
    "width 7": {"width": 7, "initial": True},
    "sequences": {"seq_idx": True, "bias": True, "activation": "silu"},
    "sequences, initial": {"seq_idx": True, "initial": True, "channels_last": True},
}


@torch.no_grad()
@pytest.mark.parametrize("case", CONVS)
def test_causal_conv1d_fn(case):
    options = {"dtype": torch.float32, "width": 4, "channels_last": False} | CONVS[case]
    dtype, width = options["dtype"], options["width"]
    x = normal(2, 5, 9, seed=1, dtype=dtype, channels_last=options["channels_last"])
    weight = normal(5, width, seed=2)
    bias = normal(5, seed=3) if "bias" in options else None
    initial = normal(2, 5, width - 1, seed=4, dtype=dtype) if "initial" in options else None
    seq_idx = SEQ_IDX if "seq_idx" in options else None
    activation = options.get("activation")
    out = causal_conv1d_fn(x, weight, bias, seq_idx, initial, activation=activation)
    assert out.dtype == dtype and out.stride() == x.stride()
    close(out, conv_definition(x, weight, bias, seq_idx, initial, activation is not None))
    if seq_idx is not None:
        return
    again, final = causal_conv1d_fn(
        x, weight, bias, None, initial, return_final_states=True, activation=activation
    )
    assert torch.equal(again, out)
    before = torch.zeros(2, 5, width - 1, dtype=dtype) if initial is None else initial
    assert torch.equal(final, torch.cat([before, x], dim=2)[..., -(width - 1) :])
    place = torch.empty(2, 5, width - 1, dtype=dtype)
    _, given = causal_conv1d_fn(
        x, weight, bias, None, initial, True, place, activation=activation
    )
    assert given is place and torch.equal(place, final)


def test_what_causal_conv1d_fn_does_not_take():
    x, weight = normal(2, 5, 9), normal(5, 4)
    with pytest.raises(ValueError, match=r"x: expected \(batch, dim, length\), got \(5, 9\)"):
        causal_conv1d_fn(x[0], weight)
    with pytest.raises(NotImplementedError, match="activation: expected None, silu or swish, got 'relu'"):
        causal_conv1d_fn(x, weight, activation="relu")
    with pytest.raises(NotImplementedError, match="return_final_states: expected False with seq_idx"):
        causal_conv1d_fn(x, weight, seq_idx=SEQ_IDX, return_final_states=True)
    with pytest.raises(ValueError, match=r"seq_idx: expected \(2, 9\), got \(9,\)"):
        causal_conv1d_fn(x, weight, seq_idx=SEQ_IDX[0])


def step_definition(state, x, dt, A, B, C, D, z, dt_bias, softplus):
    """With heads, in float64: (out, the state after it)."""
    state, out = state.double().clone(), torch.zeros(x.shape, dtype=torch.float64)
    batch, heads, dim, _ = state.shape
    for b in range(batch):
        for h in range(heads):
            group = h * B.shape[1] // heads
            for d in range(dim):
                step = dt[b, h, d].double() + (0 if dt_bias is None else dt_bias[h, d].double())
                step = torch.log1p(torch.exp(step)) if softplus else step
                state[b, h, d] = (
                    torch.exp(step * A[h, d].double()) * state[b, h, d]
                    + step * B[b, group].double() * x[b, h, d].double()
                )
                y = (state[b, h, d] * C[b, group].double()).sum()
                y = y if D is None else y + D[h, d].double() * x[b, h, d].double()
                out[b, h, d] = y if z is None else y * F.silu(z[b, h, d].double())
    return out, state


STEPS = {
    "no heads": {"heads": None},
    "no heads, all": {"heads": None, "all": True},
    "heads": {"heads": 4, "all": True},
    "groups": {"heads": 4, "groups": 2, "all": True},
    "bfloat16": {"heads": None, "dtype": torch.bfloat16, "all": True},
    "state in bfloat16": {"heads": 4, "groups": 2, "state": torch.bfloat16},
    "float64": {"heads": None, "dtype": torch.float64, "state": torch.float64, "all": True},
    "a wide step": {"heads": None, "dtype": torch.bfloat16, "dt": torch.float32},
    "some rows of a cache": {"heads": None, "indices": True, "all": True},
    "some rows, heads": {"heads": 2, "groups": 2, "indices": True},
}


@pytest.mark.parametrize("case", STEPS)
def test_selective_state_update(case):
    options = {"dtype": torch.float32, "groups": 1} | STEPS[case]
    dtype, groups, flat = options["dtype"], options["groups"], options["heads"] is None
    heads, dim, batch, N = options["heads"] or 1, 3, 2, 4
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    state = normal(5 if "indices" in options else batch, heads, dim, N, seed=1).to(
        options.get("state", torch.float32)
    )
    x = normal(batch, heads, dim, seed=2, dtype=dtype)
    dt = normal(batch, heads, dim, seed=3, dtype=options.get("dt", dtype))
    A = -normal(heads, dim, N, seed=4, dtype=wide).exp()
    B, C = normal(batch, groups, N, seed=5, dtype=dtype), normal(batch, groups, N, seed=6, dtype=dtype)
    D = z = bias = None
    if "all" in options:
        D, bias = normal(heads, dim, seed=7, dtype=wide), normal(heads, dim, seed=8, dtype=wide)
        z = normal(batch, heads, dim, seed=9, dtype=dtype)
    indices = torch.tensor([3, 1]) if "indices" in options else None
    used = state if indices is None else state[indices]
    expected, expected_state = step_definition(used, x, dt, A, B, C, D, z, bias, True)
    untouched = state[0].clone()

    def squeezed(t: Tensor | None, lead: int) -> Tensor | None:
        return t if t is None or not flat else t.squeeze(lead)

    state = squeezed(state, 1)
    out = selective_state_update(
        state, *(squeezed(t, 1) for t in (x, dt)), squeezed(A, 0), *(squeezed(t, 1) for t in (B, C)),
        squeezed(D, 0), squeezed(z, 1), squeezed(bias, 0), dt_softplus=True,
        state_batch_indices=indices,
    )  # fmt: skip
    assert out.dtype == dtype
    close(out, squeezed(expected, 1))
    close(state if indices is None else state[indices], squeezed(expected_state, 1))
    if indices is not None:
        assert torch.equal(state[0], squeezed(untouched[None], 1)[0])


def test_parameters_expanded_over_a_head():
    """As Mamba-2 passes them: one number for each head."""
    heads, dim, N = 2, 3, 4
    A = -normal(heads, seed=1).exp()[:, None, None].expand(heads, dim, N)
    D, bias = (normal(heads, seed=s)[:, None].expand(heads, dim) for s in (2, 3))
    x, B = normal(2, heads, dim, seed=4), normal(2, 1, N, seed=5)
    dt = normal(2, heads, 1, seed=6).expand(2, heads, dim)
    state = normal(2, heads, dim, N, seed=7)
    expected, after = step_definition(state, x, dt, A, B, B, D, None, bias, True)
    close(selective_state_update(state, x, dt, A, B, B, D, None, bias, True), expected)
    close(state, after)


@pytest.mark.parametrize("layout", ["plain", "strided rows", "strided columns", "transposed"])
def test_a_state_of_any_layout(layout):
    """Updated in place, however it lies in memory."""
    batch, heads, dim, N = 2, 4, 3, 5
    memory = normal(batch, heads, 2 * dim, 2 * N, seed=1)
    memory = {
        "plain": memory[..., :dim, :N].contiguous(),
        "strided rows": memory[..., :dim, :N],
        "strided columns": memory[..., ::2, ::2],
        "transposed": memory[:, :, :dim, :N].transpose(2, 3).contiguous().transpose(2, 3),
    }[layout]
    x, dt, B = normal(batch, heads, dim, seed=2), normal(batch, heads, dim, seed=3), normal(2, 2, N, seed=4)
    A = -normal(heads, dim, N, seed=5).exp()
    expected, after = step_definition(memory, x, dt, A, B, B, None, None, None, True)
    close(selective_state_update(memory, x, dt, A, B, B, dt_softplus=True), expected)
    close(memory, after)


def test_parameters_that_require_gradients():
    """As in mamba_ssm there is no gradient of the step."""
    A, D = (-normal(6, 4, seed=1).exp()).requires_grad_(), normal(6, seed=2).requires_grad_()
    state, x, B = normal(2, 6, 4, seed=3), normal(2, 6, seed=4), normal(2, 4, seed=5)
    expected, after = step_definition(
        state[:, None], x[:, None], x[:, None], A[None], B[:, None], B[:, None], D[None], None, None,
        False,
    )  # fmt: skip
    out = selective_state_update(state, x, x, A, B, B, D)
    assert not out.requires_grad and not state.requires_grad
    close(out, expected[:, 0].detach())
    close(state, after[:, 0].detach())


def test_wrong_groups():
    state, x = normal(2, 4, 3, 5), normal(2, 4, 3)
    with pytest.raises(ValueError, match=r"B, C: expected \(2, groups, 5\) with groups that divide 4"):
        selective_state_update(state, x, x, -torch.ones(4, 3, 5), normal(2, 3, 5), normal(2, 3, 5))


def test_gradients():
    """Through outputs and last states, whatever the layout, groups and sequences."""
    wide = {"dtype": torch.float64}
    u, z = normal(2, 6, 7, seed=1, **wide), normal(2, 6, 7, seed=2, channels_last=True, **wide)
    delta, A = normal(2, 6, 7, seed=3, **wide).abs(), -normal(6, 4, seed=4, **wide).exp()
    B, C, D = (normal(*s, seed=5, **wide) for s in ((2, 2, 4, 7), (2, 4, 7), (6,)))
    tensors = [t.requires_grad_() for t in (u, delta, A, B, C, D, z)]
    options = {"delta_softplus": True, "return_last_state": True}
    assert torch.autograd.gradcheck(lambda *t: selective_scan_fn(*t, **options), tensors)

    x, weight, bias, initial = (
        normal(*s, seed=6, **wide).requires_grad_() for s in ((2, 5, 9), (5, 4), (5,), (2, 5, 3))
    )
    assert torch.autograd.gradcheck(
        lambda x, weight, bias, initial: causal_conv1d_fn(
            x, weight, bias, SEQ_IDX, initial, activation="silu"
        ),
        (x, weight, bias, initial),
    )
