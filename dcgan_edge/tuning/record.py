"""What a search has found so far, on disk after each step, so that one that was cut off goes on."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan_edge.artifact import read_file
from dcgan_edge.errors import EdgeError
from dcgan_edge.files import write_atomic
from dcgan_edge.runtime.device import SAME_MACHINE, installed_versions, machine_facts
from dcgan_edge.schema import build, read_json

from .candidates import Candidate
from .proofs import CandidateProof
from .trials import Trial, Workload

NAME = "tuned.search.json"
KIND = "dcgan-edge search"
SCHEMA_VERSION = 1
LARGEST = 2**24  # bytes
LIBRARIES = ("dcgan-edge", "onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt", "tensorrt-rtx")


@dataclass(frozen=True)
class Conditions:
    """What must be the same for earlier results to be used: machine, versions, base and length of a trial."""

    machine: dict[str, str]
    versions: dict[str, str]
    base: Candidate
    duration_s: float

    @classmethod
    def here(cls, base: Candidate, duration_s: float) -> Conditions:
        """Return the conditions of a search that begins now."""
        facts = machine_facts()
        machine = {name: facts[name] for name in SAME_MACHINE if name in facts}
        return cls(machine, installed_versions(LIBRARIES), base, duration_s)


@dataclass(frozen=True)
class Found:
    """The conditions, the proofs and the trials of a search so far."""

    conditions: Conditions
    proofs: tuple[CandidateProof, ...] = ()
    trials: tuple[Trial, ...] = ()


class SearchRecord:
    """The results of a search in the file `path`, written after each; those of other conditions are gone."""

    def __init__(self, path: Path, conditions: Conditions) -> None:
        """Read what was found earlier under the same `conditions`; a damaged file counts as none."""
        self._path = path
        earlier = _read(path)
        self._found = earlier if earlier and earlier.conditions == conditions else Found(conditions)

    @property
    def conditions(self) -> Conditions:
        """Return what the results were found under."""
        return self._found.conditions

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Return all trials."""
        return self._found.trials

    def proof(self, candidate: Candidate) -> CandidateProof | None:
        """Return the proof of `candidate`, if there is one."""
        return next((each for each in self._found.proofs if each.is_of(candidate)), None)

    def trial(self, candidate: Candidate, workload: Workload, *, final: bool = False) -> Trial | None:
        """Return the trial of `candidate` under `workload`, if there is one."""
        asked = candidate, workload, final
        return next(
            (each for each in self.trials if (each.candidate, each.workload, each.final) == asked), None
        )

    def add(self, *results: CandidateProof | Trial) -> None:
        """Keep `results`, on disk as well. Raises EdgeError when that is refused."""
        proofs = tuple(each for each in results if isinstance(each, CandidateProof))
        trials = tuple(each for each in results if isinstance(each, Trial))
        found = self._found
        self._found = Found(found.conditions, found.proofs + proofs, found.trials + trials)
        facts = {"schema_version": SCHEMA_VERSION, "kind": KIND, **dataclasses.asdict(self._found)}
        write_atomic(self._path, json.dumps(facts, indent=1, allow_nan=False).encode())


def _read(path: Path) -> Found | None:
    """Return what the file holds, None for a file that is not there or not sound: it is measured again."""
    if not path.exists():
        return None
    try:
        facts: Any = read_json(read_file(path), path.name, limit=LARGEST)
        if (facts.pop("schema_version"), facts.pop("kind")) != (SCHEMA_VERSION, KIND):
            return None
        return build(Found, facts)
    except (EdgeError, AttributeError, KeyError, TypeError, ValueError):
        return None
