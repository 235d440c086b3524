"""Compare what two machines made of the same seeds, and fail where the project promises equality.

    python benchmarks/arm64/compare.py FOLDER FOLDER

Latents are promised bit for bit, images to the parity gate; PNG files are equal where their pixels are.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from dcgan_edge.images import as_pixels


def main(first: Path, second: Path) -> int:
    """Print a line for each comparison; return 0 if the latents are the same and no pixel is off by 2."""
    failed = 0
    ours, theirs = np.load(first / "latents.npy"), np.load(second / "latents.npy")
    same = ours.tobytes() == theirs.tobytes()
    failed += not same
    print(f"latents of {len(ours):,} seeds: {'the same bits' if same else 'DIFFERENT'}")
    for file in sorted(first.glob("*.onnx.npy")):
        here, there = np.load(file), np.load(second / file.name)
        pixels = [as_pixels(images, "NCHW").astype(int) for images in (here, there)]
        levels = np.abs(pixels[0] - pixels[1])
        failed += int(levels.max() > 1)
        name = file.name.removesuffix(".npy")
        print(
            f"{name}: {len(here)} images, largest difference {np.abs(here - there).max():.2e}, "
            f"{levels.max()} grey levels at most, {(levels > 0).mean():.4%} of pixels differ"
        )
        files = sorted((first / f"{name}.png").iterdir())
        alike = [path.read_bytes() == (second / f"{name}.png" / path.name).read_bytes() for path in files]
        equal = (levels.max(axis=(1, 2, 3)) == 0).tolist()
        failed += alike != equal
        print(
            f"{name}: {sum(alike)} of {len(alike)} PNG files are the same bytes, {sum(equal)} the same pixels"
        )
    print("FAILED" if failed else "as promised")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
