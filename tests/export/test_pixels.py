"""Artifacts that give pixels go wherever those with floats go, and make the same pictures."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from dcgan_edge.artifact import BatchProfile, Manifest, golden_path, read_artifact, sidecar_path
from dcgan_edge.benchmarking import bench
from dcgan_edge.cli import main
from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.export.foreign.adopt import adopt
from dcgan_edge.export.pipeline import export
from dcgan_edge.export.tensorrt.build import build
from dcgan_edge.export.writing import Wanted
from dcgan_edge.images import as_images, as_pixels, from_uint8, to_uint8
from dcgan_edge.runtime.parity import FP16_GATE, FP32_GATE, compare_run, pixel_gate
from dcgan_edge.runtime.session import open_session
from dcgan_edge.verification import verify
from tests import foreign_graphs as graphs
from tests.engine_models import needs_rtx
from tests.prepared import TINY

NAMES = ["generator.fp32.uint8.onnx", "generator.fp16.uint8.onnx"]


def run(*words: object) -> str:
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def pixels(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with artifacts of the small checkpoint that give pixels, NHWC."""
    folder = tmp_path_factory.mktemp("pixels")
    written = export(checkpoint, folder, output="uint8", layout="NHWC", batch=BatchProfile(1, 4, 8))
    assert [artifact.path.name for artifact in written] == NAMES
    return folder


def test_the_manifest_says_what_comes_out_and_how_it_was_proven(pixels: Path, exported: Path) -> None:
    for name, levels in zip(NAMES, (1, 2), strict=True):
        manifest, _ = read_artifact(pixels / name)
        floats, _ = read_artifact(exported / name.replace(".uint8", ""))
        result = manifest.outputs[0]
        assert (result.dtype, result.layout, result.shape) == ("uint8", "NHWC", ("batch", 28, 28, 1))
        assert result.range == (0.0, 255.0)
        assert (manifest.parity["verdict"], manifest.parity["seeds"]) == ("passed", 64)
        assert (manifest.parity["gate"]["grey_levels"], manifest.parity["gate"]["atol"]) == (levels, None)
        assert manifest.cost is not None
        assert floats.cost is not None
        assert floats.cost.image_bytes - manifest.cost.image_bytes == 3 * 28 * 28


@pytest.mark.parametrize("name", NAMES)
def test_images_and_pixels_are_those_of_the_float_file(pixels: Path, exported: Path, name: str) -> None:
    z = TINY.inputs(range(19))
    with (
        open_session(pixels / name) as bytes_out,
        open_session(exported / name.replace(".uint8", "")) as floats,
    ):
        expected = floats.pixels(z)
        assert expected.shape == (19, 28, 28, 1)
        np.testing.assert_array_equal(bytes_out.raw(z), expected)
        np.testing.assert_array_equal(bytes_out.pixels(z), expected)
        images = bytes_out.run(z)
        assert images.shape == (19, 1, 28, 28)
        np.testing.assert_array_equal(images, from_uint8(to_uint8(floats.run(z))))
        np.testing.assert_array_equal(bytes_out.generate([9, 3, 9]), floats.generate([9, 3, 9]))


def test_it_is_verified_with_and_without_its_checkpoint(pixels: Path, checkpoint: Path) -> None:
    for against in (None, checkpoint):
        for proof in verify([pixels / name for name in NAMES], against):
            assert proof.parity.passed, proof.parity.missed
            assert proof.not_recorded == ""


