"""Small but whole pieces of a report: manifests, parity verdicts, measurements, telemetry, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dcgan_edge.artifact import Architecture, BatchProfile, Kind, Manifest, Precision, generator_tensors
from dcgan_edge.images import encode_png
from dcgan_edge.report import ReportContent, worst_seed
from dcgan_edge.report.drawing import Svg
from dcgan_edge.runtime.bench.record import BenchReport, Measurement, WarmUp
from dcgan_edge.runtime.bench.workload import Samples
from dcgan_edge.runtime.parity import GATES, Parity, compare
from dcgan_edge.runtime.telemetry.reader import unit_of

SVG_TEXT = "{http://www.w3.org/2000/svg}text"
ARCHITECTURE = Architecture("dcgan", 28, 1, 8)
SESSION = {"backend": "onnxruntime", "version": "1.2.3", "provider": "CPUExecutionProvider", "threads": 2}
MACHINE = {"cpu": "a processor", "cpus": "4"}
NASTY = """<script>alert('1')</script> & "two" $x_1$ {{ 7 * 7 }} |=@"""
ROOFLINE: dict[str, Any] = {
    "batch": 1, "precision": "fp16", "flops": 2e6, "minimum_bytes": 1e6, "unfused_bytes": 2e6,
    "compute_ms": 0.02, "memory_ms": 0.1, "unfused_ms": 0.2, "measured_ms": 1.0, "bound_ms": 0.1,
    "bound": "memory", "ratio": 10.0, "notes": ["a remark"],
    "peaks": {"name": "a device", "flops": {"fp16": 1e11}, "bandwidth": 1e10, "source": "spec", "notes": []},
}  # fmt: skip
ENERGY: dict[str, Any] = {
    "scope": "a module", "parts": ["power/VDD_IN"], "rule": "all of it", "sampling_hz": 5.0, "joules": 4.0,
    "seconds": 2.0, "idle_watts": 3.0, "idle_seconds": 1.0, "images": 800, "samples": 10,
    "notes": ["it was short"], "watts": 5.0, "joules_per_image": 0.005, "images_per_joule": 200.0,
}  # fmt: skip


def plotted(svg: Svg) -> str:
    """The drawing without its style sheet, which names every colour."""
    return svg.text.partition("</style></defs>")[2]


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


def samples(latency_ms: Sequence[float], start_s: float = 0.0) -> Samples:
    """Calls that follow each other from `start_s` on."""
    taken = np.array(latency_ms) * 1e6
    return Samples((start_s * 1e9 + np.cumsum(taken) - taken).astype(np.int64), taken.astype(np.int64))


def measurement(
    name: str,
    batch: int = 1,
    *,
    ms: float = 1.0,
    calls: int = 800,
    latency_ms: Sequence[float] = (),
    rounds: tuple[Samples, ...] = (),
    session: dict[str, Any] | None = None,
    **facts: Any,
) -> Measurement:
    """Calls that take `ms`, half of them a percent longer, the last one 20 times as long; or `latency_ms`, or
    `rounds`."""
    latency = latency_ms or [*(ms * (1.01 if number % 2 else 1.0) for number in range(calls - 1)), 20 * ms]
    others: dict[str, Any] = {
        "scenario": "latency",
        "streams": 1,
        "precision": "fp16",
        "sha256": "00",
    } | facts
    return Measurement(
        name,
        batch=batch,
        session=session or SESSION,
        warm_up=WarmUp(9, 0.4, True),
        rounds=rounds or (samples(latency),),
        **others,
    )


def bench_report(*measurements: Measurement, **facts: Any) -> BenchReport:
    plain: dict[str, Any] = {"plan": {"rounds": 5}, "machine": MACHINE, "versions": {"numpy": "9.9"}}
    return BenchReport(measurements=measurements, **(plain | facts))


def steady(name: str = "g.onnx", ms: float = 1.0, **facts: Any) -> Measurement:
    """Five rounds of 40 calls each around `ms`, that differ by up to 0.4 % among the rounds."""
    rounds = tuple(
        samples([ms * (1 + 0.001 * round_ + 0.01 * (call % 5)) for call in range(40)], start_s=round_)
        for round_ in range(5)
    )
    return measurement(name, rounds=rounds, **facts)


def telemetry(
    readings: Mapping[str, Sequence[float]], *, start_s: float = 0.0, **facts: Any
) -> dict[str, Any]:
    """As a record has it, with a reading every 0.2 s from `start_s` on."""
    series = [
        {
            "name": name,
            "unit": unit_of(name),
            "times_ns": [int((start_s + 0.2 * number) * 1e9) for number in range(len(values))],
            "values": list(values),
        }
        for name, values in readings.items()
    ]
    plain: dict[str, Any] = {"limits": {}, "facts": {}, "not_readable": [], "cost": {"cpu_share": 0.004}}
    return {"rate_hz": 5.0, "windows": [], "series": series} | plain | facts


def whole_content(**changes: Any) -> ReportContent:
    """A content with every part, `changes` put over it."""
    checkpoint = manifest("checkpoint", "fp32")
    onnx = manifest("onnx", "fp16", parent=checkpoint.sha256, parity={"verdict": "passed"})
    verdict = {"verdict": "not_run", "reason": "no GPU of a target on this machine"}
    engine = manifest("engine", "fp16", parent=onnx.sha256, targets=("sm86", "sm89"), parity=verdict)
    reference = np.zeros((1, 8, 8), np.float32)
    run = bench_report(
        measurement("checkpoint.safetensors", 1, ms=2.0, energy={"not_readable": "nothing measures power"}),
        measurement("out/g.onnx", 1, ms=1.0, energy=ENERGY, roofline=ROOFLINE),
        measurement("checkpoint.safetensors", 16, ms=8.0, energy=ENERGY),
        measurement("out/g.onnx", 16, ms=4.0, energy=ENERGY, reasons=("the clock moved",)),
        telemetry=telemetry(
            {"power/VDD_IN": [4.0, 9.0, 8.0], "throttle/gpu": [0.0, 0.0, 0.0]},
            limits={"power/VDD_IN": 15.0},
            not_readable=["cpu clock: not readable, because there is none"],
        ),
    )
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
        "runs": {"a run": run},
        "commands": ["dcgan-edge demo --out demo"],
        "notes": ["The engine has not run on hardware."],
    }
    return ReportContent(**(parts | changes))
