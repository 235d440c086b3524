"""What `dcgan-edge train` keeps, evaluates and shows when it is asked to, and `animate` afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from dcgan_edge.cli import main
from dcgan_edge.training import ema, quality, read_header
from tests.cli.test_train import TINY, call, document


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(120):
        Image.new("RGB", (28, 28), (2 * index, index, 255 - index)).save(folder / f"{index:03}.png")
    return folder


@pytest.fixture(autouse=True)
def fewer_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ema, "STATISTICS_BATCHES", 2)
    monkeypatch.setattr(quality, "SEEDS", range(60))


def test_the_best_is_named_and_a_film_is_made(tmp_path: Path, pictures: Path) -> None:
    out = tmp_path / "run"
    asked: list[str | Path] = ["--data", pictures, "--size", "28", "--epochs", "1", "--out", out, *TINY]
    result = call(*asked, "--grid-every", "3", "--keep", "1", "--eval-every", "3")
    assert result.exit_code == 0, result.output
    assert "Step 3: FID" in result.stderr
    assert f"Best:       {out / 'best.safetensors'} (FID" in result.stdout
    assert "dcgan-edge export" in result.stdout
    names = {path.name for path in out.glob("*.safetensors")}
    assert names == {"best.safetensors", "checkpoint.safetensors", "checkpoint-000006.safetensors"}
    resumed = document(call("--resume", "--out", out, "--epochs", "2", "--keep", "2", "--json"))
    assert resumed["best"]["fid"] == min(
        line["fid"]
        for line in map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
        if "fid" in line
    )
    assert resumed["best_checkpoint"] == str(out / "best.safetensors")
    assert read_header(out / "checkpoint.safetensors").config.keep == 2
    film = CliRunner().invoke(main, ["animate", str(out), "--json"])
    assert film.exit_code == 0, film.output
    assert json.loads(film.stdout)["bytes"] == (out / "training.gif").stat().st_size


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (["--eval-data", "digits"], "--eval-every"),
        (["--eval-every", "2", "--eval-data", "nowhere"], "There is no folder nowhere"),
        (["--eval-every", "0"], "--eval-every"),
        (["--keep", "-1"], "--keep"),
    ],
)
def test_what_cannot_be_met_exits_with_2(tmp_path: Path, asked: list[str], reason: str) -> None:
    result = call("--out", tmp_path / "run", *asked)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert not (tmp_path / "run").exists()


def test_a_few_held_out_images_are_too_few_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    for index in range(20):
        Image.new("L", (28, 28), index).save(tmp_path / "few" / f"{index}.png")
    result = call(
        "--data", tmp_path / "few", "--size", "28", "--eval-every", "2", "--out", tmp_path / "run", *TINY
    )
    assert result.exit_code == 2
    assert "held-out images; here are 10" in result.stderr
    assert not (tmp_path / "run").exists()


def test_without_tensorboard_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = call("--out", tmp_path / "run", "--tensorboard", "--device", "cpu")
    assert result.exit_code == 5
    assert "pip install 'dcgan-edge[tensorboard]'" in result.stderr


def test_a_folder_without_grids_has_no_film(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["animate", str(tmp_path)])
    assert result.exit_code == 2
    assert "grids of samples" in result.stderr
