"""mamba_ssm's selective_scan_fn, against a plain definition of what it means."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from drop_in_inputs import close, normal
from torch import Tensor

from simba_ssm.drop_in import selective_scan_fn


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


def test_gradients():
    """Through the output and the last state, whatever the layout and groups."""
    wide = {"dtype": torch.float64}
    u, z = normal(2, 6, 7, seed=1, **wide), normal(2, 6, 7, seed=2, channels_last=True, **wide)
    delta, A = normal(2, 6, 7, seed=3, **wide).abs(), -normal(6, 4, seed=4, **wide).exp()
    B, C, D = (normal(*s, seed=5, **wide) for s in ((2, 2, 4, 7), (2, 4, 7), (6,)))
    tensors = [t.requires_grad_() for t in (u, delta, A, B, C, D, z)]
    options = {"delta_softplus": True, "return_last_state": True}
    assert torch.autograd.gradcheck(lambda *t: selective_scan_fn(*t, **options), tensors)
