"""What every kind of images is to `dataset`, `labelled` and `latent`: images loaded one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from dcgan_edge.images import PixelArray

if TYPE_CHECKING:
    from torch import Tensor

ReadProgress = Callable[[int, int], None]  # images read so far, of how many


class Source(Protocol):
    """Images of one shape that can be loaded one at a time, from any thread.

    `omitted` says what lies beside them and why it is not among them.
    """

    @property
    def omitted(self) -> Sequence[str]: ...
    def __len__(self) -> int: ...
    def name(self, index: int) -> str: ...
    def load(self, index: int) -> PixelArray: ...  # uint8 (channels, size, size), or raises UnreadableImage
    def digest(self) -> str: ...  # the same for the same content, wherever it lies


class Dataset(Protocol):
    """Images of one shape. `skipped` names what was left out or could not be read, with reasons.

    `digest` identifies the content that the images are made of: names and sizes of pictures, pixels of a data
    set in one file. Where it is the same, `batches` are, however much memory is free.
    """

    skipped: list[str]
    digest: str

    def __len__(self) -> int: ...

    def batches(self, batch: int, *, seed: int, epoch: int, start: int = 0) -> Iterator[Tensor]:
        """Yield uint8 (batch, channels, size, size), len(self) // batch of them less the first `start`;
        images that are left over at the end of an epoch are not used in it.
        """
        ...
