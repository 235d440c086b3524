"""`metrics.jsonl`: one JSON line every few steps, with neither gap nor repeat however often a run was killed.

The rule: lines are on the disk before the checkpoint that covers them, and on resume every line beyond the
checkpoint's step is dropped, a half-written last one included; those steps come again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from dcgan_edge.errors import EdgeError
from dcgan_edge.files import write_atomic

METRICS_NAME = "metrics.jsonl"


class MetricsLog:
    """The open file. `flush` returns once every line written so far is on the disk. `kept` are the records
    that were there already.
    """

    def __init__(self, path: Path, *, step: int) -> None:
        """Keeps the lines up to and including `step` (0: none) and appends after them."""
        kept = _lines_up_to(path, step)
        self.kept: list[dict[str, Any]] = [json.loads(line) for line in kept.splitlines()]
        write_atomic(path, kept)
        self._file = path.open("ab")

    def append(self, record: dict[str, Any]) -> None:
        """Append `record` as one line. Raises EdgeError when it cannot be written."""
        self._write(json.dumps(record, allow_nan=False).encode() + b"\n")

    def flush(self) -> None:
        """Bring every line to the disk. Raises EdgeError when that fails."""
        self._write(b"")
        os.fsync(self._file.fileno())

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise EdgeError(f"Cannot write {self._file.name}: {error.strerror or error}.") from error

    def close(self) -> None:
        """Close the file; nothing can be appended any more."""
        self._file.close()

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _lines_up_to(path: Path, step: int) -> bytes:
    """The whole lines of `path` before the first that is beyond `step` or is not a record."""
    kept: list[bytes] = []
    for line in path.read_bytes().splitlines(keepends=True) if path.is_file() else []:
        try:
            if not line.endswith(b"\n") or not json.loads(line)["step"] <= step:
                break
        except (KeyError, TypeError, ValueError):
            break
        kept.append(line)
    return b"".join(kept)
