"""On a GPU: every recipe trains and goes on, there and on a CPU, and learns what it learns on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from dcgan_edge import export
from dcgan_edge.artifact import Architecture
from dcgan_edge.recipes import RECIPES, recipe_settings
from dcgan_edge.training import CHECKPOINT_NAME, run_training, steps, workers
from dcgan_edge.training.captured import Captured
from dcgan_edge.training.crew import Alone
from tests.training.tiny_run import BATCH, metrics, tiny_config, weights, write_digits

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
EVERY_RECIPE = pytest.mark.parametrize("recipe", RECIPES)
DRAW, PLAY = steps.draw_latents, steps._play


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_digits(tmp_path_factory.mktemp("digits") / "data")


@EVERY_RECIPE
@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_training_on_a_gpu_and_going_on_there(
    tmp_path: Path, data: Path, recipe: str, precision: str
) -> None:
    settings = {**recipe_settings(recipe), "batch": BATCH, "device": "cuda", "precision": precision}
    assert run_training(tiny_config(data, epochs=1, **settings), tmp_path).device.startswith("cuda")
    assert run_training(tiny_config(data, epochs=2, **settings), tmp_path, resume=True).step == 10
    assert all(torch.isfinite(tensor).all() for tensor in weights(tmp_path).values())


@pytest.mark.parametrize(("first", "second"), [("cuda", "cpu"), ("cpu", "cuda")])
def test_a_run_moves_between_gpu_and_cpu_and_is_exported(
    tmp_path: Path, data: Path, first: str, second: str
) -> None:
    settings = {**recipe_settings(), "batch": BATCH}
    run_training(tiny_config(data, epochs=1, device=first, **settings), tmp_path)
    moved = tiny_config(data, epochs=2, device=second, **settings)
    assert run_training(moved, tmp_path, resume=True).step == 10
    assert export(tmp_path / CHECKPOINT_NAME, tmp_path / "out", precisions=["fp32"])


@EVERY_RECIPE
def test_the_first_steps_are_those_of_a_cpu(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, recipe: str
) -> None:
    def drawn_on_the_cpu(count: int, architecture: Architecture, device: torch.device) -> Tensor:
        return DRAW(count, architecture, torch.device("cpu")).to(device)

    monkeypatch.setattr(steps, "draw_latents", drawn_on_the_cpu)
    found = {}
    for device in ("cpu", "cuda"):
        out = tmp_path / device
        # the paper's dropout, which draws on the device, is not in its networks; the rate keeps steps small
        settings = {**recipe_settings(recipe), "batch": BATCH, "learning_rate": 1e-5}
        run_training(tiny_config(data, epochs=1, device=device, shards=1, **settings), out)
        found[device] = metrics(out)
    for line, other in zip(found["cpu"], found["cuda"], strict=True):
        for name in line.keys() & other.keys():
            # cuDNN may multiply in TF32, with a mantissa of 10 bits
            assert other[name] == pytest.approx(line[name], rel=2e-2, abs=2e-2), name


@EVERY_RECIPE
@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_captured_steps_are_those_of_a_run_without(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, recipe: str, precision: str
) -> None:
    settings = {**recipe_settings(recipe), "batch": BATCH, "device": "cuda", "precision": precision}
    found = {}
    for crew in (Captured, Alone):
        out = tmp_path / crew.__name__
        monkeypatch.setattr(workers, "Captured", crew)
        run_training(tiny_config(data, epochs=2, **settings), out)
        found[crew] = metrics(out)
    print(
        *(max(abs(a[n] - b[n]) for a, b in zip(*found.values(), strict=True)) for n in ("loss_d", "loss_g"))
    )
    for line, other in zip(found[Captured], found[Alone], strict=True):
        # some backward kernels add in no fixed order, and ten steps carry that on
        assert line["loss_d"] == pytest.approx(other["loss_d"], rel=2e-2)
        assert line["grad_norm_g"] == pytest.approx(other["grad_norm_g"], rel=5e-2)
        assert line["learning_rate_g"] == pytest.approx(other["learning_rate_g"], rel=1e-6)  # float32


def test_a_step_that_cannot_be_captured_is_taken_all_the_same(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def waits(*arguments: object, **named: object) -> object:
        torch.cuda.synchronize()  # is not allowed in a capture
        return PLAY(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(steps, "_play", waits)
    settings = {**recipe_settings(), "batch": BATCH, "device": "cuda"}
    assert run_training(tiny_config(data, epochs=2, **settings), tmp_path).step == 10
    assert [record.name for record in caplog.records if record.levelname == "WARNING"] == [
        "dcgan_edge.training.captured"
    ]
