"""The lists of what is published: complete, well-formed, and equal to the data at hand."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import pytest

from simba_ssm.download.benchmarks import BENCHMARKS, benchmark_files
from simba_ssm.download.models import MODELS, model_files
from simba_ssm.download.wanted import Archive, HubFile, Wanted

needs_data = pytest.mark.skipif(
    "SIMBA_TEST_DATA" not in os.environ, reason="SIMBA_TEST_DATA is not set"
)


def every_file() -> list[Wanted]:
    items = [file for name in MODELS for file in model_files(name)] + benchmark_files([])
    return [item.file if isinstance(item, Archive) else item for item in items]


def test_the_papers_models_are_there() -> None:
    sizes = {"mamba": "130m 370m 790m 1.4b 2.8b", "pythia": "160m 410m 1b 1.4b 2.8b"}
    assert list(MODELS) == [f"{f}-{size}" for f, all_ in sizes.items() for size in all_.split()]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_needs_config_tokenizer_and_weights(name: str) -> None:
    weights = "pytorch_model.bin" if name.startswith("mamba") else "model.safetensors"
    assert [file.path for file in model_files(name)] == [
        f"{name}/config.json",
        f"{name}/tokenizer.json",
        f"{name}/{weights}",
    ]


def test_hashes_and_revisions_are_well_formed() -> None:
    for file in every_file():
        assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
        if isinstance(file.source, HubFile):
            assert re.fullmatch("[0-9a-f]{40}|main", file.source.revision)


def test_no_two_files_share_a_place() -> None:
    items = benchmark_files(BENCHMARKS)
    paths = [p for i in items for p in (i.members.values() if isinstance(i, Archive) else [i.path])]
    assert len(paths) == len(set(paths))


def test_both_arc_tasks_come_in_one_archive() -> None:
    assert benchmark_files(["arc_easy", "arc_challenge"]) == benchmark_files(["arc_challenge"])


def test_pg19_has_its_100_and_50_books() -> None:
    paths = [item.path for item in benchmark_files(["pg19"])]
    assert sum(path.startswith("pg19/test/") for path in paths) == 100
    assert sum(path.startswith("pg19/validation/") for path in paths) == 50


@needs_data
def test_lambadas_hash_is_that_of_the_file_at_hand() -> None:
    (lambada,) = benchmark_files(["lambada_openai"])
    data = (Path(os.environ["SIMBA_TEST_DATA"]) / "benchmarks" / lambada.path).read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (lambada.size, lambada.sha256)


@needs_data
@pytest.mark.parametrize("book", ["10146", "22424", "35205", "37403"])
def test_pg19s_hashes_are_those_of_the_official_books_at_hand(book: str) -> None:
    """The copies at hand have LF line ends, the published files CRLF."""
    wanted = {item.path: item for item in benchmark_files(["pg19"])}[f"pg19/test/{book}.txt"]
    data = (Path(os.environ["SIMBA_TEST_DATA"]) / wanted.path).read_bytes()
    data = data.replace(b"\n", b"\r\n")
    assert (len(data), hashlib.sha256(data).hexdigest()) == (wanted.size, wanted.sha256)
