"""The reading that makes the expected images: the likeliest are measured first, until one fits."""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dcgan_edge.errors import UsageError, VerificationError
from dcgan_edge.latents import FloatArray
from dcgan_edge.models.network import Generator
from dcgan_edge.runtime.parity import Parity, compare

from .readings import OUTPUTS, Built, Given, Output, Values, build, usual_values
from .readings_expected import Expected
from .recognise import Structure
from .recognise_inputs import Inputs
from .recognise_modules import MODULE_WAY

FIRST = 2  # images that every reading is measured on
AT_ONCE = 8  # images per call when all are measured
MOST_READINGS = 600
MORE = 40  # readings that are measured after one that fits, as others may fit better
VALUE_COST = 0.15  # of each value that is less usual than the one before


@dataclass(frozen=True)
class Match:
    """The reading that fits, its parity with what was expected, how many were measured, and which of them it
    was.
    """

    structure: Structure
    values: Values
    parity: Parity
    measured: int
    place: int


def match(
    structures: Sequence[Structure],
    given: Given,
    expected: Expected,
    progress: Callable[[str], None] | None = None,
) -> Match:
    """Return the reading that makes the expected images, the likeliest first.

    Raises VerificationError naming the nearest reading and its difference when none does; UsageError when
    latents or images are of sizes that no reading has.
    """
    best: _Reading | None = None
    measured, end = 0, MOST_READINGS
    for structure, values in _by_cost(structures, given):
        inputs, planes = expected.inputs(structure.inputs), expected.planes(structure.channels)
        if inputs is None or not planes:
            continue
        if progress is not None and measured % 20 == 0:
            progress(f"Measuring reading {measured + 1}")
        measured += 1
        made = _run(build(structure, values), inputs[:FIRST])
        for output in (given.output,) if given.output else OUTPUTS:
            images = _ended(made, output)
            for scaling, truth in enumerate(planes):
                difference = float(np.abs(images - truth[:FIRST]).max())
                if best is None or difference < best.difference:
                    ended = dataclasses.replace(values, output=output)
                    best = _Reading(difference, structure, ended, scaling, measured)
        if best is not None and best.difference <= (expected.gate.atol or 0.0):
            end = min(end, measured + MORE)
        if measured >= end or (best is not None and best.difference <= expected.enough):
            break
    if best is None:
        raise UsageError(_no_size(structures, expected))
    parity = _parity(best, expected)
    if not parity.passed:
        raise VerificationError(_miss(best, parity, measured))
    return Match(best.structure, best.values, parity, measured, best.place)


def measure(built: Built, inputs: Inputs, channels: int, expected: Expected) -> Parity:
    """Return how near whole layers, which end in images, come to what is expected of them.

    Raises VerificationError when they miss it, UsageError when latents or images are of other sizes.
    """
    taken, truths = expected.inputs(inputs), expected.planes(channels)
    if taken is None or not truths:
        raise UsageError(
            f"The expected images are {expected.scaled[0].shape[1:]} of {expected.latents.shape[1]} numbers; "
            f"this generator makes {channels} channels of {inputs.latent_dim} numbers."
        )
    made = np.concatenate([_run(built, some).numpy() for some in torch.split(taken, AT_ONCE)])
    if made.shape != truths[0].shape:
        raise UsageError(f"The expected images are {truths[0].shape[1:]}, the generator's {made.shape[1:]}.")
    each = [compare(truth, made, range(len(made)), expected.gate) for truth in truths]
    parity = min(each, key=lambda parity: parity.max_abs)
    if not parity.passed:
        raise VerificationError(
            f"The generator differs from the expected images by up to {parity.max_abs:.2e}, "
            f"{parity.grey_levels} grey levels; {parity.gate.atol:.1e} is allowed."
        )
    return parity


@dataclass(frozen=True)
class _Reading:
    """A reading that was measured: the largest difference on the first images, in one of the scalings."""

    difference: float
    structure: Structure
    values: Values
    scaling: int
    place: int


def _by_cost(structures: Sequence[Structure], given: Given) -> Iterator[tuple[Structure, Values]]:
    """Every structure with all usual values, the likeliest together first."""
    rows = [
        ((structure.cost + VALUE_COST * rank, place, rank), structure, values)
        for place, structure in enumerate(structures)
        for rank, values in enumerate(usual_values(structure, given))
    ]
    for _, structure, values in heapq.nsmallest(MOST_READINGS, rows, key=lambda row: row[0]):
        yield structure, values


def _run(built: Built, inputs: Tensor) -> Tensor:
    """What the layers of a reading make of `inputs`, before the output's activation."""
    with torch.device("meta"):
        network = Generator(built.layers, inputs.shape[1])
    network.load_state_dict(built.tensors, assign=True)
    with torch.inference_mode():
        made: Tensor = network.eval()(inputs)
    return made


def _ended(made: Tensor, output: Output) -> FloatArray:
    """Images in [-1, 1] of what the last layer made, float32."""
    images = {
        "tanh": lambda: torch.tanh(made),
        "sigmoid": lambda: torch.sigmoid(made) * 2.0 - 1.0,
        "none": lambda: made.clamp(-1.0, 1.0),
    }[output]()
    return np.asarray(images.numpy(), np.float32)


def _parity(reading: _Reading, expected: Expected) -> Parity:
    """The parity of a reading on all images."""
    structure, values = reading.structure, reading.values
    inputs, planes = expected.inputs(structure.inputs), expected.planes(structure.channels)[reading.scaling]
    assert inputs is not None
    built = build(structure, values)
    made = np.concatenate([_ended(_run(built, some), values.output) for some in torch.split(inputs, AT_ONCE)])
    reference = np.clip(planes, -1.0, 1.0) if values.output == "none" else planes
    return compare(reference, made, range(len(planes)), expected.gate)


def _no_size(structures: Sequence[Structure], expected: Expected) -> str:
    inputs = structures[0].inputs
    classes = f" and {inputs.classes} classes" if inputs.classes else ""
    return (
        f"The expected images are {expected.scaled[0].shape[1:]} of {expected.latents.shape[1]} numbers"
        f"{'' if expected.classes is None else ' with classes'}; this generator makes "
        f"{(structures[0].channels, structures[0].size, structures[0].size)} of {inputs.latent_dim} numbers"
        f"{classes}."
    )


def _miss(nearest: _Reading, parity: Parity, measured: int) -> str:
    values = nearest.values
    eps = f", eps {values.eps:g}" if nearest.structure.has_norm else ""
    return (
        f"None of {measured} readings makes the expected images. The nearest ({nearest.structure.size} "
        f"pixels, {values.activation.words()}, {values.output}{eps}) differs by up to {parity.max_abs:.2e}, "
        f"{parity.grey_levels} grey levels; {parity.gate.atol:.1e} is allowed. Were they made in eval mode, "
        f"on the CPU, by a chain of layers? {MODULE_WAY}"
    )
