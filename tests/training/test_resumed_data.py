"""A resumed run needs the same images, wherever they lie now and however much memory is free."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dcgan_edge as de
from dcgan_edge.data import dataset
from dcgan_edge.errors import UsageError
from dcgan_edge.training import CHECKPOINT_NAME, ema, read_header
from tests.training.tiny_run import assert_same_run


@pytest.fixture(autouse=True)
def few_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ema, "STATISTICS_BATCHES", 1)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = np.random.Generator(np.random.PCG64(0))
    for index in range(20):
        Image.fromarray(noise.integers(0, 256, (28, 28), np.uint8)).save(folder / f"{index:02}.png")
    return folder


def train(data: Path | str | None, out: Path, *, epochs: int, resume: bool = False) -> de.TrainResult:
    if resume:
        return de.train(data, out, epochs=epochs, resume=True)
    return de.train(
        data,
        out,
        size=28,
        width=1,
        latent_dim=4,
        recipe="paper",  # a learning rate that falls would fall otherwise over another number of epochs
        batch=8,
        epochs=epochs,
        device="cpu",
        precision="fp32",
        log_every=1,
    )


def test_the_folder_was_moved(tmp_path: Path, pictures: Path) -> None:
    train(pictures, tmp_path / "whole", epochs=2)
    train(pictures, tmp_path / "parts", epochs=1)
    moved = pictures.rename(tmp_path / "moved")
    with pytest.raises(UsageError, match="--data"):
        train(None, tmp_path / "parts", epochs=2, resume=True)
    train(moved, tmp_path / "parts", epochs=2, resume=True)
    assert_same_run(tmp_path / "parts", tmp_path / "whole")
    assert read_header(tmp_path / "parts" / CHECKPOINT_NAME).config.data == str(moved)


def test_the_working_directory_is_another(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train("pictures", Path("run"), epochs=1)
    monkeypatch.chdir("/")
    assert train(None, tmp_path / "run", epochs=2, resume=True).step == 4


@pytest.mark.parametrize("place", ["run", "."])
def test_the_run_lies_among_its_images(tmp_path: Path, pictures: Path, place: str) -> None:
    out = pictures / place
    train(pictures, tmp_path / "whole", epochs=2)
    train(pictures, out, epochs=1)
    assert list((out / "samples").glob("*.png"))
    train(None, out, epochs=2, resume=True)
    assert_same_run(out, tmp_path / "whole")


@pytest.mark.parametrize("memory", [(0, 2**40), (2**40, 0)])
def test_memory_decides_nothing(
    tmp_path: Path, pictures: Path, memory: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    (pictures / "07.png").write_bytes(b"no picture")
    train(pictures, tmp_path / "whole", epochs=2)
    for number, free in enumerate(memory):
        monkeypatch.setattr(dataset, "available_memory", lambda free=free: free)
        train(pictures, tmp_path / "parts", epochs=number + 1, resume=number > 0)
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


def test_other_images_are_refused(tmp_path: Path, pictures: Path) -> None:
    train(pictures, tmp_path / "run", epochs=1)
    Image.new("L", (28, 28)).save(pictures / "03.png")
    with pytest.raises(UsageError, match="not the 20"):
        train(None, tmp_path / "run", epochs=2, resume=True)
    assert read_header(tmp_path / "run" / CHECKPOINT_NAME).step == 2
