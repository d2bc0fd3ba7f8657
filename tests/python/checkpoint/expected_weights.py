"""What MambaWeights must hold for a state_dict, written without a look at the C++ table."""

from __future__ import annotations

import torch

MATRICES = {"in_proj", "x_proj", "dt_proj", "out_proj"}


def expected_weights(
    state: dict[str, torch.Tensor], n_layer: int, dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    """Under the C++ names; dtype is that of the matrices."""
    acc = torch.float64 if dtype == torch.float64 else torch.float32
    embedding = state.get("backbone.embeddings.weight", state.get("backbone.embedding.weight"))
    out = {
        "embedding": embedding.to(dtype),
        "lm_head": state.get("lm_head.weight", embedding).to(dtype),
        "final_norm_weight": state["backbone.norm_f.weight"].to(acc),
    }
    if "backbone.norm_f.bias" in state:
        out["final_norm_bias"] = state["backbone.norm_f.bias"].to(acc)
    for i in range(n_layer):
        for name, value in state.items():
            prefix = f"backbone.layers.{i}."
            if not name.startswith(prefix):
                continue
            part = name[len(prefix) :].removeprefix("mixer.")
            module, _, kind = part.partition(".")
            if part == "A_log":
                out[f"layers.{i}.A"] = -torch.exp(value.to(acc))
            elif part == "D":
                out[f"layers.{i}.D"] = value.to(acc)
            elif part == "conv1d.weight":
                out[f"layers.{i}.conv_weight"] = value.to(acc).squeeze(1)
            elif part == "conv1d.bias":
                out[f"layers.{i}.conv_bias"] = value.to(acc)
            elif module == "norm":
                out[f"layers.{i}.norm_{kind}"] = value.to(acc)
            elif part == "dt_proj.bias":
                out[f"layers.{i}.dt_bias"] = value.to(acc)
            elif module in MATRICES:
                out[f"layers.{i}.{module}{'_bias' if kind == 'bias' else ''}"] = value.to(dtype)
    return out


def assert_same(got: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    """Bit for bit."""
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert got[name].dtype == value.dtype, name
        assert got[name].shape == value.shape, name
        assert torch.equal(got[name], value), name
