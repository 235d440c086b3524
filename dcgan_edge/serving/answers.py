"""Requests read and pictures encoded: seeds, classes and formats in words; PNG, grids, archives and arrays.

Free of any web framework. What a seed, a class and a format give depends on them and on the artifact alone,
so that the answer has a name before it is made: its entity tag.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from dcgan_edge import __version__
from dcgan_edge.classes import Pair, every_pair, file_stem, one_class, parse_classes
from dcgan_edge.classes import in_class as inputs_in_class
from dcgan_edge.errors import UsageError
from dcgan_edge.images import PixelArray, encode_png, encode_pngs, square_grid
from dcgan_edge.images import grid as as_grid
from dcgan_edge.latents import FloatArray
from dcgan_edge.seeds import parse_seeds
from dcgan_edge.serving.models import Limits, Model

Format = Literal["png", "grid", "npy"]
FORMATS: tuple[Format, ...] = get_args(Format)
NPY, PNG, ZIP = "application/x-npy", "image/png", "application/zip"
LONGEST_LIST = 4096  # characters of the seeds or the classes of a request
LONGEST_HEADER = 1024  # bytes of the header of a .npy file; ours have 128


@dataclass(frozen=True)
class Wanted:
    """Images that were asked for: `pairs` in their order, each seed in each of `classes` (None: s modulo
    their number), in one `format`.
    """

    pairs: Sequence[Pair]
    classes: Sequence[int] | None
    format: Format


def read_wanted(model: Model, seeds: str, classes: str | None, format: str, limits: Limits) -> Wanted:
    """Read the seeds, classes and format of a request.

    Raises UsageError for what is none of these, for classes of a generator without them, and for more images
    than the limit.
    """
    if max(len(seeds), len(classes or "")) > LONGEST_LIST:
        raise UsageError(f"Seeds and classes are written in at most {LONGEST_LIST} characters.")
    architecture = model.worker.manifest.architecture
    numbers = None if classes is None else parse_classes(classes, architecture.classes)
    listed = parse_seeds(seeds)
    check_count(len(listed) * (1 if numbers is None else len(numbers)), limits)
    return Wanted(every_pair(architecture, list(listed), numbers), numbers, read_format(format))


def read_format(text: str) -> Format:
    """Return the format that `text` names. Raises UsageError for another."""
    for known in FORMATS:
        if text == known:
            return known
    raise UsageError(f"{text[:20]!r} is no format; there are {', '.join(FORMATS)}.")


def check_count(count: int, limits: Limits) -> None:
    """Raise UsageError unless `count` images may be asked for at a time."""
    if not 1 <= count <= limits.images:
        raise UsageError(f"One request is for 1 to {limits.images} images, not {count:,}.")


def entity_tag(model: Model, *request: object) -> str:
    """Return the tag of the answer to `request`, quoted as HTTP has it: of the artifact's hash, what computes
    it, and what was asked. Equal tags are equal bytes.
    """
    facts = model.worker.facts
    making = [
        model.worker.manifest.sha256, model.worker.batch, facts.backend, facts.version, facts.provider,
        facts.device, facts.device_name, facts.threads, __version__,
    ]  # fmt: skip
    text = json.dumps([making, request], default=str)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def has_tag(header: str | None, tag: str) -> bool:
    """Whether If-None-Match names `tag`, so that the client has the answer already."""
    named = [part.strip().removeprefix("W/") for part in (header or "").split(",")]
    return tag in named or "*" in named


def encode(model: Model, pixels: PixelArray, wanted: Wanted) -> tuple[str, bytes]:
    """Return the media type and the bytes of `pixels` (n, size, size, channels) as `wanted` says.

    One PNG is byte for byte the file that `sample` writes; several are a ZIP of those files.
    """
    columns = len(wanted.classes) if wanted.classes is not None and len(wanted.classes) > 1 else None
    if wanted.format != "png" or len(pixels) == 1:
        return encode_pixels(pixels, wanted.format, columns)
    architecture = model.worker.manifest.architecture
    names = [f"{file_stem(architecture, pair)}.png" for pair in wanted.pairs]
    return ZIP, _zipped(names, encode_pngs(pixels.transpose(0, 3, 1, 2)))


def encode_pixels(pixels: PixelArray, format: Format, columns: int | None = None) -> tuple[str, bytes]:
    """Return the media type and the bytes of `pixels` (n, size, size, channels): as an array, or as pictures.

    Several pictures are one grid of so many `columns`, None for one as near to a square as they fill; as
    "png" they are a ZIP of files that are called by their places.
    """
    if format == "npy":
        return NPY, npy_bytes(pixels)
    levels = pixels.transpose(0, 3, 1, 2)
    if format == "grid":
        laid = square_grid(levels) if columns is None else as_grid(levels, len(levels) // columns, columns)
        return PNG, encode_png(laid)
    pictures = encode_pngs(levels)
    if len(pictures) == 1:
        return PNG, pictures[0]
    return ZIP, _zipped([f"image{place:04d}.png" for place in range(len(pictures))], pictures)


def npy_bytes(array: npt.NDArray[np.generic]) -> bytes:
    """Return `array` as a .npy file."""
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()


def read_latents(body: bytes, model: Model, class_name: str | None, limits: Limits) -> FloatArray:
    """Read a .npy file of latents, floats (n, latent_dim), or (n, latent_dim, 1, 1), into inputs.

    A generator with classes takes one for all as `class_name`, or the weights of the classes behind each
    latent, (n, input_dim). The header is read first: nothing is unpickled, and nothing is allocated that the
    body does not hold. Raises UsageError for anything else.
    """
    architecture = model.worker.manifest.architecture
    array = _read_npy(body)
    if array.ndim == 4 and array.shape[2:] == (1, 1):
        array = array[:, :, 0, 0]
    dims = {architecture.input_dim if class_name is None else architecture.latent_dim}
    if array.ndim != 2 or array.shape[1] not in dims or array.dtype.kind != "f":
        raise UsageError(
            f"Latents are floats of shape (n, {dims.pop()}), not {array.dtype} of shape {array.shape}."
        )
    check_count(len(array), limits)
    with np.errstate(over="ignore"):  # a double that is too large becomes infinite
        latents = np.ascontiguousarray(array, np.float32)[:, :, None, None]
    check_finite(latents)
    if class_name is None:
        return latents
    return inputs_in_class(architecture, latents, one_class(architecture, class_name))


def check_finite(latents: FloatArray) -> None:
    """Raise UsageError for latents with NaN or infinity, of which no image can be made."""
    if not np.isfinite(latents).all():
        raise UsageError("Latents are finite numbers, and some of these are not.")


def _read_npy(body: bytes) -> npt.NDArray[np.generic]:
    file = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read(file, max_header_size=LONGEST_HEADER)
        size = dtype.itemsize
        for length in shape:
            size *= int(length)
        if dtype.hasobject or size != len(body) - file.tell():
            raise ValueError("its header does not describe its content")
        file.seek(0)
        array: npt.NDArray[np.generic] = np.load(file, allow_pickle=False, max_header_size=LONGEST_HEADER)
    except Exception as error:  # NumPy's readers raise what their tokenizers raise, and more
        raise UsageError("The body is not a .npy file of numbers, such as numpy.save writes.") from error
    return array


def _zipped(names: Sequence[str], files: Sequence[bytes]) -> bytes:
    """Return an archive of `files`, which are compressed already; the same bytes whenever it is made."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as out:
        for name, content in dict(zip(names, files, strict=True)).items():
            out.writestr(zipfile.ZipInfo(name), content)
    return archive.getvalue()
