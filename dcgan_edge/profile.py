"""The profile that `dcgan-edge tune` leaves beside artifacts: how each of them runs best on one device.

`open_session` follows it where nothing else was asked for, and opens the best artifact where the profile
itself is named. What was measured on another device, or of another file, is not followed, and that is said.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from dcgan_edge.artifact import read_file, sha256
from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.files import StrPath
from dcgan_edge.runtime.device import SAME_MACHINE, Backend, check_threads, machine_facts, parse_device
from dcgan_edge.schema import build, read_json
from dcgan_edge.words import quoted

NAME = "tuned.json"  # in the folder of the artifacts that it is about
KIND = "dcgan-edge profile"
SCHEMA_VERSION = 1
LARGEST = 2**20  # bytes
Objective = Literal["latency", "throughput", "energy", "size"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)


@dataclass(frozen=True)
class Way:
    """How an artifact runs best: `file` is its name in the profile's folder, `sha256` its content's.

    `version` is the backend's and `device_name` that of the processor or GPU, without which the figures mean
    nothing. `threads` None is the backend's default. `batch` and `streams` are the queries that it was the
    best for, which are the caller's to send. `evidence` has the figures.
    """

    file: str
    sha256: str
    backend: Backend
    version: str
    device: str
    device_name: str
    threads: int | None
    batch: int
    streams: int
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Profile:
    """What was found on `machine`: the `ways` of its artifacts, the best first, each artifact once."""

    objective: Objective
    machine: dict[str, str]
    ways: tuple[Way, ...]
    date: str
    evidence: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as JSON values, with its kind and schema version."""
        return {"schema_version": SCHEMA_VERSION, "kind": KIND, **dataclasses.asdict(self)}

    def to_json(self) -> str:
        """Return the text of the file; `read_profile` reads it back."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False) + "\n"


def read_profile(path: Path) -> Profile:
    """Return the profile at `path`. Raises UsageError when there is none, ArtifactError for another file."""
    facts = read_json(read_file(path), path.name, limit=LARGEST)
    try:
        marks = {"schema_version": SCHEMA_VERSION, "kind": KIND}
        if not isinstance(facts, dict) or any(facts.pop(mark, None) != marks[mark] for mark in marks):
            raise ValueError(f"it does not say that it is a {KIND} of schema {SCHEMA_VERSION}")
        profile = build(Profile, facts)
        if not profile.ways:
            raise ValueError("it has no ways")
        for way in profile.ways:
            if Path(way.file).name != way.file or Path(way.file).suffix not in (".onnx", ".engine"):
                raise ValueError(f"{way.file[:80]!r} is not the name of an artifact beside it")
            parse_device(way.device)
            check_threads(way.threads)
    except (ValueError, UsageError) as error:
        raise ArtifactError(
            f"{path.name} is not a profile of this program ({error}). Delete it, or tune again: "
            "dcgan-edge tune ARTIFACT"
        ) from error
    return profile


def chosen_artifact(path: StrPath) -> Path:
    """Return the best artifact where `path` is a profile, and `path` itself otherwise.

    Raises what `read_profile` raises, and ArtifactError where the artifact is not the one that was tuned.
    """
    path = Path(path)
    if path.name != NAME:
        return path
    best = read_profile(path).ways[0]
    artifact = path.with_name(best.file)
    if sha256(read_file(artifact)) != best.sha256:
        raise ArtifactError(
            f"{best.file} is not the file that {path} chose: it has changed since. Tune again: "
            f"dcgan-edge tune {quoted(artifact)}"
        )
    return artifact


def way_of(path: Path, digest: str) -> Way | None:
    """Return how the artifact at `path` with this SHA-256 runs best here, None where no profile says so.

    Why the profile beside it is not followed is logged as a warning, once.
    """
    profile_path = path.with_name(NAME)
    try:
        profile = read_profile(profile_path)
    except EdgeError as error:
        not_followed(profile_path, str(error))
        return None
    way = next((way for way in profile.ways if way.sha256 == digest), None)
    here = machine_facts()
    if way is None:
        if any(way.file == path.name for way in profile.ways):
            not_followed(profile_path, f"{path.name} has changed since it was made.")
    elif any(profile.machine.get(fact) != here.get(fact) for fact in SAME_MACHINE):
        not_followed(profile_path, f"it was made on another device ({profile.machine.get('cpu')}).")
        way = None
    return way


@functools.cache
def not_followed(path: Path, why: str) -> None:
    """Warn that the profile at `path` is not followed, once for each reason."""
    logging.getLogger(__name__).warning("%s is not followed: %s", path, why)
