"""Films of a training, read back: the grids in order, at their own size, the last one held."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.images import encode_png
from dcgan_edge.report import animate

LEVEL = 255 / 31  # what a GIF is rounded to


def write_run(folder: Path, grids: int, *, scale: int = 3, channels: int = 1) -> Path:
    """A run whose grid number n, of step 500 n, is a random one with its top left pixel at level n."""
    (folder / "samples").mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(grids):
        pixels = random.integers(0, 256, (channels, 10, 12), np.uint8)
        pixels[:, 0, 0] = round(number * LEVEL)
        png = encode_png(pixels, scale=scale)
        (folder / "samples" / f"step{500 * number:06}.png").write_bytes(png)
    (folder / "samples" / "notes.txt").write_text("no grid")
    return folder


def shown(path: Path) -> tuple[list[int], list[float], tuple[int, int]]:
    """The top left pixel of each frame, the milliseconds that it is shown, and the size."""
    numbers: list[int] = []
    durations: list[float] = []
    with Image.open(path) as film:
        for number in range(film.n_frames):  # type: ignore[attr-defined]  # only animated formats have it
            film.seek(number)
            pixel = film.convert("L").getpixel((0, 0))
            assert isinstance(pixel, int)
            numbers.append(round(pixel / LEVEL))
            durations.append(film.info["duration"])
        return numbers, durations, film.size


@pytest.mark.parametrize("scale", [1, 3])
def test_every_grid_is_a_frame_without_its_enlargement(tmp_path: Path, scale: int) -> None:
    path = animate(write_run(tmp_path, 5, scale=scale), per_second=10)
    assert path == tmp_path / "training.gif"
    numbers, durations, size = shown(path)
    assert numbers == [0, 1, 2, 3, 4]
    assert durations == [100, 100, 100, 100, 2100]
    assert size == (12, 10)


def test_of_many_grids_some_are_shown_and_the_file_is_always_the_same(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 21)
    one = animate(run, tmp_path / "one.gif", frames=5)
    assert shown(one)[0] == [0, 5, 10, 15, 20]
    assert animate(run, tmp_path / "other.gif", frames=5).read_bytes() == one.read_bytes()


def test_colour_as_mp4(tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg", reason="the extra 'video' is not installed")
    path = animate(write_run(tmp_path / "run", 3, channels=3), tmp_path / "film.mp4")
    assert path.read_bytes()[4:8] == b"ftyp"


def test_what_is_no_run_or_no_film_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", 2)
    for folder in (tmp_path, tmp_path / "missing", write_run(tmp_path / "short", 1)):
        with pytest.raises(UsageError, match="grids of samples"):
            animate(folder)
    with pytest.raises(UsageError, match=r"\.gif or \.mp4"):
        animate(run, tmp_path / "film.avi")
    for frames, per_second in ((1, 8.0), (10**6, 8.0), (5, 0.0), (5, float("nan"))):
        with pytest.raises(UsageError, match="frames"):
            animate(run, frames=frames, per_second=per_second)
    with pytest.raises(EdgeError, match="Cannot write"):
        animate(run, run / "samples" / "notes.txt" / "film.gif")
    assert not list(tmp_path.rglob("*.gif"))


@pytest.mark.parametrize("content", [b"", b"text", encode_png(np.zeros((1, 4, 4), np.uint8))])
def test_grids_that_are_none_or_differ_are_named(tmp_path: Path, content: bytes) -> None:
    run = write_run(tmp_path, 3)
    (run / "samples" / "step000500.png").write_bytes(content)
    with pytest.raises(ArtifactError, match="step000500"):
        animate(run)
