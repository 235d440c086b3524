"""Does an artifact still make the images that PyTorch makes? Differences, gates and a verdict.

Reference and candidate are the images of the same seeds. A gate that cannot be computed has failed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dcgan_edge.artifact import Precision, Verification
from dcgan_edge.errors import VerificationError
from dcgan_edge.images import from_uint8, psnr, to_uint8
from dcgan_edge.latents import FloatArray

from .session import Session

PSNR_CEILING = 200.0  # dB; reported for images that agree to the last bit, whose PSNR is infinite


@dataclass(frozen=True)
class Gate:
    """What an artifact must keep to; `why` says where the numbers come from.

    `psnr_db` holds for the worst seed, `grey_levels` for the worst of all 8-bit pixels, `atol` for the worst
    of all float values (None: not gated).
    """

    atol: float | None
    psnr_db: float
    grey_levels: int | None
    why: str


FP32_GATE = Gate(
    1e-4, 100.0, 1, "float32 reordered: 1e-6 measured on trained weights, 100 times that allowed"
)
FP16_GATE = Gate(
    None,
    60.0,
    2,
    "half rounds to 5e-4 near 1; 70 dB and 1 level measured, 10 dB and 1 level for other kernels",
)
INT8_GATE = Gate(
    None,
    35.0,
    None,  # where an edge moves by half a pixel, one pixel is off by 30 levels that nobody sees
    "8 bits for weights and values: 39 dB at 28 pixels and 41 at 64 measured, 4 dB for other weights",
)
GATES: dict[Precision, Gate] = {
    "fp32": FP32_GATE,
    "fp16": FP16_GATE,
    "mixed": FP16_GATE,
    "int8": INT8_GATE,
}
GOLDEN_GATES: dict[Precision, Gate] = {
    **GATES,
    "fp32": Gate(
        4e-4, 80.0, 1, "golden images are rounded to half: 2.5e-4 at most, and 83 dB, beside float32's own"
    ),
}


def pixel_gate(gate: Gate) -> Gate:
    """Return what pixels must keep to where the float images that they are made of must keep to `gate`.

    Its grey levels stay. A float that is a little off makes the same pixel or the next, so `atol` means
    nothing; one level off in 6 % of the pixels is 60 dB, and golden images rounded to half make up to 2 %.
    """
    decibels = min(gate.psnr_db, 60.0 if gate.grey_levels == 1 else 50.0)
    return Gate(None, decibels, gate.grey_levels, f"pixels against the reference's pixels; {gate.why}")


@dataclass(frozen=True)
class Parity:
    """The measured differences of one artifact and the gates it missed, none when it passed.

    `max_abs` and `mean_abs` are in units of the range [-1, 1]; `worst_psnr_db` belongs to `worst_seed`.
    """

    seeds: int
    max_abs: float
    mean_abs: float
    worst_psnr_db: float
    worst_seed: int
    grey_levels: int
    pixels_differ: float
    not_finite: int
    gate: Gate
    missed: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Return whether no gate was missed."""
        return not self.missed

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict, the figures and the gate as JSON values."""
        return {"verdict": "passed" if self.passed else "failed", **dataclasses.asdict(self)}

    def raise_if_failed(self, name: str, reference: str = "PyTorch") -> None:
        """Raise VerificationError naming `name`, the `reference` and every gate missed, if one was."""
        if self.missed:
            raise VerificationError(f"{name} does not match {reference}: {'; '.join(self.missed)}.")


def verify(reference: Session, candidate: Session, seeds: Sequence[int], gate: Gate | None = None) -> Parity:
    """Run both sessions on `seeds` and compare by `gate`, None for that of the candidate's precision.

    Raises VerificationError when the two are generators of different shapes.
    """
    ours, theirs = reference.manifest.architecture, candidate.manifest.architecture
    if ours != theirs:
        raise VerificationError(
            f"The artifact is a {theirs} and the checkpoint a {ours}: nothing to compare."
        )
    z = ours.inputs(seeds)
    gate = gate or GATES[candidate.manifest.precision]
    return compare_run(reference.run(z), candidate, z, seeds, gate)


def compare_run(
    reference: FloatArray, candidate: Session, latents: FloatArray, seeds: Sequence[int], gate: Gate
) -> Parity:
    """Compare the float images `reference` with those that `candidate` makes of `latents`, by `gate`.

    Where the candidate makes pixels, they are held against the reference's, by `pixel_gate`.
    """
    if candidate.manifest.outputs[0].dtype == "uint8":
        gate = pixel_gate(gate)
        if np.isfinite(reference).all():  # others fail as they are
            reference = from_uint8(to_uint8(reference))
    return compare(reference, candidate.run(latents), seeds, gate)


def verification_here(session: Session) -> Verification | None:
    """Return the latest proof of the session's artifact on this device with this backend and version."""
    facts = session.facts
    here = (facts.device_name, facts.backend, facts.version)
    return next((each for each in session.manifest.verified if each.conditions == here), None)


def verification_words(session: Session) -> str:
    """Return "verified on this device, DATE", that it failed to be, or "not verified here"."""
    if session.manifest.kind == "checkpoint":
        return "the reference"
    proof = verification_here(session)
    if proof is None:
        return "not verified here"
    outcome = "verified" if proof.verdict == "passed" else "FAILED verification"
    return f"{outcome} on this device, {proof.date[:10]}"


def compare(reference: FloatArray, candidate: FloatArray, seeds: Sequence[int], gate: Gate) -> Parity:
    """Compare images (n, c, h, w) of the same `seeds`, n >= 1. Values that are not finite always fail."""
    not_finite = int(np.count_nonzero(~np.isfinite(candidate)) + np.count_nonzero(~np.isfinite(reference)))
    shown = np.nan_to_num(candidate, nan=0.0, posinf=1.0, neginf=-1.0)
    difference = np.abs(shown.astype(np.float64) - np.nan_to_num(reference))
    decibels = np.minimum(psnr(shown, np.nan_to_num(reference)), PSNR_CEILING)
    worst = int(np.argmin(decibels))
    levels = np.abs(to_uint8(shown).astype(np.int16) - to_uint8(np.nan_to_num(reference)))
    measured = Parity(
        seeds=len(seeds),
        max_abs=float(difference.max()),
        mean_abs=float(difference.mean()),
        worst_psnr_db=float(decibels[worst]),
        worst_seed=seeds[worst],
        grey_levels=int(levels.max()),
        pixels_differ=float((levels > 0).mean()),
        not_finite=not_finite,
        gate=gate,
        missed=(),
    )
    return dataclasses.replace(measured, missed=_missed(measured, gate))


def _missed(measured: Parity, gate: Gate) -> tuple[str, ...]:
    missed = []
    if measured.not_finite:
        missed.append(f"{measured.not_finite} values are NaN or infinite")
    if gate.atol is not None and not measured.max_abs <= gate.atol:
        missed.append(f"the largest difference is {measured.max_abs:.2e}, {gate.atol:.0e} is allowed")
    if not measured.worst_psnr_db >= gate.psnr_db:
        missed.append(
            f"seed {measured.worst_seed} has {measured.worst_psnr_db:.1f} dB, {gate.psnr_db:.0f} are needed"
        )
    if gate.grey_levels is not None and not measured.grey_levels <= gate.grey_levels:
        missed.append(
            f"a pixel is {measured.grey_levels} grey levels off, {gate.grey_levels} "
            f"{'is' if gate.grey_levels == 1 else 'are'} allowed"
        )
    return tuple(missed)
