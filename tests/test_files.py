from __future__ import annotations

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
