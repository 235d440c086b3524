"""Images that are there twice, to the pixel or to the eye, for `prepare`.

Equal pixels have equal digests. For the eye, a difference hash: the picture in grey, shrunk to 17 x 16, one
bit for each pair of neighbours in a row that says which is brighter. Photographs that differ by a few of the
256 bits look alike. With the usual 64 bits half of all handwritten digits would, too.
Source: Neal Krawetz, "Kind of Like That" (2013), where the hash is called dHash.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dcgan_edge.images import PixelArray

SIDE = 16
BITS = SIDE * SIDE
ORDER = np.arange(BITS) * 97 % BITS  # neighbours far apart, so that no band is all background


@dataclass(frozen=True)
class Look:
    """What is remembered of an image: BLAKE2b-128 of its pixels in hex, and its difference hash."""

    digest: str
    hash: int


@dataclass(frozen=True)
class Match:
    """An earlier image that is the same (`distance` None) or looks alike, by so many of 256 bits."""

    index: int
    distance: int | None


def look_at(pixels: PixelArray) -> Look:
    """Return the look of an image uint8 (c, h, w), c 1 or 3."""
    return Look(pixel_digest(pixels), difference_hash(pixels))


def pixel_digest(pixels: PixelArray) -> str:
    """Return the BLAKE2b-128 of the bytes of `pixels`, in hex."""
    return hashlib.blake2b(pixels.tobytes(), digest_size=16).hexdigest()


def difference_hash(pixels: PixelArray) -> int:
    """Return 256 bits of an image uint8 (c, h, w), each set where its right neighbour is darker."""
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1))
    grey = np.asarray(image.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.BOX))
    return int.from_bytes(np.packbits((grey[:, :-1] > grey[:, 1:]).ravel()[ORDER]).tobytes(), "big")


class DuplicateIndex:
    """Images seen so far. Two hashes within `threshold` bits agree in one of threshold + 1 bands, so only
    images that share a band are compared.
    """

    def __init__(self, threshold: int) -> None:
        self._threshold = threshold
        self._digests: dict[str, int] = {}
        self._hashes: dict[int, int] = {}
        edges = [BITS * band // (threshold + 1) for band in range(threshold + 2)]
        self._bands = [(low, (1 << (high - low)) - 1) for low, high in itertools.pairwise(edges)]
        self._buckets: dict[tuple[int, int], list[int]] = {}

    def find(self, look: Look) -> Match | None:
        """Return the same image, else the nearest within the threshold, the earliest of equals; or None."""
        if look.digest in self._digests:
            return Match(self._digests[look.digest], None)
        if look.hash in self._hashes:
            return Match(self._hashes[look.hash], 0)
        near = {
            other: distance
            for key in self._keys(look.hash)
            for other in self._buckets.get(key, ())
            if (distance := (look.hash ^ other).bit_count()) <= self._threshold
        }
        found = [(distance, self._hashes[other]) for other, distance in near.items()]
        if not found:
            return None
        distance, index = min(found)
        return Match(index, distance)

    def add(self, index: int, look: Look) -> None:
        """Remember image `index`; the first of several that are alike is kept."""
        self._digests.setdefault(look.digest, index)
        if look.hash in self._hashes:
            return
        self._hashes[look.hash] = index
        for key in self._keys(look.hash):
            self._buckets.setdefault(key, []).append(look.hash)

    def _keys(self, value: int) -> list[tuple[int, int]]:
        return [(low, value >> low & mask) for low, mask in self._bands]
