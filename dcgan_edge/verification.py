"""Proving artifacts: against what they were made from, or against their golden images on any device.

The verdict and its conditions are written into the artifact's manifest, for `sample` and `bench` to show.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from dcgan_edge import onnx_file
from dcgan_edge.artifact import (
    METADATA_KEY,
    Artifact,
    Manifest,
    Precision,
    Verification,
    read_file,
    sidecar_path,
)
from dcgan_edge.classes import seeds_over
from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.files import StrPath, write_atomic
from dcgan_edge.golden import read_golden
from dcgan_edge.profile import chosen_artifact
from dcgan_edge.runtime import parity
from dcgan_edge.runtime.parity import Gate, Parity
from dcgan_edge.runtime.session import Backend, Session, open_session

SEEDS = 64
HALF_STEP = 1e-3  # golden images are rounded to half: 2.5e-4 near 1, and other processors round otherwise
STRANGER = "it was exported from another checkpoint."


@dataclass(frozen=True)
class Proof:
    """The verdict on one artifact. Its manifest holds `verification` from now on, unless `not_recorded` says
    why it could not be written.
    """

    artifact: Artifact
    parity: Parity
    verification: Verification
    not_recorded: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return verdict, figures, gate and conditions as JSON values."""
        return {
            **self.parity.to_dict(),
            **dataclasses.asdict(self.verification),
            "sha256": self.artifact.manifest.sha256,
            "not_recorded": self.not_recorded or None,
        }

    def raise_if_failed(self) -> None:
        """Raise VerificationError naming the artifact and every gate missed, if one was."""
        self.parity.raise_if_failed(
            self.artifact.path.name, str(self.artifact.manifest.parity.get("reference", "PyTorch"))
        )


def verify(
    artifacts: StrPath | Sequence[StrPath],
    checkpoint: StrPath | None = None,
    *,
    seeds: Sequence[int] | None = None,
    device: str = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
    record: bool = True,
    progress: Callable[[str], None] | None = None,
) -> list[Proof]:
    """Compare each of `artifacts` with what it was made from on the same seeds, by the gate of its precision.

    With `checkpoint` PyTorch runs here, on `seeds` (default 0-63, or one of each class): the full proof. For
    artifacts that were adopted it is the ONNX file, which runs in ONNX Runtime on the CPU.
    Without, the images are held against the golden ones that came with the artifact, and torch is not needed.
    `device`, `backend` and `threads` are as for `open_session`. The verdict is returned and written into each
    manifest, but for a checkpoint that the artifact was not exported from, and where `record` is False; none
    is raised for.

    Raises UsageError (nothing to compare, seeds without a checkpoint), what `open_session` raises,
    ArtifactError for golden images that are missing or changed, VerificationError when the two are generators
    of different shapes.
    """
    paths = list(map(chosen_artifact, [artifacts] if isinstance(artifacts, str | os.PathLike) else artifacts))
    if not paths or (seeds is not None and not len(seeds)):
        raise UsageError("There is nothing to compare without an artifact and a seed.")
    if checkpoint is None and seeds is not None:
        raise UsageError("Golden images are of fixed seeds; to choose others, name the checkpoint as well.")
    say = progress or (lambda step: None)
    original = None if checkpoint is None else Path(checkpoint)
    adopted = original is not None and is_foreign_onnx(original)
    reference = _open_checkpoint(original, threads) if original is not None and not adopted else None
    proofs = []
    for path in paths:
        with open_session(path, device=device, backend=backend, threads=threads) as candidate:
            if original is not None and adopted:
                reference = _open_adopted(original, candidate.manifest)
            say(f"comparing {path.name} with {original.name if original else 'its golden images'}")
            if reference is not None:
                over = seeds_over(candidate.manifest.architecture, SEEDS) if seeds is None else seeds
                found = parity.verify(reference, candidate, over, _gate(candidate.manifest, parity.GATES))
            else:
                found = _against_golden(path, candidate)
            proof = _proof(path, candidate, found, golden=reference is None)
            if not record:
                proofs.append(proof)
                continue
            origin = reference is None or _is_made_from(reference, path, candidate)
            proofs.append(_recorded(proof) if origin else dataclasses.replace(proof, not_recorded=STRANGER))
    return proofs


def is_foreign_onnx(path: Path) -> bool:
    """Whether `path` is an ONNX file of another program, such as artifacts are adopted from.

    Raises what `read_file` raises; a file that is no ONNX file is none.
    """
    if path.suffix.lower() != ".onnx" or sidecar_path(path).is_file():
        return False
    try:
        return METADATA_KEY not in onnx_file.metadata(read_file(path), path.name)
    except ArtifactError:
        return False


def _open_checkpoint(path: Path, threads: int | None) -> Session:
    from dcgan_edge.export.onnx.reference import TorchSession

    return TorchSession(path, threads=threads)


def _open_adopted(path: Path, manifest: Manifest) -> Session:
    from dcgan_edge.export.foreign.adopt import open_original

    return open_original(path, manifest)


def _gate(manifest: Manifest, usual: Mapping[Precision, Gate]) -> Gate:
    """The gate of the artifact's precision, or a wider one that it was exported by: its reference rounds."""
    gate, stored = usual[manifest.precision], manifest.parity.get("gate", {})
    try:
        exported = Gate(**stored)
        return exported if exported.psnr_db < gate.psnr_db else gate
    except TypeError:
        return gate


def _is_made_from(reference: Session, path: Path, candidate: Session) -> bool:
    """Whether the artifact was exported from this checkpoint; with another one nothing is proven of it.

    An engine does not name its checkpoint, but its golden images are the checkpoint's.
    """
    manifest = candidate.manifest
    if manifest.kind == "onnx":
        return manifest.parent_sha256 == reference.manifest.sha256
    try:
        expected, _ = read_golden(path, manifest)
    except EdgeError:
        return True
    z = manifest.architecture.inputs(range(len(expected)))
    return bool(np.abs(reference.run(z) - expected).max() <= HALF_STEP)


def _against_golden(path: Path, candidate: Session) -> Parity:
    manifest = candidate.manifest
    expected, _ = read_golden(path, manifest)
    seeds = range(len(expected))
    z = manifest.architecture.inputs(seeds)
    return parity.compare_run(expected, candidate, z, seeds, _gate(manifest, parity.GOLDEN_GATES))


def _proof(path: Path, session: Session, found: Parity, *, golden: bool) -> Proof:
    facts = session.facts
    verification = Verification(
        verdict="passed" if found.passed else "failed",
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        against="golden images" if golden else "checkpoint",
        seeds=found.seeds,
        max_abs=found.max_abs,
        worst_psnr_db=found.worst_psnr_db,
        grey_levels=found.grey_levels,
        missed=found.missed,
        backend=facts.backend,
        version=facts.version,
        device=facts.device,
        device_name=facts.device_name,
    )
    return Proof(Artifact(path, session.manifest), found, verification)


def _recorded(proof: Proof) -> Proof:
    """The proof with its verdict in the manifest, on disk as well unless that is refused."""
    path, manifest = proof.artifact.path, proof.artifact.manifest.with_verification(proof.verification)
    try:
        write_atomic(sidecar_path(path), manifest.to_json().encode())
    except EdgeError as error:
        return dataclasses.replace(proof, not_recorded=str(error))
    return dataclasses.replace(proof, artifact=Artifact(path, manifest))
