"""The files that a report consists of."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import pytest
from checkpoints import DEMO, ROOT
from made_up import CRITERIA, TASKS, changed, perplexity, sweep, write

from simba_ssm.report.__main__ import main
from simba_ssm.report.appearance import appearance
from simba_ssm.report.read_results import read_results
from simba_ssm.report.rows import Method, Model
from simba_ssm.report.sections import make_report


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on six tasks, three models and a perplexity run."""
    folder = tmp_path_factory.mktemp("whole")
    models = ("mamba-130m", "mamba-370m", "pythia-160m")
    runs = [
        write(folder / "sweep", sweep(models, retentions=("0.5", "0.1"))),
        write(folder / "perplexity", perplexity()),
    ]
    assert main([*map(str, runs), "--out", str(folder / "out")]) == 0
    return folder / "out"


def test_every_file_is_written_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = sweep(("mamba-130m",), ("piqa", "arc_easy"), ("0.5", "0.1"))
    write(tmp_path, made)
    assert main([str(tmp_path)]) == 0
    names = "accuracy.svg accuracy.png criteria.svg criteria.png report.md report.html".split()
    assert capsys.readouterr().out.splitlines() == [f"{tmp_path}/report/{name}" for name in names]
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == sorted(names)
    assert (tmp_path / "report/accuracy.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_not_in_the_files_is_not_in_the_report(tmp_path: Path) -> None:
    made = perplexity(contexts=(512,), retentions=(0.5,))
    for row in made["rows"]:
        row["overlap_with_recent"] = None
    write(tmp_path, made)
    assert main([str(tmp_path)]) == 0
    text = (tmp_path / "report/report.md").read_text()
    assert "## Perplexity" in text
    for absent in ("Accuracy", "Criteria", "overlap", "Overlap"):
        assert absent not in text
    assert {p.stem for p in (tmp_path / "report").iterdir()} == {"perplexity", "report"}


def test_files_without_rows_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, changed(perplexity(), "rows", []))
    assert main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.endswith("expected rows, got none\n")


def test_a_file_named_twice_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, perplexity())
    assert main([str(tmp_path), str(tmp_path / "results.json")]) == 2
    assert "named twice" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, perplexity())
    (tmp_path / "file").write_text("")
    assert main([str(tmp_path), "--out", str(tmp_path / "file")]) == 2
    assert f"--out: {tmp_path}/file" in capsys.readouterr().err


def rows_of(markdown: str, caption: str) -> list[dict[str, str]]:
    lines = iter(markdown.split(f"### {caption}\n")[1].strip().splitlines())
    titles = [title.strip() for title in next(lines).strip("|").split("|")]
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        cells = [cell.strip().replace("\\_", "_") for cell in line.strip("|").split("|")]
        rows.append(dict(zip(titles, cells, strict=True)))
    return rows


def test_the_tables_numbers_are_the_files(whole: Path) -> None:
    rows = rows_of((whole / "report.md").read_text(), "hellaswag")
    made = json.loads((whole.parent / "sweep/results.json").read_text())
    raw = [row for row in made["rows"] if row["task"] == "hellaswag"]
    assert len(rows) == len(raw)
    shown = {
        (row["model"], row["method"], row["r"]): row for row in rows if row["method"] != "truncated"
    }
    for each in raw:
        criterion = each["method"]["criterion"]
        if criterion == "truncated":
            continue
        kind = "influence no_bias max" if criterion == "influence" else criterion
        row = shown[each["model"], kind, each["method"].get("retention", "1")]
        metric = each["metrics"]["acc_norm"]
        value, error = 100 * metric["value"], 100 * metric["standard_error"]
        assert row["acc\\_norm"] == f"{value:.2f} ± {error:.2f}"
        assert float(row["GFLOP/document"]) == pytest.approx(
            each["flops"]["total"] / each["documents"] / 1e9, rel=1e-3
        )
        if criterion in CRITERIA:
            mean = each["overlap_with_recent"]["mean"]
            assert row["overlap with recent"].startswith(f"{mean:.3f} / ")


def test_overlap_stands_beside_the_score(whole: Path) -> None:
    for line in (whole / "report.md").read_text().splitlines():
        if line.startswith("| model"):
            titles = [title.strip() for title in line.strip("|").split("|")]
            scores = ("acc", "acc\\_norm", "perplexity")
            assert titles[titles.index("overlap with recent") - 1] in scores


def svgs(page: str) -> list[ElementTree.Element]:
    found = re.findall(r"<figure>.*?(<svg.*?</svg>)</figure>", page, flags=re.DOTALL)
    head = '<svg xmlns:xlink="http://www.w3.org/1999/xlink" '
    return [ElementTree.fromstring(svg.replace("<svg ", head, 1)) for svg in found]


def test_there_is_a_panel_per_task_and_retention(whole: Path) -> None:
    page = (whole / "report.html").read_text()
    captions = re.findall("<figcaption>(.*?)</figcaption>", page)
    assert captions[:6] == list(TASKS)
    assert captions[6:8] == ["Perplexity, r = 0.5", "Perplexity, r = 0.1"]
    assert captions[8] == "lambada_openai, mamba-130m"
    assert len(svgs(page)) == len(captions)


def test_a_method_has_one_colour_in_all_panels_and_baselines_are_in_each(whole: Path) -> None:
    page = (whole / "report.html").read_text()
    kinds = ["dense", "truncated", "influence no_bias max", "recent", "spaced", "random"]
    for index, kind in enumerate(kinds):
        legend = f'<span class="swatch" style="--of: var(--method-{index})"></span>{kind}</li>'
        assert page.count(legend) == 3  # one legend in each section
    for svg in svgs(page):
        styles = " ".join(node.get("style", "") for node in svg.iter())
        used = {int(n) for n in re.findall(r"var\(--method-(\d+)\)", styles)}
        assert used == set(range(len(kinds)))
        assert not re.search("#[0-9a-f]{6}", styles)


