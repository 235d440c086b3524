"""Every kind of picture that Pillow reads, and the kinds of damage that it can have."""

from __future__ import annotations

import contextlib
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dcgan_edge.data.pixels import (
    UnreadableImage,
    fit_image,
    read_image,
    readable_formats,
    readable_suffixes,
)

JPEG_ERROR = 6  # grey levels; what quality 95 leaves of a flat colour


def centre(path: Path, channels: int = 3) -> list[int]:
    """The colour in the middle of the picture, as read at 8 pixels."""
    return [int(value) for value in read_image(path, 8, channels)[:, 4, 4]]


@pytest.mark.parametrize(
    "suffix", ["png", "bmp", "gif", "tiff", "ppm", "webp", "jpg", "ico", "tga", "pcx", "jp2"]
)
def test_formats(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"flat.{suffix}"
    Image.new("RGB", (32, 32), (200, 100, 50)).save(path)
    # lossy formats and GIF's palette move a colour a little
    assert np.abs(np.subtract(centre(path), (200, 100, 50))).max() <= JPEG_ERROR
    assert f".{suffix}" in readable_suffixes()


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("1", 1, (255, 255, 255)),
        ("L", 90, (90, 90, 90)),
        ("RGB", (9, 8, 7), (9, 8, 7)),
        ("LA", (0, 0), (255, 255, 255)),
        ("RGBA", (0, 0, 0, 0), (255, 255, 255)),
        ("RGBA", (255, 0, 0, 255), (255, 0, 0)),
        ("RGBA", (255, 0, 0, 51), (255, 204, 204)),  # a fifth of red on white
        ("CMYK", (0, 255, 255, 0), (255, 0, 0)),
        ("I;16", 25700, (100, 100, 100)),  # 100 * 257
        ("I", 65535, (255, 255, 255)),
        ("I", 17, (17, 17, 17)),
        ("F", 0.2, (51, 51, 51)),
        ("F", 51.0, (51, 51, 51)),
    ],
)
def test_modes(tmp_path: Path, mode: str, colour: int | tuple[int, ...], expected: tuple[int, ...]) -> None:
    path = tmp_path / "picture.tiff"
    Image.new(mode, (16, 16), colour).save(path)
    assert centre(path) == list(expected)


def test_a_palette_with_and_without_a_transparent_colour(tmp_path: Path) -> None:
    image = Image.new("P", (16, 16), 1)
    image.putpalette([0, 0, 0, 10, 200, 30])
    image.save(tmp_path / "opaque.png")
    image.save(tmp_path / "clear.png", transparency=1)
    assert centre(tmp_path / "opaque.png") == [10, 200, 30]
    assert centre(tmp_path / "clear.png") == [255, 255, 255]


@pytest.mark.parametrize(("mode", "colour", "key"), [("L", 40, 40), ("RGB", (1, 2, 3), (1, 2, 3))])
def test_a_key_colour_is_transparent(
    tmp_path: Path, mode: str, colour: int | tuple[int, ...], key: int | tuple[int, ...]
) -> None:
    Image.new(mode, (16, 16), colour).save(tmp_path / "key.png", transparency=key)
    assert centre(tmp_path / "key.png") == [255, 255, 255]


def test_transparent_pixels_do_not_bleed_into_the_rest(tmp_path: Path) -> None:
    """Black where it cannot be seen, white where it can: there is nothing dark to see."""
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[::2] = 255
    Image.fromarray(pixels).save(tmp_path / "stripes.png")
    assert read_image(tmp_path / "stripes.png", 8, 3).min() >= 254  # one level of rounding


def test_sixteen_bits_keep_their_scale(tmp_path: Path) -> None:
    ramp = (np.arange(64 * 64, dtype=np.uint16) * 16).reshape(64, 64)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    dark = np.full((16, 16), 200, np.uint16)  # would be a bright 200 if the high byte were forgotten
    Image.fromarray(dark).save(tmp_path / "dark.png")
    np.testing.assert_array_equal(read_image(tmp_path / "ramp.png", 64, 1)[0], np.rint(ramp / 257))
    assert centre(tmp_path / "dark.png", 1) == [1]


