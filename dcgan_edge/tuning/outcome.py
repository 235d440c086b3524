"""What a search comes to: the profile, and every candidate with its figures and its proof."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan_edge.profile import Profile
from dcgan_edge.runtime.bench.record import BenchReport

from .proofs import CandidateProof
from .trials import Trial


@dataclass(frozen=True)
class Row:
    """A candidate under a workload, its proof, its images per second by the base's and the ratio to it, the
    bytes of its artifact, and whether nothing beats it in every respect.
    """

    trial: Trial
    proof: CandidateProof
    images_per_second: float
    size: int
    on_front: bool
    chosen: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {"name": str(self.trial.candidate), **dataclasses.asdict(self)}


@dataclass(frozen=True)
class Tuned:
    """The `profile`, written to `path`, and the `rows` that it was chosen from, the best first.

    `base` names what all were measured beside, `because` why the choice was made, `refused` why others could
    not be. `not_measured` is how many trials there was no time for. `report` has the samples of the final.
    """

    profile: Profile
    path: Path
    rows: tuple[Row, ...]
    base: str
    because: str
    refused: dict[str, str]
    not_measured: int
    report: BenchReport | None

    def to_dict(self) -> dict[str, Any]:
        """Return all but the samples as JSON values."""
        return {
            "path": str(self.path),
            "profile": self.profile.to_dict(),
            "base": self.base,
            "because": self.because,
            "rows": [row.to_dict() for row in self.rows],
            "refused": self.refused,
            "not_measured": self.not_measured,
        }
