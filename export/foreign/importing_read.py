"""A stranger's file as layers and tensors: recognised by its tensors, or said by its own configuration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.runtime.parity import Parity

from .containers import read_tensors
from .keras import KERAS_SUFFIXES, read_keras
from .readings import Built, Given, Values, assumptions, build, likeliest
from .readings_expected import Expected
from .readings_match import Match, match, measure
from .recognise import Structure, Wanted, recognise, unclear_order
from .recognise_inputs import Inputs

USUAL_LATENTS = (50, 62, 100, 200, 300, 400, 500, 1000)


@dataclass(frozen=True)
class Asked:
    """What the user said of the generator in a file. `upsample` may be `pixel-shuffle` too, which shows."""

    key: str | None
    wanted: Wanted
    given: Given
    upsample: str | None


@dataclass(frozen=True)
class Read:
    """What a file was found to hold: layers and tensors, what they take and make, what was assumed.

    `tensors` are those of the file; `parity` is None where nothing was expected.
    """

    built: Built
    inputs: Inputs
    size: int
    channels: int
    tensors: dict[str, Tensor]
    assumed: tuple[str, ...]
    notes: tuple[str, ...]
    parity: Parity | None


def read_generator(path: Path, asked: Asked, expected: Expected | None, say: Callable[[str], None]) -> Read:
    """Return the generator in the file or folder `path`: the reading that makes what is expected, else the
    likeliest; of a Keras file, what its configuration says.

    Raises as `import_generator` does.
    """
    say(f"Reading {path.name}")
    if path.suffix.lower() in KERAS_SUFFIXES and not path.is_dir():
        return _from_keras(path, asked, expected)
    return _recognised(path, asked, expected, say)


def _recognised(path: Path, asked: Asked, expected: Expected | None, say: Callable[[str], None]) -> Read:
    found = read_tensors(path, key=asked.key)
    say("Recognising the layers")
    structures = recognise(found.tensors, asked.wanted)
    _check_applies(structures[0], asked.upsample, asked.given.eps)
    if expected is not None:
        fitting = match(structures, asked.given, expected, say)
        structure, values = fitting.structure, fitting.values
        assumed, parity = _no_classes(structure.inputs, asked.wanted), fitting.parity
        measured = [_measured(fitting)]
    else:
        unclear = unclear_order(structures)
        if unclear is not None:
            raise ArtifactError(f"The order of the layers is ambiguous: {unclear}. Prove one with --expect.")
        structure, values = structures[0], likeliest(structures[0], asked.given)
        assumed, parity, measured = _assumed(structure, values, asked), None, []
    return Read(
        build(structure, values).ended(values.output),
        structure.inputs,
        structure.size,
        structure.channels,
        found.tensors,
        assumed,
        (*found.notes, *structure.notes, *measured),
        parity,
    )


def _from_keras(path: Path, asked: Asked, expected: Expected | None) -> Read:
    """A Keras file says all itself but for the latents' distribution and what of them is a class."""
    if asked.key or asked.upsample or asked.wanted.class_first or asked.given != Given():
        raise UsageError(
            "A Keras file says by itself what its layers are: --key, --class-first, --activation, "
            "--output-activation, --upsample and --bn-eps do not apply."
        )
    found = read_keras(path)
    classes, wanted = asked.wanted.classes, asked.wanted
    inputs = Inputs(found.latent_dim - classes, classes)
    if inputs.latent_dim < 1 or wanted.latent_dim not in (None, inputs.latent_dim):
        raise UsageError(f"This generator takes {found.latent_dim} numbers in all.")
    if wanted.size not in (None, found.size):
        raise UsageError(f"This generator makes images of {found.size} pixels, not {wanted.size}.")
    built = Built(found.layers, found.tensors, found.homes)
    parity = None if expected is None else measure(built, inputs, found.channels, expected)
    measured = (f"{_words(parity)}.",) if parity else ()
    return Read(
        built,
        inputs,
        found.size,
        found.channels,
        found.stored,
        (*(found.assumptions if parity is None else ()), *_no_classes(inputs, wanted)),
        (*found.notes, *measured),
        parity,
    )


def _check_applies(structure: Structure, upsample: str | None, bn_eps: float | None) -> None:
    """Raise UsageError for an option about what this generator does not have."""
    if bn_eps is not None and not structure.has_norm:
        raise UsageError("This generator has no BatchNorm, so --bn-eps does not apply.")
    shuffled = any(link.shuffle > 1 for link in structure.links)
    if upsample is not None and not (shuffled if upsample == "pixel-shuffle" else structure.has_upsampling):
        raise UsageError(
            f"This generator has no {upsample} upsampling, so --upsample {upsample} does not apply."
        )


def _assumed(structure: Structure, values: Values, asked: Asked) -> tuple[str, ...]:
    """Everything that neither the file nor the user told, but for the distribution of the latents."""
    size = f"{structure.size} pixels, by the usual strides and paddings (--size)"
    order = f"the {'class' if structure.inputs.class_first else 'latent'} comes first (--class-first)"
    ordered = structure.inputs.classes and asked.wanted.class_first is None and not structure.notes
    return (
        *((size,) if asked.wanted.size is None else ()),
        *assumptions(structure, values, asked.given),
        *((order,) if ordered else ()),
        *_no_classes(structure.inputs, asked.wanted),
    )


def _no_classes(inputs: Inputs, wanted: Wanted) -> tuple[str, ...]:
    """That there are no classes, where the number of inputs is no usual one of latents alone."""
    usual = inputs.latent_dim in USUAL_LATENTS or inputs.latent_dim & (inputs.latent_dim - 1) == 0
    if inputs.classes or usual or wanted.latent_dim:
        return ()
    return (f"no classes among the {inputs.latent_dim} numbers that the first layer takes (--classes)",)


def _measured(found: Match) -> str:
    """What the measurement showed, in a sentence."""
    values = found.values
    said = [values.activation.words(), values.output]
    if found.structure.has_upsampling:
        said.append(values.mode)
    if found.structure.has_norm:
        said.append(f"eps {values.eps:g}")
    return f"{_words(found.parity)}, reading {found.place} of {found.measured} ({', '.join(said)})."


def _words(parity: Parity) -> str:
    return (
        f"Measured on {parity.seeds} expected images: largest difference {parity.max_abs:.2e}, worst PSNR "
        f"{parity.worst_psnr_db:.1f} dB"
    )
