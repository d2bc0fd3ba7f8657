"""Asks a model hub about a file: which commit, how long, which hash, where its bytes are.

huggingface_hub finds the file. The bytes are got by transfer.py: since its version 1.x the library
throws a partial download away when it is interrupted, and these files have up to 11 GB.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from simba_ssm.download.errors import DownloadError
from simba_ssm.download.wanted import HubFile


@dataclass(frozen=True)
class Resolved:
    """git_blob: SHA-1 of the git object (small files); sha256: of the bytes (large ones)."""

    url: str
    commit: str
    size: int | None
    sha256: str | None
    git_blob: str | None


def resolve(file: HubFile, revision: str, endpoint: str | None) -> Resolved:
    """Raises DownloadError when the hub cannot be reached or knows no such file."""
    try:
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
    except ImportError:
        raise DownloadError(
            "huggingface_hub is not installed: pip install 'simba-ssm[download]'"
        ) from None

    def address(at: str) -> str:
        return hf_hub_url(
            file.repo, file.name, repo_type=file.repo_type, revision=at, endpoint=endpoint
        )

    try:
        # These repositories are public: no token is read or sent.
        found = get_hf_file_metadata(address(revision), token=False, endpoint=endpoint)
    except Exception as error:  # the library's and its HTTP client's own; all mean the same here
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DownloadError(f"{file} at {revision}: the hub does not give it: {reason}") from error
    if not found.commit_hash or not found.etag:
        raise DownloadError(
            f"{file} at {revision}: {address(revision)} does not answer as a model hub: "
            "no commit or no ETag"
        )
    etag = found.etag.lower()
    return Resolved(
        url=address(found.commit_hash),
        commit=found.commit_hash,
        size=found.size,
        sha256=etag if re.fullmatch("[0-9a-f]{64}", etag) else None,
        git_blob=etag if re.fullmatch("[0-9a-f]{40}", etag) else None,
    )
