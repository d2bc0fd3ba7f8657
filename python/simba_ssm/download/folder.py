"""A download folder: gets what is wanted, verified, into its place."""

from __future__ import annotations

import fcntl
import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from simba_ssm.download import hub
from simba_ssm.download.errors import DownloadError
from simba_ssm.download.lock import NAME as LOCK_NAME
from simba_ssm.download.lock import Entry, Lock
from simba_ssm.download.transfer import CHUNK, Progress, Transfer, transfer
from simba_ssm.download.wanted import Archive, HubFile, Wanted


@dataclass(frozen=True)
class Done:
    """how: "downloaded", "continued", "unpacked" or "here already"."""

    path: str
    size: int
    sha256: str
    how: str


@dataclass(frozen=True)
class _Known:
    """What a file must be, and who says so."""

    size: int | None = None
    sha256: str | None = None
    git_blob: str | None = None
    says: str = ""


class DownloadFolder:
    """endpoint: of the model hub (None: huggingface_hub's own). mirror: address under which plain
    files lie as HOST/PATH. Raises DownloadError; one process at a time may hold a folder."""

    def __init__(
        self,
        folder: Path,
        *,
        endpoint: str | None = None,
        mirror: str | None = None,
        watch: Callable[[str], Progress] = lambda path: lambda there, total: None,
    ) -> None:
        self._folder = folder
        self._endpoint = endpoint.rstrip("/") if endpoint else None
        self._mirror = mirror.rstrip("/") if mirror else None
        self._watch = watch
        self._lock: Lock | None = None

    @contextmanager
    def opened(self) -> Iterator[DownloadFolder]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(self._folder, os.O_RDONLY)
        except OSError as error:
            raise DownloadError(f"--to: {self._folder}: {error.strerror}") from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise DownloadError(
                    f"--to: {self._folder}: another download is writing there"
                ) from None
            self._lock = Lock(self._folder)
            yield self
        finally:
            os.close(handle)

    def get(self, item: Wanted | Archive) -> Iterator[Done]:
        if isinstance(item, Archive):
            yield from self._get_members(item)
        else:
            yield self._get_file(item)

    def _get_file(self, wanted: Wanted) -> Done:
        locked = self._locked_entry(wanted)
        place = self._folder / wanted.path
        if place.exists():
            return self._check_in_place(wanted, locked, place)

        entry, part, how = self._download(wanted, locked)
        self._put_in_place(wanted.path, entry, part)
        return Done(wanted.path, entry.size, entry.sha256, how)

    def _locked_entry(self, wanted: Wanted) -> Entry | None:
        locked = self._lock.get(wanted.path)
        if locked is None:
            return None
        if locked.source != str(wanted.source):
            raise DownloadError(
                f"{wanted.path}: {LOCK_NAME} has it from {locked.source}, wanted is "
                f"{wanted.source}: use another folder"
            )
        revision = wanted.source.revision if isinstance(wanted.source, HubFile) else None
        if revision not in (locked.revision, locked.commit):
            raise DownloadError(
                f"{wanted.path}: {LOCK_NAME} has revision {locked.revision}, asked for is "
                f"{revision}: use another folder"
            )
        if wanted.sha256 and locked.sha256 != wanted.sha256:
            raise DownloadError(
                f"{wanted.path}: {LOCK_NAME} has sha256 {locked.sha256}, its source states "
                f"{wanted.sha256}"
            )
        return locked

    def _check_in_place(self, wanted: Wanted, locked: Entry | None, place: Path) -> Done:
        known = self._known(wanted, locked)
        if known.sha256 is None:
            raise DownloadError(
                f"{wanted.path}: is in the folder, but neither {LOCK_NAME} nor a source states its "
                "hash: move it away to download it"
            )
        size, sha256, _ = _hashes(place)
        if sha256 != known.sha256:
            raise DownloadError(
                f"{wanted.path}: expected sha256 {known.sha256} ({known.says}), the file in the "
                f"folder has {sha256}"
            )
        if locked is None:
            pinned = wanted.source.revision if isinstance(wanted.source, HubFile) else None
            self._lock.record(wanted.path, Entry(str(wanted.source), size, sha256, pinned))
        return Done(wanted.path, size, sha256, "here already")

    @staticmethod
    def _known(wanted: Wanted, locked: Entry | None) -> _Known:
        if locked is not None:
            return _Known(locked.size, locked.sha256, says=LOCK_NAME)
        return _Known(wanted.size, wanted.sha256, says="stated by its source")

    def _download(self, wanted: Wanted, locked: Entry | None) -> tuple[Entry, Path, str]:
        known = self._known(wanted, locked)
        expected = [known]
        revision = commit = None
        if isinstance(wanted.source, HubFile):
            revision = wanted.source.revision
            at = locked.commit if locked and locked.commit else revision
            found = hub.resolve(wanted.source, at, self._endpoint)
            url, commit = found.url, found.commit
            if known.sha256 and found.sha256 and known.sha256 != found.sha256:
                raise DownloadError(
                    f"{wanted.path}: expected sha256 {known.sha256} ({known.says}), the hub has "
                    f"{found.sha256} at {commit}"
                )
            expected.append(_Known(found.size, found.sha256, found.git_blob, "stated by the hub"))
        else:
            url = self._mirrored(wanted.source.url)

        place = self._folder / wanted.path
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(place.name + ".part")
        size = next((each.size for each in expected if each.size is not None), None)
        version = known.sha256 or commit
        continued = transfer(
            Transfer(url, wanted.path, size, version), part, self._watch(wanted.path)
        )

        got_size, sha256, git_blob = _hashes(part)
        for each in expected:
            for what, right, got in (
                ("bytes", each.size, got_size),
                ("sha256", each.sha256, sha256),
                ("git object", each.git_blob, git_blob),
            ):
                if right is not None and got != right:
                    part.unlink()
                    raise DownloadError(
                        f"{wanted.path}: {url}: expected {what} {right} ({each.says}), got {got}; "
                        "the download was thrown away"
                    )
        entry = Entry(str(wanted.source), got_size, sha256, revision, commit)
        return entry, part, "continued" if continued else "downloaded"

    def _mirrored(self, url: str) -> str:
        if self._mirror is None:
            return url
        address = urlsplit(url)
        return f"{self._mirror}/{address.netloc}{address.path}"

    def _put_in_place(self, path: str, entry: Entry, part: Path) -> None:
        self._lock.record(path, entry)
        os.replace(part, self._folder / path)

    def _get_members(self, archive: Archive) -> Iterator[Done]:
        sources = {
            path: f"{archive.file.source}#{member}" for member, path in archive.members.items()
        }
        places = {path: self._folder / path for path in sources}
        if all(place.exists() and self._lock.get(path) for path, place in places.items()):
            for path, place in places.items():
                locked = self._lock.get(path)
                size, sha256, _ = _hashes(place)
                if (size, sha256) != (locked.size, locked.sha256):
                    raise DownloadError(
                        f"{path}: expected sha256 {locked.sha256} ({LOCK_NAME}), the file in the "
                        f"folder has {sha256}"
                    )
                yield Done(path, size, sha256, "here already")
            return

        self._get_file(archive.file)
        zip_path = self._folder / archive.file.path
        try:
            with zipfile.ZipFile(zip_path) as opened:
                for member, path in archive.members.items():
                    yield self._unpack(opened, member, path, sources[path])
        except (zipfile.BadZipFile, KeyError) as error:
            raise DownloadError(f"{archive.file.path}: {error}") from None
        zip_path.unlink()  # its members are in place, and the lock file keeps its hash

    def _unpack(self, opened: zipfile.ZipFile, member: str, path: str, source: str) -> Done:
        place = self._folder / path
        part = place.with_name(place.name + ".part")
        with opened.open(member) as inside, open(part, "wb") as outside:
            while chunk := inside.read(CHUNK):
                outside.write(chunk)
        size, sha256, _ = _hashes(part)
        locked = self._lock.get(path)
        if locked is not None and locked.sha256 != sha256:
            part.unlink()
            raise DownloadError(
                f"{path}: expected sha256 {locked.sha256} ({LOCK_NAME}), the archive holds {sha256}"
            )
        self._put_in_place(path, Entry(source, size, sha256), part)
        return Done(path, size, sha256, "unpacked")


def _hashes(path: Path) -> tuple[int, str, str]:
    """Size, SHA-256 of the bytes, SHA-1 of the git object with them."""
    size = path.stat().st_size
    sha256 = hashlib.sha256()
    git_blob = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            sha256.update(chunk)
            git_blob.update(chunk)
    return size, sha256.hexdigest(), git_blob.hexdigest()
