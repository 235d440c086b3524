"""Golden images: what PyTorch makes of a few seeds, beside every artifact, so that a board proves itself.

`x.golden.gz` holds float16 images of the seeds 0 to 7, or one of each class, little-endian, (seed, channel,
row, column) in order; its hash stands in the manifest of `x`. Half precision is as fine as 2**-12 near 1, a
32nd of a grey level.
"""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

import numpy as np

from dcgan_edge.architecture import Architecture
from dcgan_edge.artifact import Golden, Manifest, golden_path, read_file, sha256
from dcgan_edge.classes import seeds_over
from dcgan_edge.errors import ArtifactError, EdgeError
from dcgan_edge.latents import FloatArray

GOLDEN_SEEDS = range(8)
MOST_GOLDEN = 64  # seeds of a generator of many classes


def golden_seeds(architecture: Architecture) -> range:
    """Return the seeds whose images travel with an artifact: eight, or one of each class, up to 64."""
    return seeds_over(architecture, len(GOLDEN_SEEDS), most=MOST_GOLDEN)


def pack_golden(images: FloatArray) -> tuple[Golden, bytes]:
    """Return the facts and the content of a golden file of `images` (n, c, h, w), seeds 0 to n - 1."""
    data = gzip.compress(images.astype("<f2").tobytes(), mtime=0)
    return Golden(len(images), sha256(data), len(data)), data


def read_golden(path: Path, manifest: Manifest) -> tuple[FloatArray, bytes]:
    """Return the golden images of the artifact at `path`, float32 (n, c, h, w), and their file's content.

    Raises ArtifactError when the artifact has none, or the file is missing or not the one that `manifest`
    names.
    """
    facts, file = manifest.golden, golden_path(path)
    if facts is None:
        raise ArtifactError(
            f"{path.name} was made before golden images were; export it again, or verify it against its "
            "checkpoint: dcgan-edge verify CHECKPOINT ARTIFACT."
        )
    if not file.is_file():
        raise ArtifactError(f"{file.name} is not beside {path.name}. Copy it too; it came with the export.")
    data = read_file(file)
    if sha256(data) != facts.sha256:
        raise ArtifactError(f"{file.name} is not the one that {path.name} was exported with. Copy it again.")
    architecture = manifest.architecture
    shape = (facts.seeds, architecture.channels, architecture.size, architecture.size)
    expected = 2 * int(np.prod(shape))
    try:
        with gzip.open(io.BytesIO(data)) as unpacked:
            values = unpacked.read(expected + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ArtifactError(f"{file.name} is damaged ({error}).") from error
    if len(values) != expected:
        raise ArtifactError(f"{file.name} does not hold {facts.seeds} images of {path.name}.")
    return np.frombuffer(values, "<f2").astype(np.float32).reshape(shape), data


def inherited_golden(path: Path, manifest: Manifest) -> tuple[Golden | None, bytes | None]:
    """Return the golden images of the artifact at `path` for what is made from it; None where it has none."""
    try:
        return manifest.golden, read_golden(path, manifest)[1]
    except EdgeError:
        return None, None
