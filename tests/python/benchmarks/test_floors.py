from __future__ import annotations

from made_up_run import CEILINGS

from benchmarks.compare.floors import Floor, Work, floor, influence_work, scan_work


def test_the_slowest_part_is_the_floor() -> None:
    assert floor(Work(bytes=2e12, exponentials=1e13), CEILINGS) == Floor(2.0, "memory")
    assert floor(Work(bytes=1e12, exponentials=3e13), CEILINGS) == Floor(3.0, "exponentials")
    assert floor(Work(flops=8e13), CEILINGS) == Floor(4.0, "arithmetic")
    assert floor(Work(bytes=1e12, product_flops=5e14), CEILINGS) == Floor(5.0, "products")


def test_products_of_a_type_without_measured_rate_count_as_float32() -> None:
    work = Work(product_flops=2e13, dtype="float64")
    assert floor(work, CEILINGS) == Floor(1.0, "products")


def test_scan_counts_an_exponential_a_state_and_softplus_and_gate() -> None:
    work = scan_work(10, batch=2, length=3, channels=5, states=16, gated=True)
    assert work.exponentials == 2 * 3 * 5 * (16 + 1 + 1.5)
    assert work.flops == 9 * 2 * 3 * 5 * 16
    assert scan_work(10, 2, 3, 5, 16, gated=False).exponentials == 2 * 3 * 5 * 17


def test_scores_without_bias_in_the_decay_take_two_softplus() -> None:
    assert influence_work(0, 1, 4, 8, "no_bias").exponentials == 2 * 32
    assert influence_work(0, 1, 4, 8, "full").exponentials == 32
