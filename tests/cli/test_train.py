"""`dcgan-edge train` as a user types it."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from dcgan_edge.artifact import Architecture
from dcgan_edge.cli import main
from dcgan_edge.cli.training import training_bar
from dcgan_edge.training import (
    CHECKPOINT_NAME,
    TrainProgress,
    ema,
    load_generator,
    read_header,
    request,
)
from dcgan_edge.training.checkpoint import check_checkpoint
from dcgan_edge.training.progress import Losses
from dcgan_edge.training.quality import Quality

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


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["train", *map(str, arguments)])


def document(result: Result) -> dict[str, Any]:
    """The one JSON document on stdout."""
    parsed: dict[str, Any] = json.loads(result.stdout)
    assert parsed["schema_version"] == 1
    return parsed


def test_it_trains_and_says_what_comes_next(tmp_path: Path, pictures: Path) -> None:
    out = tmp_path / "run"
    result = call("--data", pictures, "--size", "28", "--epochs", "2", "--out", out, *TINY)
    assert result.exit_code == 0, result.output
    assert "Trained 4 steps, 64 images" in result.stdout
    assert f"dcgan-edge export {out / CHECKPOINT_NAME} --out {out / 'export'}" in result.stdout
    header = read_header(out / CHECKPOINT_NAME)
    assert (header.config.epochs, header.config.architecture.channels) == (2, 1)
    load_generator(out / CHECKPOINT_NAME)


def test_json_is_one_document_with_the_facts(tmp_path: Path, pictures: Path) -> None:
    (pictures / "spoiled.png").write_text("text")
    result = call("--data", pictures, "--size", "28", "--epochs", "1", "--out", tmp_path, "--json", *TINY)
    (pictures / "spoiled.png").unlink()
    facts = document(result)
    assert facts["checkpoint"] == str(tmp_path / CHECKPOINT_NAME)
    assert (facts["step"], facts["precision"], facts["device"]) == (2, "fp32", "cpu")
    assert facts["losses"]["loss_d"] > 0
    assert facts["skipped"] == ["spoiled.png: not a picture"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--size", "37"], "pixels, not 37"),
        (["--size", "0"], "--size"),
        (["--batch", "0"], "--batch"),
        (["--batch", "1"], "--batch"),
        (["--width", "0"], "--width"),
        (["--latent-dim", "-3"], "--latent-dim"),
        (["--epochs", "0"], "--epochs"),
        (["--minutes", "0"], "--minutes"),
        (["--minutes", "nan"], "minutes"),
        (["--epochs", "1", "--minutes", "1"], "not both"),
        (["--channels", "2"], "--channels"),
        (["--arch", "vae"], "--arch"),
        (["--precision", "fp8"], "--precision"),
        (["--seed", "-1"], "--seed"),
        (["--data", "nowhere"], "There is no folder nowhere"),
        (["--resume"], "no checkpoint in"),
    ],
)
def test_wrong_command_lines_exit_with_2(tmp_path: Path, arguments: list[str], reason: str) -> None:
    result = call("--out", tmp_path / "run", *arguments)
    assert result.exit_code == 2
    assert reason in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "run").exists()


EXTREMES = ("0", "-1", "1000000000000000000", "1e300", "nan", "inf", "")
NUMBERS = (
    "--size", "--width", "--latent-dim", "--batch", "--epochs", "--minutes", "--seed", "--learning-rate",
    "--beta1", "--ema-decay", "--log-every",
)  # fmt: skip


@pytest.mark.parametrize("option", NUMBERS)
def test_extreme_numbers_are_planned_or_refused_in_a_sentence(tmp_path: Path, option: str) -> None:
    for value in EXTREMES:
        result = call("--out", tmp_path / "run", "--device", "cpu", "--dry-run", f"{option}={value}")
        assert result.exit_code in (0, 2), (value, result.output)
        assert "Traceback" not in result.output


@pytest.mark.parametrize("option", ["--width", "--latent-dim", "--batch"])
def test_networks_and_batches_beyond_every_machine_are_a_sentence(tmp_path: Path, option: str) -> None:
    for value in (10**6, 10**9, 10**18):
        result = call("--out", tmp_path / "run", "--device", "cpu", "--epochs", "1", option, str(value))
        assert result.exit_code in (1, 2), (value, result.output)
        assert "Error" in result.output
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "minutes"), [("3", 3.0), ("0.5", 0.5), ("90s", 1.5), ("2h", 120.0), (".25min", 0.25)]
)
def test_minutes_are_a_number_or_a_duration(tmp_path: Path, text: str, minutes: float) -> None:
    result = call("--out", tmp_path / "run", "--device", "cpu", "--dry-run", "--json", "--minutes", text)
    assert document(result)["config"]["minutes"] == minutes


@pytest.mark.parametrize(
    ("asked", "rate"), [((), 2.5e-3), (("--size", "64"), 8e-4), (("--size", "64", "--recipe", "paper"), 2e-4)]
)
def test_the_learning_rate_fits_the_size(tmp_path: Path, asked: tuple[str, ...], rate: float) -> None:
    result = call("--out", tmp_path / "run", "--device", "cpu", "--dry-run", "--json", *asked)
    assert document(result)["config"]["learning_rate"] == rate


def test_rates_are_kept_in_the_checkpoint_and_on_resume(tmp_path: Path, pictures: Path) -> None:
    rates = ["--learning-rate", "1e-4", "--beta1", "0.4", "--ema-decay", "0.9", "--log-every", "1"]
    asked: list[str | Path] = ["--data", pictures, "--size", "28", "--out", tmp_path, *TINY]
    assert call(*asked, "--epochs", "1", *rates).exit_code == 0
    assert call("--resume", "--out", tmp_path, "--epochs", "2").exit_code == 0
    config = read_header(tmp_path / CHECKPOINT_NAME).config
    assert (config.learning_rate, config.beta1, config.ema_decay, config.log_every) == (1e-4, 0.4, 0.9, 1)
    steps = [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4]
    assert call("--resume", "--out", tmp_path, "--epochs", "2", *rates).exit_code == 0  # the same ones
    assert call("--resume", "--out", tmp_path, "--learning-rate", "1").exit_code == 2


def test_an_error_is_a_json_document_too(tmp_path: Path) -> None:
    result = call("--out", tmp_path, "--size", "37", "--json")
    assert result.exit_code == document(result)["error"]["exit_code"] == 2


def test_a_folder_without_pictures_exits_with_1(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = call("--data", tmp_path / "empty", "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "no pictures" in result.stderr


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a CUDA device")
def test_cuda_that_is_not_here_exits_with_5(tmp_path: Path) -> None:
    for extra in ([], ["--dry-run"]):
        result = call("--out", tmp_path / "run", "--device", "cuda", *extra)
        assert result.exit_code == 5
        assert "--device cpu" in result.stderr


def test_a_dry_run_resolves_everything_and_writes_nothing(tmp_path: Path, pictures: Path) -> None:
    out = tmp_path / "run"
    facts = document(call("--data", pictures, "--out", out, "--device", "cpu", "-n", "--json"))
    config = facts["config"]
    assert (config["epochs"], config["minutes"], config["batch"], config["device"]) == (25, None, 64, "cpu")
    architecture = {**config["architecture"], "classes": ()}  # JSON has no tuples
    assert architecture == dataclasses.asdict(Architecture("dcgan", 64, 1, 64, 100, "normal"))
    assert config["architecture"]["classes"] == []
    text = call("--data", "digits", "--out", out, "--minutes", "3", "--dry-run").stdout
    assert "size                 28" in text
    assert "minutes              3.0" in text
    assert not out.exists()


def test_a_run_is_not_overwritten_but_resumed_in_its_own_configuration(
    tmp_path: Path, pictures: Path
) -> None:
    asked: list[str | Path] = ["--data", pictures, "--size", "28", "--seed", "4", "--out", tmp_path, *TINY]
    assert call(*asked, "--epochs", "1").exit_code == 0
    again = call(*asked, "--epochs", "2")
    assert again.exit_code == 2
    assert f"dcgan-edge train --out {tmp_path} --resume" in again.stderr
    plan = document(call("--resume", "--out", tmp_path, "--epochs", "3", "--dry-run", "--json"))["config"]
    assert (plan["seed"], plan["batch"], plan["epochs"]) == (4, 16, 3)
    assert document(call("--resume", "--out", tmp_path, "--epochs", "3", "--json"))["step"] == 6


@pytest.mark.parametrize(
    "extra", [["--seed", "5"], ["--width", "64"], ["--latent-dim", "3", "--data", "digits"]]
)
def test_a_resumed_run_takes_no_other_settings(tmp_path: Path, pictures: Path, extra: list[str]) -> None:
    call("--data", pictures, "--size", "28", "--epochs", "1", "--out", tmp_path, *TINY)
    result = call("--resume", "--out", tmp_path, *extra)
    assert result.exit_code == 2
    assert f"leave out {extra[0]}" in result.stderr


def test_pickles_are_not_resumed(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT_NAME).write_bytes(b"\x80\x04.")
    result = call("--resume", "--out", tmp_path)
    assert result.exit_code == 6
    assert "is a pickle" in result.stderr


def test_without_torch_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(request, "resolve", missing)
    result = call("--out", tmp_path)
    assert result.exit_code == 5
    assert "pip install 'dcgan-edge[train]'" in result.stderr


def test_the_bar_follows_reading_and_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes stderr for a terminal
    runner = CliRunner()
    with (
        runner.isolation() as (_, stderr, _),
        main.make_context("dcgan-edge", ["info"]),
        training_bar() as progress,
    ):
        progress(TrainProgress("read", 0.5, 20, 40))
        progress(
            TrainProgress(
                "train",
                0.25,
                5,
                20,
                losses=Losses(1.0, 2.0, 0.5, 0.5),
                images_per_second=1234.0,
                learning_rates=(4e-4, 1e-4),
                quality=Quality(5, 34.25, 2.0),
                best=Quality(3, 30.0, 2.0),
            )
        )
    shown = stderr.getvalue().decode()
    assert "reading images" in shown
    assert "1,234 images/s" in shown
    assert "loss D 1.00 G 2.00" in shown
    assert "lr D 0.0004 G 0.0001" in shown
    assert "FID 34.2" in shown
    assert "the best was FID 30 at step 3" in shown


@pytest.mark.skipif(os.name != "posix", reason="signals of a terminal")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_save_and_exit_as_shells_have_it(
    tmp_path: Path, pictures: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "run"
    arguments = ["--data", str(pictures), "--size", "28", "--minutes", "10", "--out", str(out), *TINY]
    process = subprocess.Popen(
        [sys.executable, "-m", "dcgan_edge", "train", *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120  # seconds; only so that a failure ends
    metrics = out / "metrics.jsonl"
    while not (metrics.is_file() and metrics.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == code, stderr
    assert f"dcgan-edge train --resume --out {out}" in stderr
    assert "Traceback" not in stderr
    header = check_checkpoint(out / CHECKPOINT_NAME)
    assert header.step >= 10
    lines = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert lines == list(range(10, header.step + 1, 10))
