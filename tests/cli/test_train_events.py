"""What `dcgan-edge train` says while a training goes wrong, and that it says nothing when none does."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from dcgan_edge.cli import main
from dcgan_edge.training import (
    ema,
    monitor,
    steps,
)
from tests.cli.test_train import call, document

TINY = ["--width", "2", "--latent-dim", "8", "--batch", "16", "--precision", "fp32", "--device", "cpu"]


@pytest.fixture(scope="module", autouse=True)
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for index in range(40):
        Image.new("L", (30, 28), 6 * index).save(folder / f"{index:02}.png")
    return folder


@pytest.fixture(autouse=True)
def few_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ema, "STATISTICS_BATCHES", 2)


@pytest.fixture
def collapsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings whose generator always gets the same latent, and a monitor that judges after two lines."""
    drawn = steps.draw_latents
    monkeypatch.setattr(steps, "draw_latents", lambda *arguments: drawn(*arguments).zero_())
    monkeypatch.setattr(monitor, "SETTLING", 1)
    monkeypatch.setattr(monitor, "WINDOW", 1)


@pytest.mark.parametrize("option", [[], ["--json"], ["-q"]])
def test_what_goes_wrong_is_said_once_while_it_happens(
    tmp_path: Path, pictures: Path, collapsed: None, option: list[str]
) -> None:
    asked = ["--data", str(pictures), "--size", "28", "--epochs", "15", "--out", str(tmp_path), *TINY]
    before, after = (option, []) if option == ["-q"] else ([], option)
    result = CliRunner().invoke(main, [*before, "train", *asked, *after])
    assert result.exit_code == 0, result.output
    assert result.stderr.count("Step 20: mode collapse. Generated images differ from each other 0.00") == 1
    if option == ["--json"]:
        (event,) = document(result)["events"]
        assert (event["step"], event["problem"], event["state"]) == (20, "mode collapse", "begins")
        assert "--batch" in event["advice"]
    else:
        assert result.stdout.count("Step 20: mode collapse.") == 1  # summed up at the end
        assert "docs/training.md" in result.stdout


def test_a_sound_run_has_no_events(tmp_path: Path, pictures: Path) -> None:
    result = call("--data", pictures, "--size", "28", "--epochs", "1", "--out", tmp_path, "--json", *TINY)
    assert document(result)["events"] == []


@pytest.mark.parametrize(
    ("asked", "is_asked"),
    [
        (["--data", "digits"], True),
        (["--data", "digits", "--size", "32"], False),
        (["--data", "digits", "--channels", "3"], False),
        (["--data", "pictures", "--size", "28"], False),
    ],
)
def test_classes_are_counted_where_the_classifier_knows_the_images(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str], is_asked: bool
) -> None:
    found: list[object] = []

    def note(*_: object, classify: object, **__: object) -> None:
        found.append(classify)
        raise KeyboardInterrupt

    monkeypatch.setattr("dcgan_edge.training.request.run_training", note)
    asked = [str(pictures) if word == "pictures" else word for word in asked]
    assert call(*asked, "--out", tmp_path / "run", *TINY).exit_code == 130
    assert [classify is not None for classify in found] == [is_asked]
