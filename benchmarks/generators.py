"""The generators that `make bench` measures, trained once on the bundled digits, and the files of each.

A training of a fixed number of epochs in float32 and of fixed shards gives the same weights on the same
machine each time; it is kept in benchmarks/results, and so are the files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dcgan_edge.artifact import Precision, Target, file_stem

RESULTS = Path(__file__).parent / "results"
Say = Callable[[str], None]
FILES: dict[Target, tuple[Precision, ...]] = {
    "any": ("fp32",),
    "onnxruntime-cpu": ("fp32",),
    "openvino": ("fp32", "int8"),
}


@dataclass(frozen=True)
class Subject:
    """A generator: preset `dcgan` of `size` pixels, `channels` and `width`, after `epochs` of the digits."""

    size: int
    channels: int
    width: int
    epochs: int

    @property
    def name(self) -> str:
        """Return what its cells and its folder are called."""
        return f"{self.size}px"

    @property
    def words(self) -> str:
        """Return what it is, in words."""
        return f"{self.size} pixels, {'RGB' if self.channels == 3 else 'grey'}, width {self.width}"

    @property
    def folder(self) -> Path:
        """Return where its checkpoint and its files are kept."""
        return RESULTS / "generators" / self.name

    @property
    def checkpoint(self) -> Path:
        """Return the path of its checkpoint."""
        return self.folder / "run" / "checkpoint.safetensors"

    def file(self, target: Target, precision: Precision) -> Path:
        """Return the path of one of its files."""
        return self.folder / "files" / f"{file_stem(target)}.{precision}.onnx"


SUBJECTS = (
    Subject(size=28, channels=1, width=32, epochs=3),
    Subject(size=64, channels=3, width=64, epochs=1),
)


def make_ready(subject: Subject, say: Say) -> None:
    """Train `subject` and export its files, each with its proof, where that was not done before."""
    from dcgan_edge.export.pipeline import export
    from dcgan_edge.training.request import train

    if not (subject.folder / "trained").exists():
        train(
            "digits", subject.folder / "run", size=subject.size, channels=subject.channels,
            width=subject.width, epochs=subject.epochs, precision="fp32", shards=2, device="cpu",
            resume=subject.checkpoint.exists(),
            progress=lambda step: say(f"{subject.name}: training, step {step.step}"),
        )  # fmt: skip
        (subject.folder / "trained").touch()
    for target, precisions in FILES.items():
        if not all(subject.file(target, precision).exists() for precision in precisions):
            say(f"{subject.name}: exporting for {target}")
            export(subject.checkpoint, subject.folder / "files", precisions=precisions, target=target)
