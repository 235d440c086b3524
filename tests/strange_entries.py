"""What strangers' folders hold besides pictures: a maker of each strange entry, for all commands that walk.

Each is called with a folder that has good pictures already, and adds one kind of entry.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from dcgan_edge.data import load_digits

Strange = Callable[[Path], None]
GOOD = 110  # pictures, enough to train on and to compare with


def good_pictures(folder: Path, count: int = GOOD) -> Path:
    """Pictures `000.png` ... in `folder`: digits of all classes, 28 x 28."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, pixels in enumerate(load_digits()[0][:count]):
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
    return folder


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    os.mkfifo(folder / "pipe")


def unix_socket(folder: Path) -> None:
    here = Path.cwd()
    os.chdir(folder)  # the address of a socket has 107 bytes at most
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind("socket.png")
    finally:
        os.chdir(here)


def device(folder: Path) -> None:
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "terminal").symlink_to("/dev/tty")


def dangling_link(folder: Path) -> None:
    (folder / "gone.png").symlink_to(folder / "nowhere.png")


def links_in_a_circle(folder: Path) -> None:
    (folder / "a.png").symlink_to(folder / "b.png")
    (folder / "b.png").symlink_to(folder / "a.png")
    (folder / "again").symlink_to(folder)
    (folder / "up").symlink_to(folder.parent)


def deep_folders(folder: Path) -> None:
    """1,500 folders within each other, behind a link: pytest's own cleaning fails on folders this deep."""
    here, elsewhere = Path.cwd(), tempfile.mkdtemp()
    (folder / "deep").symlink_to(elsewhere)
    os.chdir(elsewhere)
    try:
        for _ in range(1500):
            Path("deep").mkdir()
            os.chdir("deep")
    finally:
        os.chdir(here)


def unreadable_folder(folder: Path) -> None:
    good_pictures(folder / "secret", 1)
    (folder / "secret").chmod(0)


def unreadable_file(folder: Path) -> None:
    (folder / "secret.png").write_bytes(b"x")
    (folder / "secret.png").chmod(0)


def stray_files(folder: Path) -> None:
    (folder / "labels.csv").write_text("a,b\n")
    (folder / "Thumbs.db").write_bytes(bytes(100))
    (folder / ".DS_Store").write_bytes(bytes(100))
    (folder / "empty.png").write_bytes(b"")


def strange_names(folder: Path) -> None:
    for name in (
        b"not-utf8-\xff\xfe.png",
        b"two\nlines.png",
        b"\x1b[31mred.png",
        "\u202egnp.exe.png".encode(),
        b"[bold]markup[red].png",
        b"<script>alert(1)<script>.png",
        b"-rf.png",
        b"n" * 251 + b".png",
    ):
        (folder / os.fsdecode(name)).write_bytes(b"no picture")


def foreign_files(folder: Path) -> None:
    (folder / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    (folder / "renamed.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    (folder / "drawing.svg").write_text("<svg/>")
    (folder / "film.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(100))
    (folder / "data.mdb").write_bytes(bytes(16) + b"\xde\xc0\xef\xbe" + bytes(100))
    (folder / "data_batch_9").write_bytes(b"\x80\x02}q\x00.")
    (folder / "pointer.jpg").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def remove(folder: Path) -> None:
    """Remove `folder`, and what its `deep` links to."""
    deep = folder / "deep"
    places = [str(folder)] + ([str(deep.readlink())] if deep.is_symlink() else [])
    subprocess.run(["rm", "-rf", "--", *places], check=True)


STRANGE: tuple[Strange, ...] = (
    pipe,
    unix_socket,
    device,
    dangling_link,
    links_in_a_circle,
    deep_folders,
    unreadable_folder,
    unreadable_file,
    stray_files,
    strange_names,
    foreign_files,
)
