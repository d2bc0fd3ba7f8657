"""The drop-in functions are declared as their packages declare them."""

from __future__ import annotations

import inspect

import pytest

from simba_ssm import drop_in

# As mamba_ssm 2.3.2 and causal_conv1d 1.7.0 declare them.
SIGNATURES = {
    "selective_scan_fn": "u, delta, A, B, C, D=None, z=None, delta_bias=None, delta_softplus=False, "
    "return_last_state=False",
    "causal_conv1d_fn": "x, weight, bias=None, seq_idx=None, initial_states=None, "
    "return_final_states=False, final_states_out=None, activation=None",
    "causal_conv1d_update": "x, conv_state, weight, bias=None, activation=None, cache_seqlens=None, "
    "conv_state_indices=None",
    "selective_state_update": "state, x, dt, A, B, C, D=None, z=None, dt_bias=None, "
    "dt_softplus=False, state_batch_indices=None",
}


def test_every_function_has_its_signature_here():
    assert set(SIGNATURES) == set(drop_in.__all__)


@pytest.mark.parametrize("name", SIGNATURES)
def test_signature(name):
    parameters = inspect.signature(getattr(drop_in, name)).parameters.values()
    texts = [p.name + ("" if p.default is p.empty else f"={p.default}") for p in parameters]
    assert ", ".join(texts) == SIGNATURES[name]
