"""A small HTTP server that serves files well or badly: as a publisher's site, and as a model hub.

What is served lies in `files`, by path without the leading slash. A hub's file is put there with
`add_hub_file`.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """body: what is sent; the rest is what goes wrong or differs, request by request."""

    body: bytes
    etag: str | None = None
    redirect: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    cuts: list[int] = field(default_factory=list)  # bytes sent before the connection is cut
    says_length: int | None = None
    ignores_range: bool = False
    shifts_range: bool = False
    before: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    range: str | None


class FileServer:
    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.requests: list[Request] = []
        handler = type("Handler", (_Handler,), {"server_": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> FileServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def add_hub_file(
        self, repo: str, name: str, revision: str, commit: str, body: bytes, *, large: bool
    ) -> Served:
        """The file at revision and at commit. Large files carry their SHA-256 and lie elsewhere,
        small ones carry that of their git object, as on the hub. Returns what serves the bytes."""
        if not large:
            git_blob = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
            served = Served(body, f'"{git_blob}"', headers={"X-Repo-Commit": commit})
            self.files |= {f"{repo}/resolve/{at}/{name}": served for at in (revision, commit)}
            return served
        digest = f'"{hashlib.sha256(body).hexdigest()}"'
        linked = {"X-Linked-Etag": digest, "X-Linked-Size": str(len(body))}
        # Another host than the hub's, as the hub does it.
        elsewhere = self.url.replace("127.0.0.1", "localhost")
        pointer = Served(
            b"",
            redirect=f"{elsewhere}/bytes/{repo}/{commit}/{name}",
            headers={"X-Repo-Commit": commit, **linked},
            status=302,
        )
        self.files |= {f"{repo}/resolve/{at}/{name}": pointer for at in (revision, commit)}
        served = self.files[f"bytes/{repo}/{commit}/{name}"] = Served(body, digest)
        return served

    def got(self, path: str) -> list[str | None]:
        """The Range of every GET of a path, in order."""
        return [r.range for r in self.requests if (r.method, r.path) == ("GET", path)]


class _Handler(BaseHTTPRequestHandler):
    server_: FileServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None: ...

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = self.path.lstrip("/")
        wanted = self.headers.get("Range")
        self.server_.requests.append(Request(self.command, path, wanted))
        served = self.server_.files.get(path)
        if served is None:
            self._send(404, {"X-Error-Code": "EntryNotFound"}, b"")
            return
        served.before()
        if served.status != 200:
            location = {"Location": served.redirect} if served.redirect else {}
            self._send(served.status, {**served.headers, **location}, b"")
            return
        headers = dict(served.headers)
        if served.etag:
            headers["ETag"] = served.etag
        status, body = 200, served.body
        changed = self.headers.get("If-Range") not in (None, served.etag)
        if wanted and not served.ignores_range and not changed:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                self._send(416, {}, b"")
                return
            start += 1 if served.shifts_range else 0
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            status, body = 206, body[start:]
        self._send(status, headers, body, served)

    def _send(
        self, status: int, headers: dict[str, str], body: bytes, served: Served | None = None
    ) -> None:
        length = served.says_length if served and served.says_length is not None else len(body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        if served and served.cuts:
            body = body[: served.cuts.pop(0)]
            self.close_connection = True
        if len(body) < length:
            self.close_connection = True
        self.wfile.write(body)
