"""Small models, and what the C++ model does with the same weights."""

from __future__ import annotations

import torch
from torch import Tensor

import simba_ssm
from simba_ssm.modeling import Pruning, SimbaConfig, SimbaForCausalLM
from simba_ssm.modeling.generation import as_simba

# Sizes all differ, so that no two shapes can be mistaken.
SIZES = {
    "d_model": 24,
    "n_layer": 4,
    "vocab_size": 37,
    "d_state": 5,
    "d_conv": 3,
    "d_inner": 48,
    "dt_rank": 7,
}


def small_model(*, seed: int = 0, pruning: Pruning | None = None, **changes) -> SimbaForCausalLM:
    """Mamba's initialisation, and biases that matter."""
    torch.manual_seed(seed)
    model = SimbaForCausalLM(SimbaConfig(**(SIZES | changes)), pruning)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "bias" in name and "dt_proj" not in name:
                parameter.normal_()
            if "norm" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
            if "embedding" in name:
                parameter.normal_()
    return model.eval()


def random_ids(*shape: int, seed: int = 0, vocab_size: int = SIZES["vocab_size"]) -> Tensor:
    return torch.randint(vocab_size, shape, generator=torch.Generator().manual_seed(seed))


class Layers:
    """Observer of the C++ model that records what each layer reads and keeps."""

    def __init__(self) -> None:
        self.inputs, self.kept = [], []

    def __call__(self, _layer, _tokens, inputs, kept) -> None:
        self.inputs.append(inputs)
        self.kept.append(kept)

    @property
    def indices(self) -> list[Tensor | None]:
        return [kept.indices for kept in self.kept]


def cpp_model(model: SimbaForCausalLM) -> simba_ssm.Simba:
    return as_simba(model)


def assert_close(actual: Tensor, expected: Tensor, relative: float = 1e-5) -> None:
    """Within `relative` of the expected values' root mean square."""
    assert actual.shape == expected.shape
    difference = (actual - expected).abs().max()
    assert difference <= relative * expected.square().mean().sqrt()
