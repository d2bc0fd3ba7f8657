"""simba-download.lock: what was got at first, so that it can be checked ever after.

JSON beside the downloads, one entry per file: source, revision as asked for, commit it resolved
to (hub files), size, sha256. Written anew, flushed to disk and renamed, before the file it
speaks of is put in place: a file in place without its entry cannot come to be.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from simba_ssm.download.errors import DownloadError

NAME = "simba-download.lock"
FORMAT = "simba download 1"


@dataclass(frozen=True)
class Entry:
    source: str
    size: int
    sha256: str
    revision: str | None = None
    commit: str | None = None


class Lock:
    """Raises DownloadError where the file is not what this class writes."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._entries: dict[str, Entry] = self._read() if self._path.exists() else {}

    def get(self, path: str) -> Entry | None:
        return self._entries.get(path)

    def record(self, path: str, entry: Entry) -> None:
        if self._entries.get(path) == entry:
            return
        self._entries[path] = entry
        files = {
            name: {key: value for key, value in asdict(got).items() if value is not None}
            for name, got in sorted(self._entries.items())
        }
        text = json.dumps({"format": FORMAT, "files": files}, indent=2) + "\n"
        temporary = self._path.with_name(NAME + ".new")
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self._path)

    def _read(self) -> dict[str, Entry]:
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
            if data["format"] != FORMAT:
                raise DownloadError(
                    f"{self._path}: format: expected '{FORMAT}', got {data['format']!r}"
                )
            return {path: Entry(**entry) for path, entry in data["files"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DownloadError(f"{self._path}: not a lock file of this program: {error}") from None
