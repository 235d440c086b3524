"""The fixtures of the hardware tests, and the summary at their end. A plugin: see test_hardware.py."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dcgan_edge.errors import UnavailableError
from dcgan_edge.runtime.cuda import Cuda, open_cuda
from dcgan_edge.runtime.device import has_nvidia_gpu
from tests.gpu.gpu_support import (
    COLUMNS,
    PRECISIONS,
    PROFILE,
    ROWS,
    Hardware,
    describe,
    export_untrained,
    reference_images,
)

NO_GPU = "needs an NVIDIA GPU"


@pytest.fixture(scope="session")
def cuda() -> Cuda:
    """The GPU. Without one the tests are skipped; where there is one that cannot be used, they say why."""
    try:
        return open_cuda()
    except UnavailableError as error:
        pytest.skip(str(error) if has_nvidia_gpu() else NO_GPU)


@pytest.fixture(scope="session")
def onnx_files(cuda: Cuda, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with generator.fp32.onnx and generator.fp16.onnx."""
    given = os.environ.get("DCGAN_EDGE_GPU_ARTIFACTS")
    if given:
        return Path(given)
    if not all(importlib.util.find_spec(name) for name in ("torch", "onnx", "onnxscript")):
        pytest.skip("torch or onnx is not installed: set DCGAN_EDGE_GPU_ARTIFACTS to a folder of ONNX files")
    folder = tmp_path_factory.mktemp("onnx")
    export_untrained(folder)
    return folder


@pytest.fixture(scope="session")
def built(cuda: Cuda, onnx_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Hardware:
    """Engines of both precisions, built for this GPU, and what they are compared with."""
    from dcgan_edge.export.tensorrt.build import build

    folder = tmp_path_factory.mktemp("engines")
    reference, name = reference_images(onnx_files)
    hardware = Hardware(cuda, {}, reference, name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DCGAN_EDGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        for precision in PRECISIONS:
            begin = time.perf_counter()
            try:
                engine = build(
                    onnx_files / f"generator.{precision}.onnx",
                    folder,
                    min_batch=PROFILE.min,
                    opt_batch=PROFILE.opt,
                    max_batch=PROFILE.max,
                    use_cache=False,
                )
            except UnavailableError as error:
                pytest.skip(str(error))
            hardware.engines[precision] = engine.path
            hardware.note(precision, "build s", f"{time.perf_counter() - begin:.1f}")
            hardware.note(precision, "precision", engine.manifest.precision)
            describe(hardware, precision)
    return hardware


@pytest.fixture
def hardware(built: Hardware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hardware]:
    """The hardware, with a cache of the test's own, and its sessions closed at the end."""
    monkeypatch.setenv("DCGAN_EDGE_CACHE", str(tmp_path))
    yield built
    while built.sessions:
        built.sessions.pop().close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if ROWS:
        terminalreporter.section("rows for docs/hardware.md")
        terminalreporter.write_line("| " + " | ".join(COLUMNS) + " |")
        for row in ROWS.values():
            terminalreporter.write_line("| " + " | ".join(row.get(name, "") for name in COLUMNS) + " |")
