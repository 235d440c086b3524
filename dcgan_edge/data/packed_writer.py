"""Writes a packed data set image by image, so that a run that is stopped goes on where it was.

While it runs there is `.<name>.part`, the .npy file without its header, and `.<name>.journal`, one line of
JSON for each picture that was looked at. A line is written after its pixels, and every image that is there is
compared with its line before a run goes on, so even a cut of power costs no more than the last images.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from dcgan_edge.artifact import sidecar_path
from dcgan_edge.data.duplicates import Look, pixel_digest
from dcgan_edge.data.packed import HEADER, KIND, SCHEMA_VERSION, header
from dcgan_edge.errors import EdgeError
from dcgan_edge.files import sha256_of, write_atomic
from dcgan_edge.images import PixelArray


@dataclass(frozen=True)
class Entry:
    """What became of one picture: not readable for `reason`, or its `look`, and whether it was `kept`."""

    look: Look | None
    kept: bool = False
    reason: str = ""
    animated: bool = False


class PackedWriter:
    """Collects images uint8 `shape` (c, size, size) for `out`. `key` says what the run is made from; only a
    part of a run with the same key is gone on with. `entries` are the pictures that are done.

    Raises OSError when the disk is full or refuses; what was written before stays.
    """

    def __init__(self, out: Path, shape: tuple[int, int, int], key: str) -> None:
        self._out, self._shape, self._bytes = out, shape, int(np.prod(shape))
        self._part_path = out.with_name(f".{out.name}.part")
        self._journal_path = out.with_name(f".{out.name}.journal")
        self.entries: list[Entry] = []
        self.count = 0
        out.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as files:
            self._part = files.enter_context(open(self._part_path, "a+b"))
            self._journal = files.enter_context(open(self._journal_path, "a+b"))
            self._continue(json.dumps({"key": key, "shape": shape}).encode() + b"\n")
            self._files = files.pop_all()

    def append(self, pixels: PixelArray, look: Look, *, kept: bool, animated: bool = False) -> None:
        """Write down the next picture, uint8 (c, size, size), and its pixels if it is kept."""
        if kept:
            _write(self._part, pixels.tobytes())
            self.count += 1
        self._note(Entry(look, kept, animated=animated))

    def skip(self, reason: str) -> None:
        """Write down that the next picture cannot be read."""
        self._note(Entry(None, reason=reason))

    def finish(self, facts: dict[str, Any]) -> str:
        """Put the file and its description, `facts` included, in their places. Returns the file's SHA-256."""
        self._files.close()
        channels, size, _ = self._shape
        with open(self._part_path, "r+b") as file:
            file.write(header((self.count, channels, size, size)))
            file.flush()
            os.fsync(file.fileno())
        digest = sha256_of(self._part_path)
        known = {"count": self.count, "channels": channels, "size": size, "sha256": digest}
        document = {"schema_version": SCHEMA_VERSION, "kind": KIND, **known, **facts}
        self._part_path.replace(self._out)
        write_atomic(sidecar_path(self._out), (json.dumps(document, indent=2) + "\n").encode())
        self._journal_path.unlink()
        return digest

    def discard(self) -> None:
        """Remove what was begun."""
        self._files.close()
        self._part_path.unlink(missing_ok=True)
        self._journal_path.unlink(missing_ok=True)

    def check_space(self, images: int) -> None:
        """Raises EdgeError when so many images more do not fit on the disk."""
        free, needed = shutil.disk_usage(self._out.parent).free, images * self._bytes
        if free < needed:
            raise EdgeError(f"{self._out} needs {needed:,} bytes, and its disk has {free:,} free.")

    def __enter__(self) -> PackedWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def _continue(self, first: bytes) -> None:
        """Read what an earlier run has left, as far as it is whole, and cut off the rest."""
        self._journal.seek(0)
        lines = self._journal.readlines()
        position = 0
        if lines[:1] == [first]:
            position = len(first)
            self._part.seek(HEADER)
            for line in lines[1:]:
                entry = _parse(line)
                if entry is None or (entry.kept and not self._is_next(entry)):
                    break
                self.entries.append(entry)
                self.count += entry.kept
                position += len(line)
        self._journal.truncate(position)
        self._part.truncate(HEADER + self.count * self._bytes)
        if position == 0:
            _write(self._journal, first)

    def _note(self, entry: Entry) -> None:
        _write(self._journal, json.dumps(asdict(entry)).encode() + b"\n")
        self.entries.append(entry)

    def _is_next(self, entry: Entry) -> bool:
        data = self._part.read(self._bytes)
        if len(data) < self._bytes or entry.look is None:
            return False
        return pixel_digest(np.frombuffer(data, np.uint8)) == entry.look.digest


def _write(file: BinaryIO, data: bytes) -> None:
    file.write(data)
    file.flush()  # so that whatever ends the program, no image is lost


def _parse(line: bytes) -> Entry | None:
    """The entry of a line; None when it is not whole."""
    try:
        facts = json.loads(line)
        if not line.endswith(b"\n"):
            return None
        look = Look(**facts["look"]) if facts["look"] else None
        return Entry(look, bool(facts["kept"]), str(facts["reason"]), bool(facts["animated"]))
    except (ValueError, KeyError, TypeError):
        return None
