"""What stays of a run beside its last checkpoint: numbered ones, and the best by FID.

They are copies of checkpoint.safetensors, made after it was written, so they are exported and read like it.
Whatever a kill cut short is made up for when the run goes on, so that the same files are there in the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dcgan_edge.errors import EdgeError
from dcgan_edge.files import write_atomic
from dcgan_edge.training.quality import Quality

BEST_NAME = "best.safetensors"
NUMBERED = re.compile(r"checkpoint-(\d+)\.safetensors")
LEFTOVERS = (f".{BEST_NAME}.*.tmp", ".checkpoint-*.safetensors.*.tmp")  # of writes that a kill cut short


class Keeper:
    """Copies the `checkpoint` of a run that keeps `keep` numbered ones; `best` is the best evaluation yet."""

    def __init__(self, checkpoint: Path, keep: int, lines: Iterable[Mapping[str, Any]] = ()) -> None:
        """Begins where `lines`, the metrics that a run already has, lead to."""
        self.best: Quality | None = None
        self._checkpoint, self._keep = checkpoint, keep
        for line in lines:
            fid, kid = line.get("fid"), line.get("kid")
            if isinstance(fid, int | float) and isinstance(kid, int | float):
                self.note(Quality(line["step"], float(fid), float(kid)))

    @property
    def best_path(self) -> Path:
        """Return where the best checkpoint is put."""
        return self._checkpoint.with_name(BEST_NAME)

    def numbered_path(self, step: int) -> Path:
        """Return where the numbered checkpoint of `step` is put."""
        return self._checkpoint.with_name(f"checkpoint-{step:06}.safetensors")

    def note(self, quality: Quality) -> bool:
        """Return whether `quality` is better than everything before, and remember it if so."""
        if self.best is not None and quality.fid >= self.best.fid:
            return False
        self.best = quality
        return True

    def keep_best(self) -> None:
        """Put the checkpoint, just written after the best step, at best.safetensors. Errors as
        `keep_numbered`.
        """
        self._copy(self.best_path)

    def keep_numbered(self, step: int) -> None:
        """Put the checkpoint, just written after `step`, at checkpoint-<step>.safetensors, and delete the
        oldest that are too many. Those beyond `step` are left: somebody went back to an earlier one.

        Raises EdgeError when the file system refuses; the others are then as they were.
        """
        if not self._keep:
            return
        self._copy(self.numbered_path(step))
        matches = ((NUMBERED.fullmatch(path.name), path) for path in self._checkpoint.parent.iterdir())
        numbered = sorted((int(match[1]), path) for match, path in matches if match and int(match[1]) <= step)
        for _, path in numbered[: -self._keep]:
            path.unlink(missing_ok=True)

    def _copy(self, path: Path) -> None:
        try:
            data = self._checkpoint.read_bytes()
        except OSError as error:
            raise EdgeError(f"Cannot read {self._checkpoint}: {error.strerror or error}.") from error
        write_atomic(path, data)
