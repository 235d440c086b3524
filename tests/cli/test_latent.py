"""`dcgan-edge latent` as users type it: files, documents, and the right exit code for what cannot be."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from dcgan_edge.cli import main
from dcgan_edge.latents import latents

ERROR, USAGE, UNAVAILABLE, REFUSED = 1, 2, 5, 6
QUICK = ("--steps", 2, "--restarts", 2, "--pool", 8, "--images", 3)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["latent", *map(str, arguments)], catch_exceptions=False)


def document(*arguments: object, code: int = 0) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.stderr
    facts: dict[str, Any] = json.loads(result.stdout)
    assert facts["schema_version"] == 1
    return facts


@pytest.fixture
def artifact(exported: Path) -> Path:
    return exported / "generator.fp16.onnx"


@pytest.mark.parametrize(
    "name", ["interpolate", "arithmetic", "measure", "grid", "invert", "inpaint", "denoise", "stylize"]
)
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"dcgan-edge latent {name} " in result.output


def test_interpolate_begins_and_ends_with_the_seeds_own_pictures(artifact: Path, tmp_path: Path) -> None:
    facts = document(
        "interpolate", artifact, "--seeds", "4,2", "--steps", 5, "--scale", 1, "--out", tmp_path / "walk"
    )
    assert [Path(file).name for file in facts["files"]] == ["strip.png", "walk.gif"]
    CliRunner().invoke(main, ["sample", str(artifact), "--seeds", "2,4", "--out", str(tmp_path)])
    with Image.open(tmp_path / "walk" / "strip.png") as strip:
        pixels = np.asarray(strip)
    assert pixels.shape == (28, 5 * 30 - 2)
    for seed, left in ((4, 0), (2, 4 * 30)):
        with Image.open(tmp_path / f"seed{seed:04d}.png") as own:
            # fp16 kernels round differently in another batch, by a grey level at most
            assert np.abs(np.asarray(own, np.int16) - pixels[:, left : left + 28]).max() <= 1


def test_arithmetic_draws_and_reports_the_answer(artifact: Path, tmp_path: Path) -> None:
    groups = ["--from", "1,2,3", "--minus", "4,5,6", "--plus", "7,8,9"]
    picture = tmp_path / "sum.png"
    facts = document("arithmetic", artifact, *groups, "--output", picture)
    assert facts["weights"] == {"from": 1.0, "minus": -1.0, "plus": 1.0}
    a, b, c = (latents(seeds, 16).mean(axis=0).ravel() for seeds in ([1, 2, 3], [4, 5, 6], [7, 8, 9]))
    assert facts["latent"] == pytest.approx((a - b + c).tolist(), abs=1e-6)
    with Image.open(picture) as image:
        assert image.size == (2 * (7 * 30 - 2), 2 * (4 * 30 - 2))


def test_arithmetic_measured(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Bright:
        """Two classes: brighter and darker than the middle of what this untrained generator makes."""

        def logits(self, images: np.ndarray) -> np.ndarray:
            value = 1e4 * (images.mean(axis=(1, 2, 3)) - middle)
            return np.stack([value, -value], axis=1)

    from dcgan_edge.runtime.session import open_session

    with open_session(artifact) as session:
        middle = float(np.median(session.run(latents(range(100), 16)).mean(axis=(1, 2, 3))))
    monkeypatch.setattr("dcgan_edge.evaluation.classifier.load_digit_features", Bright)
    facts = document("measure", artifact, "--draws", 40, "--seeds", "0-99")
    rate = facts["rates"]["class"]["three per concept"]
    assert rate["low"] <= rate["share"] == rate["successes"] / 40 <= rate["high"]
    assert list(facts["rates"]) == ["class", "ink", "slant"]
    assert set(facts["examples"]) == {"0", "1"}
    assert (facts["seeds"], facts["n"], facts["draws"]) == ([0, 99], 100, 40)
    shown = run("measure", artifact, "--draws", 5, "--seeds", "0-99")
    assert "three per concept" in shown.stdout
    assert "Left out, for want of clear samples: 2, 3" in shown.stdout


def test_grid_is_a_plane_of_its_layout(artifact: Path, tmp_path: Path) -> None:
    facts = document(
        "grid", artifact, "--seeds", "1-3", "--layout", "2x4", "--scale", 1, "--output", tmp_path / "g.png"
    )
    assert facts["layout"] == [2, 4]
    with Image.open(tmp_path / "g.png") as image:
        assert image.size == (4 * 30 - 2, 2 * 30 - 2)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("interpolate", "--seeds", "1"), USAGE, "two seeds"),
        (("interpolate", "--seeds", "x"), USAGE, "not a list of seeds"),
        (("interpolate", "--seeds", "1,2", "--format", "avi"), USAGE, "avi"),
        (("grid", "--seeds", "1,2"), USAGE, "three seeds"),
        (("grid", "--seeds", "1-3", "--layout", "1x5"), USAGE, "2 x 2"),
        (("grid", "--seeds", "1-3", "--layout", "nine"), USAGE, "nine"),
        (("arithmetic",), USAGE, "--from"),
        (("arithmetic", "--from", "1"), USAGE, "to take away or to add"),
        (("arithmetic", "--from", "1", "--plus", "__import__('os')"), USAGE, "not a list of seeds"),
        (("measure", "--seeds", "0-4"), ERROR, "clear samples among 5 seeds"),
    ],
)
def test_what_cannot_be_drawn(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: Any, code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(arguments[0], artifact, *arguments[1:])
    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.torch
def test_missing_files_and_libraries(
    artifact: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("grid", tmp_path / "none.onnx", "--seeds", "1-3").exit_code == USAGE
    result = run("grid", checkpoint, "--seeds", "1-3")
    assert result.exit_code == USAGE
    assert "Export it first" in result.stderr
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    result = run("interpolate", artifact, "--seeds", "1,2", "--format", "mp4")
    assert result.exit_code == UNAVAILABLE
    assert "dcgan-edge[video]" in result.stderr
    (tmp_path / "half.safetensors").write_bytes(checkpoint.read_bytes()[:-999])
    assert run("inpaint", tmp_path / "half.safetensors").exit_code == REFUSED
    assert run("invert", tmp_path / "none.safetensors").exit_code == USAGE


def test_inpaint_leaves_pictures_latents_and_figures(checkpoint: Path, tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="the extra 'restore' is not installed")
    out = tmp_path / "out"
    facts = document("inpaint", checkpoint, *QUICK, "--mask", "left", "--show", 2, "--scale", 1, "--out", out)
    assert {path.name for path in out.iterdir()} == {
        "rows.png", "latents.npy", "figures.json", *(f"restored{number:04d}.png" for number in range(3)),
    }  # fmt: skip
    written = json.loads((out / "figures.json").read_text())
    assert written == {key: value for key, value in facts.items() if key != "files"}
    assert facts["missing"] == 0.5
    assert facts["columns"][0] == "original"
    assert len(facts["scores"]["completion"]["psnr_db_each"]) == 3
    assert np.load(out / "latents.npy").shape == (3, 16, 1, 1)
    with Image.open(out / "rows.png") as rows, Image.open(out / "restored0000.png") as restored:
        assert rows.size == (6 * 30 - 2, 2 * 30 - 2)
        completion = np.asarray(rows)[:28, 60:88]
        assert np.array_equal(np.asarray(restored), completion)
        assert np.array_equal(completion[:, 14:], np.asarray(rows)[:28, 14:28])
    shown = run("inpaint", checkpoint, *QUICK, "--out", out)
    assert "mean fill" in shown.stdout
    assert "dB" in shown.stdout


def test_denoise_and_invert_and_stylize(checkpoint: Path, tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="the extra 'restore' is not installed")
    Image.new("L", (28, 28), 90).save(tmp_path / "grey.png")
    noisy = document(
        "denoise", checkpoint, *QUICK, "--data", tmp_path / "grey.png", "--noisy", "--out", tmp_path
    )
    assert (noisy["images"], noisy["sigma"], noisy["scores"]) == (1, None, {})
    denoised = document("denoise", checkpoint, *QUICK, "--sigma", 0.5, "--out", tmp_path)
    assert denoised["scores"]["noisy"]["psnr_db"] < 18  # 12 dB of noise, less what clipping takes off
    inverted = document("invert", checkpoint, *QUICK, "--out", tmp_path)
    assert list(inverted["scores"]) == ["reconstruction"]
    drawn = document("stylize", checkpoint, *QUICK, "--layer", "conv2", "--out", tmp_path)
    assert drawn["layers"] == ["conv2"]
    assert run("stylize", checkpoint, *QUICK, "--layer", "conv5", "--out", tmp_path).exit_code == USAGE
    shown = run("stylize", checkpoint, *QUICK, "--out", tmp_path)
    assert "Distance in features: nearest sample" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("inpaint", "--mask", "middle"), USAGE, "no mask middle"),
        (("inpaint", "--missing", "1"), USAGE, "--missing"),
        (("inpaint", "--restarts", "50", "--pool", "20"), USAGE, "50 starts"),
        (("denoise", "--sigma", "0"), USAGE, "--sigma"),
        (("denoise", "--first", "1000"), USAGE, "number 1000"),
        (("invert", "--data", "absent"), USAGE, "no folder absent"),
        (("invert", "--device", "cuda"), UNAVAILABLE, "CUDA"),
    ],
)
def test_what_cannot_be_restored(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: Any, code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = run(arguments[0], checkpoint, *arguments[1:])
    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert not list(tmp_path.iterdir())
