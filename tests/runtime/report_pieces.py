"""Small but whole pieces of a report: manifests, parity verdicts, measurements, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dcgan_edge.artifact import Architecture, BatchProfile, Kind, Manifest, Precision, generator_tensors
from dcgan_edge.images import encode_png
from dcgan_edge.runtime.load import Samples
from dcgan_edge.runtime.parity import GATES, Parity, compare
from dcgan_edge.runtime.record import BenchReport, Measurement, WarmUp
from dcgan_edge.runtime.report import ReportContent, worst_seed

ARCHITECTURE = Architecture("dcgan", 28, 1, 8)
SESSION = {"backend": "onnxruntime", "version": "1.2.3", "provider": "CPUExecutionProvider", "threads": 2}
NASTY = """<script>alert('1')</script> & "two" $x_1$ {{ 7 * 7 }}"""


def png(seed: int = 0, size: int = 8) -> bytes:
    return encode_png(np.random.default_rng(seed).integers(0, 255, (1, size, size), np.uint8))


def manifest(kind: Kind, precision: Precision, *, parent: str = "", **facts: Any) -> Manifest:
    source, result = generator_tensors(ARCHITECTURE)
    content = f"{kind} {precision} {parent}".encode() * 100
    return Manifest(
        kind,
        ARCHITECTURE,
        precision,
        (source,),
        (result,),
        BatchProfile(),
        parent,
        f"maker of {kind}",
        **facts,
    ).sealed(content)


def parity(error: float, precision: Precision = "fp16") -> Parity:
    """Of two images that differ by `error` everywhere."""
    reference = np.zeros((2, 1, 8, 8), np.float32)
    return compare(reference, reference + np.float32(error), [5, 6], GATES[precision])


def measurement(
    name: str,
    batch: int = 1,
    *,
    ms: float = 1.0,
    calls: int = 800,
    latency_ms: Sequence[float] = (),
    session: dict[str, Any] | None = None,
    **facts: Any,
) -> Measurement:
    """Calls that take `ms`, half of them a percent longer, the last one 20 times as long; or `latency_ms`."""
    latency = latency_ms or [*(ms * (1.01 if number % 2 else 1.0) for number in range(calls - 1)), 20 * ms]
    taken = np.array(latency) * 1e6
    turn = Samples((np.cumsum(taken) - taken).astype(np.int64), taken.astype(np.int64))
    loads: dict[str, Any] = {"scenario": "latency", "streams": 1, "precision": "fp16"} | facts
    return Measurement(
        name,
        "00",
        batch=batch,
        session=session or SESSION,
        warm_up=WarmUp(9, 0.4, True),
        turns=(turn,),
        **loads,
    )


def bench_report(*measurements: Measurement) -> BenchReport:
    return BenchReport({}, measurements, {"cpu": "a processor"}, {"numpy": "9.9"})


def whole_content(**changes: Any) -> ReportContent:
    """A content with every part, `changes` put over it."""
    checkpoint = manifest("checkpoint", "fp32")
    onnx = manifest("onnx", "fp16", parent=checkpoint.sha256, parity={"verdict": "passed"})
    verdict = {"verdict": "not_run", "reason": "no GPU of a target on this machine"}
    engine = manifest("engine", "fp16", parent=onnx.sha256, targets=("sm86", "sm89"), parity=verdict)
    reference = np.zeros((1, 8, 8), np.float32)
    parts: dict[str, Any] = {
        "title": "A run",
        "architecture": ARCHITECTURE,
        "metrics": [
            {"step": n, "images": 64 * n, "loss_d": 1 / n, "loss_g": 2.0, "images_per_second": 100.0 + n}
            for n in range(1, 20)
        ],
        "grids": [("step 0", png(1)), ("step 9", png(2))],
        "samples": png(3),
        "artifacts": [("checkpoint.safetensors", checkpoint), ("g.onnx", onnx), ("g.engine", engine)],
        "parity": {"g.onnx": parity(0.001)},
        "worst_seeds": [worst_seed("g.onnx", 6, reference, reference + np.float32(0.001))],
        "bench": bench_report(
            measurement("checkpoint.safetensors", 1, ms=2.0),
            measurement("out/g.onnx", 1, ms=1.0),
            measurement("checkpoint.safetensors", 16, ms=8.0),
            measurement("out/g.onnx", 16, ms=4.0),
        ),
        "machine": {"cpu": "a processor"},
        "versions": {"numpy": "9.9"},
        "commands": ["dcgan-edge demo --out demo"],
        "notes": ["The engine has not run on hardware."],
    }
    return ReportContent(**(parts | changes))
