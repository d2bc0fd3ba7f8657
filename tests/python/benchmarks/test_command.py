"""python -m benchmarks.compare, from its arguments to its files."""

from __future__ import annotations

import json

import pytest

from benchmarks.compare.__main__ import main, parse


def test_a_quick_run_writes_everything(tmp_path, capsys) -> None:
    arguments = ["--out", str(tmp_path / "out"), "--device", "cpu", "--quick", "--repeats", "1",
                 "--what", "operators", "accuracy", "--cases", "gate|streams float32"]  # fmt: skip
    assert main(arguments) == 0
    written = json.loads((tmp_path / "out/compare.json").read_text())
    assert {row["section"] for row in written["rows"]} == {"operators", "accuracy"}
    assert written["failures"] == [] and written["machine"]["device"] == "cpu"
    text = (tmp_path / "out/compare.md").read_text()
    assert text == capsys.readouterr().out.removesuffix("\n")
    assert "| gate float32 |" in text and "python -m benchmarks.compare --out" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--sizes", "7b"], "argument --sizes: invalid choice: '7b'"),
        (["--what", "everything"], "argument --what: invalid choice: 'everything'"),
        (["--lengths", "0"], "argument --lengths: expected a whole number from 1 on, got '0'"),
        (["--cases", "("], "argument --cases: expected a regular expression, got '('"),
    ],
)
def test_wrong_arguments_end_with_2_and_a_line(arguments, says, tmp_path, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--out", str(tmp_path), *arguments])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_no_case_at_all(tmp_path, capsys) -> None:
    arguments = ["--out", str(tmp_path), "--device", "cpu", "--quick", "--what", "scan_grid"]
    assert main([*arguments, "--cases", "nothing like it"]) == 2
    assert "--cases: 'nothing like it' matches no case" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sizes", "table", "longest"),
    [
        (["--device", "cuda"], ["2.8b", "130m"], ["130m", "370m", "790m", "1.4b", "2.8b"], 32768),
        (["--device", "cuda", "--quick"], ["2.8b", "130m"], ["2.8b", "130m"], 8192),
        (["--device", "cpu"], ["26m-pg19", "130m"], ["26m-pg19", "130m"], 2048),
        (["--device", "cpu", "--sizes", "6m-demo"], ["6m-demo"], ["6m-demo"], 2048),
    ],
)
def test_sizes_and_lengths_fit_the_device(arguments, sizes, table, longest) -> None:
    options = parse(["--out", "out", *arguments])
    assert list(options.sizes) == sizes and list(options.table_sizes) == table
    assert max(options.lengths) == longest
