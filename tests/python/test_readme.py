"""The Python in README.md runs as it stands there."""

from __future__ import annotations

import re

from checkpoints import ROOT

from simba_ssm import drop_in


def test_python_blocks(monkeypatch):
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        names: dict[str, object] = {}
        exec(block, names)
        assert names["kept"].shape == (1, 205) and len(names["tokens"][0]) == 16
        assert names["loss"].isfinite() and names["logits"].shape == (1, 4096)


def test_what_it_names_is_there():
    text = (ROOT / "README.md").read_text()
    for name in drop_in.__all__:
        assert name in text
    for program in re.findall(r"\(examples/(\w+\.py)\)", text):
        assert (ROOT / "examples" / program).is_file()
