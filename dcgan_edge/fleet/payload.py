"""What is sent to a board and what has to come back: an archive, the plan as it is there, and the record.

A bundle is sent as it is; without one, the plan's artifacts with their manifests, in the same form. Both
have a key, by which they are found again there.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan_edge.artifact import read_artifact, read_file, sidecar_path
from dcgan_edge.benchmark_matrix import BenchMatrix, asked_of, plan_contestants
from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.files import sha256, sha256_of
from dcgan_edge.packaging.checking import check_bundle
from dcgan_edge.packaging.layout import ROOT, is_sound_file
from dcgan_edge.packaging.stored_tar import write_archive
from dcgan_edge.runtime.bench.record import BenchReport, read_report
from dcgan_edge.runtime.device import parse_device

KEY = 16  # hexadecimal digits of a SHA-256 that name a folder


@dataclass(frozen=True)
class Payload:
    """An `archive` to unpack with its SHA-256, the text of the `plan` there, and what its record will say.

    `installs` says whether it is a bundle. `digests` are the SHA-256 of what is measured by its name in the
    record, `cells` those of the plan.
    """

    archive: Path
    sha256: str
    installs: bool
    plan: str
    asked: Mapping[str, Any]
    digests: Mapping[str, str]
    cells: tuple[str, ...]

    @property
    def key(self) -> str:
        """Return the name of its folder on a board."""
        return self.sha256[:KEY]

    @property
    def plan_key(self) -> str:
        """Return what tells its plan from others of the same archive."""
        return sha256(self.plan.encode())[:KEY]


def bundle_payload(bundle: Path, matrix: BenchMatrix) -> Payload:
    """Return what `matrix` is on a board with `bundle`, which is checked first.

    Raises UsageError when it has not got an artifact of the plan, and what `check_bundle` raises.
    """
    if not bundle.is_file():
        raise UsageError(f"{bundle} is no file; a fleet is sent packed bundles.")
    checked = check_bundle(bundle)
    digests = {name: manifest.sha256 for name, manifest in checked.manifests.items()}
    for name in _names(matrix):
        if name not in digests:
            raise UsageError(
                f"{bundle.name} has no artifact {name}, which the plan names; it has {', '.join(digests)}."
            )
    return _payload(bundle, True, matrix, digests)


def artifact_payload(matrix: BenchMatrix, beside: Path, folder: Path) -> Payload:
    """Return what `matrix`, with artifacts beside its file in the folder `beside`, is on a board that has
    dcgan-edge. The archive is made in `folder`. Raises what `read_artifact` raises.
    """
    files: dict[str, bytes] = {}
    digests = {}
    for name, place in zip(_names(matrix), matrix.artifacts, strict=True):
        path = beside / place
        manifest, data = read_artifact(path)
        digests[name] = manifest.sha256
        files[f"artifacts/{name}"] = data
        if sidecar_path(path).is_file():
            files[f"artifacts/{sidecar_path(path).name}"] = read_file(sidecar_path(path))
    archive = folder / "artifacts.tar.gz"
    write_archive(archive, ROOT, files)
    return _payload(archive, False, matrix, digests)


def finished_record(path: Path, payload: Payload) -> BenchReport:
    """Return the record at `path`, once it was found to be the whole of what `payload` asks for.

    It may come from anywhere: nothing of it is taken on trust but the figures. Raises ArtifactError where it
    is no record, or another one.
    """
    report = read_report(path)
    done = report.plan.get("done")
    if report.plan.get("matrix") != payload.asked or not isinstance(done, list):
        raise ArtifactError(f"{path.name} holds results of another plan, or of other artifacts.")
    if sorted(map(str, done)) != sorted(payload.cells):
        raise ArtifactError(f"{path.name} has {len(done)} of {len(payload.cells)} cells.")
    expected = sorted(len(payload.cells) * list(payload.digests.items()))
    if sorted((each.name, each.sha256) for each in report.measurements) != expected:
        raise ArtifactError(f"{path.name} has not got a measurement of each artifact in each cell.")
    return report


def _names(matrix: BenchMatrix) -> list[str]:
    names = [Path(artifact).name for artifact in matrix.artifacts]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(
            f"The plan has two artifacts that are called {twice}; on a board they share a folder."
        )
    wrong = next((name for name in names if not is_sound_file(name)), None)
    if wrong is not None:
        raise UsageError(f"{wrong!r} is no name for a file that is sent; rename it.")
    return names


def _payload(archive: Path, installs: bool, matrix: BenchMatrix, by_file: Mapping[str, str]) -> Payload:
    there = dataclasses.replace(
        matrix, artifacts=tuple(f"{ROOT}/artifacts/{name}" for name in _names(matrix))
    )
    contestants = dict(plan_contestants(there, Path()))
    parse_device(there.device)
    for cell in there.cells():
        there.rounds(cell, len(contestants))  # so that numbers out of range are refused here
    digests = {name: by_file[each.path.name] for name, each in contestants.items()}
    cells = tuple(map(str, there.cells()))
    plan = _toml(dataclasses.asdict(there).items())
    return Payload(archive, sha256_of(archive), installs, plan, asked_of(there, digests), digests, cells)


def _toml(settings: Iterable[tuple[str, Any]]) -> str:
    """A TOML file of texts, numbers and lists of them; what is None or empty is left out."""
    return "".join(
        f"{name.replace('_', '-')} = {json.dumps(value, ensure_ascii=False)}\n"
        for name, value in settings
        if value not in (None, (), [])
    )