def test_colour_becomes_grey_by_luma(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "red.png")
    assert centre(tmp_path / "red.png", 1) == [76]  # 0.299 * 255, ITU-R 601


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((32, 32), np.uint8)
    upright[:16, :16] = 255  # bright in the upper left
    undo = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: np.transpose,
        6: lambda a: np.rot90(a, 1), 7: lambda a: np.rot90(a, 2).T, 8: lambda a: np.rot90(a, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(undo[orientation](upright))  # type: ignore[operator]  # NumPy's overloads
    Image.fromarray(stored).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "turned.png", 32, 1)[0], upright)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow says so; the picture is read all the same
def test_a_damaged_exif_block_spoils_nothing(tmp_path: Path) -> None:
    Image.new("L", (16, 16), 50).save(
        tmp_path / "odd.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\x99" * 40
    )
    assert abs(centre(tmp_path / "odd.jpg", 1)[0] - 50) <= JPEG_ERROR


def test_an_animation_is_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
    for name in ("animation.gif", "animation.png", "animation.tiff"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        assert centre(tmp_path / name) == [255, 0, 0]


@pytest.mark.parametrize("shape", [(16, 48), (48, 16), (1, 300), (300, 1), (1, 1), (17, 31)])
def test_the_centred_square_is_kept(shape: tuple[int, int]) -> None:
    height, width = shape
    pixels = np.zeros(shape, np.uint8)
    side, reach = min(shape), 3  # a Lanczos filter looks at three pixels more on each side
    top, left = (height - side) // 2, (width - side) // 2
    pixels[max(0, top - reach) : top + side + reach, max(0, left - reach) : left + side + reach] = 180
    np.testing.assert_array_equal(fit_image(Image.fromarray(pixels), 12, 1), np.full((1, 12, 12), 180))


def test_shrinking_averages_instead_of_picking_pixels() -> None:
    checkers = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    fitted = fit_image(Image.fromarray(checkers), 32, 1)
    assert (
        np.abs(fitted.astype(int) - 127).max() <= 2
    )  # the mean, give or take rounding; aliasing gives 0 or 255


def damaged(path: Path, kind: str) -> None:
    good = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    if kind == "text":
        path.write_text("no picture")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "folder":
        path.mkdir()
    elif kind == "eps":
        good.save(path, "EPS")
    elif kind == "bomb":
        path.write_bytes(_huge_png(60_000))
    elif kind == "large":
        path.write_bytes(_huge_png(10_000))
    elif kind == "nan":
        Image.fromarray(np.full((8, 8), np.nan, np.float32)).save(path, "TIFF")
    else:
        good.save(path, kind)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])


def _huge_png(side: int) -> bytes:
    """A PNG of a few bytes that announces side x side pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


DAMAGE = [
    "text",
    "empty",
    "folder",
    "eps",
    "bomb",
    "large",
    "nan",
    "PNG",
    "JPEG",
    "BMP",
    "TIFF",
    "WEBP",
    "GIF",
]


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_damage_is_one_exception_with_a_reason(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture"
    damaged(path, kind)
    with pytest.raises(UnreadableImage) as caught:
        read_image(path, 32, 3)
    assert str(caught.value)


def test_no_format_runs_a_program() -> None:
    assert "EPS" not in readable_formats()
    assert ".eps" not in readable_suffixes()
    assert {"PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP"} <= set(readable_formats())


@pytest.mark.filterwarnings("ignore")  # Pillow warns of some of the damage that it can live with
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    position=st.integers(0, 10_000),
    value=st.integers(0, 255),
    kind=st.sampled_from(["PNG", "JPEG", "GIF", "TIFF"]),
)
def test_one_wrong_byte_is_read_or_refused(tmp_path: Path, position: int, value: int, kind: str) -> None:
    """Whatever a decoder makes of a flipped byte, it is an image of the right shape or UnreadableImage."""
    path = tmp_path / "flipped"
    pixels: npt.NDArray[np.uint8] = np.random.default_rng(1).integers(0, 256, (24, 24, 3), np.uint8)
    Image.fromarray(pixels).save(path, kind)
    data = bytearray(path.read_bytes())
    data[position % len(data)] = value
    path.write_bytes(data)
    with contextlib.suppress(UnreadableImage):
        assert read_image(path, 16, 3).shape == (3, 16, 16)
