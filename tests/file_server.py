"""A file server on 127.0.0.1 with every misbehaviour that a download must survive."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Served:
    """One file. `cuts` end the body of one answer each after so many bytes; a None among them does not.
    `statuses` are answered first, one request each. `stalls` makes the server wait after so many bytes,
    until the test is over, once for each.
    """

    data: bytes
    length: bool = True
    redirect: str | None = None
    cuts: list[int | None] = field(default_factory=list)
    stalls: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)  # added to a refusal


@dataclass
class Server:
    """`files` by path; `requests` as (path, headers), in the order of arrival."""

    url: str
    files: dict[str, Served] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve() -> Iterator[Server]:
    """A running server; its address is `url`, ending in a slash."""

    class Handler(_Handler):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        server = Handler.server_state = Server(f"http://127.0.0.1:{http.server_address[1]}/")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            http.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server_state: Server
    protocol_version = "HTTP/1.0"  # the end of the body is the end of the connection

    def do_GET(self) -> None:
        state = self.server_state
        state.requests.append((self.path, dict(self.headers.items())))
        file = state.files.get(self.path.lstrip("/"))
        if file is None:
            return self._refuse(404, {})
        if file.statuses:
            return self._refuse(file.statuses.pop(0), file.headers)
        if file.redirect is not None:
            return self._refuse(302, {"Location": file.redirect})
        self.send_response(200)
        if file.length:
            self.send_header("Content-Length", str(len(file.data)))
        self.end_headers()
        return self._body(file)

    def _body(self, file: Served) -> None:
        if file.stalls:
            self.wfile.write(file.data[: file.stalls.pop(0)])
            self.wfile.flush()
            self.server_state.over.wait()
            return
        cut = file.cuts.pop(0) if file.cuts else None
        with suppress(ConnectionError):  # the other side may have had enough
            self.wfile.write(file.data[:cut])

    def _refuse(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass
