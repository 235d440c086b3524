"""What the restoring commands leave in their folder: a picture of all columns, images, latents, figures."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dcgan_edge.files import write_atomic
from dcgan_edge.images import encode_png, grid, to_uint8
from dcgan_edge.latent.inversion import Inversion
from dcgan_edge.latents import FloatArray


def write_results(
    folder: Path,
    columns: Mapping[str, FloatArray],
    restored: str,
    inversion: Inversion,
    facts: Mapping[str, Any],
    *,
    shown: int,
    scale: int,
) -> list[Path]:
    """Write `rows.png`, `restored0000.png` for each image, `latents.npy` and `figures.json`.

    A row of the picture is one image in all `columns` (n, c, h, w), for the first `shown` images. The latents
    (n, dim, 1, 1) are those of the best solutions. Images of an earlier run that this one does not replace
    are deleted, so that figures and images belong together. Returns the paths, the picture's first.
    """
    rows = min(shown, len(inversion.latents))
    cells = np.stack([images[row] for row in range(rows) for images in columns.values()])
    picture = grid(to_uint8(cells), rows, len(columns))
    buffer = io.BytesIO()
    np.save(buffer, inversion.latents[:, 0])
    files = {"rows.png": encode_png(picture, scale=scale), "latents.npy": buffer.getvalue()}
    for number, image in enumerate(columns[restored]):
        files[f"restored{number:04d}.png"] = encode_png(to_uint8(image))
    files["figures.json"] = (
        json.dumps({"schema_version": 1, **facts}, indent=2, allow_nan=False) + "\n"
    ).encode()
    for name, data in files.items():
        write_atomic(folder / name, data)
    for left in folder.glob("restored[0-9]*.png"):  # by an earlier run on more images
        if left.name not in files:
            left.unlink(missing_ok=True)
    return [folder / name for name in files]
