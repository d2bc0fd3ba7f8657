"""Cases of the comparison: what they cover, and that peers compute the same as the definitions."""

from __future__ import annotations

import made_up_run
import pytest
import torch

from benchmarks.compare.accuracy import DATA, Accuracy, accuracy_cases, errors
from benchmarks.compare.decoding_operators import decoding_cases
from benchmarks.compare.gradients import gradient_cases
from benchmarks.compare.inputs import Shape, Values, length_last, scan_inputs
from benchmarks.compare.operator_peers import OperatorPeers, ScanPeer, find_operator_peers
from benchmarks.compare.operator_timing import sets_of, time_operator
from benchmarks.compare.operators import Operators, operator_cases
from benchmarks.compare.scan_grid import GRID, scan_grid_cases
from simba_ssm import reference

CPU = torch.device("cpu")


def operators(device: str = "cuda") -> Operators:
    result = made_up_run.result()
    result.machine = made_up_run.machine(device)
    peers = find_operator_peers(CPU)
    return Operators(result, peers, repeats=2)


def test_the_grid_has_thirty_shapes_of_every_kind() -> None:
    assert len(set(GRID)) == len(GRID) >= 30
    assert {8, 16, 32, 64} <= {shape.states for shape in GRID}
    assert any(shape.channels % 2 for shape in GRID)
    assert any(shape.views for shape in GRID)
    assert {shape.dtype for shape in GRID} == {"bfloat16", "float16", "float32"}


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("machine", ["cuda", "cpu"])  # described, not used
def test_cases_have_names_of_their_own(machine: str, quick: bool) -> None:
    over = operators(machine)
    accuracy = Accuracy(over.result, over.peers, Shape(1, 8, 4))
    cases = [
        *operator_cases(over, quick), *decoding_cases(over, quick), *gradient_cases(over, quick),
        *scan_grid_cases(over, quick), *accuracy_cases(accuracy, quick),
    ]  # fmt: skip
    names = [(case.section, case.name) for case in cases]
    assert len(set(names)) == len(names)


def test_every_operator_is_among_the_cases() -> None:
    names = " ".join(case.name for case in operator_cases(operators(), quick=True))
    for word in ("scan", "influence", "gate", "add_norm", "conv", "select", "state update"):
        assert word in names


def test_as_many_sets_as_push_one_out_of_the_cache() -> None:
    machine = made_up_run.machine("cuda")
    assert machine.cache == 50_000_000
    assert sets_of(10_000_000, machine) == 2 + 15
    assert sets_of(1_000_000_000, machine) == 2
    assert sets_of(100, machine) == 512
    # No more than there is memory for, however little that is.
    assert sets_of(100_000_000_000, machine) == 1


def test_every_run_of_every_set_is_launched() -> None:
    launched = set()

    def make_set(seed: int):
        return {run: lambda run=run: launched.add((run, seed)) for run in ("simba", "peer")}

    result = made_up_run.result()
    result.machine = made_up_run.machine("cpu")
    rows = time_operator(
        make_set, made_up_run.Work(bytes=30e6), section="operators", subject="x", shape="(1)",
        result=result, repeats=1,
    )  # fmt: skip
    assert [row.run for row in rows] == ["simba", "peer"]
    assert {seed for _, seed in launched} == set(range(sets_of(30e6, result.machine)))
    assert all(row.more["warm"].count == 1 for row in rows)


def test_a_peer_that_fails_is_reported_and_ours_is_timed() -> None:
    def make_set(seed: int):
        return {"simba": lambda: None, "peer": lambda: torch.zeros(2) @ torch.zeros(3)}

    result = made_up_run.result()
    result.machine = made_up_run.machine("cpu")
    (row,) = time_operator(make_set, made_up_run.Work(bytes=1e6), section="operators", subject="x",
                           shape="(1)", result=result, repeats=1)  # fmt: skip
    assert row.run == "simba"
    ((case, run, message),) = result.failures
    assert (case, run) == ("operators: x (1)", "peer") and "RuntimeError" in message
    assert not result.failed()


def test_a_scan_that_fails_leaves_ours_its_accuracy() -> None:
    def refuses(**_):
        raise RuntimeError("built without float16\nand more")

    result = made_up_run.result()
    result.machine = made_up_run.machine("cpu")
    peers = OperatorPeers(scans={"peer 1.0": ScanPeer(refuses, dict, lambda out: out)})
    rows = Accuracy(result, peers, Shape(1, 8, 4)).scan("float16", "as in a model")
    assert {row.run for row in rows} == {"simba"} and len(rows) == 2
    assert result.failures == [("accuracy: selective_scan float16 as in a model", "peer 1.0",
                                "RuntimeError: built without float16")]  # fmt: skip
    assert not result.failed()


@pytest.mark.parametrize("data", list(DATA))
def test_scans_of_peers_agree_with_the_definition(data: str) -> None:
    inputs = DATA[data](scan_inputs(Shape(2, 37, 12, dtype="float32"), 3, CPU))
    exact, _ = reference.selective_scan(**inputs, delta_softplus=True)
    for peer in find_operator_peers(CPU).scans.values():
        out = peer.output(peer.scan(**peer.layout(inputs)))
        assert errors(out, exact)[0] < 1e-5


def test_torchs_own_parts_agree_with_the_definitions() -> None:
    values, peers = Values(0, CPU, "float32"), find_operator_peers(CPU)
    x, weight, bias = values.normal(2, 9, 6), values.normal(6, 4), values.normal(6)
    exact, _ = reference.causal_conv1d(x, weight, bias, silu=True)
    out = peers.of("causal_conv1d")["torch"](x, weight, bias)
    assert errors(out.transpose(1, 2), exact)[0] < 1e-6
    y, z = values.normal(2, 9, 6), values.normal(2, 9, 6)
    assert errors(peers.of("gate")["torch"](y, z), reference.gate(y, z))[0] < 1e-6
    normed, _ = peers.of("add_norm")["torch"](y, z, bias)
    assert errors(normed, reference.add_norm(y, z, bias)[0])[0] < 1e-6


def test_length_last_is_the_peers_layout() -> None:
    inputs = scan_inputs(Shape(2, 5, 3, states=4, views=True), 0, CPU)
    turned = length_last(inputs)
    assert turned["z"].shape == (2, 3, 5) and turned["z"].is_contiguous()
    assert turned["B"].shape == (2, 1, 4, 5)
    assert torch.equal(turned["B"][1, 0, 2], inputs["B"][1, :, 2])
    assert turned["A"] is inputs["A"]


def test_errors() -> None:
    exact = torch.tensor([3.0, 4.0, -torch.inf], dtype=torch.float64)
    assert errors(exact.float(), exact) == (0.0, 0.0)
    norm, largest = errors(torch.tensor([3.0, 4.5, -torch.inf]), exact)
    assert norm == pytest.approx(0.5 / 5)
    assert largest == pytest.approx(0.5 / (4 + 5 / 3**0.5 / 100))
    assert errors(torch.tensor([torch.nan, 4.0, -torch.inf]), exact)[0] != 0.0
    assert errors(torch.tensor([3.0, 4.0, 0.0]), exact)[0] == torch.inf
