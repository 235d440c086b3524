"""What `make bench` has measured so far, in a folder: a benchmark record for each cell, which
`dcgan-edge report` reads as well, and a line of JSON for each contestant's images.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contestants import Class
from dcgan_edge.files import write_atomic
from dcgan_edge.runtime.bench.record import BenchReport, Measurement, read_report
from dcgan_edge.runtime.parity import INT8_GATE
from dcgan_edge.schema import build

LARGEST_DIFFERENCE = 1e-3  # of float32 in another order it is 1e-5 here, of bfloat16 1e-2
ENTRIES = "entries.jsonl"


@dataclass(frozen=True)
class Entry:
    """How close the images of a contestant are to PyTorch's, or why it takes no part, in `refused`.

    `decibels` is the PSNR of the worst image, `largest` the largest difference of a value in [-1, 1].
    """

    subject: str
    name: str
    kind: Class
    is_ours: bool
    decibels: float | None = None
    largest: float | None = None
    refused: str = ""

    @classmethod
    def judged(
        cls, subject: str, name: str, kind: Class, is_ours: bool, decibels: float, largest: float
    ) -> Entry:
        """Return the entry of a contestant with these figures, refused where its images are not the same."""
        if not math.isfinite(decibels):
            refused = "its images have another shape, or values that are not finite"
            return cls(subject, name, kind, is_ours, refused=refused)
        refused = ""
        if kind == "float" and not largest <= LARGEST_DIFFERENCE:
            refused = f"its images differ by {largest:.2g}, and {LARGEST_DIFFERENCE:g} is allowed"
        return cls(subject, name, kind, is_ours, decibels, largest, refused)

    @property
    def missed(self) -> str:
        """Return the gate of its class that it misses, which no race counts, though it is timed; or "".

        There is none for bfloat16, which is shown for what it is.
        """
        if self.kind == "int8" and self.decibels is not None and self.decibels < INT8_GATE.psnr_db:
            return f"misses the gate of {INT8_GATE.psnr_db:g} dB, and does not count"
        return ""


class Results:
    """The results in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entries(self, subject: str) -> dict[str, Entry]:
        """Return the entries of `subject` by the contestants' names; the last of each counts."""
        try:
            lines = (self.folder / ENTRIES).read_text().splitlines()
        except FileNotFoundError:
            return {}
        found = [build(Entry, json.loads(line)) for line in lines]
        return {each.name: each for each in found if each.subject == subject}

    def add_entry(self, entry: Entry) -> None:
        """Keep `entry`."""
        path = self.folder / ENTRIES
        before = path.read_text() if path.exists() else ""
        write_atomic(path, (before + json.dumps(dataclasses.asdict(entry)) + "\n").encode())

    def path(self, cell: str) -> Path:
        """Return where the record of `cell` is, or will be."""
        return self.folder / f"{cell.replace(' ', '-')}.json"

    def report(self, cell: str) -> BenchReport | None:
        """Return the record of `cell`, None where it was not measured yet."""
        path = self.path(cell)
        return read_report(path) if path.exists() else None

    def add_report(self, cell: str, report: BenchReport) -> None:
        """Keep the record of `cell`."""
        write_atomic(self.path(cell), report.to_json().encode())

    def measurements(self, cell: str) -> dict[str, Measurement]:
        """Return the measurements of `cell` by the contestants' names, in their order; none before it was."""
        report = self.report(cell)
        return {each.name: each for each in report.measurements} if report else {}
