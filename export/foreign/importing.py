"""`dcgan-edge import`: a stranger's file of weights becomes a checkpoint of ours, with what was assumed.

    file -> tensors (containers) -> ways to read them (recognise) -> one that fits (readings) -> checkpoint

Nothing in the file is run. Without expected images the result rests on assumptions, which are kept beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from dcgan_edge.architecture import CUSTOM, LONGEST_CLASS, MOST_CLASSES, Architecture
from dcgan_edge.artifact import Artifact
from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.files import StrPath, check_writable, sha256, sha256_of, write_atomic
from dcgan_edge.generator_spec import GeneratorSpec
from dcgan_edge.images import encode_png, square_grid, to_uint8
from dcgan_edge.latents import Distribution
from dcgan_edge.manifest import Origin
from dcgan_edge.training.checkpoint import CHECKPOINT_NAME, load_generator, save_generator

from ..onnx.reference import TorchSession
from ..readme import write_readme
from .containers import read_tensors
from .imported import Imported, Listing, layer_rows, tensor_rows
from .importing_read import Asked, read_generator
from .keras import KERAS_SUFFIXES
from .readings import Given, Mode, Output, build, likeliest, parse_activation
from .readings_expected import Expected, read_expected
from .recognise import Wanted, recognise

GRID_NAME = "samples.png"
GRID_SEEDS = 64
AT_ONCE = 8  # images per call of the grid
NORMAL = "latents from a normal distribution (--distribution)"
Proof = Literal["assumed", "measured"]


def import_generator(
    path: StrPath, out: StrPath, *, key: str | None = None, expect: StrPath | None = None,
    size: int | None = None, latent_dim: int | None = None, classes: int | Sequence[str] | None = None,
    class_first: bool | None = None, activation: str | None = None, output_activation: Output | None = None,
    upsample: str | None = None, bn_eps: float | None = None, distribution: Distribution | None = None,
    progress: Callable[[str], None] | None = None,
) -> Imported:  # fmt: skip
    """Recognise the generator in the file or folder `path`, and put it as a checkpoint into the folder `out`.

    The file is a torch file, safetensors, a Keras file, or a folder of a hub; `key` chooses among several
    networks in it.
    `classes` is their number or their names. `activation` (`relu`, `leaky_relu:0.2`), `output_activation`,
    `upsample` (`nearest`, `bilinear`), `bn_eps` and `distribution` are what no tensor tells: assumed from the
    commonest use where None, or measured where `expect` is a .npz file of latents and the images that the
    owner's own code made of them.

    Raises UsageError when the file or `expect` is not there, or an option is not what the file has;
    ArtifactError when the file is damaged or no generator that is known here, naming the first tensor that
    does not fit; VerificationError when no reading makes the expected images. Nothing is written then.
    """
    say = progress or (lambda _: None)
    source, folder = Path(path), Path(out)
    check_writable(folder / CHECKPOINT_NAME)
    expected = None if expect is None else read_expected(Path(expect))
    asked = Asked(
        key,
        _wanted(size, latent_dim, classes, class_first, expected),
        _given(activation, output_activation, upsample, bn_eps),
        upsample,
    )
    read = read_generator(source, asked, expected, say)
    assumed = read.assumed if distribution or expected else (*read.assumed, NORMAL)
    proof: Proof = "assumed" if read.parity is None else "measured"
    spec = GeneratorSpec(
        Architecture(
            CUSTOM,
            read.size,
            read.channels,
            0,
            read.inputs.latent_dim,
            distribution or (expected.distribution if expected else "normal"),
            _names(classes, read.inputs.classes),
        ),
        read.built.layers,
        Origin("import", source.name, _digest(source), assumed, proof, read.notes),
    )
    return Imported(
        *_write(folder, spec, read.built.tensors),
        spec,
        layer_rows(read.built, spec.architecture.input_dim),
        tensor_rows(read.tensors, read.built),
        assumed,
        read.notes,
        read.parity,
    )


def list_tensors(
    path: StrPath,
    *,
    key: str | None = None,
    size: int | None = None,
    latent_dim: int | None = None,
    classes: int | Sequence[str] | None = None,
    class_first: bool | None = None,
) -> Listing:
    """Return the tensors of the file or folder `path`, and what `import_generator` would make of each.

    Raises as `import_generator` does for a file that cannot be read; one that holds no generator is listed.
    """
    wanted = _wanted(size, latent_dim, classes, class_first, None)
    source = Path(path)
    if source.suffix.lower() in KERAS_SUFFIXES and not source.is_dir():
        read = read_generator(source, Asked(key, wanted, Given(), None), None, lambda _: None)
        return Listing(tensor_rows(read.tensors, read.built), "", read.notes, ())
    found = read_tensors(source, key=key)
    try:
        structure = recognise(found.tensors, wanted)[0]
        built = build(structure, likeliest(structure, Given()))
    except (ArtifactError, UsageError) as error:
        return Listing(tensor_rows(found.tensors, None), found.key, found.notes, found.others, error)
    return Listing(tensor_rows(found.tensors, built), found.key, found.notes, found.others)


def _wanted(
    size: int | None,
    latent_dim: int | None,
    classes: int | Sequence[str] | None,
    class_first: bool | None,
    expected: Expected | None,
) -> Wanted:
    """What was said of sizes; images that are expected have one too."""
    count = classes if isinstance(classes, int) else len(classes or ())
    if classes is not None and not 2 <= count <= MOST_CLASSES:
        raise UsageError(f"A generator with classes has 2 to {MOST_CLASSES}, not {count}.")
    names = () if classes is None or isinstance(classes, int) else classes
    if len(set(names)) < len(names) or not all(0 < len(name) <= LONGEST_CLASS for name in names):
        raise UsageError(f"Classes have different names of 1 to {LONGEST_CLASS} characters.")
    if not all(name.isprintable() for name in names):
        raise UsageError("Names of classes are plain text.")
    if expected is not None and size not in (None, expected.size):
        raise UsageError(f"The expected images have {expected.size} pixels, not {size}.")
    return Wanted(expected.size if expected else size, latent_dim, count, class_first)


def _given(
    activation: str | None, output: Output | None, upsample: str | None, bn_eps: float | None
) -> Given:
    if bn_eps is not None and not 0.0 <= bn_eps <= 1.0:
        raise UsageError(f"eps of BatchNorm lies from 0 to 1, not {bn_eps}.")
    if upsample not in (None, "nearest", "bilinear", "pixel-shuffle"):
        raise UsageError(f"Upsampling is nearest, bilinear or pixel-shuffle, not {upsample}.")
    mode: Mode | None = "nearest" if upsample == "nearest" else "bilinear" if upsample == "bilinear" else None
    return Given(parse_activation(activation) if activation is not None else None, output, mode, bn_eps)


def _write(folder: Path, spec: GeneratorSpec, tensors: dict[str, Tensor]) -> tuple[Path, Path]:
    """Write the checkpoint and a picture of its samples; return their paths."""
    checkpoint, grid = folder / CHECKPOINT_NAME, folder / GRID_NAME
    save_generator(checkpoint, spec, tensors)
    write_atomic(grid, _samples(checkpoint, spec.architecture))
    write_readme(folder, [Artifact(checkpoint, TorchSession(checkpoint).manifest)])
    return checkpoint, grid


def _names(classes: int | Sequence[str] | None, count: int) -> tuple[str, ...]:
    """The names of the classes: those given, else their numbers."""
    if classes is None or isinstance(classes, int):
        return tuple(str(number) for number in range(count))
    return tuple(classes)


def _digest(path: Path) -> str:
    """The SHA-256 of a file; of a folder, of those of its files in the order of their names."""
    if not path.is_dir():
        return sha256_of(path)
    return sha256("".join(sha256_of(file) for file in sorted(path.iterdir()) if file.is_file()).encode())


def _samples(checkpoint: Path, architecture: Architecture) -> bytes:
    """A PNG of the first 64 seeds, made by the checkpoint as it was written."""
    generator: nn.Module = load_generator(checkpoint)[0]
    latents = torch.from_numpy(architecture.inputs(range(GRID_SEEDS)))
    with torch.inference_mode():
        images = [generator(some).numpy() for some in torch.split(latents, AT_ONCE)]
    return encode_png(square_grid(to_uint8(np.concatenate(images))))
