"""What is in the pictures: pixels are looked at."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from dcgan_edge.evaluation.memorisation import training_neighbours
from dcgan_edge.evaluation.pictures import classes_png, neighbours_png, rows_png

RANDOM = np.random.default_rng(0)


def opened(png: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_neighbours_are_pairs_and_the_most_alike_come_first() -> None:
    train = RANDOM.integers(0, 200, (20, 1, 8, 8)).astype(np.uint8)
    images = train[:7] + np.arange(70, 0, -10, dtype=np.uint8)[:, None, None, None]  # the last is nearest
    (neighbours,) = training_neighbours([images], [train])
    picture = opened(neighbours_png(images, neighbours, scale=1))
    assert picture.shape == (2 * 8 + 6, 6 * 16 + 5 * 6)  # seven pairs in rows of six
    np.testing.assert_array_equal(picture[:8, :8], images[6, 0])
    np.testing.assert_array_equal(picture[:8, 8:16], train[6, 0])
    np.testing.assert_array_equal(picture[14:22, :8], images[0, 0])


def test_rows_have_the_samples_in_order_grey_or_coloured() -> None:
    for channels in (1, 3):
        rows = {name: RANDOM.integers(0, 256, (4, channels, 8, 8)).astype(np.uint8) for name in ("a", "b")}
        picture = opened(rows_png(rows, scale=1))
        assert picture.shape == (2 * (8 + 16), 4 * 8 + 3 * 2, 3)
        expected = np.broadcast_to(np.moveaxis(rows["b"][1], 0, -1), (8, 8, 3))
        np.testing.assert_array_equal(picture[24 + 16 :, 10:18], expected)


def test_bars_are_as_high_as_shares() -> None:
    shares = {"real": [0.5, 0.5, 0.0], "made": [1.0, 0.0, 0.0]}
    picture = opened(classes_png(shares))
    blue = (picture == (0x2A, 0x78, 0xD6)).all(axis=2)
    grey = (picture == (0x8A, 0x8A, 0x8A)).all(axis=2)
    above = picture.shape[0] - 28 - 16 * 2  # of the legend
    assert blue[:above].any(axis=1).sum() == 160  # the tallest bar
    # Smoothed letters have a few grey pixels too, all of them above the bars or below.
    columns = grey[28 + 80 : 28 + 160].sum(axis=0)
    assert sorted(set(columns.tolist())) == [0, 80]
    assert (columns == 80).sum() == 2 * (14 - 1)  # the class of no share has no bar
    assert not grey[28 : 28 + 80].any()
