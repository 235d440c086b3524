"""Train DCGAN generators, export them with proof, and run them on edge devices.

    import dcgan_edge as de

    de.train(data="digits", out="runs/digits", minutes=3)
    de.export("runs/digits/checkpoint.safetensors", "out")
    with de.open_session("out/generator.fp16.onnx") as generator:
        images = generator.generate(seeds=[7, 3])  # uint8 (2, 28, 28, 1)

Every command of the command line is a thin caller of one function here. The names are loaded when they are
first used, so that this package costs nothing to import and a device needs only what it runs.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
# ONNX Runtime's wheels collect usage data unless this says otherwise, from the first session on.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from dcgan_edge.artifact import Artifact, Manifest
    from dcgan_edge.benchmark_matrix import bench_plan
    from dcgan_edge.benchmarking import bench
    from dcgan_edge.claims.arithmetic import ArithmeticMeasurement, measure_arithmetic
    from dcgan_edge.claims.features.classification import FeatureAccuracies, classify_features
    from dcgan_edge.claims.features.visualisation import FilterPictures, visualize_filters
    from dcgan_edge.claims.presets import PresetComparison, compare_presets
    from dcgan_edge.data.fetch import Fetched, fetch
    from dcgan_edge.data.prepare import Prepared, prepare
    from dcgan_edge.demo import DemoResult, run_demo
    from dcgan_edge.describing import describe
    from dcgan_edge.errors import (
        ArtifactError,
        BenchmarkError,
        EdgeError,
        UnavailableError,
        UsageError,
        VerificationError,
    )
    from dcgan_edge.evaluating import evaluate
    from dcgan_edge.evaluation.evaluate import Evaluation
    from dcgan_edge.evaluation.sums import FeatureSums
    from dcgan_edge.evaluation.written import WrittenScore, feature_sums, fid
    from dcgan_edge.export.foreign.adopt import adopt
    from dcgan_edge.export.foreign.imported import Imported
    from dcgan_edge.export.foreign.importing import import_generator
    from dcgan_edge.export.foreign.module import export_module
    from dcgan_edge.export.pipeline import export
    from dcgan_edge.export.tensorrt.build import BuiltEngine, build
    from dcgan_edge.fleet.outcome import FleetRun, HostRow
    from dcgan_edge.fleet.run import run_fleet
    from dcgan_edge.latent.drawing import Drawing, interpolate, latent_arithmetic, latent_grid
    from dcgan_edge.latent.plan import SearchPlan
    from dcgan_edge.latent.restoring import Restored, denoise, inpaint, invert, stylize
    from dcgan_edge.packaging.bundle import Bundle, write_bundle
    from dcgan_edge.packaging.checking import CheckedBundle, check_bundle
    from dcgan_edge.packaging.selftest import SelfTest, selftest
    from dcgan_edge.packaging.triton import TritonModel, write_triton_repository
    from dcgan_edge.report import animate, write_report
    from dcgan_edge.runtime.bench.record import BenchReport
    from dcgan_edge.runtime.doctor import Diagnosis, diagnose
    from dcgan_edge.runtime.session import EngineOptions, Session, SessionFacts, open_session
    from dcgan_edge.sample_sets.checking import CheckedSamples, check_samples
    from dcgan_edge.sampling import Sampled, sample
    from dcgan_edge.serving.server import Served, serve
    from dcgan_edge.training.loop import TrainResult
    from dcgan_edge.training.monitor import TrainEvent
    from dcgan_edge.training.progress import TrainProgress
    from dcgan_edge.training.request import train
    from dcgan_edge.tuning.outcome import Tuned
    from dcgan_edge.tuning.tune import tune
    from dcgan_edge.verification import verify

_HOMES = {  # public name -> the module that it lives in
    "ArithmeticMeasurement": "claims.arithmetic",
    "Artifact": "artifact",
    "ArtifactError": "errors",
    "BenchReport": "runtime.bench.record",
    "BenchmarkError": "errors",
    "BuiltEngine": "export.tensorrt.build",
    "Bundle": "packaging.bundle",
    "CheckedBundle": "packaging.checking",
    "CheckedSamples": "sample_sets.checking",
    "DemoResult": "demo",
    "Diagnosis": "runtime.doctor",
    "Drawing": "latent.drawing",
    "EdgeError": "errors",
    "EngineOptions": "runtime.session",
    "Evaluation": "evaluation.evaluate",
    "FeatureAccuracies": "claims.features.classification",
    "FeatureSums": "evaluation.sums",
    "Fetched": "data.fetch",
    "FilterPictures": "claims.features.visualisation",
    "FleetRun": "fleet.outcome",
    "HostRow": "fleet.outcome",
    "Imported": "export.foreign.imported",
    "Manifest": "artifact",
    "Prepared": "data.prepare",
    "PresetComparison": "claims.presets",
    "Restored": "latent.restoring",
    "Sampled": "sampling",
    "SearchPlan": "latent.plan",
    "SelfTest": "packaging.selftest",
    "Served": "serving.server",
    "Session": "runtime.session",
    "SessionFacts": "runtime.session",
    "TrainEvent": "training.monitor",
    "TrainProgress": "training.progress",
    "TrainResult": "training.loop",
    "TritonModel": "packaging.triton",
    "Tuned": "tuning.outcome",
    "UnavailableError": "errors",
    "UsageError": "errors",
    "VerificationError": "errors",
    "WrittenScore": "evaluation.written",
    "adopt": "export.foreign.adopt",
    "animate": "report",
    "bench": "benchmarking",
    "bench_plan": "benchmark_matrix",
    "build": "export.tensorrt.build",
    "check_bundle": "packaging.checking",
    "check_samples": "sample_sets.checking",
    "classify_features": "claims.features.classification",
    "compare_presets": "claims.presets",
    "denoise": "latent.restoring",
    "describe": "describing",
    "diagnose": "runtime.doctor",
    "evaluate": "evaluating",
    "export": "export",
    "export_module": "export.foreign.module",
    "feature_sums": "evaluation.written",
    "fetch": "data.fetch",
    "fid": "evaluation.written",
    "import_generator": "export.foreign.importing",
    "inpaint": "latent.restoring",
    "interpolate": "latent.drawing",
    "invert": "latent.restoring",
    "latent_arithmetic": "latent.drawing",
    "latent_grid": "latent.drawing",
    "measure_arithmetic": "claims.arithmetic",
    "open_session": "runtime.session",
    "prepare": "data.prepare",
    "run_demo": "demo",
    "run_fleet": "fleet.run",
    "sample": "sampling",
    "selftest": "packaging.selftest",
    "serve": "serving.server",
    "stylize": "latent.restoring",
    "train": "training.request",
    "tune": "tuning.tune",
    "verify": "verification",
    "visualize_filters": "claims.features.visualisation",
    "write_bundle": "packaging.bundle",
    "write_report": "report",
    "write_triton_repository": "packaging.triton",
}

__all__ = [
    "ArithmeticMeasurement", "Artifact", "ArtifactError", "BenchReport", "BenchmarkError", "BuiltEngine",
    "Bundle", "CheckedBundle", "CheckedSamples", "DemoResult", "Diagnosis", "Drawing", "EdgeError",
    "EngineOptions", "Evaluation", "FeatureAccuracies", "FeatureSums", "Fetched", "FilterPictures",
    "FleetRun", "HostRow", "Imported", "Manifest", "Prepared", "PresetComparison", "Restored", "Sampled",
    "SearchPlan", "SelfTest", "Served", "Session", "SessionFacts", "TrainEvent", "TrainProgress",
    "TrainResult", "TritonModel", "Tuned", "UnavailableError", "UsageError", "VerificationError",
    "WrittenScore", "adopt", "animate", "bench", "bench_plan", "build", "check_bundle", "check_samples",
    "classify_features", "compare_presets", "denoise", "describe", "diagnose", "evaluate", "export",
    "export_module", "feature_sums", "fetch", "fid", "import_generator", "inpaint", "interpolate", "invert",
    "latent_arithmetic", "latent_grid", "measure_arithmetic", "open_session", "prepare", "run_demo",
    "run_fleet", "sample", "selftest", "serve", "stylize", "train", "tune", "verify", "visualize_filters",
    "write_bundle", "write_report", "write_triton_repository",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    value = home if name == _HOMES[name] else getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
