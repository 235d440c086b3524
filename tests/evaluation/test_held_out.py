"""What a training is judged by: images that it does not see where there are any, by the figures of eval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcgan_edge.data import load_digits, open_data
from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.classifier import load_digit_features
from dcgan_edge.evaluation.frechet import fid
from dcgan_edge.evaluation.held_out import HeldOut, held_out_images
from dcgan_edge.evaluation.kernel import kid
from dcgan_edge.evaluation.random_features import RandomFeatures
from dcgan_edge.evaluation.reality import real_images
from dcgan_edge.images import from_uint8


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(120):
        Image.new("RGB", (24, 24), (2 * index, index, 255 - index)).save(folder / f"{index:03}.png")
    return folder


def test_the_figures_are_those_of_eval() -> None:
    test, train = load_digits("test")[0][:, None], load_digits("train")[0][:300, None]
    extractor = load_digit_features("torch")
    found = HeldOut(test, extractor)(from_uint8(train[start : start + 100]) for start in (0, 100, 200))
    mine, theirs = (extractor.features(from_uint8(pixels)) for pixels in (train, test))
    # rounding to 8 bits and back changes nothing; sums in batches of another size differ in the last digits
    assert found[0] == pytest.approx(fid(mine, theirs), rel=1e-5)
    assert found[1] == pytest.approx(kid(mine, theirs).value, rel=1e-5)


def test_test_images_are_taken_where_there_are_any() -> None:
    data = open_data("digits", 28, 1)
    found = held_out_images(data, "digits", 28, 1)
    assert np.array_equal(found, load_digits("test")[0][:, None])


def test_else_the_half_that_eval_holds_out(pictures: Path) -> None:
    data = open_data(str(pictures), 24, 3)
    found = held_out_images(data, str(pictures), 24, 3)
    assert np.array_equal(found, real_images(str(pictures), 24, 3).held_out)


def test_others_may_be_named(pictures: Path) -> None:
    data = open_data("digits", 28, 3)
    found = held_out_images(data, "digits", 28, 3, other=str(pictures))
    assert found.shape == (120, 3, 28, 28)
    split = held_out_images(open_data(str(pictures), 28, 1), str(pictures), 28, 1, other="digits")
    assert np.array_equal(split, load_digits("test")[0][:, None])


@pytest.mark.torch
def test_a_few_images_are_too_few() -> None:
    with pytest.raises(UsageError, match="--eval-data"):
        HeldOut(np.zeros((10, 3, 24, 24), np.uint8), RandomFeatures())
