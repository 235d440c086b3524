from __future__ import annotations

import numpy as np

from dcgan_edge.classes import DIGIT_NAMES, digits_of
from dcgan_edge.evaluation.agreement import class_agreement


def test_each_class_and_all_of_them() -> None:
    found = class_agreement(("seven", "One", "0"), np.array([0, 0, 1, 1, 1, 1]), np.array([7, 1, 1, 1, 1, 7]))
    assert found is not None
    assert found.to_dict() == {
        "share": 4 / 6,
        "classes": [
            {"name": "seven", "images": 2, "share": 0.5},
            {"name": "One", "images": 4, "share": 0.75},
        ],
    }


def test_other_classes_than_digits_cannot_agree() -> None:
    asked = np.zeros(3, np.int64)
    assert class_agreement(("cat", "7"), asked, asked) is None
    assert class_agreement((), asked, asked) is None
    assert class_agreement(DIGIT_NAMES, asked, None) is None
    assert digits_of(DIGIT_NAMES) == digits_of([str(number) for number in range(10)]) == list(range(10))
