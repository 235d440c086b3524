from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dcgan_edge import images
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.images import encode_png, encode_pngs, from_uint8, grid, parse_grid, square_grid, to_uint8


def test_the_range_maps_to_the_whole_byte_and_beyond_it_is_clipped() -> None:
    values = np.array([-5, -1, 0, 1, 5], np.float32)
    assert to_uint8(values).tolist() == [0, 0, 128, 255, 255]  # 127.5 rounds half to even


@given(st.floats(-1, 1, width=32))
def test_rounding_goes_to_the_nearest_level(value: float) -> None:
    level = int(to_uint8(np.array([value], np.float32))[0])
    # Half a level, and the float32 error of x * 127.5 + 127.5 near 255 (2**-17).
    assert abs(level - (value + 1) * 127.5) <= 0.5 + 2**-16


def test_every_byte_survives_the_round_trip() -> None:
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_uint8(from_uint8(levels)), levels)


def test_infinity_is_clipped_and_nan_is_an_error() -> None:
    assert to_uint8(np.array([np.inf, -np.inf], np.float32)).tolist() == [255, 0]
    with pytest.raises(EdgeError, match="NaN"):
        to_uint8(np.array([np.nan], np.float32))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_holds_the_pixels(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (channels, 5, 4), np.uint8)
    png = encode_png(pixels)
    assert png == encode_png(pixels)
    shown = np.asarray(Image.open(io.BytesIO(png)))
    expected = pixels[0] if channels == 1 else np.moveaxis(pixels, 0, -1)
    np.testing.assert_array_equal(shown, expected)
    assert Image.open(io.BytesIO(encode_png(pixels, scale=3))).size == (12, 15)


def test_a_large_png_is_filtered_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 3, 20, 7), np.uint8)
    whole = encode_pngs(pixels)
    assert whole == [encode_png(image) for image in pixels]
    monkeypatch.setattr(images, "FILTERED_BYTES", 50)  # two rows
    assert encode_pngs(pixels) == whole


def test_the_way_of_an_image_to_its_png_does_not_depend_on_how_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 20, 7), np.uint8)
    alone = [encode_png(image) for image in pixels]
    monkeypatch.setattr(images, "FILTERED_BYTES", 2 * 20 * 21)  # two of them
    monkeypatch.setattr(images, "_in_bands", None)  # a zlib may compress bands otherwise than a whole
    assert encode_pngs(pixels) == alone
    assert encode_pngs(pixels[:0]) == []


def test_a_png_of_more_channels_than_there_are_is_refused() -> None:
    with pytest.raises(EdgeError, match="1 to 4 channels"):
        encode_png(np.zeros((5, 2, 2), np.uint8))


def test_grid_lays_out_row_by_row() -> None:
    pixels = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    laid = grid(pixels, 2, 3, gap=1, fill=9)
    assert laid[0].tolist() == [[0, 9, 1, 9, 2], [9, 9, 9, 9, 9], [3, 9, 4, 9, 9]]
    assert square_grid(pixels).shape == (1, 4, 7)
    with pytest.raises(UsageError, match="do not fit"):
        grid(pixels, 2, 2)


def test_parse_grid() -> None:
    assert parse_grid("8x10") == (8, 10)
    for text in ("8", "x", "0x3", "-1x3", "8x8x8", "8 x 8", "9999x1", "٣x٣"):
        with pytest.raises(UsageError):
            parse_grid(text)
