"""The one way to go through a folder of a user's: regular files are taken, whatever else is there is named.

Core: folders of pictures, of artifacts and of outputs are walked alike. Nothing is opened here, so that no
pipe, socket or device can stop it; no depth, no circle of links and no name can either.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dcgan_edge.errors import EdgeError
from dcgan_edge.names import shown

HIDDEN = "hidden, as its name begins with a dot"
KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
REASONS = {
    errno.ENAMETOOLONG: "its path is too long",
    errno.ELOOP: "a link that leads round in a circle",
    errno.ENOENT: "a link that leads nowhere",
}
SYSTEM = ("/proc", "/sys", "/dev")  # what looks like files there is none


@dataclass(frozen=True)
class FoundFile:
    """A regular file: its `path` to open, its `name` below the folder with `/` between, and its facts.

    `name` is as the file system has it; `dcgan_edge.names.shown` makes it fit to be shown.
    """

    path: Path
    name: str
    size: int
    modified: int  # nanoseconds since 1970


@dataclass(frozen=True)
class Omitted:
    """An entry that was not taken: its `name` below the folder, fit to be shown, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclass(frozen=True)
class Walk:
    """What is in a folder: the `files` sorted by name, and the entries `omitted`, in the same order."""

    files: tuple[FoundFile, ...]
    omitted: tuple[Omitted, ...]


def walk(
    root: Path,
    *,
    refuse: Callable[[str], str] = lambda name: "",
    refuse_folder: Callable[[Path], str] = lambda folder: "",
    recursive: bool = True,
) -> Walk:
    """Return the regular files below `root` and what was left out.

    `refuse(name)` of a file's own name and `refuse_folder(path)` give the reason to leave one out, "" to take
    it. Linked files and folders are followed; a folder is read once, however many links lead there, and one
    that lies around `root` is not read. Hidden entries are left out.

    Raises EdgeError when `root` itself cannot be read.
    """
    walker = _Walker(root, refuse, refuse_folder, recursive)
    walker.go()
    return Walk(
        tuple(sorted(walker.files, key=lambda file: os.fsencode(file.name))),
        tuple(sorted(walker.omitted, key=lambda entry: entry.name)),
    )


def named(omitted: tuple[Omitted, ...] | list[Omitted], most: int = 5) -> str:
    """Return the first few of `omitted` in one line, and how many more there are."""
    more = len(omitted) - most
    return "; ".join(map(str, omitted[:most])) + (f"; and {more:,} more" if more > 0 else "")


class _Walker:
    def __init__(
        self,
        root: Path,
        refuse: Callable[[str], str],
        refuse_folder: Callable[[Path], str],
        recursive: bool,
    ) -> None:
        self._root, self._refuse, self._refuse_folder = root, refuse, refuse_folder
        self._recursive = recursive
        self._pending: list[tuple[str, str]] = [(os.fspath(root), "")]  # path, name below the root
        self._links: list[tuple[str, str]] = []
        self._read: set[tuple[int, int]] = set()
        self.files: list[FoundFile] = []
        self.omitted: list[Omitted] = []

    def go(self) -> None:
        """Read real folders first and linked ones after them, so that no link takes the place of a folder."""
        while self._pending or self._links:
            if self._pending:
                self._folder(*self._pending.pop())
                continue
            self._links.sort(key=lambda link: os.fsencode(link[1]), reverse=True)
            path, name = self._links.pop()
            if reason := self._strange_target(path):
                self._omit(name, reason)
            else:
                self._pending.append((path, name))

    def _folder(self, path: str, name: str) -> None:
        try:
            status = Path(path).stat()
            self._read.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                for entry in entries:
                    self._entry(entry, f"{name}/{entry.name}" if name else entry.name)
        except OSError as error:
            if not name:
                raise EdgeError(f"Cannot read the folder {shown(path)}: {_reason(error)}.") from error
            self._omit(name, f"a folder that cannot be read ({_reason(error)})")

    def _entry(self, entry: os.DirEntry[str], name: str) -> None:
        if entry.name.startswith("."):
            return self._omit(name, HIDDEN)
        try:
            status = entry.stat()
        except OSError as error:
            return self._omit(name, REASONS.get(error.errno or 0, _reason(error)))
        if stat.S_ISDIR(status.st_mode):
            return self._subfolder(entry, name)
        if not stat.S_ISREG(status.st_mode):
            kinds = (kind for matches, kind in KINDS if matches(status.st_mode))
            return self._omit(name, next(kinds, "neither a file nor a folder"))
        if reason := self._refuse(entry.name):
            return self._omit(name, reason)
        if any(os.path.realpath(entry.path).startswith(f"{top}/") for top in SYSTEM if entry.is_symlink()):
            return self._omit(name, "a link to what is no file")
        self.files.append(FoundFile(Path(entry.path), name, status.st_size, status.st_mtime_ns))
        return None

    def _subfolder(self, entry: os.DirEntry[str], name: str) -> None:
        if not self._recursive:
            return
        if reason := self._refuse_folder(Path(entry.path)):
            self._omit(name, reason)
        else:
            (self._links if entry.is_symlink() else self._pending).append((entry.path, name))

    def _strange_target(self, path: str) -> str:
        """Why the folder that the link `path` leads to is not read; "" when it is."""
        try:
            status = Path(path).stat()
        except OSError as error:
            return REASONS.get(error.errno or 0, _reason(error))
        if (status.st_dev, status.st_ino) in self._read:
            return "a link to a folder that is read already"
        target, root = Path(os.path.realpath(path)), Path(os.path.realpath(self._root))
        if target in (root, *root.parents):
            return "a link to a folder around this one"
        return "a link to what is no folder" if str(target).startswith(SYSTEM) else ""

    def _omit(self, name: str, reason: str) -> None:
        self.omitted.append(Omitted(shown(name), reason))


def _reason(error: OSError) -> str:
    if error.errno == errno.ENAMETOOLONG:
        return REASONS[errno.ENAMETOOLONG]
    return error.strerror or type(error).__name__
