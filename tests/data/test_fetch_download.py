"""One file over HTTP: cut connections, changed files, servers that stall, refuse or lie."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from dcgan_edge.data import download as module
from dcgan_edge.data.download import Network, download
from dcgan_edge.data.http_client import MirrorError
from dcgan_edge.errors import EdgeError
from tests.file_server import Served, Server, serve

DATA = bytes(range(256)) * 4000  # 1 MB, some sixteen reads


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as server:
        server.files["f"] = Served(DATA)
        yield server


class Get:
    """Downloads `f` of `server` into a part, and remembers the waits and the reports."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.url, self.part = server.url + "f", folder / "f.part"
        self.delays: list[float] = []
        self.reports: list[int] = []
        self.network = Network(timeout=5, retries=2, sleep=self.delays.append)

    def __call__(self, size: int = len(DATA), network: Network | None = None) -> bytes:
        download(self.url, self.part, size, network=network or self.network, report=self.reports.append)
        return self.part.read_bytes()


@pytest.fixture
def get(server: Server, tmp_path: Path) -> Get:
    return Get(server, tmp_path)


def test_a_file_comes_whole_and_progress_rises_to_its_size(server: Server, get: Get) -> None:
    assert get() == DATA
    assert get.reports == sorted(get.reports)
    assert (get.reports[0], get.reports[-1]) == (0, len(DATA))
    assert server.requests[0][1]["Accept-Encoding"] == "identity"


def test_a_cut_connection_goes_on_where_it_was_cut(server: Server, get: Get) -> None:
    server.files["f"].cuts = [300_000, 100_000]
    assert get() == DATA
    assert server.ranges() == [None, "bytes=300000-", "bytes=400000-"]
    assert [headers.get("If-Range") for _, headers in server.requests] == [None, '"1"', '"1"']
    assert get.delays == [1.0, 2.0]


def test_a_later_run_goes_on_too(server: Server, get: Get, tmp_path: Path) -> None:
    server.files["f"].cuts = [300_000, 0, 0]
    with pytest.raises(MirrorError, match="the connection ended after 300,000 of 1,024,000 bytes, 3 times"):
        get()
    again = Get(server, tmp_path)
    assert again() == DATA
    assert server.ranges()[-1] == "bytes=300000-"
    assert again.reports[0] == 300_000


def test_a_body_without_a_length_is_cut_and_continued_too(server: Server, get: Get) -> None:
    server.files["f"] = Served(DATA, length=False, cuts=[70_000])
    assert get() == DATA


def test_a_server_without_ranges_sends_everything_again(server: Server, get: Get) -> None:
    server.files["f"] = Served(DATA, ranges=False, cuts=[300_000])
    assert get() == DATA
    assert server.ranges() == [None, "bytes=300000-"]


def test_a_file_that_changed_meanwhile_is_taken_from_its_beginning(server: Server, get: Get) -> None:
    server.files["f"].cuts = [300_000, 0, 0]
    with pytest.raises(MirrorError):
        get()
    changed = DATA[::-1]
    server.files["f"] = Served(changed, etag='"2"')
    assert get() == changed
    assert server.requests[-1][1]["If-Range"] == '"1"'


def test_a_weak_tag_is_no_condition_but_the_date_is(server: Server, get: Get) -> None:
    date = "Mon, 02 Jan 2006 15:04:05 GMT"
    server.files["f"] = Served(DATA, etag='W/"1"', modified=date, cuts=[1000])
    assert get() == DATA
    assert server.requests[1][1]["If-Range"] == date


def test_a_part_is_continued_without_a_condition_when_nothing_is_known_of_it(
    server: Server, get: Get
) -> None:
    get.part.write_bytes(DATA[:500])
    get.part.with_name("f.part.json").write_text("not json")
    assert get() == DATA
    assert "If-Range" not in server.requests[0][1]


def test_a_whole_part_is_not_asked_for_and_a_longer_one_thrown_away(server: Server, get: Get) -> None:
    get.part.write_bytes(DATA)
    assert get() == DATA
    assert server.requests == []
    get.part.write_bytes(DATA + b"more")
    assert get() == DATA
    assert server.ranges() == [None]


def test_a_part_that_is_beyond_the_end_of_the_file_is_thrown_away(server: Server, get: Get) -> None:
    server.files["f"].data = DATA[:400]
    get.part.write_bytes(DATA[:400])
    with pytest.raises(MirrorError, match="its file has 400 bytes, the published one 1024000"):
        get()
    assert server.ranges() == ["bytes=400-", None]


@pytest.mark.parametrize("lie", ["bytes 0-1023999/1024000", "bytes 5-9/1024000", "nonsense"])
def test_another_range_than_was_asked_for_is_not_taken(server: Server, get: Get, lie: str) -> None:
    server.files["f"] = Served(DATA, cuts=[300_000], lie=lie)
    assert get() == DATA
    assert server.ranges() == [None, "bytes=300000-", None]


def test_a_range_of_a_file_of_another_size_is_not_taken(server: Server, get: Get) -> None:
    server.files["f"] = Served(DATA + b"!", etag=None)
    get.part.write_bytes(DATA[:1000])
    with pytest.raises(MirrorError, match="its file has 1024001 bytes"):
        get()


def test_a_page_in_place_of_the_file_is_not_taken(server: Server, get: Get) -> None:
    server.files["f"].data = b"<html>log in</html>"
    with pytest.raises(MirrorError, match="its file has 19 bytes, the published one 1024000"):
        get()
    assert not get.part.exists()


