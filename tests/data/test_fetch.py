"""Whole data sets from mirrors that fail in every way a mirror can, all of them on 127.0.0.1."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("pooch")

from dcgan_edge.data.fetch import Fetched, fetch, fetch_source
from dcgan_edge.data.fetch_sources import CELEBA, SOURCES, DataSource, RemoteFile, Unpack
from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from tests.file_server import Served, Server, serve

DATA = bytes(range(256)) * 1000
SMALL = b"labels"


def remote(name: str, data: bytes, unpack: Unpack | None = None) -> RemoteFile:
    return RemoteFile(name, len(data), hashlib.sha256(data).hexdigest(), unpack)


TOY = DataSource(
    "toy",
    "Toy, two files",
    "http://homepage.invalid/",
    "free",
    (remote("a.bin", DATA), remote("b.bin", SMALL)),
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve() as server:
        server.files = {"a.bin": Served(DATA), "b.bin": Served(SMALL)}
        yield server


def bring(server: Server, folder: Path, *mirrors: str, source: DataSource = TOY) -> Fetched:
    return fetch_source(source, folder, mirrors=mirrors or [server.url], timeout=5, retries=0)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_brings_and_checks_every_file_and_leaves_a_receipt(server: Server, tmp_path: Path) -> None:
    fetched = bring(server, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert names(tmp_path) == ["a.bin", "b.bin", "dataset.json"]
    assert [(file.url, file.checked) for file in fetched.files] == [
        (server.url + "a.bin", True),
        (server.url + "b.bin", True),
    ]
    receipt = json.loads((tmp_path / "dataset.json").read_text())
    assert (receipt["source"], receipt["files"][0]["sha256"]) == ("toy", hashlib.sha256(DATA).hexdigest())


def test_what_is_there_is_checked_and_not_asked_for_again(server: Server, tmp_path: Path) -> None:
    bring(server, tmp_path)
    server.requests.clear()
    assert [file.url for file in bring(server, tmp_path).files] == [None, None]
    assert server.requests == []


def test_another_file_in_the_way_is_not_touched(server: Server, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"a\.bin is there already and is not the published file"):
        bring(server, tmp_path)
    assert (tmp_path / "a.bin").read_bytes() == b"mine"


def test_the_next_mirror_is_tried_and_the_set_named_in_its_address(server: Server, tmp_path: Path) -> None:
    server.files = {"toy/a.bin": Served(DATA), "toy/b.bin": Served(SMALL)}
    fetched = bring(server, tmp_path, server.url + "nothing/", server.url + "{set}")
    assert fetched.files[0].url == server.url + "toy/a.bin"
    assert [path for path, _ in server.requests][:2] == ["/nothing/a.bin", "/toy/a.bin"]


def test_mirrors_of_the_call_take_the_place_of_the_known_ones(server: Server, tmp_path: Path) -> None:
    source = replace(TOY, mirrors=(server.url + "known/",))
    bring(server, tmp_path, source=source)
    assert all(not path.startswith("/known") for path, _ in server.requests)


def test_a_file_that_no_mirror_has_is_an_error_that_names_them(server: Server, tmp_path: Path) -> None:
    with pytest.raises(EdgeError) as caught:
        bring(server, tmp_path, server.url + "one/", server.url + "two/")
    assert f"{server.url}one/a.bin: its answer is 404 Not Found" in str(caught.value)
    assert f"{server.url}two/a.bin: its answer is 404" in str(caught.value)
    assert len(server.requests) == 2  # what is not there is not asked for twice


def test_a_wrong_checksum_is_not_kept_and_the_next_mirror_tried(server: Server, tmp_path: Path) -> None:
    server.files["bad/a.bin"] = Served(bytes(len(DATA)))
    bring(server, tmp_path, server.url + "bad/", server.url)
    assert (tmp_path / "a.bin").read_bytes() == DATA
    assert names(tmp_path) == ["a.bin", "b.bin", "dataset.json"]


def test_a_wrong_checksum_everywhere_is_an_error_with_both_digests(server: Server, tmp_path: Path) -> None:
    wrong = bytes(len(DATA))
    server.files["a.bin"] = Served(wrong)
    with pytest.raises(EdgeError) as caught:
        bring(server, tmp_path)
    assert hashlib.sha256(wrong).hexdigest() in str(caught.value)
    assert hashlib.sha256(DATA).hexdigest() in str(caught.value)
    assert names(tmp_path) == []


def test_a_disk_without_room_is_seen_before_anything_is_asked_for(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(EdgeError, match="1,000 bytes free"):
        bring(server, tmp_path)
    assert server.requests == []


def test_an_unknown_name_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="fashion-mnist"):
        fetch("imagenet", tmp_path / "x")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "mirror",
    ["ftp://host/", "file:///etc/", "host/folder", "http://", "", "http://[::1", "http://h:x/", "http://h /"],
)
def test_a_mirror_is_an_http_address(mirror: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not the address of a mirror"):
        fetch_source(TOY, tmp_path / "new", mirrors=[mirror])
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="Cannot make the folder"):
        fetch_source(TOY, tmp_path / "file" / "inside", mirrors=["http://127.0.0.1:9/"])


def packed() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in ("toy/1.bin", "toy/2.bin", "toy/readme.txt"):
            info = tarfile.TarInfo(name)
            info.size = 3
            archive.addfile(info, io.BytesIO(b"abc"))
    return buffer.getvalue()


ARCHIVE = packed()


def archived(count: int = 2, mirrors: tuple[str, ...] = ()) -> DataSource:
    file = remote("toy.tar.gz", ARCHIVE, Unpack("toy", "*.bin", count))
    return replace(TOY, files=(file,), mirrors=mirrors, by_hand="it is handed out by hand")


def test_an_archive_is_unpacked_once(server: Server, tmp_path: Path) -> None:
    server.files["toy.tar.gz"] = Served(ARCHIVE)
    fetched = bring(server, tmp_path, source=archived())
    assert names(tmp_path / "toy") == ["1.bin", "2.bin", "readme.txt"]
    assert fetched.files[0].unpacked == "toy"
    (tmp_path / "toy" / "1.bin").write_bytes(b"changed")
    bring(server, tmp_path, source=archived())
    assert (tmp_path / "toy" / "1.bin").read_bytes() == b"changed"  # not unpacked over what is there
    assert names(tmp_path) == ["dataset.json", "toy", "toy.tar.gz"]


def test_an_archive_with_other_contents_is_refused(server: Server, tmp_path: Path) -> None:
    server.files["toy.tar.gz"] = Served(ARCHIVE)
    with pytest.raises(ArtifactError, match=r"holds 2 files \*\.bin, not 3"):
        bring(server, tmp_path, source=archived(3))
    assert names(tmp_path) == ["toy.tar.gz"]


def test_a_set_without_mirrors_says_what_to_do_by_hand(tmp_path: Path) -> None:
    with pytest.raises(EdgeError) as caught:
        fetch("celeba", tmp_path)
    for words in ("img_align_celeba.zip", CELEBA.homepage, str(tmp_path), "run the same command again"):
        assert words in str(caught.value)


def test_an_archive_that_was_put_there_by_hand_is_checked_and_unpacked(tmp_path: Path) -> None:
    (tmp_path / "toy.tar.gz").write_bytes(ARCHIVE)
    (file,) = fetch_source(archived(), tmp_path).files
    assert (file.url, file.checked, names(tmp_path / "toy")[0]) == (None, True, "1.bin")


def test_a_whole_folder_that_was_put_there_by_hand_will_do(tmp_path: Path) -> None:
    (tmp_path / "toy").mkdir()
    for name in ("1.bin", "2.bin"):
        (tmp_path / "toy" / name).write_bytes(b"abc")
    (file,) = fetch_source(archived(), tmp_path).files
    assert (file.url, file.checked) == (None, False)
    (tmp_path / "toy" / "2.bin").unlink()
    with pytest.raises(EdgeError, match="has 1 files"):
        fetch_source(archived(), tmp_path)


def test_every_known_set_has_sizes_digests_and_a_way_to_get_it() -> None:
    for name, source in SOURCES.items():
        assert source.name == name
        assert source.mirrors or source.by_hand
        assert all(url.startswith("http") and url.endswith("/") for url in source.mirrors)
        for file in source.files:
            assert len(bytes.fromhex(file.sha256)) == 32
            assert file.size > 0
    files = [file for source in SOURCES.values() for file in source.files]
    assert len({file.sha256 for file in files}) == len(files)
