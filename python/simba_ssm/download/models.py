"""The published models that the paper compares, and what each needs to run.

Where the facts are from:
- Mamba: the file pages and listings of huggingface.co/state-spaces/mamba-SIZE state the commits
  and, for 130m, 790m and 2.8b, the weights' SHA-256. None at hand states the full commit of 790m
  and 1.4b: those follow `main`, and the lock file pins what was got.
- Pythia: the listings of huggingface.co/EleutherAI/pythia-SIZE; commits as recorded on 2026-09-22
  in github.com/lxman/decodable-is-not-learned (experiments/exp5), with the hash of 1.4b.
- The tokenizer: EleutherAI/gpt-neox-20b, whose tokenizer.json is also Pythia's. state-spaces
  repositories hold none. Its SHA-256 is the one two public repositories record for that commit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from simba_ssm.download.errors import DownloadError
from simba_ssm.download.wanted import HubFile, Wanted

TOKENIZER = Wanted(
    path="tokenizer.json",
    source=HubFile(
        "EleutherAI/gpt-neox-20b", "tokenizer.json", "c292233c833e336628618a88a648727eb3dff0a7"
    ),
    sha256="c24618a1b3e6a38167beff1c72cffd126c3a66254347304b50547d12c5f25624",
)


@dataclass(frozen=True)
class PublishedModel:
    repo: str
    revision: str
    weights: str
    weights_sha256: str | None = None
    weights_size: int | None = None


def _mamba(size: str, revision: str, sha256: str | None = None) -> PublishedModel:
    return PublishedModel(f"state-spaces/mamba-{size}", revision, "pytorch_model.bin", sha256)


def _pythia(
    size: str, revision: str, sha256: str | None = None, bytes_: int | None = None
) -> PublishedModel:
    return PublishedModel(
        f"EleutherAI/pythia-{size}", revision, "model.safetensors", sha256, bytes_
    )


MODELS: dict[str, PublishedModel] = {
    "mamba-130m": _mamba(
        "130m",
        "c4dcd5d65dff7d0bff5a4c97e30d82e57190f1b0",
        "29a023467229397eb03fd31e088c08c9193b734249f0c07d51af03873162e723",
    ),
    "mamba-370m": _mamba("370m", "b6c47221dc4908532cc9773d469d6b8cbe3f0762"),
    "mamba-790m": _mamba(
        "790m", "main", "2101e887b173fd431552d9d2cc8e2cc18f234648d504be851f1ccec50aaf0ae3"
    ),
    "mamba-1.4b": _mamba("1.4b", "main"),
    "mamba-2.8b": _mamba(
        "2.8b",
        "e886be8192cbb383b01559a3877dfd5e6bfb3e55",
        "ef6452a6515c6a33f2a2febd53e58602dfb17e5c0871d25c29cf88285a80c09c",
    ),
    "pythia-160m": _pythia("160m", "50f5173d932e8e61f858120bcb800b97af589f46"),
    "pythia-410m": _pythia("410m", "9879c9b5f8bea9051dcb0e68dff21493d67e9d4f"),
    "pythia-1b": _pythia("1b", "f73d7dcc545c8bd326d8559c8ef84ffe92fea6b2"),
    "pythia-1.4b": _pythia(
        "1.4b",
        "fedc38a16eea3bd36a96b906d78d11d2ce18ed79",
        "ad4388632e922d0c58c23cb315292d516deb70af0573f9c1543ce84158bff59c",
        2930002184,
    ),
    "pythia-2.8b": _pythia("2.8b", "2a259cdd96a4beb1cdf467512e3904197345f6a9"),
}


def model_files(name: str, revision: str | None = None) -> list[Wanted]:
    """The files of a model's folder. With another revision than the pinned one, no source states
    the weights' hash; the tokenizer keeps its own. Raises DownloadError on an unknown name."""
    model = MODELS.get(name)
    if model is None:
        raise DownloadError(f"models: expected names out of {', '.join(MODELS)}, got '{name}'")
    if revision is not None and revision != model.revision:
        model = replace(model, revision=revision, weights_sha256=None, weights_size=None)
    config = HubFile(model.repo, "config.json", model.revision)
    weights = HubFile(model.repo, model.weights, model.revision)
    return [
        Wanted(f"{name}/config.json", config),
        replace(TOKENIZER, path=f"{name}/tokenizer.json"),
        Wanted(f"{name}/{model.weights}", weights, model.weights_size, model.weights_sha256),
    ]
