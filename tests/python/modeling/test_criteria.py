"""Each criterion on the inputs of a layer: the C++ model's choice, exactly."""

from __future__ import annotations

import pytest
import torch
from small_models import Layers, cpp_model, random_ids, small_model

from simba_ssm import Simba
from simba_ssm.modeling import Pruning
from simba_ssm.modeling.criteria import SsmInputs, select
from simba_ssm.modeling.packing import Packing

CASES = [
    *({"criterion": "influence", "decay": decay} for decay in ("no_bias", "full", "none")),
    *({"criterion": "influence", "reduction": kind} for kind in ("l2", "l1", "signed_max")),
    *({"criterion": name} for name in ("delta_norm", "delta", "recent", "spaced", "random")),
    {"criterion": "random", "seed": 7},
    {"criterion": "random", "seed": -1},
]


def ssm_inputs(inputs, packing: Packing) -> SsmInputs:
    tensors = (getattr(inputs, name) for name in ("u", "delta", "A", "B", "C", "D", "z", "delta_bias"))
    return SsmInputs(*tensors, packing)


@pytest.mark.parametrize("options", CASES, ids=lambda o: " ".join(map(str, o.values())))
def test_packed(options):
    layers = Layers()
    plan = Simba.make_plan("0.2", **options)
    lengths = [33, 1, 64, 7]
    sequences = [random_ids(n, seed=n).tolist() for n in lengths]
    cpp_model(small_model()).prefill(sequences, plan=plan, observer=layers)
    for layer, (inputs, kept) in enumerate(zip(layers.inputs[:-1], layers.kept[:-1], strict=True)):
        packing = Packing(inputs.cu_seqlens, tuple(inputs.lengths))
        chosen = select(
            ssm_inputs(inputs, packing), tuple(kept.lengths), layer, Pruning(**options)
        )
        assert torch.equal(chosen, kept.indices), f"layer {layer}"


@pytest.mark.parametrize("options", CASES, ids=lambda o: " ".join(map(str, o.values())))
def test_batch(options):
    """Rows of a batch are sequences 0, 1, ... of one packed batch."""
    layers = Layers()
    batch, length, keep = 3, 40, 12
    plan = Simba.make_plan("0.5", "steps:1=0.3", **options)
    cpp_model(small_model()).prefill(random_ids(batch, length), plan=plan, observer=layers)
    # Only the first layer drops something before the last.
    inputs = ssm_inputs(layers.inputs[0], Packing())
    rows = {"u", "delta", "B", "C", "z"}
    fields = {
        name: value.unflatten(1, (batch, length)).squeeze(0) if name in rows else value
        for name, value in inputs._asdict().items()
    }
    chosen = select(SsmInputs(**fields), keep, 0, Pruning(**options))
    offsets = torch.arange(0, batch * length, length)[:, None]
    assert torch.equal((chosen + offsets).reshape(1, -1), layers.kept[0].indices)
