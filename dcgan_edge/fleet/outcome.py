"""What a run over a fleet comes to: a row for each host."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dcgan_edge.errors import EdgeError, UnavailableError
from dcgan_edge.words import count_words

Status = Literal["done", "failed", "unreachable"]


@dataclass(frozen=True)
class HostRow:
    """A host: `cells` of the plan's `of` that are known to be measured, its `record` where that is here, and
    why not. `was_here` says that the record was whole before the run, so that nobody was asked; `seconds` is
    how long the host took.
    """

    name: str
    status: Status
    reason: str
    cells: int
    of: int
    record: Path | None
    was_here: bool
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        return {**dataclasses.asdict(self), "record": None if self.record is None else str(self.record)}


@dataclass(frozen=True)
class FleetRun:
    """The rows of all hosts in the order of their file, and the page on those that are done, if any."""

    rows: tuple[HostRow, ...]
    report: Path | None = None

    @property
    def records(self) -> tuple[Path, ...]:
        """Return the records that are here."""
        return tuple(row.record for row in self.rows if row.record is not None)

    @property
    def missing(self) -> tuple[HostRow, ...]:
        """Return the rows of the hosts without a record."""
        return tuple(row for row in self.rows if row.record is None)

    def to_dict(self) -> dict[str, Any]:
        """Return the rows and the page as JSON values."""
        return {
            "hosts": [row.to_dict() for row in self.rows],
            "report": None if self.report is None else str(self.report),
        }

    def raise_if_failed(self) -> None:
        """Raise EdgeError when a host failed, UnavailableError when some could not be reached and none
        failed.
        """
        if not self.missing:
            return
        kind = EdgeError if any(row.status == "failed" for row in self.missing) else UnavailableError
        raise kind(
            f"{len(self.missing)} of {count_words(len(self.rows), 'host')} have no results. What is done is "
            "kept: run the same command again to go on with the others."
        )
