"""The floor of a prefill: its matrix products alone, through torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Product:
    """x (rows, inner) times weight (outer, inner)."""

    rows: int
    inner: int
    outer: int

    @property
    def flops(self) -> int:
        return 2 * self.rows * self.inner * self.outer


def products_of(
    config: dict, vocabulary: int, rows: Sequence[int], read: int, states: int = 16
) -> list[Product]:
    """A prefill's products in order. rows: tokens that enter each layer; out_proj and the head see
    those alone that leave it. read: tokens that leave the last layer, one of each sequence.
    """
    d_model = config["d_model"]
    d_inner, dt_rank = 2 * d_model, math.ceil(d_model / 16)
    products = []
    for entering, leaving in zip(rows, [*rows[1:], read], strict=True):
        products += [
            Product(entering, d_model, 2 * d_inner),
            Product(entering, d_inner, dt_rank + 2 * states),
            Product(entering, dt_rank, d_inner),
            Product(leaving, d_inner, d_model),
        ]
    return [*products, Product(read, d_model, vocabulary)]


def product_runner(
    products: Sequence[Product], device: torch.device, dtype: torch.dtype
) -> Callable[[], object]:
    """A function that does the products and nothing else; on a GPU it replays one CUDA graph.

    Weights of equal shape are two tensors in turn, so that none stays in a cache.
    """
    inputs: dict[int, torch.Tensor] = {}
    weights: dict[tuple[int, int], list[torch.Tensor]] = {}
    for product in products:
        known = inputs.get(product.inner)
        if known is None or len(known) < product.rows:
            inputs[product.inner] = torch.randn(
                product.rows, product.inner, device=device, dtype=dtype
            )
        key = (product.outer, product.inner)
        if key not in weights:
            weights[key] = [torch.randn(*key, device=device, dtype=dtype) for _ in range(2)]

    @torch.inference_mode()
    def run() -> None:
        for position, product in enumerate(products):
            pair = weights[product.outer, product.inner]
            x = inputs[product.inner][: product.rows]
            torch.nn.functional.linear(x, pair[position // 4 % 2])

    if device.type != "cuda":
        return run
    run()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()

    # The graph reads the tensors that `run` holds.
    def replay(_held: Callable = run) -> None:
        graph.replay()

    return replay
