"""One file over HTTP: cut connections, servers that stall, refuse or lie. Everything on 127.0.0.1."""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pooch")

from dcgan_edge.data.download import MirrorError, download
from dcgan_edge.data.fetch_sources import RemoteFile
from dcgan_edge.errors import EdgeError, UnavailableError
from tests.file_server import Served, Server, serve

DATA = bytes(range(256)) * 4000  # 1 MB, some sixteen reads
FILE = RemoteFile("f", len(DATA), hashlib.sha256(DATA).hexdigest())


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as server:
        server.files["f"] = Served(DATA)
        yield server


class Get:
    """Downloads `f` of `server`, and remembers the waits and the reports."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.url, self.folder = server.url + "f", folder
        self.delays: list[float] = []
        self.reports: list[int] = []

    def __call__(self, timeout: float = 5, retries: int = 2) -> bytes:
        download(
            self.url,
            FILE,
            self.folder,
            timeout=timeout,
            retries=retries,
            progress=lambda done, of: self.reports.append(done),
        )
        return (self.folder / "f").read_bytes()


@pytest.fixture
def get(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Get:
    get = Get(server, tmp_path)
    monkeypatch.setattr(time, "sleep", get.delays.append)
    return get


def left(get: Get) -> list[str]:
    return [path.name for path in get.folder.iterdir()]


def test_a_file_comes_whole_and_progress_rises_to_its_size(server: Server, get: Get) -> None:
    assert get() == DATA
    assert get.reports == sorted(get.reports)
    assert (0 < get.reports[0] < len(DATA), get.reports[-1]) == (True, len(DATA))
    assert server.requests[0][1]["Accept-Encoding"] == "identity"
    assert left(get) == ["f"]


def test_a_cut_connection_is_begun_again_and_leaves_nothing(server: Server, get: Get) -> None:
    server.files["f"].cuts = [300_000, 100_000]
    assert get() == DATA
    assert get.delays == [1.0, 2.0]
    assert left(get) == ["f"]


def test_after_so_many_cuts_the_mirror_is_given_up(server: Server, get: Get) -> None:
    server.files["f"].cuts = [300_000, 0, 0]
    with pytest.raises(MirrorError, match="3 times in a row"):
        get()
    assert left(get) == []


def test_a_body_of_another_size_or_content_is_not_taken(server: Server, get: Get) -> None:
    for served, words in (
        (Served(b"<html>log in</html>"), "19 bytes, the published one 1,024,000"),
        (Served(DATA * 2, length=False), "more than the 1,024,000 bytes"),
        (Served(DATA[:-1], length=False), FILE.sha256),
        (Served(DATA[::-1]), FILE.sha256),
    ):
        server.files["f"] = served
        with pytest.raises(MirrorError) as caught:
            get()
        assert words in str(caught.value)
        assert left(get) == []


def test_a_server_that_stalls_is_asked_again_and_given_up(server: Server, get: Get) -> None:
    server.files["f"].stalls = [200_000]
    assert get(timeout=0.3) == DATA
    (get.folder / "f").unlink()
    server.files["f"].stalls = [0, 0]
    with pytest.raises(MirrorError, match="stopped answering, 2 times"):
        get(timeout=0.2, retries=1)


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_a_busy_server_is_asked_again(server: Server, get: Get, status: int) -> None:
    server.files["f"].statuses = [status, status]
    assert get() == DATA
    assert get.delays == [1.0, 2.0]


@pytest.mark.parametrize(("asked", "waited"), [("7", 7.0), ("86400", 60.0), ("tomorrow", 1.0)])
def test_a_server_that_says_when_is_asked_then_within_reason(
    server: Server, get: Get, asked: str, waited: float
) -> None:
    server.files["f"].statuses = [503]
    server.files["f"].headers = {"Retry-After": asked}
    assert get() == DATA
    assert get.delays == [waited]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_final(server: Server, get: Get, status: int) -> None:
    server.files["f"].statuses = [status]
    with pytest.raises(MirrorError, match=str(status)):
        get()
    assert (len(server.requests), get.delays) == (1, [])


def test_a_redirect_is_followed(server: Server, get: Get) -> None:
    server.files["f"].redirect = server.url + "elsewhere"
    server.files["elsewhere"] = Served(DATA)
    assert get() == DATA


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/f", "data:,x", "/f"])
def test_a_redirect_to_another_protocol_or_in_a_circle_is_final(
    server: Server, get: Get, target: str
) -> None:
    server.files["f"].redirect = target
    with pytest.raises(MirrorError):
        get()
    assert (left(get), get.delays) == ([], [])


def test_a_server_that_is_not_there_is_named_by_its_error(get: Get, server: Server) -> None:
    get.url = "http://127.0.0.1:1/f"  # a port that nothing listens on
    with pytest.raises(MirrorError, match="refused, 3 times in a row"):
        get()
    assert get.delays == [1.0, 2.0]


def test_a_full_disk_is_an_error_of_this_machine_not_of_the_mirror(
    get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "move", full)
    with pytest.raises(EdgeError, match="No space left on device") as caught:
        get()
    assert not isinstance(caught.value, MirrorError)
    assert left(get) == []


def test_ctrl_c_leaves_nothing_half_there(get: Get) -> None:
    def stop(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download(get.url, FILE, get.folder, timeout=5, retries=2, progress=stop)
    assert left(get) == []


def test_without_pooch_the_extra_is_named(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(UnavailableError, match=r"dcgan-edge\[data\]"):
        get()