def test_more_than_was_announced_is_not_read(server: Server, get: Get) -> None:
    server.files["f"] = Served(DATA * 2, length=False)
    assert get() == DATA


def test_a_server_that_stalls_is_asked_again_for_the_rest(server: Server, get: Get) -> None:
    server.files["f"].stalls = [200_000]
    patience = Network(timeout=0.3, retries=2, sleep=get.delays.append)
    assert get(network=patience) == DATA
    assert server.ranges() == [None, "bytes=200000-"]


def test_a_server_that_never_sends_anything_is_given_up(server: Server, get: Get) -> None:
    server.files["f"].stalls = [0, 0]
    with pytest.raises(MirrorError, match="it stopped answering, 2 times in a row"):
        get(network=Network(timeout=0.2, retries=1, sleep=get.delays.append))


def test_a_server_that_trickles_is_given_up_by_the_mean_of_the_window(server: Server, get: Get) -> None:
    clock = count(0, 3600)  # an hour passes with each reading
    network = Network(timeout=5, retries=1, sleep=get.delays.append, clock=lambda: float(next(clock)))
    with pytest.raises(MirrorError, match=r"it sends only [0-9,]+ bytes a second, 2 times"):
        get(network=network)
    assert 0 < get.part.stat().st_size < len(DATA)


def test_a_fast_server_is_not_given_up_however_long_it_takes(get: Get) -> None:
    clock = count(0, 1)  # a second for each read of 64 KiB or less
    network = Network(timeout=5, retries=0, window=2, min_rate=1, clock=lambda: float(next(clock)))
    assert get(network=network) == DATA


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_a_busy_server_is_asked_again(server: Server, get: Get, status: int) -> None:
    server.files["f"].statuses = [status, status]
    assert get() == DATA
    assert get.delays == [1.0, 2.0]


def test_a_server_that_says_when_is_asked_then_within_reason(server: Server, get: Get) -> None:
    server.files["f"].statuses = [503]
    server.files["f"].headers = {"Retry-After": "7"}
    assert get() == DATA
    assert get.delays == [7.0]
    get.part.unlink()
    server.files["f"].statuses = [503]
    server.files["f"].headers = {"Retry-After": "86400"}
    get()
    assert get.delays == [7.0, 60.0]


@pytest.mark.parametrize("status", [401, 403, 404, 410, 304])
def test_a_refusal_is_final(server: Server, get: Get, status: int) -> None:
    server.files["f"].statuses = [status]
    with pytest.raises(MirrorError, match=f"its answer is {status}"):
        get()
    assert (len(server.requests), get.delays) == (1, [])


def test_progress_starts_the_count_of_failures_anew(
    server: Server, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WORTH", 100_000)
    server.files["f"].cuts = [0, 0, 200_000, 0, 0, 200_000, 0, 0]
    assert get() == DATA
    assert get.delays == [1.0, 2.0, 1.0, 1.0, 2.0, 1.0, 1.0, 2.0]


def test_a_redirect_is_followed_and_a_part_continued_through_it(server: Server, get: Get) -> None:
    server.files["f"].redirect = server.url + "elsewhere"
    server.files["elsewhere"] = Served(DATA, cuts=[1000])
    assert get() == DATA
    path, headers = server.requests[-1]
    assert (path, headers["Range"], headers["If-Range"]) == ("/elsewhere", "bytes=1000-", '"1"')


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/f", "data:,x"])
def test_a_redirect_to_another_protocol_is_not_followed(server: Server, get: Get, target: str) -> None:
    server.files["f"].redirect = target
    with pytest.raises(MirrorError):
        get()
    assert not get.part.exists()


def test_a_redirect_in_a_circle_ends(server: Server, get: Get) -> None:
    server.files["f"].redirect = get.url
    with pytest.raises(MirrorError, match="302"):
        get()


def test_a_server_that_is_not_there_is_named_by_its_error(get: Get, server: Server) -> None:
    get.url = "http://127.0.0.1:1/f"  # a port that nothing listens on
    with pytest.raises(MirrorError, match="refused, 3 times in a row"):
        get()
    assert get.delays == [1.0, 2.0]


def test_a_full_disk_keeps_what_came(server: Server, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        if os.fstat(descriptor).st_size == 300_000:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    server.files["f"].cuts = [300_000]
    with pytest.raises(EdgeError, match=r"f\.part: No space left on device. What came is kept"):
        get()
    assert get.part.read_bytes() == DATA[:300_000]


def test_a_disk_without_room_is_seen_before_anything_is_written(
    get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(EdgeError, match="has 1,000 bytes free and 1,024,000 are still to come"):
        get()
    assert not get.part.exists()


def interrupt_after(reports: int) -> Callable[[int], None]:
    numbers = count(1)

    def report(done: int) -> None:
        if next(numbers) == reports:
            raise KeyboardInterrupt

    return report


def test_ctrl_c_keeps_the_part_and_the_next_run_goes_on(server: Server, get: Get) -> None:
    with pytest.raises(KeyboardInterrupt):
        download(get.url, get.part, len(DATA), network=get.network, report=interrupt_after(4))
    kept = get.part.stat().st_size
    assert 0 < kept < len(DATA)
    assert get() == DATA
    assert server.ranges()[-1] == f"bytes={kept}-"
