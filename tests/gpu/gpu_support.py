"""What the hardware tests share: the ONNX files, the engines built here, the reference, and the summary.

The ONNX files come from the folder DCGAN_EDGE_GPU_ARTIFACTS (generator.fp32.onnx and generator.fp16.onnx),
else they are exported here from an untrained 64x64 generator, which needs torch and onnx.
"""

from __future__ import annotations

import dataclasses
import datetime
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from dcgan_edge.artifact import (
    Architecture,
    BatchProfile,
    Manifest,
    Precision,
    embed_manifest,
    generator_tensors,
    read_artifact,
    write_artifact,
)
from dcgan_edge.errors import UnavailableError
from dcgan_edge.latents import FloatArray, latents
from dcgan_edge.runtime.cuda import Cuda
from dcgan_edge.runtime.device import jetson
from dcgan_edge.runtime.onnxruntime_session import OnnxRuntimeSession
from dcgan_edge.runtime.tensorrt.session import EngineSession, open_engine

COLUMNS = (
    "date", "device", "system", "TensorRT", "precision", "build s", "worst PSNR dB", "grey levels",
    "batch 1 ms", "batch 1 ms, no graph", "batch 16 ms", "images/s, 1 stream", "images/s, 2 streams",
    "zero-copy", "graphs refused", "GPU memory MiB",
)  # fmt: skip
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16")
PROFILE = BatchProfile(1, 16, 64)
SEEDS = range(64)
MIB = 2**20
ROUNDS = int(os.environ.get("DCGAN_EDGE_GPU_ROUNDS", "1000"))  # of the long run
REAL = Architecture("dcgan", 64, 3, 64)
ROWS: dict[str, dict[str, str]] = {}  # the summary: precision, then column


@dataclass
class Hardware:
    """A GPU with engines that were built for it. `reference` are the images of SEEDS, made on the CPU."""

    cuda: Cuda
    engines: dict[str, Path]
    reference: FloatArray
    reference_name: str
    sessions: list[EngineSession] = field(default_factory=list)

    def open(self, precision: str, **options: object) -> EngineSession:
        """An open session; closed when the test ends."""
        manifest, data = read_artifact(self.engines[precision])
        session = open_engine(manifest, data, **options)  # type: ignore[arg-type]  # options of open_engine
        self.sessions.append(session)
        return session

    def draw(self, count: int, first_seed: int = 0) -> FloatArray:
        architecture = read_artifact(self.engines["fp16"])[0].architecture
        seeds = range(first_seed, first_seed + count)
        return latents(seeds, architecture.latent_dim, architecture.distribution)

    def note(self, precision: str, column: str, value: object) -> None:
        """Put a value into the summary."""
        assert column in COLUMNS, column
        ROWS.setdefault(precision, {})[column] = str(value)


def describe(hardware: Hardware, precision: str) -> None:
    """The columns that say what this was measured on."""
    device = hardware.cuda.device
    board = jetson()
    system = f"{board['model']}, {board['l4t']}" if board else f"driver for CUDA {device.driver}"
    with hardware.open(precision) as session:
        hardware.note(precision, "TensorRT", f"{session.facts.backend} {session.facts.version}")
    hardware.note(precision, "date", datetime.date.today().isoformat())
    hardware.note(precision, "device", f"{device.name} ({device.sm})")
    hardware.note(precision, "system", system)


def reference_images(folder: Path) -> tuple[FloatArray, str]:
    """The images of SEEDS by PyTorch where the export left them, else by ONNX Runtime on the CPU."""
    left = folder / "reference.npy"
    if left.is_file():
        images: FloatArray = np.load(left)
        return images, "PyTorch on the CPU"
    manifest, data = read_artifact(folder / "generator.fp32.onnx")
    architecture = manifest.architecture
    try:
        session = OnnxRuntimeSession(manifest, data, device="cpu")
    except UnavailableError as error:
        pytest.skip(f"no reference to compare with: {error}")
    with session:
        return session.run(latents(SEEDS, architecture.latent_dim, architecture.distribution)), "ONNX Runtime"


def export_untrained(folder: Path) -> None:
    """Both ONNX files of a generator with images of full contrast, and PyTorch's images of SEEDS."""
    import torch

    from dcgan_edge.export.onnx.graph import build_graph
    from dcgan_edge.export.onnx.precision import to_fp16
    from dcgan_edge.models import build_generator

    torch.manual_seed(0)
    generator = build_generator(REAL).train()
    with torch.no_grad():
        for _ in range(4):
            generator(torch.randn(32, REAL.latent_dim, 1, 1))  # BatchNorm finds its statistics
        for parameter in list(generator.parameters())[-2:]:
            parameter.mul_(5)
        generator.eval()
        images = generator(torch.from_numpy(latents(SEEDS, REAL.latent_dim))).numpy()
    np.save(folder / "reference.npy", images)
    graph = build_graph(generator, REAL, PROFILE)
    source, result = generator_tensors(REAL)
    for precision in PRECISIONS:
        manifest = Manifest(
            kind="onnx",
            architecture=REAL,
            precision=precision,
            inputs=(source,),
            outputs=(result,),
            batch=PROFILE,
            parent_sha256="0" * 64,
            builder="torch.onnx",
        )
        model = graph if precision == "fp32" else to_fp16(graph)
        data = embed_manifest(model.SerializeToString(), manifest)
        write_artifact(folder / f"generator.{precision}.onnx", data, manifest)


def median_ms(call: Callable[[], object], calls: int = 100) -> float:
    """The median time of a call in milliseconds, after a tenth as many that do not count."""
    samples = []
    for index in range(calls + calls // 10):
        begin = time.perf_counter()
        call()
        if index >= calls // 10:
            samples.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(samples)


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def with_manifest(hardware: Hardware, precision: str, **changes: object) -> EngineSession:
    """Open an engine whose manifest says something else."""
    manifest, data = read_artifact(hardware.engines[precision])
    return open_engine(dataclasses.replace(manifest, **changes), data)  # type: ignore[arg-type]  # its fields
