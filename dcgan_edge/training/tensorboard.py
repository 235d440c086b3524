"""Event files for TensorBoard in DIR/tensorboard: the numbers of metrics.jsonl under their names, and grids.

Events are in the file before the checkpoint that covers them is written. A resumed run begins another file,
and says in it at which step it goes on; TensorBoard then drops what earlier files have of that step and
later. There is no gap and no repeat, however often a run was killed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dcgan_edge.errors import EdgeError, UnavailableError
from dcgan_edge.images import PixelArray, encode_png
from dcgan_edge.training.config import TrainConfig

FOLDER = "tensorboard"
VERSION = "brain.Event:2"  # of the format, the first event of every file
POSITIONS = ("step", "epoch", "images")  # of a line: where it is, and no figure of its own


def require_tensorboard() -> None:
    """Raise UnavailableError unless the tensorboard package is installed."""
    if importlib.util.find_spec("tensorboard") is None:
        raise UnavailableError(
            "Event files are written by tensorboard, which is not installed: "
            "pip install 'dcgan-edge[tensorboard]'"
        )


@contextlib.contextmanager
def event_file(config: TrainConfig, out: Path, step: int) -> Iterator[TensorBoardLog | None]:
    """Yield the open event file of the run in `out` that goes on after `step`, None where none is asked for.

    Raises EdgeError when it cannot be written.
    """
    if not config.tensorboard:
        yield None
        return
    log = TensorBoardLog(out, step=step)
    try:
        yield log
    finally:
        with contextlib.suppress(EdgeError):  # what could not be written was said when it was flushed
            log.close()


class TensorBoardLog:
    """The open event file of a run that goes on after `step`, 0 for a new one.

    The records are those of the tensorboard package, written here and now: its own writer has a thread,
    which prints what it fails at instead of raising it.
    """

    def __init__(self, out: Path, *, step: int) -> None:
        """Raises EdgeError when nothing can be written. Call `require_tensorboard` before."""
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._summary = Event, Summary
        name = f"events.out.tfevents.{int(time.time()):010}.{socket.gethostname()}.{os.getpid()}.{step}"
        self._path = out / FOLDER / name
        with self._refusal_said():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb")
        self._records = RecordWriter(self._file)
        self._write(Event(file_version=VERSION))
        if step:
            self._write(Event(step=step + 1, session_log=SessionLog(status=SessionLog.START)))

    def append(self, line: Mapping[str, Any]) -> None:
        """Add every number of `line`, a record of metrics.jsonl. Raises EdgeError as `flush` does."""
        values = [
            self._summary.Value(tag=name, simple_value=value)
            for name, value in line.items()
            if name not in POSITIONS and isinstance(value, int | float)
        ]
        self._write(self._event(step=line["step"], summary=self._summary(value=values)))

    def draw(self, step: int, picture: PixelArray) -> None:
        """Add `picture` uint8 (c, h, w), the grid after `step`. Raises EdgeError as `flush` does."""
        channels, height, width = picture.shape
        image = self._summary.Image(
            height=height, width=width, colorspace=channels, encoded_image_string=encode_png(picture)
        )
        value = self._summary.Value(tag="samples", image=image)
        self._write(self._event(step=step, summary=self._summary(value=[value])))

    def flush(self) -> None:
        """Bring every event to the file. Raises EdgeError when the file system refuses."""
        with self._refusal_said():
            self._file.flush()

    def close(self) -> None:
        """Close the file; nothing can be added any more. Raises EdgeError as `flush` does."""
        with self._refusal_said():
            self._file.close()

    def _write(self, event: Any) -> None:
        event.wall_time = time.time()
        with self._refusal_said():
            self._records.write(event.SerializeToString())

    @contextlib.contextmanager
    def _refusal_said(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EdgeError(f"Cannot write {self._path}: {error.strerror or error}.") from error
