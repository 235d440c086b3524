"""What every kind of images is to `dataset`, `labelled` and `latent`: images loaded one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from dcgan_edge.images import PixelArray

if TYPE_CHECKING:
    from torch import Tensor

Labels = npt.NDArray[np.int64]  # numbers of classes, one for each image
ReadProgress = Callable[[int, int], None]  # images read so far, of how many


class Source(Protocol):
    """Images of one shape that can be loaded one at a time, from any thread.

    `omitted` says what lies beside them and why it is not among them.
    """

    @property
    def omitted(self) -> Sequence[str]:
        """Return a sentence for each kind of thing that is not among the images."""
        ...

    def __len__(self) -> int: ...
    def name(self, index: int) -> str:
        """Return the name of image `index`, to show it to the user."""
        ...

    def load(self, index: int) -> PixelArray:
        """Return image `index` as uint8 (channels, size, size). Raises UnreadableImage."""
        ...

    def digest(self) -> str:
        """Return a hash of the content: the same for the same images, wherever they lie."""
        ...


Part = tuple[int, int]  # number i of n, from 0
WHOLE: Part = (0, 1)


class Batch(NamedTuple):
    """Images uint8 (n, channels, size, size), and their classes int64 (n,); None without labels."""

    pixels: Tensor
    labels: Tensor | None


class Dataset(Protocol):
    """Images of one shape. `skipped` names what was left out or could not be read, with reasons; `labels` are
    the classes of all images, None where they are not known.

    `digest` identifies the content that the images are made of: names and sizes of pictures, pixels of a data
    set in one file. Where it is the same, `batches` are, however much memory is free.
    """

    skipped: list[str]
    digest: str
    labels: Labels | None

    def __len__(self) -> int: ...

    def labelled_batches(
        self, batch: int, *, seed: int, epoch: int, start: int = 0, part: Part = WHOLE
    ) -> Iterator[Batch]:
        """Yield what `batches` yields, with the classes of the images."""
        ...

    def batches(
        self, batch: int, *, seed: int, epoch: int, start: int = 0, part: Part = WHOLE
    ) -> Iterator[Tensor]:
        """Yield uint8 (batch, channels, size, size), len(self) // batch of them less the first `start`;
        images that are left over at the end of an epoch are not used in it. `part` (i, n) leaves of each
        batch the images from i * batch // n up to (i + 1) * batch // n.
        """
        ...
