"""Engines prove themselves by their golden images, and one that computes something else is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dcgan_edge.artifact import golden_path, read_artifact, write_artifact
from dcgan_edge.cli import main
from dcgan_edge.errors import VerificationError
from dcgan_edge.golden import GOLDEN_SEEDS, pack_golden
from dcgan_edge.latents import latents
from dcgan_edge.runtime.onnxruntime_session import OnnxRuntimeSession
from dcgan_edge.runtime.parity import verification_words
from dcgan_edge.runtime.session import open_session
from dcgan_edge.verification import _is_made_from
from tests.fakes.blob import evaluate
from tests.fakes.lab import ARCHITECTURE, Lab, tiny_onnx
from tests.wrong_images import THREE_LEVELS, with_error


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as laboratory:
        yield laboratory


def engine(lab: Lab, folder: Path, *, error: float = 0.0) -> Path:
    """An engine of the laboratory whose golden images are those of the ONNX file without `error`."""
    z = latents(GOLDEN_SEEDS, ARCHITECTURE.latent_dim)
    facts, golden = pack_golden(evaluate(tiny_onnx(), z))
    data = lab.blob(onnx=with_error(tiny_onnx(), error)).pack()
    path = folder / "generator.fp16.engine"
    write_artifact(path, data, lab.manifest(data, golden=facts), golden=golden)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


def test_an_engine_proves_itself_on_its_gpu(lab: Lab, tmp_path: Path) -> None:
    path = engine(lab, tmp_path)
    with lab.installed():
        assert run("verify", path).exit_code == 0
        (kept,) = read_artifact(path)[0].verified
        with open_session(path) as session:
            assert verification_words(session).startswith("verified on this device")
    assert (kept.backend, kept.device, kept.device_name) == ("tensorrt", "cuda:0", lab.gpu.name)


@pytest.mark.parametrize("error", [THREE_LEVELS, -THREE_LEVELS, 0.5, float("nan")])
def test_an_engine_that_computes_something_else_is_found(lab: Lab, tmp_path: Path, error: float) -> None:
    path = engine(lab, tmp_path, error=error)
    with lab.installed():
        assert run("verify", path).exit_code == VerificationError.exit_code
    assert read_artifact(path)[0].verified[0].verdict == "failed"


def test_another_checkpoint_proves_nothing_of_an_engine(lab: Lab, tmp_path: Path) -> None:
    """The golden images beside the engine say which checkpoint it came from."""
    path = engine(lab, tmp_path, error=THREE_LEVELS)
    about = dataclasses.replace(lab.manifest(b""), kind="onnx")
    with lab.installed(), open_session(path) as candidate:
        for error, same in ((0.0, True), (THREE_LEVELS, False)):
            reference = OnnxRuntimeSession(about, with_error(tiny_onnx(), error), device="cpu")
            assert _is_made_from(reference, path, candidate) == same
        golden_path(path).unlink()
        assert _is_made_from(reference, path, candidate)
