"""Images that the owner's own code made, which every reading is measured against.

One .npz file has `latents` (n, d) or (n, d, 1, 1), `images` (n, c, h, w) or (n, h, w, c), and `classes` (n,)
for a generator with classes.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.images import from_uint8
from dcgan_edge.latents import Distribution, FloatArray
from dcgan_edge.runtime.parity import FP32_GATE, Gate

from .recognise_inputs import Inputs

MOST_BYTES = 2**30  # of the arrays in the file
MOST_IMAGES = 256  # that are compared; more prove nothing more
LEVEL = 1 / 127.5  # of 8 bits, in units of the range [-1, 1]
NAMES = ("latents", "images", "classes")

HALF_GATE = Gate(
    4e-3, 60.0, 2, "images in half precision: 5e-4 by rounding, a few times that by its arithmetic"
)
PIXEL_GATE = Gate(1.5 * LEVEL, 50.0, 2, "images of 8 bits: half a level by rounding, one by cutting off")


@dataclass(frozen=True)
class Expected:
    """What the generator is expected to make of `latents` (n, d), and of `classes` (n,) if there are any.

    `scaled` are the images as float32 (n, c, h, w) or (n, h, w, c) in [-1, 1]: once for each range that they
    may have been given in. A difference of `enough` says that no other reading can be nearer.
    """

    latents: FloatArray
    scaled: tuple[FloatArray, ...]
    classes: npt.NDArray[np.int64] | None
    gate: Gate
    enough: float

    @property
    def size(self) -> int:
        """Return the side of the images."""
        return int(self.scaled[0].shape[2])

    @property
    def distribution(self) -> Distribution:
        """Return what the latents were drawn from: within [-1, 1] and many is uniform."""
        bounded = self.latents.size >= 100 and bool(np.abs(self.latents).max() <= 1.0)
        return "uniform" if bounded else "normal"

    def planes(self, channels: int) -> tuple[FloatArray, ...]:
        """Return the images as (n, channels, size, size) in every scaling, nothing if they are not of it."""
        shape = (channels, self.size, self.size)
        for axes in ((0, 1, 2, 3), (0, 3, 1, 2)):
            turned = [images.transpose(axes) for images in self.scaled]
            if turned[0].shape[1:] == shape:
                return tuple(np.ascontiguousarray(images) for images in turned)
        return ()

    def inputs(self, inputs: Inputs) -> Tensor | None:
        """Return what the first layer takes, (n, numbers, 1, 1); None if the latents are of another length.

        Without classes beside them, latents as long as the whole input have the class in them.
        """
        count, length = self.latents.shape
        whole = inputs.latent_dim + inputs.classes
        if inputs.classes and self.classes is not None and length == inputs.latent_dim:
            weights = np.eye(inputs.classes, dtype=np.float32)[self.classes % inputs.classes]
            rows = np.concatenate([self.latents, weights], axis=1)
        elif length == whole and inputs.table is None:
            start = inputs.classes if inputs.class_first else 0
            rows = np.concatenate([self.latents[:, start:], self.latents[:, :start]], axis=1)
        else:
            return None
        return torch.from_numpy(np.ascontiguousarray(rows)).reshape(count, whole, 1, 1)


def read_expected(path: Path) -> Expected:
    """Return what lies in the .npz file `path`; nothing in it is unpickled.

    Raises UsageError when there is no such file, ArtifactError when it does not hold what is expected.
    """
    arrays = _arrays(path)
    latents, images = arrays["latents"], arrays["images"]
    classes = arrays.get("classes")
    count = len(images)
    if latents.ndim == 4 and latents.shape[2:] == (1, 1):
        latents = latents[:, :, 0, 0]
    if images.ndim == 3:
        images = images[:, None]
    if latents.ndim != 2 or latents.dtype.kind != "f" or len(latents) != count or not count:
        raise ArtifactError(
            f"{path} holds latents {latents.dtype} {latents.shape}; floats ({count}, d) were expected."
        )
    if images.ndim != 4 or images.dtype.kind not in "fu" or not images.size:
        raise ArtifactError(
            f"{path} holds images {images.dtype} {images.shape}; floats or uint8 (n, c, h, w) or "
            "(n, h, w, c) were expected."
        )
    if classes is not None and (
        classes.shape != (count,) or classes.dtype.kind not in "iu" or classes.min() < 0
    ):
        raise ArtifactError(
            f"{path} holds classes {classes.dtype} {classes.shape}; one number an image was expected."
        )
    if not (np.isfinite(latents).all() and np.isfinite(images).all()):
        raise ArtifactError(f"{path} holds values that are not finite.")
    scaled, gate, enough = _scaled(images[:MOST_IMAGES])
    return Expected(
        latents[:MOST_IMAGES].astype(np.float32),
        scaled,
        None if classes is None else classes[:MOST_IMAGES].astype(np.int64),
        gate,
        enough,
    )


def _arrays(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of the file, once their sizes are found to be bearable."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        missing = [name for name in NAMES[:2] if name not in entries]
        if missing:
            raise ArtifactError(f"{path} holds no array {missing[0]!r}; latents and images were expected.")
        if sum(entries[name].file_size for name in NAMES if name in entries) > MOST_BYTES:
            raise ArtifactError(f"{path} claims arrays of more than {MOST_BYTES >> 30} GiB.")
        with np.load(path, allow_pickle=False) as file:
            return {name: np.asarray(file[name]) for name in NAMES if name in entries}
    except FileNotFoundError as error:
        raise UsageError(f"There is no file {path}.") from error
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise ArtifactError(f"{path} is not a readable .npz file ({error}).") from error


def _scaled(images: npt.NDArray[np.generic]) -> tuple[tuple[FloatArray, ...], Gate, float]:
    """The images in [-1, 1] from every range that they may be in, the gate that their type allows, and the
    difference that is nothing but rounding.
    """
    if images.dtype == np.uint8:
        return (from_uint8(images.astype(np.uint8)),), PIXEL_GATE, 0.51 * LEVEL
    values = images.astype(np.float32)
    if values.max() > 1.5:
        return (values / np.float32(127.5) - np.float32(1.0),), PIXEL_GATE, 0.51 * LEVEL
    gate, enough = (
        (HALF_GATE, 1e-3)
        if images.dtype == np.float16
        else (FP32_GATE, 1e-5 * min(1.0, float(np.abs(values).max())))
    )
    if values.min() < -1e-3:
        return (values,), gate, enough
    return (values * np.float32(2.0) - np.float32(1.0), values), gate, enough