def test_commands_take_it_as_any_other(pixels: Path, exported: Path, tmp_path: Path) -> None:
    for folder, name in ((pixels, NAMES[1]), (exported, "generator.fp16.onnx")):
        out = tmp_path / name
        run("sample", folder / name, "--seeds", "0-11", "--grid", "3x4", "--out", out)
        run("latent", "interpolate", folder / name, "--seeds", "1,4", "--steps", 3, "--out", out)
    ours, theirs = (sorted((tmp_path / name).iterdir()) for name in (NAMES[1], "generator.fp16.onnx"))
    assert [path.name for path in ours] == [path.name for path in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.read_bytes() == other.read_bytes(), mine.name
    facts = json.loads(run("info", pixels / NAMES[0], "--json"))
    assert "uint8" in json.dumps(facts)
    report = bench([pixels / NAMES[1]], batches=[2], duration_s=0.1, warmup_s=0.0, threads=[1])
    assert "generator.fp16.uint8.onnx" in report.to_html()


def test_its_readme_runs_and_tells_the_two_kinds_apart(pixels: Path, exported: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pixels, tmp_path / "device"))
    text = (folder / "README.md").read_text()
    assert "uint8 (batch, 28, 28, 1), channels last, from 0 (black) to 255" in text
    (code,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.M | re.S)
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=folder, check=True)
    assert (folder / "image3.png").is_file()


@needs_rtx
def test_an_engine_is_built_of_it_under_its_own_name(pixels: Path, tmp_path: Path) -> None:
    engine = build(pixels / NAMES[1], tmp_path, targets=("sm86",))
    assert engine.path.name.startswith("generator.fp16.uint8.sm86.rtx")
    assert engine.manifest.outputs[0].dtype == "uint8"
    assert golden_path(engine.path).is_file()


def test_a_strangers_file_gives_pixels_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcgan_edge.export.foreign.adopt.check_in_child", lambda *_: None)
    path = graphs.saved(graphs.generator(), tmp_path)
    (artifact,) = adopt(path, tmp_path / "out", precisions=("fp32",), output="uint8")
    assert artifact.manifest.outputs[0].shape == ("batch", 3, 8, 8)
    (proof,) = verify(artifact.path, path)
    assert proof.parity.passed


def test_what_is_wrong_fails_by_grey_levels(pixels: Path) -> None:
    with open_session(pixels / NAMES[0]) as session:
        z = TINY.inputs(range(4))
        expected = session.run(z)
        assert compare_run(expected, session, z, range(4), FP32_GATE).passed
        off = expected.copy()
        off[2, 0, 5, 5] += 2 / 127.5 * (-1 if off[2, 0, 5, 5] > 0 else 1)
        found = compare_run(off, session, z, range(4), FP32_GATE)
        assert (found.grey_levels, found.passed) == (2, False)
        off[2] = np.nan
        assert compare_run(off, session, z, range(4), FP16_GATE).not_finite == 28 * 28


def test_gates_of_pixels_are_in_grey_levels() -> None:
    single, half = pixel_gate(FP32_GATE), pixel_gate(FP16_GATE)
    assert (single.atol, single.psnr_db, single.grey_levels) == (None, 60.0, 1)
    assert (half.atol, half.psnr_db, half.grey_levels) == (None, 50.0, 2)


def test_views_turn_axes_and_nothing_else() -> None:
    made = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    assert as_pixels(made, "NCHW").shape == (2, 4, 5, 3)
    assert as_pixels(made, "NHWC") is made
    np.testing.assert_array_equal(as_images(np.moveaxis(made, 1, -1), "NHWC"), as_images(made, "NCHW"))
    np.testing.assert_array_equal(to_uint8(as_images(made, "NCHW")), made)


def test_a_layout_is_for_bytes_and_both_are_known(tmp_path: Path, pixels: Path) -> None:
    with pytest.raises(UsageError, match="--output uint8"):
        Wanted(layout="NHWC")
    with pytest.raises(UsageError, match="uint8"):
        Wanted(output="int16")  # type: ignore[arg-type]
    manifest, _ = read_artifact(pixels / NAMES[0])
    for change in (
        {"dtype": "int16"},
        {"dtype": "float32"},
        {"layout": "CHWN"},
        {"shape": ("batch", 1, 28, 28)},
    ):
        wrong = dataclasses.replace(manifest, outputs=(dataclasses.replace(manifest.outputs[0], **change),))
        with pytest.raises(ArtifactError, match="outputs"):
            Manifest.from_json(wrong.to_json(), "x.json")
    older = {**json.loads(sidecar_path(pixels / NAMES[0]).read_text()), "schema_version": 3}
    assert Manifest.from_json(json.dumps(older), "x.json").outputs == manifest.outputs
