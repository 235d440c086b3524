"""Artifacts prove themselves: golden images and verdicts, on a device without torch and on a GPU."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import dcgan_edge
from dcgan_edge import verification
from dcgan_edge.artifact import embed_manifest, golden_path, read_artifact, sidecar_path, write_artifact
from dcgan_edge.cli import main
from dcgan_edge.errors import ArtifactError, EdgeError, UsageError, VerificationError
from dcgan_edge.golden import GOLDEN_SEEDS, pack_golden, read_golden
from dcgan_edge.latents import FloatArray, latents
from dcgan_edge.runtime.parity import verification_words
from dcgan_edge.runtime.session import open_session


@pytest.fixture
def artifact(exported: Path, tmp_path: Path) -> Path:
    """A copy of the fp16 file with what lies beside it."""
    for path in exported.glob("generator.fp16.onnx*"):
        shutil.copy(path, tmp_path)
    return tmp_path / "generator.fp16.onnx"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.mark.torch
def test_golden_images_are_those_of_pytorch_in_half_precision(exported: Path, checkpoint: Path) -> None:
    from dcgan_edge.export.onnx.reference import TorchSession

    reference = TorchSession(checkpoint)
    z = latents(GOLDEN_SEEDS, reference.manifest.architecture.latent_dim)
    for path in exported.glob("*.onnx"):
        images, _ = read_golden(path, read_artifact(path)[0])
        np.testing.assert_array_equal(images, reference.run(z).astype(np.float16).astype(np.float32))


def test_an_artifact_proves_itself_and_keeps_the_verdict(artifact: Path) -> None:
    before = artifact.read_bytes()
    (proof,) = dcgan_edge.verify(artifact)
    assert proof.parity.passed
    assert (proof.verification.against, proof.verification.seeds) == ("golden images", 8)
    assert artifact.read_bytes() == before
    manifest, _ = read_artifact(artifact)
    assert manifest == proof.artifact.manifest
    assert manifest.verified == (proof.verification,)
    with open_session(artifact) as session:
        assert verification_words(session) == f"verified on this device, {proof.verification.date[:10]}"
    with open_session(shutil.copy(artifact, artifact.with_name("copy.onnx"))) as session:
        assert verification_words(session) == "not verified here"


@pytest.mark.torch
def test_the_full_proof_is_kept_as_well(artifact: Path, checkpoint: Path) -> None:
    (proof,) = dcgan_edge.verify([artifact], checkpoint, seeds=range(12), threads=1)
    assert (proof.verification.against, proof.verification.seeds) == ("checkpoint", 12)
    assert read_artifact(artifact)[0].verified == (proof.verification,)


BLOCKED = """
import sys
for name in ("torch", "onnx", "onnxscript", "safetensors"):
    sys.modules[name] = None  # an import of it fails
from dcgan_edge.cli import main
main(sys.argv[1:])
"""


def test_a_device_needs_no_torch_to_prove_an_artifact(artifact: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", BLOCKED, "verify", str(artifact), "--json"], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    (verdict,) = json.loads(answer.stdout)["artifacts"].values()
    assert (verdict["verdict"], verdict["backend"]) == ("passed", "onnxruntime")
    assert verdict["device_name"]


THREE_LEVELS = 3 / 127.5
ONE_PIXEL = np.zeros((1, 28, 28), np.float32)
ONE_PIXEL[0, 5, 7] = THREE_LEVELS


@pytest.mark.parametrize("error", [np.float32(THREE_LEVELS), ONE_PIXEL], ids=["everywhere", "one pixel"])
def test_a_planted_error_of_three_grey_levels_is_found(artifact: Path, error: FloatArray) -> None:
    from tests.wrong_images import with_error

    manifest, data = read_artifact(artifact)
    stripped = manifest.about_content()
    wrong = embed_manifest(with_error(data, error), stripped)
    write_artifact(artifact, wrong, stripped)
    answer = run("verify", artifact)
    assert answer.exit_code == VerificationError.exit_code
    assert read_artifact(artifact)[0].verified[0].verdict == "failed"
    (proof,) = dcgan_edge.verify(artifact)
    assert proof.parity.grey_levels in (3, 4)  # half a level of rounding on either side
    with pytest.raises(VerificationError):
        proof.raise_if_failed()
    with open_session(artifact) as session:
        assert verification_words(session).startswith("FAILED")


def test_golden_images_that_are_missing_or_changed_are_refused(artifact: Path) -> None:
    file = golden_path(artifact)
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:], b""):
        file.write_bytes(damaged)
        with pytest.raises(ArtifactError):
            dcgan_edge.verify(artifact)
    file.unlink()
    assert run("verify", artifact).exit_code == ArtifactError.exit_code
    assert read_artifact(artifact)[0].verified == ()


def test_golden_images_of_another_shape_are_refused(artifact: Path) -> None:
    """As many bytes as the manifest says and of its hash, but not images of this generator, or a bomb."""
    manifest, data = read_artifact(artifact)
    for images in (np.zeros((8, 1, 2, 2), np.float32), np.zeros((8, 40, 512, 512), np.float32)):
        facts, golden = pack_golden(images)
        about = dataclasses.replace(manifest.about_content(), golden=facts)
        write_artifact(artifact, embed_manifest(data, about), about, golden=golden)
        with pytest.raises(ArtifactError):
            dcgan_edge.verify(artifact)


def test_a_verdict_that_cannot_be_written_is_still_given(
    artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise EdgeError(f"Cannot write {path}: No space left on device.")

    monkeypatch.setattr(verification, "write_atomic", full)
    answer = run("verify", artifact)
    assert answer.exit_code == 0
    assert "No space left" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--seeds", "1"], 2), (["--device", "cuda"], 5), (["--backend", "tensorrt"], 2),
        (["nothing.onnx"], 2),
    ],
)  # fmt: skip
def test_bad_requests(artifact: Path, arguments: list[str], code: int) -> None:
    assert run("verify", artifact, *arguments).exit_code == code


@pytest.mark.torch
def test_nothing_to_compare_is_refused(checkpoint: Path, artifact: Path) -> None:
    with pytest.raises(UsageError):
        dcgan_edge.verify([], checkpoint)
    with pytest.raises(UsageError):
        dcgan_edge.verify(artifact, checkpoint, seeds=[])
    assert run("verify", checkpoint).exit_code == UsageError.exit_code


def facts_of(answer: Result) -> dict[str, Any]:
    assert answer.exit_code == 0, answer.stderr
    facts: dict[str, Any] = json.loads(answer.stdout)
    return facts


def test_sample_and_bench_show_the_verdict(artifact: Path, tmp_path: Path) -> None:
    sample = ("sample", artifact, "--seeds", 1, "--out", tmp_path / "samples")
    bench = ("bench", artifact, "--batch", 1, "--duration", "100ms", "--warmup", 0)
    assert facts_of(run(*sample, "--json"))["verification"] == "not verified here"
    dcgan_edge.verify(artifact)
    words = facts_of(run(*sample, "--json"))["verification"]
    assert words.startswith("verified on this device")
    assert words in run(*sample).stdout
    (measurement,) = facts_of(run(*bench, "--json"))["measurements"]
    assert measurement["verification"] == words
    assert words in run(*bench).stdout


def test_an_older_sidecar_gets_the_verdict_too(artifact: Path) -> None:
    """Alone, an ONNX file has no sidecar; the verdict makes one."""
    sidecar_path(artifact).unlink()
    (proof,) = dcgan_edge.verify(artifact)
    assert read_artifact(artifact)[0].verified == (proof.verification,)
