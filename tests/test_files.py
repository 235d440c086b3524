from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from dcgan_edge.errors import EdgeError
from dcgan_edge.files import check_writable, write_atomic


def test_it_writes_replaces_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.bin"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_before_the_rename_keeps_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.bin"
    write_atomic(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(EdgeError, match=r"Cannot write .*file.bin: No space left on device"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EdgeError, match="Cannot write"):
        write_atomic(tmp_path / "file" / "inside", b"x")


def test_what_cannot_be_written_is_found_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    check_writable(tmp_path / "file")
    check_writable(tmp_path / "new" / "folders" / "file.json")
    for wrong in (tmp_path, tmp_path / "file" / "inside"):
        with pytest.raises(EdgeError, match="Cannot write"):
            check_writable(wrong)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(EdgeError, match="may not be written to"):
        check_writable(tmp_path / "new" / "file.json")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    target, link = tmp_path / "data" / "real.bin", tmp_path / "link.bin"
    target.parent.mkdir()
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_atomic(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_dangling_link_gets_its_target(tmp_path: Path) -> None:
    link = tmp_path / "link.bin"
    link.symlink_to(tmp_path / "later.bin")
    write_atomic(link, b"new")
    assert (tmp_path / "later.bin").read_bytes() == b"new"
    assert link.is_symlink()


def test_a_device_is_written_into_and_never_replaced(tmp_path: Path) -> None:
    null = Path(os.devnull)
    before = null.stat()
    write_atomic(null, b"gone")
    assert stat.S_ISCHR(null.stat().st_mode)
    assert null.stat().st_ino == before.st_ino


def test_a_pipe_gets_the_bytes_if_somebody_reads_and_is_refused_otherwise(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(EdgeError, match="Cannot write"):
        write_atomic(pipe, b"x")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomic(pipe, b"hello")
        assert os.read(reader, 10) == b"hello"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # socket paths are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        with pytest.raises(EdgeError, match="Cannot write"):
            write_atomic(Path("s"), b"x")


@pytest.mark.parametrize("name", ["n" * 255, "\u00e9" * 127, "n" * 250 + ".json"])
def test_names_as_long_as_the_file_system_allows_are_written(tmp_path: Path, name: str) -> None:
    write_atomic(tmp_path / name, b"x")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    write_atomic(tmp_path / name, b"y")
    assert (tmp_path / name).read_bytes() == b"y"


def test_a_name_with_a_nul_is_a_sentence() -> None:
    with pytest.raises(EdgeError):
        write_atomic(Path("a\0b"), b"x")
