"""On a GPU: every recipe trains and goes on, there and on a CPU, and learns what it learns on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from dcgan_edge import export
from dcgan_edge.artifact import Architecture
from dcgan_edge.recipes import RECIPES, recipe_settings
from dcgan_edge.training import CHECKPOINT_NAME, run_training, steps
from tests.training.tiny_run import BATCH, metrics, tiny_config, weights, write_digits

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]
EVERY_RECIPE = pytest.mark.parametrize("recipe", RECIPES)
DRAW = steps.draw_latents


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
