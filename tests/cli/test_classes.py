"""Classes on the command line, from a conditional checkpoint to pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from dcgan_edge.artifact import Architecture, read_artifact
from dcgan_edge.cli import main
from tests.conftest import lively_generator

pytestmark = pytest.mark.torch
NAMES = ("cat", "dog", "owl", "1", "5", "6", "7", "8", "9", "ten", "eleven")
CONDITIONAL = Architecture("dcgan", 28, 1, 4, latent_dim=16, classes=NAMES)


def run(*words: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def document(*words: object) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(run(*words, "--json").stdout)
    return facts


@pytest.fixture(scope="module")
def conditional(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from dcgan_edge.models import preset_spec
    from dcgan_edge.training.checkpoint import save_generator

    folder = tmp_path_factory.mktemp("conditional")
    weights = lively_generator(CONDITIONAL).state_dict()
    save_generator(folder / "checkpoint.safetensors", preset_spec(CONDITIONAL), weights)
    run("export", folder / "checkpoint.safetensors", "--out", folder)
    return folder


@pytest.fixture
def artifact(conditional: Path) -> Path:
    return conditional / "generator.fp16.onnx"


def test_every_seed_in_every_class_with_labels(artifact: Path, tmp_path: Path) -> None:
    made = document(
        "sample", artifact, "--class", "OWL,0", "--seeds", "5,3", "--grid", "2x2", "--out", tmp_path
    )
    names = ["class00-seed0003.png", "class02-seed0003.png", "class00-seed0005.png", "class02-seed0005.png"]
    assert [Path(file).name for file in made["files"]] == [*names, "grid.png"]
    assert made["classes"] == ["cat", "owl", "cat", "owl"]
    with Image.open(tmp_path / "grid.png") as grid, Image.open(tmp_path / names[3]) as owl:
        assert np.array_equal(np.asarray(grid)[:28, :28], np.asarray(owl))


def test_a_seed_and_its_class_are_one_file_however_they_are_asked_for(artifact: Path, tmp_path: Path) -> None:
    """Bit for bit, in half precision too: kernels do not look at what stands in the other rows."""
    run("sample", artifact, "--seeds", "0-21", "--out", tmp_path / "cycle")
    run("sample", artifact, "--seeds", "9-13", "--class", "all", "--out", tmp_path / "all")
    run("sample", artifact, "--seeds", "13", "--class", "owl", "--out", tmp_path / "one")
    files = [tmp_path / folder / "class02-seed0013.png" for folder in ("cycle", "all", "one")]
    assert len({file.read_bytes() for file in files}) == 1
    classes = [Image.open(tmp_path / "all" / f"class{number:02d}-seed0013.png") for number in range(11)]
    assert len({picture.tobytes() for picture in classes}) == 11


def test_classes_that_are_not_there_are_refused_with_those_that_are(
    artifact: Path, exported: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    said = run("sample", artifact, "--class", "cow", "--out", out, code=2).stderr
    assert "no class 'cow'" in said
    assert "0 cat, 1 dog, 2 owl" in said
    plain = exported / "generator.fp32.onnx"
    assert "no classes" in run("sample", plain, "--class", "3", "--out", out, code=2).stderr
    assert not out.exists()


def test_the_manifest_and_info_name_the_classes(artifact: Path) -> None:
    manifest, _ = read_artifact(artifact)
    assert manifest.architecture.classes == NAMES
    assert manifest.inputs[0].shape == ("batch", 16 + len(NAMES), 1, 1)
    assert manifest.golden is not None
    assert manifest.golden.seeds == len(NAMES)  # one of each
    assert "0 cat, 1 dog, 2 owl, 3 1" in run("info", artifact).stdout
    assert run("verify", artifact).exit_code == 0


def test_a_walk_within_and_between_classes(artifact: Path, tmp_path: Path) -> None:
    def walk(*words: str) -> list[str]:
        out = tmp_path / "-".join(words)
        facts = document("latent", "interpolate", artifact, *words, "--steps", 3, "--scale", 1, "--out", out)
        with Image.open(out / "strip.png") as strip:
            pixels = np.pad(np.asarray(strip), ((0, 2), (0, 2)))
        cells = pixels.reshape(-1, 30, 3, 30).swapaxes(1, 2)[:, :, :28, :28]
        ends.update(dict(zip(zip(facts["seeds"], facts["classes"], strict=True), cells[:, 0], strict=False)))
        classes: list[str] = facts["classes"]
        return classes

    ends: dict[tuple[int, str], Any] = {}
    assert walk("--seeds", "4,2,3", "--class", "owl") == ["owl"] * 3
    assert walk("--seeds", "3,2", "--class", "0,owl") == ["cat", "owl"]
    assert walk("--seeds", "5", "--class", "cat,dog,owl") == ["cat", "dog", "owl"]
    assert walk("--seeds", "1,2") == ["dog", "owl"]  # as seeds are by themselves
    run("sample", artifact, "--seeds", "1-5", "--class", "0-2", "--out", tmp_path)
    for (seed, name), pixels in ends.items():
        with Image.open(tmp_path / f"class{NAMES.index(name):02d}-seed{seed:04d}.png") as own:
            # fp16 kernels round differently in another batch, by a grey level at most
            assert np.abs(np.asarray(own, np.int16) - pixels[:]).max() <= 1
    words = ("latent", "interpolate", artifact, "--seeds", "1,2,3", "--class", "0,1", "--out", tmp_path / "x")
    assert "one for each of 3 seeds" in run(*words, code=2).stderr


@pytest.mark.parametrize(
    "words", [("grid", "--seeds", "1,2,3"), ("arithmetic", "--from", "1", "--plus", "2")]
)
def test_planes_and_sums_keep_one_class(artifact: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    command = ("latent", words[0], artifact, *words[1:], "--output", tmp_path / "a.png")
    assert "--class" in run(*command, code=2).stderr
    run(*command, "--class", "owl")
    own = (tmp_path / "a.png").read_bytes()
    run(*command, "--class", "2")
    assert (tmp_path / "a.png").read_bytes() == own
    run(*command, "--class", "cat")
    assert (tmp_path / "a.png").read_bytes() != own


def test_arithmetic_is_not_measured_where_the_class_says_the_digit(artifact: Path) -> None:
    assert "class says which digit" in run("latent", "measure", artifact, code=2).stderr
