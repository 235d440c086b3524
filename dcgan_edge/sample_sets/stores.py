"""Where sets of samples lie: a folder of this machine, or any URL that fsspec knows.

A file is put under its name when it is whole: in a folder by renaming it, in an object store by sending it in
one piece, elsewhere by sending it under another name and moving it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from dcgan_edge.errors import EdgeError, UnavailableError, UsageError
from dcgan_edge.extras import need
from dcgan_edge.files import CHUNK, StrPath, check_writable, replacing, sha256_of, write_atomic

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
LOCAL = ("file", "local")
# Their uploads appear whole or not at all; moving would be a copy.
OBJECT_STORES = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "oss", "memory", "hf"}
TEMPORARY = "tmp"  # suffix of what is not whole yet
Write = Callable[[bytes | memoryview], object]


class Store(Protocol):
    """A flat folder of files, which appear under their names when they are whole."""

    def place(self, name: str) -> Path | str:
        """Return where the file `name` is: a path, or a URL."""
        ...

    def read(self, name: str) -> bytes | None:
        """Return the content of the file `name`, None if there is none."""
        ...

    def digest(self, name: str) -> str | None:
        """Return the SHA-256 of the file `name` of any size, in hex; None if there is none."""
        ...

    def names(self) -> list[str]:
        """Return the names of the files that are there, in order, without those that begin with a dot."""
        ...

    def put(self, name: str, data: bytes) -> None:
        """Put `data` under `name`. Raises EdgeError when it cannot be written."""
        ...

    def replacing(self, name: str) -> contextlib.AbstractContextManager[Write]:
        """Yield what takes the content of the file `name` piece by piece; an error in the block leaves none.

        Raises EdgeError when it cannot be written.
        """
        ...


def is_url(where: StrPath) -> bool:
    """Whether `where` is a URL other than of a file of this machine."""
    match = URL.match(os.fspath(where))
    return match is not None and match[0][:-3].lower() not in LOCAL


def open_store(where: StrPath) -> Store:
    """Return the folder or the URL `where` as a store; nothing is made or changed.

    Raises UsageError for a URL that fsspec does not know, UnavailableError without fsspec or the library that
    it needs for it.
    """
    text = os.fspath(where)
    if is_url(text):
        return UrlStore(text)
    match = URL.match(text)
    return FolderStore(Path(unquote(text[match.end() :]) if match else text))


class FolderStore:
    """A folder of this machine, made when something is put into it."""

    def __init__(self, folder: Path) -> None:
        """Raises EdgeError unless a file can be put into `folder`, or it can be read."""
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    def place(self, name: str) -> Path:
        """Return the path of the file `name`."""
        return self.folder / name

    def read(self, name: str) -> bytes | None:
        """Return the content of the file `name`, None if there is none."""
        path = self.folder / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise EdgeError(f"Cannot read {path}: {getattr(error, 'strerror', None) or error}.") from error

    def digest(self, name: str) -> str | None:
        """Return the SHA-256 of the file `name`, None if there is none."""
        path = self.folder / name
        return sha256_of(path) if path.is_file() else None

    def names(self) -> list[str]:
        """Return the names of the files in the folder, none where there is no folder."""
        try:
            return sorted(path.name for path in self.folder.iterdir() if path.name[:1] != ".")
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return []
        except OSError as error:
            raise EdgeError(f"Cannot read {self.folder}: {error.strerror or error}.") from error

    def put(self, name: str, data: bytes) -> None:
        """Put `data` under `name`, as `write_atomic` does."""
        write_atomic(self.folder / name, data)

    @contextlib.contextmanager
    def replacing(self, name: str) -> Iterator[Write]:
        """Yield what takes the content of the file `name`, as `files.replacing` does.

        What a run that was killed has left of it is removed first.
        """
        check_writable(self.folder / name)
        for left in self.folder.glob(f".{name}.*.{TEMPORARY}"):
            left.unlink(missing_ok=True)
        with replacing(self.folder / name) as write:
            yield write


class UrlStore:
    """A folder, or the names with a prefix, behind a URL; what is sent is kept on a disk here until then.

    Keys, endpoints and so on are those of fsspec's configuration and of the library behind it.
    """

    def __init__(self, url: str) -> None:
        """Raises UsageError and UnavailableError as `open_store` does."""
        need("fsspec", "cluster")
        from fsspec.core import url_to_fs

        self._url = url.rstrip("/")
        self._system: Any
        try:
            self._system, root = url_to_fs(self._url)
        except ImportError as error:
            raise UnavailableError(f"{url} needs a library of its own: {error}.") from error
        except Exception as error:  # each library has errors of its own
            raise UsageError(f"{url} is no place for samples: {error}.") from error
        self._root = root.rstrip("/")
        protocols = self._system.protocol
        self._direct = not OBJECT_STORES.isdisjoint([protocols] if isinstance(protocols, str) else protocols)

    def __str__(self) -> str:
        return self._url

    def place(self, name: str) -> str:
        """Return the URL of the file `name`."""
        return f"{self._url}/{name}"

    def read(self, name: str) -> bytes | None:
        """Return the content of the file `name`, None if there is none."""
        with self._said("read", name):
            try:
                data: bytes = self._system.cat_file(self._path(name))
            except FileNotFoundError:
                return None
        return data

    def digest(self, name: str) -> str | None:
        """Return the SHA-256 of the file `name`, which is read through; None if there is none."""
        found = hashlib.sha256()
        with self._said("read", name):
            try:
                with self._system.open(self._path(name), "rb") as file:
                    while chunk := file.read(CHUNK):
                        found.update(chunk)
            except FileNotFoundError:
                return None
        return found.hexdigest()

    def names(self) -> list[str]:
        """Return the names of the files that are there now."""
        with self._said("read"):
            self._system.invalidate_cache()
            try:
                listed = self._system.ls(self._root, detail=False)
            except FileNotFoundError:
                return []
        return sorted(name for path in listed if (name := path.rpartition("/")[2])[:1] not in ("", "."))

    def put(self, name: str, data: bytes) -> None:
        """Put `data` under `name` by one request, or by sending and moving it."""
        with self.replacing(name) as write:
            write(data)

    @contextlib.contextmanager
    def replacing(self, name: str) -> Iterator[Write]:
        """Yield what takes the content of the file `name`; it is sent when the block ends well."""
        with tempfile.TemporaryDirectory(prefix="dcgan-edge-") as folder:
            local = Path(folder, name)
            with replacing(local) as write:
                yield write
            with self._said("write", name):
                self._send(local, name)

    def _send(self, local: Path, name: str) -> None:
        target = self._path(name)
        if self._direct:
            self._system.put_file(str(local), target)
            return
        temporary = self._path(f".{name}.{os.urandom(4).hex()}.{TEMPORARY}")
        self._system.makedirs(self._root, exist_ok=True)
        try:
            self._system.put_file(str(local), temporary)
            self._system.mv(temporary, target)
        except BaseException:
            with contextlib.suppress(Exception):
                self._system.rm_file(temporary)
            raise

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextlib.contextmanager
    def _said(self, verb: str, name: str = "") -> Iterator[None]:
        """Turn whatever the library raises, which has errors of its own, into an EdgeError about the file."""
        try:
            yield
        except EdgeError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise EdgeError(f"Cannot {verb} {self.place(name)}: {reason}.") from error
