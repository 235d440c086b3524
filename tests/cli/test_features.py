"""`dcgan-edge features` as users type it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from dcgan_edge.artifact import Architecture
from dcgan_edge.cli import main
from dcgan_edge.training import TrainConfig, run_training

USAGE = 2


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["features", *map(str, arguments)], catch_exceptions=False)


def document(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    facts: dict[str, Any] = json.loads(result.stdout)
    assert facts["schema_version"] == 1
    return facts


@pytest.mark.parametrize("name", ["classify", "visualize"])
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"dcgan-edge features {name} " in result.output


def test_classify_prints_a_table_and_a_document(checkpoint: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="the extra 'features' is not installed")
    few = ("--labels", 10, "--labels", 50, "--runs", 2, "--method", "trained", "--method", "pixels")
    facts = document("classify", checkpoint, *few, "--output", tmp_path / "table.json")
    assert json.loads((tmp_path / "table.json").read_text()) == facts
    assert (facts["training_images"], facts["test_images"]) == (7000, 1000)
    cells = {(cell["method"], cell["labels"]): cell for cell in facts["results"]}
    assert set(cells) == {(method, labels) for method in ("trained", "pixels") for labels in (10, 50)}
    pixels = cells["pixels", 50]
    assert pixels["accuracy"] == pytest.approx(sum(pixels["accuracies"]) / 2)
    assert pixels["accuracy"] > cells["pixels", 10]["accuracy"] > 0.15  # ten classes: chance is 0.1
    shown = run("classify", checkpoint, "--labels", 10, "--runs", 2, "--method", "pixels")
    assert "SVM on raw pixels" in shown.stdout
    assert "±" in shown.stdout


@pytest.mark.parametrize("labels", ["0", "5", "-1", "ten", "99999"])
def test_numbers_of_labels_that_make_no_sense(checkpoint: Path, labels: str) -> None:
    result = run("classify", checkpoint, "--labels", labels)
    assert result.exit_code == USAGE
    assert "labels" in result.stderr


def test_pictures_without_labels_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    Image.new("L", (28, 28)).save(tmp_path / "a.png")
    result = run("classify", checkpoint, "--data", tmp_path)
    assert result.exit_code == USAGE
    assert "not split into training and test images" in result.stderr


def test_visualize_draws_two_pictures(checkpoint: Path, tmp_path: Path) -> None:
    options = ("--images", 20, "--filters", 3, "--each", 2, "--scale", 1, "--out", tmp_path)
    facts = document("visualize", checkpoint, *options)
    assert [Path(file).name for file in facts["files"]] == ["guided.png", "patches.png"]
    assert facts["trained"]["layer"] == facts["untrained"]["layer"] == "conv2"
    assert facts["images"] == 20
    assert len(facts["trained"]["filters"]) == 3
    for file in facts["files"]:
        with Image.open(file) as picture:
            assert picture.size == (5 * 12 - 2, 3 * 12 - 2)  # ten pixels and two between; a blank column
    other = document("visualize", checkpoint, *options, "--layer", "conv1")
    assert other["trained"]["field_pixels"] == 4


def test_a_fully_connected_discriminator_has_nothing_to_show(tmp_path: Path) -> None:
    config = TrainConfig(Architecture("gan", 28, 1, 4, latent_dim=8), batch=3500, epochs=1, precision="fp32")
    dense = run_training(config, tmp_path / "run").checkpoint
    result = run("visualize", dense, "--out", tmp_path / "out")
    assert result.exit_code == USAGE
    assert "fully connected" in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_unknown_layer_and_a_missing_file(checkpoint: Path, tmp_path: Path) -> None:
    result = run("visualize", checkpoint, "--layer", "conv9", "--images", 10, "--out", tmp_path)
    assert result.exit_code == USAGE
    assert "it has conv1, conv2" in result.stderr
    assert run("visualize", tmp_path / "none.safetensors").exit_code == USAGE
    assert not list(tmp_path.iterdir())
