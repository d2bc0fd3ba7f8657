from __future__ import annotations

import made_up_run
import torch

from benchmarks.compare.gradients import forward_and_backward, gradient_cases, have_gradients
from benchmarks.compare.operator_peers import find_operator_peers
from benchmarks.compare.operators import Operators


def test_gradients_of_the_first_results_even_where_others_run_without_autograd() -> None:
    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 5.0])
    grad = torch.tensor([1.0, 10.0])
    launch = forward_and_backward(lambda: (x * y, x + y, "more"), [x, y], grad, 2 * grad)
    with torch.inference_mode():
        of_x, of_y = launch()
    assert torch.equal(of_x, grad * torch.tensor([3.0, 5.0]) + 2 * grad)
    assert torch.equal(of_y, grad * torch.tensor([1.0, 2.0]) + 2 * grad)


def test_every_operator_with_a_gradient_is_timed_beside_its_peers() -> None:
    result = made_up_run.result()
    result.machine = made_up_run.machine("cpu")
    operators = Operators(result, find_operator_peers(torch.device("cpu")), repeats=1)
    rows = [row for case in gradient_cases(operators, quick=True) for row in case.run()]
    assert result.failures == []
    timed = {row.subject.split(",")[0].split()[0] for row in rows if row.run == "simba"}
    expected = {"selective_scan_backward", "selective_scan", "causal_conv1d", "add_norm", "gate"}
    assert timed == (expected if have_gradients() else set())
