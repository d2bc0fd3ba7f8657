"""Bytes from an address into a file, in as many pieces as the connection makes of them.

A file grows as NAME.part; NAME.part.json names the version it belongs to. Where the connection
breaks, or the program ended, the next request asks for the rest (HTTP Range); a server that sends
the whole file instead is believed, and the part begins anew.
"""

from __future__ import annotations

import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from simba_ssm.download.errors import DownloadError

CHUNK = 1 << 20
TIMEOUT = 30  # seconds without a byte
FRUITLESS_ATTEMPTS = 5

Progress = Callable[[int, int | None], None]  # bytes there, bytes in all where known


@dataclass(frozen=True)
class Transfer:
    """url, and what is known of the file. version: changes with the content where that is known
    (a commit, a hash); without it only the server's ETag vouches for a part."""

    url: str
    name: str  # for messages
    size: int | None = None
    version: str | None = None


class _Interrupted(Exception):
    """The connection broke; another attempt may get further."""


def pause(seconds: float) -> None:
    time.sleep(seconds)


def transfer(what: Transfer, part: Path, progress: Progress) -> bool:
    """Completes `part`. True if an earlier part was continued. Raises DownloadError when the server
    refuses, offers another size, or five attempts in a row bring nothing."""
    note = part.with_name(part.name + ".json")
    _keep_if_same_version(what, part, note)
    continued = _size(part) > 0
    fruitless = 0
    while True:
        before = _size(part)
        try:
            _attempt(what, part, note, progress)
            note.unlink(missing_ok=True)
            return continued
        except _Interrupted as reason:
            fruitless = 0 if _size(part) > before else fruitless + 1
            if fruitless == FRUITLESS_ATTEMPTS:
                raise DownloadError(
                    f"{what.name}: {what.url}: {reason}; {_size(part)} bytes are kept, the same "
                    "command continues"
                ) from None
            if fruitless:
                pause(2.0 ** (fruitless - 1))


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _keep_if_same_version(what: Transfer, part: Path, note: Path) -> str:
    """The part's ETag, or "". A part that nothing vouches for is thrown away."""
    try:
        kept = json.loads(note.read_text(encoding="utf-8"))
        if kept["version"] == what.version and (what.version or kept["etag"]):
            return kept["etag"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no note, or half of one
    part.unlink(missing_ok=True)
    return ""


def _attempt(what: Transfer, part: Path, note: Path, progress: Progress) -> None:
    etag = _keep_if_same_version(what, part, note)
    start = _size(part)
    if what.size is not None and start == what.size:
        return
    headers = {"User-Agent": "simba-ssm", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if what.version is None:
            headers["If-Range"] = etag
    try:
        request = urllib.request.Request(what.url, headers=headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            _receive(what, response, start, part, note, progress)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing lies after what we hold: the part is of another file
            part.unlink(missing_ok=True)
            raise _Interrupted("the server has no bytes after the part kept so far") from None
        if error.code in (408, 429) or error.code >= 500:
            raise _Interrupted(f"the server answers {error.code} {error.reason}") from None
        raise DownloadError(
            f"{what.name}: {what.url}: the server answers {error.code} {error.reason}"
        ) from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise _Interrupted(f"the connection fails: {reason}") from None
    except ValueError as error:
        raise DownloadError(f"{what.name}: {what.url}: not an address: {error}") from None


def _receive(
    what: Transfer,
    response: http.client.HTTPResponse,
    start: int,
    part: Path,
    note: Path,
    progress: Progress,
) -> None:
    length = response.headers.get("Content-Length")
    total: int | None = int(length) if length and length.isdigit() else None
    if response.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        if not found or int(found[1]) != start:
            part.unlink(missing_ok=True)
            raise _Interrupted("the server answers another range than was asked for")
        total = int(found[2])
    else:
        start = 0
    if what.size is not None and total is not None and total != what.size:
        raise DownloadError(
            f"{what.name}: {what.url}: expected {what.size} bytes, the server offers {total}"
        )
    total = total if total is not None else what.size
    etag = response.headers.get("ETag", "")
    strong = "" if etag.startswith("W/") else etag
    note.write_text(json.dumps({"version": what.version, "etag": strong}), encoding="utf-8")
    with _open_part(what, part, "ab" if start else "wb") as file:
        there = start
        progress(there, total)
        while chunk := response.read(CHUNK):
            _write(what, file, chunk)
            there += len(chunk)
            progress(there, total)
            if total is not None and there > total:
                raise DownloadError(f"{what.name}: {what.url}: more bytes came than {total}")
    if total is not None and there < total:
        raise _Interrupted(f"the connection ends after {there} of {total} bytes")


def _open_part(what: Transfer, part: Path, mode: str) -> IO[bytes]:
    try:
        return open(part, mode)  # noqa: SIM115 - the caller closes it
    except OSError as error:
        raise DownloadError(f"{what.name}: {part}: {error.strerror}") from None


def _write(what: Transfer, file: IO[bytes], chunk: bytes) -> None:
    try:
        file.write(chunk)
    except OSError as error:
        raise DownloadError(f"{what.name}: {file.name}: {error.strerror}") from None
