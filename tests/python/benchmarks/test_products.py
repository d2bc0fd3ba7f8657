from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.compare.products import Product, product_runner, products_of
from simba_ssm import Simba

CONFIG = {"d_model": 256, "n_layer": 12}


def test_kept_tokens_alone_reach_out_proj_and_the_head() -> None:
    products = products_of({"d_model": 32}, vocabulary=100, rows=[10, 4], read=1, states=16)
    assert products == [
        Product(10, 32, 128), Product(10, 64, 34), Product(10, 2, 64), Product(4, 64, 32),
        Product(4, 32, 128), Product(4, 64, 34), Product(4, 2, 64), Product(1, 64, 32),
        Product(1, 32, 100),
    ]  # fmt: skip


def test_runner_does_the_products_through_torch() -> None:
    products = [Product(3, 8, 16), Product(5, 8, 4)]
    run = product_runner(products, torch.device("cpu"), torch.float32)
    with FlopCounterMode(display=False) as counter:
        run()
    assert counter.get_total_flops() == sum(product.flops for product in products)


@pytest.mark.parametrize(("retention", "unread"), [("1", 199), ("0.1", 0)])
def test_products_are_those_that_the_model_counts(retention: str, unread: int) -> None:
    """But for tokens that a dense model takes through its last out_proj, where nobody reads them."""
    model = Simba.from_pretrained("examples/demo/model")
    plan = model.make_plan(retention)
    rows = plan.tokens_per_layer(200, model.n_layer)
    products = products_of(CONFIG, model.vocab_size, rows, read=1)
    counted = model.flops(200, plan=plan)
    d_inner, K, N = 512, 4, 16
    others = sum(rows) * d_inner * (2 * K + 9 * N)
    total = sum(product.flops for product in products)
    last_out_proj = 2 * unread * d_inner * 256
    assert total == counted.prefill - others - last_out_proj + products[-1].flops
