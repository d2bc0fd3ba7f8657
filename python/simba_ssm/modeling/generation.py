"""A module's weights in the C++ model, which decodes: shared, not copied."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from simba_ssm._library import load_extension
from simba_ssm.pretrained import Simba

if TYPE_CHECKING:
    from simba_ssm.modeling.model import SimbaForCausalLM

# Beside the modules, so that these can still be copied and pickled.
_models: WeakKeyDictionary[SimbaForCausalLM, tuple[object, Simba]] = WeakKeyDictionary()


def as_simba(model: SimbaForCausalLM) -> Simba:
    """The C++ model over a module's parameters, under the module's own pruning.

    Matrices are shared; A, and vectors that are narrower than float32, are its own. It is made anew
    where parameters were changed or moved since the last call.
    """
    version = tuple((p.data_ptr(), p._version) for p in model.parameters())
    held = _models.get(model)
    if held is None or held[0] != version:
        config = load_extension().MambaConfig()
        for name, value in asdict(model.config).items():
            setattr(config, name, value)
        tensors = {name: p.detach() for name, p in model.state_dict().items()}
        device = model.backbone.embedding.weight.device
        cpp = load_extension().Simba.from_tensors(config, tensors, device)
        held = version, Simba(cpp, Simba.make_plan(1))
        _models[model] = held
    simba = held[1]
    simba.plan = Simba.make_plan(**asdict(model.pruning))
    return simba
