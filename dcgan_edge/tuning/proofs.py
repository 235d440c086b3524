"""Which candidates still make the right images on this device: parity by golden images, and KID for INT8."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dcgan_edge.errors import EdgeError
from dcgan_edge.extras import is_installed
from dcgan_edge.runtime.device import Backend
from dcgan_edge.runtime.session import open_session
from dcgan_edge.verification import verify

from .candidates import Candidate, Subject

NO_KID = (
    "the KID of its images is not known: export it again, or tune it beside its float32 file with the extra "
    "export installed"
)


@dataclass(frozen=True)
class CandidateProof:
    """The proof of an artifact by a backend on a device: PSNR of the worst golden seed in dB, and for INT8
    the change of KID with the most that the change of seeds alone accounts for.

    `kid_from` is "here" or "export", where it was measured. `refused` says why the candidate may not be
    chosen, "" where every gate was met. `version` and `device_name` are what the proof is of.
    """

    sha256: str
    backend: Backend
    device: str
    version: str = ""
    device_name: str = ""
    psnr_db: float | None = None
    kid: float | None = None
    kid_allowed: float | None = None
    kid_from: str = ""
    refused: str = ""

    def is_of(self, candidate: Candidate) -> bool:
        """Return whether this is the proof of `candidate`, with however many threads."""
        return (self.sha256, self.backend, self.device) == (
            candidate.sha256,
            candidate.backend,
            candidate.device,
        )


class Prover:
    """Proves candidates; keeps what the reference's images look like, which takes longest."""

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self._subjects = {each.manifest.sha256: each for each in subjects}
        self._references: dict[str, Any] = {}

    def prove(self, candidate: Candidate) -> CandidateProof:
        """Verify `candidate` on this device, and write the verdict into the artifact's manifest.

        What cannot be proven is refused in the proof, and nothing is raised for it.
        """
        subject = self._subjects[candidate.sha256]
        options: dict[str, Any] = {"backend": candidate.backend, "device": candidate.device}
        facts: dict[str, Any] = {}
        try:
            (proof,) = verify(subject.path, **options)
            facts = {
                "version": proof.verification.version,
                "device_name": proof.verification.device_name,
                "psnr_db": round(proof.parity.worst_psnr_db, 2),
            }
            missed = list(proof.parity.missed)
            if subject.manifest.precision == "int8":
                kid, more = self._distribution(subject, options)
                facts |= kid
                missed += more
        except EdgeError as error:
            missed = [str(error)]
        refused = "; ".join(missed)
        return CandidateProof(candidate.sha256, candidate.backend, candidate.device, refused=refused, **facts)

    def _distribution(
        self, subject: Subject, options: dict[str, Any]
    ) -> tuple[dict[str, Any], Sequence[str]]:
        """Return KID, measured here if that can be done, else at export; and the gates that were missed."""
        reference = self._reference(subject)
        if reference is not None:
            with open_session(subject.path, **options) as session:
                found = reference.compare(session)
            allowed = found.seeds_kid.high - found.seeds_kid.value
            return {"kid": found.kid.value, "kid_allowed": allowed, "kid_from": "here"}, found.missed
        try:  # the gate was met then, or there were no file
            facts = subject.manifest.parity["distribution"]
            kid, seeds = facts["kid"], facts["seeds_kid"]
            values = float(kid["value"]), float(seeds["high"]) - float(seeds["value"])
        except (KeyError, TypeError, ValueError):
            return {}, (NO_KID,)
        return {"kid": values[0], "kid_allowed": values[1], "kid_from": "export"}, ()

    def _reference(self, subject: Subject) -> Any:
        """Return the images of the float32 artifact of the same checkpoint, None where that cannot be run."""
        parent = subject.manifest.parent_sha256
        floats = (
            each.path
            for each in self._subjects.values()
            if each.manifest.precision == "fp32" and each.manifest.parent_sha256 == parent
        )
        path = next(floats, None)
        if path is None or not (is_installed("onnx") and is_installed("onnxruntime")):
            return None
        if parent not in self._references:
            from dcgan_edge.export.distribution import ReferenceImages

            with open_session(path, device="cpu", backend="onnxruntime") as session:
                self._references[parent] = ReferenceImages(session)
        return self._references[parent]