def test_every_colour_is_there_for_light_and_dark(whole: Path) -> None:
    page = (whole / "report.html").read_text()
    light, dark = page.split("@media (prefers-color-scheme: dark)")[:2]
    for name in ("ink", "faint", *(f"method-{index}" for index in range(6))):
        assert re.search(rf"--{name}: #[0-9a-f]{{6}};", light)
        assert re.search(rf"--{name}: #[0-9a-f]{{6}};", dark.split("}")[0])


def test_error_bars_are_drawn(tmp_path: Path) -> None:
    made = sweep(("mamba-130m",), ("piqa",), ("0.5",))
    write(tmp_path / "with", made)
    for row in made["rows"]:
        for metric in row["metrics"].values():
            metric["standard_error"] = None
    write(tmp_path / "without", made)
    bars = {}
    for name in ("with", "without"):
        assert main([str(tmp_path / name)]) == 0
        (svg, *_) = svgs((tmp_path / name / "report/report.html").read_text())
        ids = [node.get("id", "") for node in svg.iter()]
        bars[name] = sum("LineCollection" in each for each in ids)
    assert bars == {"with": len(made["rows"]), "without": 0}


class _Page(HTMLParser):
    """Checks that elements close in order; collects ids and what points out of the page."""

    VOID = {"meta", "br", "img", "link", "hr", "input"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.outward: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        if tag in ("script", "link", "img", "iframe", "object"):
            self.outward.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            local = (value or "").startswith("#")
            if name in ("src", "srcset") or (name.endswith("href") and not local):
                self.outward.append(f"{name}={value}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else(whole: Path) -> None:
    text = (whole / "report.html").read_text()
    page = _Page()
    page.feed(text)
    page.close()
    assert page.open == []
    assert page.outward == []
    assert len(page.ids) == len(set(page.ids))
    assert "@import" not in text and not re.search(r"url\((?!#)", text)
    pointed = set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text))
    assert pointed <= set(page.ids)


def test_text_in_figures_is_drawn_as_paths(whole: Path) -> None:
    for path in whole.glob("*.svg"):
        tags = {node.tag.split("}")[-1] for node in ElementTree.parse(path).iter()}
        assert "text" not in tags and "path" in tags


def test_names_are_text_not_markup(tmp_path: Path) -> None:
    made = sweep(("mamba-130m",), ("piqa",), ("0.5",))
    name = '<b>a|b_c</b>"'
    made["models"][0]["name"] = name
    for row in made["rows"]:
        row["model"] = name
    write(tmp_path, made)
    assert main([str(tmp_path)]) == 0
    page = (tmp_path / "report/report.html").read_text()
    assert "<b>" not in page and "&lt;b&gt;a|b_c&lt;/b&gt;" in page
    rows = (tmp_path / "report/report.md").read_text().splitlines()
    assert any(line.startswith('| <b>a\\|b\\_c</b>" |') for line in rows)


def test_equal_results_give_equal_bytes(tmp_path: Path) -> None:
    runs = [
        str(write(tmp_path / "sweep", sweep(("mamba-130m",), ("piqa",), ("0.5", "0.1")))),
        str(write(tmp_path / "perplexity", perplexity((512, 1024), (0.5,)))),
    ]
    for out in ("one", "two"):
        assert main([*runs, "--out", str(tmp_path / out)]) == 0
    first = sorted((tmp_path / "one").iterdir())
    assert len(first) == 8
    for path in first:
        assert (tmp_path / "two" / path.name).read_bytes() == path.read_bytes(), path.name


def test_methods_and_models_beyond_the_palettes_own_stay_apart() -> None:
    methods = [Method("influence", decay, "max") for decay in ("no_bias", "full", "none")]
    methods += [Method("influence", "no_bias", "l2"), Method("recent", schedule="constant")]
    look = appearance(methods, [Model(f"m{i}") for i in range(12)])
    assert len(set(look.colours.values())) == len(methods)
    assert len(set(look.shapes.values())) == 12


def test_importing_the_package_draws_nothing() -> None:
    code = "import sys, simba_ssm.report; print('matplotlib' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_a_real_runs_numbers_are_shown(tmp_path: Path) -> None:
    program = Path(os.environ.get("SIMBA_BUILD_DIR", ROOT / "out/build")) / "bin/simba-eval"
    story = next(iter(sorted((ROOT / "examples/demo").glob("*.txt"))))
    command = [program, "perplexity", "--model", DEMO, "--data", story, "--context", "64,96"]
    command += ["--score", "8", "--windows", "3", "--retention", "0.5,0.2", "--match-flops"]
    command += ["--criterion", "influence,recent", "--out", tmp_path]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    assert main([str(tmp_path)]) == 0
    results = read_results(tmp_path)
    report = make_report([results])
    assert [section.title for section in report.sections] == [
        "Perplexity against context length",
        "Criteria at equal retention",
    ]
    (caption, table), *_ = report.sections[0].tables
    assert caption == "Perplexity"
    column = [column.title for column in table.columns].index("perplexity")
    shown = sorted(row[column] for row in table.rows)
    assert shown == sorted(f"{row.perplexity:.3f}" for row in results.perplexities)
    assert len(shown) == 2 * (1 + 4 + 4)
    assert (tmp_path / "report/report.html").stat().st_size > 20_000
