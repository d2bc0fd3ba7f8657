"""The benchmarks' own files, from their publishers, laid out as `simba-eval tasks` reads them.

Sizes and SHA-256 are those that huggingface/datasets records for the publishers' addresses
(datasets/NAME/dataset_infos.json: winogrande, ai2_arc and hellaswag at commit 040102f, pg19 at
6ce73f6) and, for LAMBADA, those of EleutherAI/lambada_openai and craffel/openai_lambada.
PIQA's files at the author's site have no published hash: the lock file records what came.
"""

from __future__ import annotations

import csv
from importlib import resources

from simba_ssm.download.errors import DownloadError
from simba_ssm.download.wanted import Archive, HubFile, Wanted, WebFile

_HELLASWAG = "https://github.com/rowanz/hellaswag/raw/master/data/"
_PIQA = "https://yonatanbisk.com/piqa/data/"
_PG19 = "https://storage.googleapis.com/deepmind-gutenberg/"

LAMBADA: list[Wanted | Archive] = [
    Wanted(
        "lambada/lambada_test_openai.jsonl",
        HubFile(
            "EleutherAI/lambada_openai",
            "data/lambada_test.jsonl",
            "879e19a2c9bb7ef03f9cf962089cf7d008f91e27",
            "dataset",
        ),
        1819752,
        "4aa8d02cd17c719165fc8a7887fddd641f43fcafa4b1c806ca8abc31fabdb226",
    )
]

HELLASWAG: list[Wanted | Archive] = [
    Wanted(
        "hellaswag/hellaswag_val.jsonl",
        WebFile(_HELLASWAG + "hellaswag_val.jsonl"),
        12246618,
        "0aa3b88843990f3f10a97b9575c94d7b71fb2205240ba04ae4884d9e9c992588",
    ),
    Wanted(
        "hellaswag/hellaswag_train.jsonl",
        WebFile(_HELLASWAG + "hellaswag_train.jsonl"),
        47496131,
        "dae5e69249868cb9fe4e23ff925c60b66169564cfb7072d793cd7356a2b69f8d",
    ),
]

PIQA: list[Wanted | Archive] = [
    Wanted(f"piqa/{name}", WebFile(_PIQA + name))
    for name in ("valid.jsonl", "valid-labels.lst", "train.jsonl", "train-labels.lst")
]

ARC: list[Wanted | Archive] = [
    Archive(
        Wanted(
            "arc/ARC-V1-Feb2018.zip",
            WebFile("https://s3-us-west-2.amazonaws.com/ai2-website/data/ARC-V1-Feb2018.zip"),
            680841265,
            "6d2d5ab50b2ceec6ba5f79c921be77cf2de712ea25a2b3f4fff3acc101cecfa0",
        ),
        {
            f"ARC-V1-Feb2018-2/{level}/{level}-{split}.jsonl": f"arc/{level}-{split}.jsonl"
            for level in ("ARC-Challenge", "ARC-Easy")
            for split in ("Train", "Dev", "Test")
        },
    )
]

WINOGRANDE: list[Wanted | Archive] = [
    Archive(
        Wanted(
            "winogrande/winogrande_1.1.zip",
            WebFile(
                "https://storage.googleapis.com/ai2-mosaic/public/winogrande/winogrande_1.1.zip"
            ),
            3395492,
            "3619ab104d8be2977b25c90ff420cb42d491707dcc75362a1e5d22bc082b7318",
        ),
        {
            f"winogrande_1.1/{name}": f"winogrande/{name}"
            for name in ("dev.jsonl", "train_s.jsonl", "train_xl.jsonl")
        },
    )
]


def _pg19() -> list[Wanted | Archive]:
    table = resources.files(__package__).joinpath("pg19_books.tsv").read_text(encoding="utf-8")
    return [
        Wanted(
            f"pg19/{row['path']}", WebFile(_PG19 + row["path"]), int(row["bytes"]), row["sha256"]
        )
        for row in csv.DictReader(table.splitlines(), delimiter="\t")
    ]


# By the names of configs/tasks; ARC's two tasks come in one archive.
_NAMES = {
    "lambada_openai": "lambada",
    "hellaswag": "hellaswag",
    "piqa": "piqa",
    "arc_easy": "arc",
    "arc_challenge": "arc",
    "winogrande": "winogrande",
    "pg19": "pg19",
}
BENCHMARKS = list(_NAMES)


def benchmark_files(names: list[str]) -> list[Wanted | Archive]:
    """What the named benchmarks need, each file once; no names: all of them. Raises DownloadError
    on an unknown name."""
    for name in names:
        if name not in _NAMES:
            raise DownloadError(f"data: expected names out of {', '.join(_NAMES)}, got '{name}'")
    sets = {
        "lambada": LAMBADA,
        "hellaswag": HELLASWAG,
        "piqa": PIQA,
        "arc": ARC,
        "winogrande": WINOGRANDE,
    }
    chosen = dict.fromkeys(_NAMES[name] for name in names or _NAMES)
    return [item for name in chosen for item in (sets[name] if name in sets else _pg19())]
