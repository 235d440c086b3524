"""A pytest plugin (`-p tests.fakes.pretend`) that runs the hardware tests on the in-memory machine.

It shows that those tests run at all before somebody with a GPU runs them. What it prints is named as what it
is, and is no measurement of anything.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest

from dcgan_edge.artifact import BatchProfile, read_artifact, write_artifact
from dcgan_edge.export.tensorrt import build as engine
from dcgan_edge.export.tensorrt.build import BuiltEngine
from tests.fakes import context, cudart
from tests.fakes.blob import Blob
from tests.fakes.gpu import Gpu
from tests.fakes.tensorrt import make_tensorrt

VERSION = "10.3.0"
GPU = Gpu(name="in-memory double")


def build(
    onnx_path: Path, folder: Path, *, min_batch: int, opt_batch: int, max_batch: int, **_: Any
) -> BuiltEngine:
    """Build as `dcgan_edge.export.tensorrt.build.build` does, an engine for the in-memory machine."""
    source, data = read_artifact(onnx_path)
    inside = "FP32" if source.precision == "fp32" else "FP16"
    blob = Blob(VERSION, (GPU.sm,), ((min_batch, opt_batch, max_batch),), data, computes_in=inside)
    manifest = dataclasses.replace(
        source,
        kind="engine",
        batch=BatchProfile(min_batch, opt_batch, max_batch),
        parent_sha256=source.sha256,
        builder=f"trt{VERSION}",
        versions={"tensorrt": VERSION},
        targets=(GPU.sm,),
    )
    path = folder / f"{onnx_path.stem}.engine"
    return BuiltEngine(path, write_artifact(path, blob.pack(), manifest), 0.0, False)


def pytest_configure(config: pytest.Config) -> None:
    context.EXECUTE_MS = 1e-4  # shorter than the host takes, as no virtual time can be waited for
    cudart.COPY_MS.update(dict.fromkeys(cudart.COPY_MS, 1e-5))
    sys.modules["tensorrt"] = make_tensorrt(GPU, VERSION)
    sys.modules["cuda.bindings.runtime"] = cudart.make_cudart(GPU)
    vars(engine)["build"] = build


def pytest_sessionfinish(session: pytest.Session) -> None:
    if GPU.violations or GPU.leaks():
        print(GPU.violations[:3], GPU.leaks()[:3])
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
