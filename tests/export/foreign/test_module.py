"""Somebody's module goes all the way: ONNX in both precisions, parity with the module, classes, refusals."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import dcgan_edge
from dcgan_edge.artifact import BatchProfile, read_artifact
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.export.foreign.module import export_module
from dcgan_edge.export.foreign.module_loading import load_module
from dcgan_edge.export.tensorrt.targets import AHEAD_OF_TIME
from dcgan_edge.runtime.session import open_session
from tests.export.foreign import brought
from tests.export.foreign.brought import CLASSES, DIM

HERE = "tests.export.foreign.brought"


def images_of(path: Path, inputs: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, Any]:
    with open_session(path, device="cpu") as session:
        return session.run(inputs)


def test_weights_from_a_file_make_the_modules_own_images(tmp_path: Path) -> None:
    torch.manual_seed(5)
    module = brought.Spatial().eval()
    torch.save({"netG": module.state_dict()}, tmp_path / "netG.pth")
    single, half = dcgan_edge.export_module(
        f"{HERE}:Spatial", tmp_path / "out", latent_dim=DIM, weights=tmp_path / "netG.pth"
    )
    assert [single.path.name, half.path.name] == ["generator.fp32.onnx", "generator.fp16.onnx"]
    inputs = np.random.default_rng(1).standard_normal((5, DIM, 1, 1), np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(images_of(single.path, inputs), expected, atol=1e-5)  # float32 reordered
    np.testing.assert_allclose(images_of(half.path, inputs), expected, atol=1e-2)  # half's 5e-4, some sums
    manifest, _ = read_artifact(single.path)
    assert manifest.parity["verdict"] == "passed"
    assert manifest.parity["reference"] == f"the module {HERE}:Spatial"
    assert manifest.golden is not None
    assert (manifest.architecture.preset, manifest.architecture.width) == ("custom", 0)
    origin = manifest.origin
    assert origin is not None
    assert (origin.kind, origin.file, origin.proof) == ("module", "netG.pth", "measured")
    assert origin.sha256 == manifest.parent_sha256
    assert "was run in this process" in origin.notes[0]


def test_the_only_input_has_the_class_behind_the_latent(tmp_path: Path) -> None:
    torch.manual_seed(6)
    names = ("cat", "dog", "bird")
    (artifact,) = export_module(
        f"{HERE}:Labelled", tmp_path, latent_dim=DIM, classes=names, precisions=("fp32",)
    )
    assert artifact.manifest.architecture.classes == names
    assert artifact.manifest.inputs[0].shape == ("batch", DIM + CLASSES, 1, 1)
    one_hot = np.eye(CLASSES, dtype=np.float32)
    latent = np.ones((CLASSES, DIM), np.float32)
    inputs = np.concatenate([latent, one_hot], axis=1)[:, :, None, None]
    images = images_of(artifact.path, inputs)
    assert len({image.tobytes() for image in images}) == CLASSES


def test_operators_that_ours_have_not_are_exported_in_half_and_built(tmp_path: Path) -> None:
    torch.manual_seed(7)
    single, half = export_module(f"{HERE}:Rich", tmp_path, latent_dim=DIM, value_range=(-1.0, 1.0))
    graph = onnx.load(single.path).graph
    assert "BatchNormalization" not in {node.op_type for node in graph.node}  # one follows a Reshape
    for artifact in (single, half):
        assert artifact.manifest.parity["verdict"] == "passed"
        assert artifact.manifest.cost is not None
        assert artifact.manifest.cost.uncounted == ()
    if importlib.util.find_spec("tensorrt_rtx") is not None:
        engine = dcgan_edge.build(half.path, tmp_path, targets=AHEAD_OF_TIME[-1:])
        assert engine.manifest.parent_sha256 == half.manifest.sha256


def test_a_batch_that_the_module_fixes_is_exported_as_that(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        export_module(f"{HERE}:FixedBatch", tmp_path, latent_dim=DIM)
    (artifact,) = export_module(
        f"{HERE}:FixedBatch", tmp_path, latent_dim=DIM, precisions=("fp32",), batch=BatchProfile(2, 2, 2)
    )
    assert artifact.manifest.parity["verdict"] == "passed"


def test_what_torch_export_cannot_follow_is_refused_with_its_reason(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(EdgeError, match=r"data-dependent.*torch\.where") as caught:
        export_module(f"{HERE}:Undecided", tmp_path, latent_dim=DIM)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""


@pytest.mark.parametrize(
    "request_", [{"latent_dim": 0}, {"latent_dim": 2**40}, {"classes": ("cat", "cat")}, {"classes": 10**9}]
)
def test_impossible_requests_are_refused_before_the_code_runs(
    tmp_path: Path, request_: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="no such generator"):
        export_module("no.such:module", tmp_path, **{"latent_dim": DIM, **request_})


def test_weights_without_a_file_are_told_by_their_values() -> None:
    torch.manual_seed(8)
    first, again = (load_module(f"{HERE}:READY_MADE").sha256 for _ in range(2))
    nn.init.normal_(brought.SPREAD.weight)
    assert load_module(f"{HERE}:READY_MADE").sha256 != first == again
