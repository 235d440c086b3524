"""What one machine makes of the same seeds: latents, images and PNG files, written to be compared.

python benchmarks/arm64/digest.py ARTIFACTS FOLDER
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import numpy as np

import dcgan_edge
from dcgan_edge.latents import latents
from dcgan_edge.runtime.device import installed_versions

LATENTS = range(10_000)
IMAGES = range(64)
SHOWN = ("numpy", "pillow", "onnxruntime")


def main(artifacts: Path, folder: Path) -> None:
    """Write latents.npy, and for each artifact its float images as .npy and its PNG files."""
    versions = ", ".join(f"{name} {version}" for name, version in installed_versions(SHOWN).items())
    print(f"{platform.machine()}: Python {platform.python_version()}, {versions}", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "latents.npy", latents(LATENTS, 100))
    for artifact in sorted(artifacts.glob("*.onnx")):
        with dcgan_edge.open_session(artifact, device="cpu", threads=1) as session:
            z = session.manifest.architecture.inputs(IMAGES)
            np.save(folder / f"{artifact.name}.npy", session.run(z))
        dcgan_edge.sample(artifact, IMAGES, folder / f"{artifact.name}.png", device="cpu", threads=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
