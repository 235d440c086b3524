"""Films that are read back: as many frames, in order, at the right speed, exact where the format is."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dcgan_edge.errors import EdgeError, UnavailableError
from dcgan_edge.images import PixelArray
from dcgan_edge.movie import encode_gif, encode_mp4


def frames(channels: int, *, height: int = 6, width: int = 5) -> PixelArray:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (4, channels, height, width), np.uint8)


def decoded(data: bytes, mode: str) -> tuple[PixelArray, float]:
    """Frames (n, h, w) or (n, h, w, 3) and the milliseconds that the first is shown."""
    with Image.open(io.BytesIO(data)) as film:
        found = []
        for number in range(film.n_frames):  # type: ignore[attr-defined]  # only animated formats have it
            film.seek(number)
            found.append(np.asarray(film.convert(mode)))
        film.seek(0)
        return np.stack(found), film.info["duration"]


def test_a_grey_gif_is_exact() -> None:
    film = frames(1)
    found, duration = decoded(encode_gif(film, per_second=10), "L")
    assert np.array_equal(found, film[:, 0])
    assert duration == 100


@pytest.mark.parametrize("channels", [1, 3])
def test_an_mp4_has_all_frames(channels: int, tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="the extra 'video' is not installed")
    levels = np.repeat(
        np.array([20, 90, 160, 230], np.uint8), 4
    )  # each for four frames, so that H.264 settles
    film = np.broadcast_to(levels[:, None, None, None], (16, channels, 33, 35)).astype(np.uint8)
    path = tmp_path / "film.mp4"
    path.write_bytes(encode_mp4(film, per_second=8))
    command = [
        ffmpeg.get_ffmpeg_exe(),
        "-loglevel",
        "error",
        "-i",
        path,
        "-f",
        "rawvideo",
        "-pix_fmt",
        "gray",
        "-",
    ]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    found = np.frombuffer(raw, np.uint8).reshape(-1, 34, 36)  # sides made even
    assert len(found) == 16
    assert found.mean(axis=(1, 2)) == pytest.approx(
        levels, abs=4
    )  # H.264 is lossy, and has 219 levels of grey
    assert ffmpeg.count_frames_and_secs(str(path)) == (16, pytest.approx(2.0))


def test_without_ffmpeg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UnavailableError, match=r"dcgan-edge\[video\]"):
        encode_mp4(frames(1), per_second=8)


def test_without_the_program_ffmpeg_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("imageio_ffmpeg", reason="the extra 'video' is not installed")

    def missing(*_: object, **__: object) -> object:
        raise RuntimeError("No ffmpeg exe could be found")

    monkeypatch.setattr("imageio_ffmpeg.write_frames", missing)
    with pytest.raises(EdgeError, match="No ffmpeg exe"):
        encode_mp4(frames(1), per_second=8)
