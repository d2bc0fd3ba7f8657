"""A file that is wanted: where it comes from, where it goes, what is known of its bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HubFile:
    """A file of a repository on a model hub. revision: a commit, a tag or a branch."""

    repo: str
    name: str
    revision: str
    repo_type: str = "model"

    def __str__(self) -> str:
        kind = "" if self.repo_type == "model" else f"{self.repo_type}s/"
        return f"hub:{kind}{self.repo}/{self.name}"


@dataclass(frozen=True)
class WebFile:
    """A file at a plain address."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class Wanted:
    """path: where it goes, relative to the download folder. size and sha256 only where a source
    other than the server itself states them."""

    path: str
    source: HubFile | WebFile
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Archive:
    """A zip that is got only for some of its members: member name -> path in the folder."""

    file: Wanted
    members: dict[str, str]
