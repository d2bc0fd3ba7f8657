"""The demo's table in README.md is what the demo's model and story give."""

from __future__ import annotations

import json
import re

import pytest
from checkpoints import DEMO, ROOT


def test_the_table_in_the_readme(simba_eval, story_file, tmp_path):
    done = simba_eval(
        *("perplexity", "--model", DEMO, "--data", story_file, "--out", tmp_path / "out"),
        *("--context", 2048, "--score", 64, "--windows", 8, "--retention", "0.1"),
        *("--criterion", "influence,recent", "--decay", "no_bias"),
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "out/results.json").read_text())["rows"]
    measured = {row["criterion"]: row["perplexity"] for row in rows}
    text = (ROOT / "README.md").read_text()
    row = r"^(dense|influence|recent) (?:no_bias max)? +(?:0\.1|1) +2048 +([\d.]+) "
    printed = {name: float(shown) for name, shown in re.findall(row, text, re.MULTILINE)}
    assert measured == pytest.approx(printed, rel=1e-3)
