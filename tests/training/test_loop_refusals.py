"""What `run_training` refuses and reports, and the ways in which it may be used."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from dcgan_edge.errors import ArtifactError, EdgeError, UnavailableError, UsageError
from dcgan_edge.training import (
    CHECKPOINT_NAME,
    TrainConfig,
    load_generator,
    loop,
    read_header,
    run_training,
)
from tests.training.tiny_run import (
    assert_same_run,
    tiny_config,
)

pytestmark = pytest.mark.usefixtures("few_statistics")


def test_the_images_must_be_the_same_ones(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(20):
        Image.new("L", (28, 28), index).save(folder / f"{index}.png")
    config = tiny_config(folder, epochs=1)
    run_training(config, tmp_path / "run")
    (folder / "7.png").unlink()
    with pytest.raises(UsageError, match="The 19 images"):
        run_training(config, tmp_path / "run", resume=True)


def test_too_few_images_for_a_batch(tmp_path: Path, data: Path) -> None:
    with pytest.raises(UsageError, match="83 images, too few for one batch of 84"):
        run_training(tiny_config(data, batch=84), tmp_path)
    assert not (tmp_path / CHECKPOINT_NAME).exists()


def test_a_damaged_checkpoint_is_not_resumed(tmp_path: Path, data: Path) -> None:
    config = tiny_config(data, epochs=1)
    run_training(config, tmp_path)
    path = tmp_path / CHECKPOINT_NAME
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArtifactError):
        run_training(config, tmp_path, resume=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_that_is_not_here_is_an_error(tmp_path: Path, data: Path) -> None:
    with pytest.raises(UnavailableError, match="--device cpu"):
        run_training(tiny_config(data, device="cuda"), tmp_path)


@pytest.mark.parametrize("preset", ["gan", "gan-conv-d", "dcgan-upsample"])
def test_every_preset_trains_and_resumes(tmp_path: Path, data: Path, preset: str) -> None:
    config = tiny_config(data)
    config = dataclasses.replace(config, architecture=dataclasses.replace(config.architecture, preset=preset))
    run_training(dataclasses.replace(config, epochs=1), tmp_path / "parts")
    run_training(dataclasses.replace(config, epochs=2), tmp_path / "parts", resume=True)
    run_training(dataclasses.replace(config, epochs=2), tmp_path / "whole")
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


def test_uniform_latents(tmp_path: Path, data: Path) -> None:
    config = tiny_config(data, epochs=1)
    uniform = dataclasses.replace(config.architecture, distribution="uniform")
    run_training(dataclasses.replace(config, architecture=uniform), tmp_path)
    assert load_generator(tmp_path / CHECKPOINT_NAME)[1].architecture.distribution == "uniform"


def test_the_config_is_whole_in_the_header(tmp_path: Path, data: Path) -> None:
    config = tiny_config(data, epochs=1, seed=2**64 - 1)
    run_training(config, tmp_path)
    header = read_header(tmp_path / CHECKPOINT_NAME)
    assert header.config == config
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert (header.images, header.precision) == (83, "fp32")
    assert header.versions["torch"] == torch.__version__


@pytest.mark.parametrize(
    "shortage",
    [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("can't allocate memory")],
)
def test_too_little_memory_is_said(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch, shortage: Exception
) -> None:
    def fail(*_: object) -> None:
        raise shortage

    monkeypatch.setattr(loop, "new_state", fail)
    with pytest.raises(EdgeError, match="smaller --batch"):
        run_training(tiny_config(data), tmp_path)


def test_other_runtime_errors_are_bugs_and_keep_their_traceback(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("unsupported memory format")

    monkeypatch.setattr(loop, "new_state", fail)
    with pytest.raises(RuntimeError, match="memory format"):
        run_training(tiny_config(data), tmp_path)
