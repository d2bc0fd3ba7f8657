"""mamba_ssm's selective_state_update, against a plain definition of what it means."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from drop_in_inputs import close, normal
from torch import Tensor

from simba_ssm.drop_in import selective_state_update


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
