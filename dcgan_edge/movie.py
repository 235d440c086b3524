"""Frames to one file that moves: GIF by Pillow, MP4 by ffmpeg where it is installed."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from dcgan_edge.errors import EdgeError, UnavailableError
from dcgan_edge.images import PixelArray


def encode_gif(frames: PixelArray, *, per_second: float) -> bytes:
    """Encode uint8 (n, c, h, w) as an endless GIF. Grey is exact; colours are reduced to 256 for each frame.

    A GIF counts in hundredths of a second, so the speed is rounded to those.
    """
    first, *others = _pictures(frames)
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=others, duration=1000 / per_second, loop=0)
    return buffer.getvalue()


def encode_mp4(frames: PixelArray, *, per_second: float) -> bytes:
    """Encode uint8 (n, c, h, w) as MP4 (H.264, 4:2:0); a last row or column is doubled where a side is odd.

    Raises UnavailableError without imageio-ffmpeg, EdgeError when ffmpeg fails.
    """
    try:
        from imageio_ffmpeg import write_frames
    except ImportError as error:
        raise UnavailableError(
            "MP4 is written by imageio-ffmpeg, which is not installed: pip install 'dcgan-edge[video]'"
        ) from error
    even = np.pad(frames, ((0, 0), (0, 0), (0, frames.shape[2] % 2), (0, frames.shape[3] % 2)), mode="edge")
    count, _, height, width = even.shape
    colour = np.broadcast_to(np.moveaxis(even, 1, -1), (count, height, width, 3))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "movie.mp4")
        try:
            writer = write_frames(str(path), (width, height), fps=per_second, macro_block_size=2)
            writer.send(None)
            for frame in colour:
                writer.send(np.ascontiguousarray(frame))
            writer.close()
            return path.read_bytes()
        except (OSError, RuntimeError) as error:  # imageio-ffmpeg's own, when it finds no ffmpeg
            raise EdgeError(f"ffmpeg could not write the MP4 ({error}).") from error


ENCODERS: dict[str, Callable[..., bytes]] = {"gif": encode_gif, "mp4": encode_mp4}


def _pictures(frames: PixelArray) -> list[Image.Image]:
    return [Image.fromarray(frame[0] if len(frame) == 1 else np.moveaxis(frame, 0, -1)) for frame in frames]
