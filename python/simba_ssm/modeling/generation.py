"""A module's weights in the C++ model, which decodes: shared, not copied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from simba_ssm._library import load_extension
from simba_ssm.pretrained import Simba

if TYPE_CHECKING:
    from simba_ssm.modeling.model import SimbaForCausalLM

# Beside the modules, so that these can still be copied and pickled.
_models: WeakKeyDictionary[SimbaForCausalLM, _Held] = WeakKeyDictionary()


class _Held(NamedTuple):
    places: list[int]
    converted: list[Tensor]
    simba: Simba


def _converted(model: SimbaForCausalLM) -> Iterator[Tensor]:
    """The parameters of which the C++ model holds something else than the memory itself."""
    for name, parameter in model.named_parameters():
        if name.endswith("A_log") or (parameter.dim() != 2 and parameter.element_size() < 4):
            yield parameter.detach()


def as_simba(model: SimbaForCausalLM) -> Simba:
    """The C++ model over a module's parameters, under the module's own pruning.

    Matrices are shared; A, and vectors that are narrower than float32, are its own. It is made anew
    where these have other values than at the last call, or a parameter has moved. Values are compared:
    fused optimizers and `.data` do not count up a tensor's version.
    """
    places = [p.data_ptr() for p in model.parameters()]
    held = _models.get(model)
    if (
        held is None
        or held.places != places
        or not all(map(torch.equal, held.converted, _converted(model)))
    ):
        config = load_extension().MambaConfig()
        for name, value in asdict(model.config).items():
            setattr(config, name, value)
        tensors = {name: p.detach() for name, p in model.state_dict().items()}
        device = model.backbone.embedding.weight.device
        cpp = load_extension().Simba.from_tensors(config, tensors, device)
        copies = [parameter.clone() for parameter in _converted(model)]
        held = _models[model] = _Held(places, copies, Simba(cpp, Simba.make_plan(1)))
    simba = held.simba
    simba.plan = Simba.make_plan(**asdict(model.pruning))
    return simba
