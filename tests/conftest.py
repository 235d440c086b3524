"""Versions of everything native in the header, small artifacts that many tests use, and what tests need.

`pytest --base` skips, with the reason, each test that needs an optional library which is not installed. In
the development environment everything is installed, and nothing is skipped for that reason.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import traceback
from collections.abc import Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click.testing
import hypothesis
import pytest
from click.testing import CliRunner

from dcgan_edge.artifact import Architecture
from dcgan_edge.cli import EXTRAS
from dcgan_edge.runtime.device import has_nvidia_gpu, installed_versions
from tests.prepared import TINY, artifacts_in, checkpoint_in

if TYPE_CHECKING:
    import torch

    from dcgan_edge.evaluation.extractor import FeatureExtractor
    from dcgan_edge.evaluation.reality import RealImages
    from dcgan_edge.evaluation.scores import Reference
    from dcgan_edge.runtime.bench.roofline.peaks import Peaks

TESTS = Path(__file__).parent
OPTIONAL = {*EXTRAS, "tensorrt", "tensorrt_rtx", "cuda", "pynvml"}
hypothesis.settings.register_profile("everywhere", deadline=None, derandomize=True)  # slow machines too
hypothesis.settings.load_profile("everywhere")
if "mix_stderr" in inspect.signature(CliRunner).parameters:  # click 8.1 would put both streams into one
    CliRunner.__init__.__defaults__ = ("utf-8", None, False, False)
    vars(click.testing)["Result"].output = property(lambda result: result.stdout + result.stderr)


def pytest_report_header() -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in installed_versions().items())
    return [f"libraries: {versions}", f"nvidia gpu: {'yes' if has_nvidia_gpu() else 'none'}"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--base", action="store_true", help="skip what needs a library that is not installed")


def _lacking(error: BaseException | None, path: Path) -> str:
    """The optional library that the test at `path` may do without, going by `error`, or "".

    A test may say itself that it needs a library, by importing it. That the package wants one is no excuse
    in the tests of what a device runs.
    """
    name = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if error is None or name not in OPTIONAL:
        return ""
    importer = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    promised = path.parent == TESTS or path.is_relative_to(TESTS / "runtime")
    return name if importer.is_relative_to(TESTS) or not promised else ""


@contextlib.contextmanager
def _skip_what_is_lacking(item: pytest.Item) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        name = _lacking(error, item.path)
        if name and item.config.getoption("base"):
            pytest.skip(f"needs {name}, which is not installed")
        raise


class _Module(pytest.Module):
    """A test module that is skipped under `--base` when it needs an optional library that is not there."""

    def collect(self) -> Any:
        try:
            return super().collect()
        except self.CollectError as error:
            name = _lacking(error.__cause__, self.path)
            if name and self.config.getoption("base"):
                pytest.skip(f"{self.path.name} needs {name}, which is not installed", allow_module_level=True)
            raise


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module:
    return _Module.from_parent(parent, path=module_path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    if item.get_closest_marker("torch") and find_spec("torch") is None and item.config.getoption("base"):
        pytest.skip("needs torch, which is not installed")
    with _skip_what_is_lacking(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    with _skip_what_is_lacking(item):
        return (yield)


def lively_generator(architecture: Architecture = TINY) -> torch.nn.Module:
    """A generator with settled BatchNorm statistics and images of full contrast, as after training."""
    import torch

    from dcgan_edge.models import build_generator

    torch.manual_seed(0)
    generator = build_generator(architecture).train()
    with torch.no_grad():
        for _ in range(8):
            generator(torch.randn(64, architecture.input_dim, 1, 1))
        for parameter in list(generator.parameters())[-2:]:
            parameter.mul_(20)
    return generator.eval()


@pytest.fixture(scope="session")
def generator() -> torch.nn.Module:
    return lively_generator()


@pytest.fixture(autouse=True)
def private_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing a test does reaches the user's cache."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("DCGAN_EDGE_CACHE", str(cache))
    return cache


@pytest.fixture(scope="session", autouse=True)
def short_looks_at_the_machine() -> Iterator[None]:
    """Benchmarks find the processor's peaks measured once, and watch the machine at rest for 50 ms, not 1 s.

    What measures them, and what waits, has tests of its own in tests/runtime/bench.
    """
    from dcgan_edge import benchmarking
    from dcgan_edge.runtime.bench.plan import BenchPlan
    from dcgan_edge.runtime.bench.roofline import bound
    from dcgan_edge.runtime.bench.roofline.cpu import measure_cpu_peaks

    @functools.cache
    def measured(threads: int) -> Peaks:
        return measure_cpu_peaks(threads, 2**20)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bound, "measure_cpu_peaks", lambda threads, working_set: measured(threads))
        patch.setattr(benchmarking, "BenchPlan", functools.partial(BenchPlan, idle_s=0.05))
        yield


@pytest.fixture(scope="session", autouse=True)
def digits_are_measured_once() -> Iterator[None]:
    """Evaluations compare with the bundled digits; what is measured of those is the same in every test."""
    from dcgan_edge.evaluation import evaluate
    from dcgan_edge.evaluation.scores import make_reference

    kept: dict[str, Reference] = {}

    def reference(real: RealImages, extractor: FeatureExtractor) -> Reference:
        if real.source != "digits":
            return make_reference(real, extractor)
        key = f"{real.held_out.shape} {extractor.facts}"
        if key not in kept:
            kept[key] = make_reference(real, extractor)
        return dataclasses.replace(kept[key], real=real, extractor=extractor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "make_reference", reference)
        yield


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint_in(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return artifacts_in(tmp_path_factory.mktemp("artifacts"), checkpoint)
