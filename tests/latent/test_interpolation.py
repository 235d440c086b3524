"""Walks and planes as files: the pictures of the latents they pass, in order."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcgan_edge.architecture import Architecture
from dcgan_edge.classes import Pair
from dcgan_edge.errors import UsageError
from dcgan_edge.images import PixelArray, to_uint8
from dcgan_edge.latent.interpolation import plane_to_file, walk_inputs, walk_to_folder
from dcgan_edge.latent.paths import plane, walk
from dcgan_edge.latents import FloatArray, latents
from tests.mirror import SIDE, MirrorSession

PLACE = SIDE + 2


def plain(*seeds: int) -> list[Pair]:
    return [(seed, 0) for seed in seeds]


def shown(points: FloatArray) -> PixelArray:
    return to_uint8(MirrorSession().run(points.reshape(-1, SIDE**2, 1, 1)))[:, 0]


def cells(path: Path) -> PixelArray:
    """The pictures of a grid, row by row, (n, 4, 4)."""
    with Image.open(path) as image:
        pixels = np.pad(np.asarray(image), ((0, 2), (0, 2)))
    rows, columns = (length // PLACE for length in pixels.shape)
    blocks = pixels.reshape(rows, PLACE, columns, PLACE).swapaxes(1, 2).reshape(-1, PLACE, PLACE)
    return blocks[:, :SIDE, :SIDE]


def film(path: Path) -> PixelArray:
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        frames = []
        for number in range(image.n_frames):  # type: ignore[attr-defined]  # only animated formats have it
            image.seek(number)
            frames.append(np.asarray(image.convert("L")))
    return np.stack(frames)


@pytest.mark.parametrize("loop", [False, True])
def test_a_walk_as_strip_and_film(tmp_path: Path, loop: bool) -> None:
    formats = ("gif", "png", "gif")
    paths = walk_to_folder(MirrorSession(), plain(3, 1, 2), tmp_path, steps=4, loop=loop, formats=formats)
    assert [path.name for path in paths] == ["walk.gif", "strip.png"]
    way = walk(latents([3, 1, 2], SIDE**2), 4, "normal", loop=loop)
    assert np.array_equal(cells(tmp_path / "strip.png"), shown(way))
    once = [*way[:, :-1].reshape(-1, SIDE**2), *([] if loop else [way[-1, -1].ravel()])]
    assert np.array_equal(film(tmp_path / "walk.gif"), shown(np.stack(once)))


def test_pixels_are_drawn_larger(tmp_path: Path) -> None:
    walk_to_folder(MirrorSession(), plain(1, 2), tmp_path, steps=3, formats=("gif",), scale=5)
    assert film(tmp_path / "walk.gif").shape == (3, 5 * SIDE, 5 * SIDE)


def test_uniform_latents_walk_straight(tmp_path: Path) -> None:
    walk_to_folder(MirrorSession("uniform"), plain(1, 2), tmp_path, steps=3, formats=("png",))
    one, other = latents([1, 2], SIDE**2, "uniform")
    assert np.array_equal(cells(tmp_path / "strip.png")[1], shown((one + other) / 2)[0])


def test_between_classes_the_latent_turns_and_the_weights_go_straight() -> None:
    architecture = Architecture("dcgan", 28, 1, 4, 5, classes=("cat", "dog", "owl"))
    (way,) = walk_inputs(architecture, [(3, 0), (8, 2)], 5)
    drawn = walk(latents([3, 8], 5), 5, "normal")[0]
    assert np.array_equal(way[:, :5], drawn)
    assert way[:, 5:, 0, 0].tolist() == [[1 - t, 0, t] for t in (0, 0.25, 0.5, 0.75, 1)]
    (still,) = walk_inputs(architecture, [(3, 1), (3, 2)], 3)  # one seed through two classes
    assert np.array_equal(still[:, :5], np.repeat(latents([3], 5), 3, axis=0))


def test_nothing_is_written_when_one_format_fails(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format avi"):
        walk_to_folder(MirrorSession(), plain(1, 2), tmp_path, steps=3, formats=("png", "avi"))
    with pytest.raises(UsageError, match="two seeds"):
        walk_to_folder(MirrorSession(), plain(1), tmp_path, steps=3)
    assert not list(tmp_path.iterdir())


def test_what_runs_on_a_device_needs_no_framework() -> None:
    modules = "interpolation, arithmetic"
    heavy = "{'torch', 'onnx', 'onnxruntime', 'scipy'}"
    code = f"import sys; from dcgan_edge.latent import {modules}; print(*{heavy} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []


def test_a_plane_as_a_grid(tmp_path: Path) -> None:
    plane_to_file(MirrorSession(), [1, 2, 3], tmp_path / "plane.png", rows=3, columns=5)
    points = plane(latents([1, 2, 3], SIDE**2), 3, 5, "normal")
    assert np.array_equal(cells(tmp_path / "plane.png"), shown(points))
