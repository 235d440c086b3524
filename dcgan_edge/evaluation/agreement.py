"""Whether a conditional generator makes the classes it is asked for, as the digit classifier sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dcgan_edge.classes import digits_of

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClassAgreement:
    """For each class, by name: how many images were asked for, and the share of them that the classifier
    reads as that class. `share` is that of all images.
    """

    names: tuple[str, ...]
    images: tuple[int, ...]
    shares: tuple[float, ...]
    share: float

    def to_dict(self) -> dict[str, Any]:
        """Return the share of all images, and images and share of each class, as JSON has them."""
        each = zip(self.names, self.images, self.shares, strict=True)
        return {
            "share": self.share,
            "classes": [{"name": name, "images": count, "share": share} for name, count, share in each],
        }


def class_agreement(names: Sequence[str], asked: Labels, seen: Labels | None) -> ClassAgreement | None:
    """Compare the numbers (n,) of the classes that were `asked` for with the digits (n,) that were `seen`.

    Classes of which nothing was asked are left out. Returns None where `names` are not those of digits or
    nothing knows classes.
    """
    digits = digits_of(names)
    if digits is None or seen is None:
        return None
    right = np.asarray(digits)[asked] == seen
    numbers = [number for number in range(len(names)) if (asked == number).any()]
    return ClassAgreement(
        tuple(names[number] for number in numbers),
        tuple(int((asked == number).sum()) for number in numbers),
        tuple(float(right[asked == number].mean()) for number in numbers),
        float(right.mean()),
    )
