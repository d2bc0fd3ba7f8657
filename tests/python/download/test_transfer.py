"""Bytes over connections that break."""

from __future__ import annotations

from pathlib import Path

import pytest
from file_server import FileServer, Served

from simba_ssm.download import DownloadError
from simba_ssm.download.transfer import FRUITLESS_ATTEMPTS, Transfer, transfer

BODY = bytes(i * i % 251 for i in range(10_000))


def get(server: FileServer, part: Path, **known: object) -> bool:
    what = Transfer(f"{server.url}/file", "file", **known)
    return transfer(what, part, lambda there, total: None)


def test_a_whole_file_arrives_in_one_request(server: FileServer, tmp_path: Path) -> None:
    server.files["file"] = Served(BODY)
    seen: list[tuple[int, int | None]] = []
    what = Transfer(f"{server.url}/file", "file")
    continued = transfer(what, tmp_path / "p", lambda there, total: seen.append((there, total)))
    assert not continued
    assert (tmp_path / "p").read_bytes() == BODY
    assert server.got("file") == [None]
    assert seen[0] == (0, 10_000) and seen[-1] == (10_000, 10_000)
    assert list(tmp_path.iterdir()) == [tmp_path / "p"]


def test_a_cut_connection_is_continued_where_it_broke(server: FileServer, tmp_path: Path) -> None:
    server.files["file"] = Served(BODY, cuts=[3000, 0, 1, 2500])
    get(server, tmp_path / "p", version="v")
    assert (tmp_path / "p").read_bytes() == BODY
    assert server.got("file") == [None, "bytes=3000-", "bytes=3000-", "bytes=3001-", "bytes=5501-"]


def test_a_part_of_an_earlier_run_is_continued(server: FileServer, tmp_path: Path) -> None:
    server.files["file"] = Served(BODY, cuts=[4000] + [0] * FRUITLESS_ATTEMPTS)
    with pytest.raises(DownloadError, match="4000 of 10000 bytes|after 0 of|4000 bytes are kept"):
        get(server, tmp_path / "p", version="v")
    assert (tmp_path / "p").read_bytes() == BODY[:4000]
    assert get(server, tmp_path / "p", version="v")
    assert (tmp_path / "p").read_bytes() == BODY
    assert server.got("file")[-1] == "bytes=4000-"


def test_a_part_of_another_version_is_not_continued(server: FileServer, tmp_path: Path) -> None:
    server.files["file"] = Served(bytes(10_000), cuts=[4000] + [0] * FRUITLESS_ATTEMPTS)
    with pytest.raises(DownloadError):
        get(server, tmp_path / "p", version="old")
    server.files["file"] = Served(BODY)
    assert not get(server, tmp_path / "p", version="new")
    assert (tmp_path / "p").read_bytes() == BODY


def test_an_unversioned_part_is_continued_only_under_the_same_etag(
    server: FileServer, tmp_path: Path
) -> None:
    server.files["file"] = Served(BODY, etag='"one"', cuts=[4000])
    get(server, tmp_path / "p")
    assert server.got("file") == [None, "bytes=4000-"]
    assert (tmp_path / "p").read_bytes() == BODY

    old = Served(bytes(10_000), etag='"one"', cuts=[4000])
    new = Served(BODY, etag='"two"')
    changes = iter((old, new))
    server.files["q"] = old
    old.before = lambda: server.files.update(q=next(changes, new))
    server.files["q"] = old
    next(changes)
    transfer(Transfer(f"{server.url}/q", "q"), tmp_path / "q", lambda there, total: None)
    assert (tmp_path / "q").read_bytes() == BODY


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_a_part_that_nothing_vouches_for_begins_anew(
    etag: str | None, server: FileServer, tmp_path: Path
) -> None:
    server.files["file"] = Served(BODY, etag=etag, cuts=[4000])
    get(server, tmp_path / "p")
    assert server.got("file") == [None, None]
    assert (tmp_path / "p").read_bytes() == BODY


def test_a_server_without_ranges_is_believed(server: FileServer, tmp_path: Path) -> None:
    server.files["file"] = Served(BODY, cuts=[4000], ignores_range=True)
    get(server, tmp_path / "p", version="v")
    assert (tmp_path / "p").read_bytes() == BODY


def test_another_range_than_asked_for_is_not_appended(server: FileServer, tmp_path: Path) -> None:
    served = Served(BODY, cuts=[4000], shifts_range=True)
    server.files["file"] = served
    get(server, tmp_path / "p", version="v")
    assert (tmp_path / "p").read_bytes() == BODY
    assert server.got("file") == [None, "bytes=4000-", None]


def test_a_part_longer_than_the_file_is_thrown_away(server: FileServer, tmp_path: Path) -> None:
    server.files["file"] = Served(bytes(20_000), cuts=[15_000] + [0] * FRUITLESS_ATTEMPTS)
    with pytest.raises(DownloadError):
        get(server, tmp_path / "p", version="v")
    server.files["file"] = Served(BODY)
    get(server, tmp_path / "p", version="v")
    assert (tmp_path / "p").read_bytes() == BODY


def test_the_progress_of_a_dead_connection_ends(server: FileServer, tmp_path: Path) -> None:
    server.files["file"] = Served(BODY, cuts=[0] * 100)
    with pytest.raises(DownloadError, match=r"^file: http.* ends after 0 of 10000 bytes"):
        get(server, tmp_path / "p", version="v")
    assert len(server.got("file")) == FRUITLESS_ATTEMPTS


def test_a_length_that_is_never_reached_ends(server: FileServer, tmp_path: Path) -> None:
    server.files["file"] = Served(BODY, says_length=10_500, ignores_range=True)
    with pytest.raises(DownloadError, match="10000 of 10500 bytes"):
        get(server, tmp_path / "p", version="v")


def test_another_size_than_stated_is_refused_before_the_bytes(
    server: FileServer, tmp_path: Path
) -> None:
    server.files["file"] = Served(BODY)
    with pytest.raises(DownloadError, match="expected 9999 bytes, the server offers 10000"):
        get(server, tmp_path / "p", size=9999)
    assert not (tmp_path / "p").exists()


def test_redirects_keep_the_range(server: FileServer, tmp_path: Path) -> None:
    server.files["file"] = Served(b"", redirect=f"{server.url}/there", status=302)
    server.files["there"] = Served(BODY, cuts=[4000])
    get(server, tmp_path / "p", version="v")
    assert (tmp_path / "p").read_bytes() == BODY
    assert server.got("there") == [None, "bytes=4000-"]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_final(status: int, server: FileServer, tmp_path: Path) -> None:
    server.files["file"] = Served(BODY, status=status)
    with pytest.raises(DownloadError, match=f"the server answers {status}"):
        get(server, tmp_path / "p")
    assert len(server.got("file")) == 1


def test_a_busy_server_is_asked_again(server: FileServer, tmp_path: Path) -> None:
    served = Served(BODY, status=503)
    calls = iter(range(100))
    served.before = lambda: setattr(served, "status", 503 if next(calls) < 3 else 200)
    server.files["file"] = served
    get(server, tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == BODY


@pytest.mark.parametrize("url", ["no address", "http://", "unknown://host/file"])
def test_a_wrong_address_is_an_error(url: str, tmp_path: Path, server: FileServer) -> None:
    with pytest.raises(DownloadError, match="^name: "):
        transfer(Transfer(url, "name"), tmp_path / "p", lambda there, total: None)
