"""The walker: regular files only, everything else named, and no entry that stops it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dcgan_edge.errors import EdgeError
from dcgan_edge.names import shown
from dcgan_edge.walk import Walk, named, walk
from tests import strange_entries
from tests.strange_entries import STRANGE, Strange


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "good").write_text("good")
    yield folder
    for secret in folder.glob("secret*"):
        secret.chmod(0o700)
    strange_entries.remove(folder)


def names(found: Walk) -> list[str]:
    return [file.name for file in found.files]


def reasons(found: Walk) -> dict[str, str]:
    return {entry.name: entry.reason for entry in found.omitted}


@pytest.mark.parametrize("strange", STRANGE, ids=lambda strange: strange.__name__)
def test_whatever_lies_there_the_good_file_is_found_and_names_fit_a_line(
    folder: Path, strange: Strange
) -> None:
    strange(folder)
    found = walk(folder)
    assert "good" in names(found)
    assert all(file.path.is_file() for file in found.files)
    assert all(f"{entry.name}{entry.reason}".isprintable() for entry in found.omitted)


@pytest.mark.parametrize(
    ("strange", "expected"),
    [
        (strange_entries.pipe, {"pipe": "a pipe", "pipe.png": "a pipe"}),
        (strange_entries.unix_socket, {"socket.png": "a socket"}),
        (strange_entries.device, {"zero.png": "a device", "terminal": "a device"}),
        (strange_entries.dangling_link, {"gone.png": "a link that leads nowhere"}),
        (
            strange_entries.links_in_a_circle,
            {
                "a.png": "a link that leads round in a circle",
                "b.png": "a link that leads round in a circle",
                "again": "a link to a folder that is read already",
                "up": "a link to a folder around this one",
            },
        ),
        (strange_entries.stray_files, {".DS_Store": "hidden, as its name begins with a dot"}),
    ],
)
def test_what_is_left_out_is_named_with_its_reason(
    folder: Path, strange: Strange, expected: dict[str, str]
) -> None:
    strange(folder)
    assert reasons(walk(folder)) == expected


def test_folders_as_deep_as_a_path_can_be_are_read_and_deeper_ones_named(folder: Path) -> None:
    strange_entries.deep_folders(folder)
    (reason,) = reasons(walk(folder)).values()
    assert "too long" in reason
    place = folder / Path(*["deep"] * 700)
    (place / "file").write_text("")
    assert len(names(walk(folder))) == 2


def test_linked_files_and_folders_are_followed_and_read_once(folder: Path, tmp_path: Path) -> None:
    for name in ("real/1", "real/2", "elsewhere/3"):
        path = (tmp_path if name.startswith("else") else folder) / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    (folder / "a-link").symlink_to(folder / "real")
    (folder / "class").symlink_to(tmp_path / "elsewhere")
    (folder / "twice").symlink_to(tmp_path / "elsewhere")
    (folder / "file").symlink_to(tmp_path / "elsewhere" / "3")
    found = walk(folder)
    assert names(found) == ["class/3", "file", "good", "real/1", "real/2"]
    assert sorted(reasons(found)) == ["a-link", "twice"]


def test_the_caller_refuses_by_name_and_only_the_top_is_read_if_asked(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "inner").write_text("")
    assert names(walk(folder, refuse=lambda name: "bad" if name == "inner" else "")) == ["good"]
    assert names(walk(folder, refuse_folder=lambda path: "closed")) == ["good"]
    assert names(walk(folder, recursive=False)) == ["good"]


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="Cannot read the folder"):
        walk(tmp_path / "none")


def test_a_folder_inside_that_cannot_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    strange_entries.unreadable_folder(folder)
    scandir = os.scandir

    def guarded(path: str | Path) -> Iterator[os.DirEntry[str]]:
        if str(path).endswith("secret"):  # root, who runs the tests in a container, may read everything
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    assert "Permission denied" in reasons(walk(folder))["secret"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain name.png", "plain name.png"),
        ("Bücher/図.png", "Bücher/図.png"),
        ("two\nlines\t.png", "two\\nlines\\t.png"),
        ("\x1b[2J", "\\x1b[2J"),
        (b"\xff.png", "\\xff.png"),
        ("\u202egnp", "\\u202egnp"),
        ("\ud800", "\\ud800"),
        (Path("a/b"), "a/b"),
    ],
)
def test_names_are_shown_in_one_line(name: str | bytes | Path, expected: str) -> None:
    assert shown(name) == expected


def test_a_long_name_keeps_its_ends() -> None:
    text = shown("a" * 500 + "z.png")
    assert (len(text) <= 200, text[:3], text[-5:]) == (True, "aaa", "z.png")


def test_a_long_list_is_cut(folder: Path) -> None:
    for number in range(9):
        os.mkfifo(folder / f"{number}")
    assert named(walk(folder).omitted).endswith("4: a pipe; and 4 more")
