"""The inputs that a seed means, with and without classes."""

from __future__ import annotations

import numpy as np
import pytest

from dcgan_edge.architecture import Architecture
from dcgan_edge.errors import UsageError
from dcgan_edge.latents import latents

PLAIN = Architecture("dcgan", 28, 1, 8, 6)
DIGITS = Architecture("dcgan", 28, 1, 8, 6, classes=("zero", "one", "two"))


def test_without_classes_inputs_are_the_latents() -> None:
    np.testing.assert_array_equal(PLAIN.inputs([3, 1]), latents([3, 1], 6))
    assert PLAIN.input_dim == 6
    with pytest.raises(UsageError):
        PLAIN.inputs([1], [0])


def test_the_class_follows_the_latent_of_the_seed() -> None:
    inputs = DIGITS.inputs([5, 2**64 - 1], [2, 0])
    assert inputs.shape == (2, 9, 1, 1)
    assert inputs.dtype == np.float32
    np.testing.assert_array_equal(inputs[:, :6], latents([5, 2**64 - 1], 6))
    assert inputs[:, 6:, 0, 0].tolist() == [[0, 0, 1], [1, 0, 0]]


def test_seeds_go_round_the_classes() -> None:
    assert DIGITS.inputs([0, 4, 2]).argmax(1).ravel().shape == (3,)
    assert DIGITS.inputs([0, 4, 2])[:, 6:, 0, 0].argmax(1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("classes", [[3], [-1], [0, 1], []])
def test_classes_that_are_not_there_are_refused(classes: list[int]) -> None:
    with pytest.raises(UsageError):
        DIGITS.inputs([7], classes)
