"""The classes of training images: their names, which image has which, and what has none."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dcgan_edge.classes import DIGIT_NAMES
from dcgan_edge.data import dataset, load_digits, open_data
from dcgan_edge.data.cifar import CLASS_NAMES
from dcgan_edge.data.dataset import gather
from dcgan_edge.data.labelled import folder_classes, open_classes
from dcgan_edge.errors import UsageError
from tests.data.test_cifar import write_cifar
from tests.data.test_dataset import Numbers
from tests.data.test_labelled import write_idx


def write_pictures(folder: Path, levels: dict[str, list[int]]) -> Path:
    """Grey pictures of 8 pixels, one of each level in the folder of its class."""
    for name, values in levels.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for value in values:
            Image.new("L", (8, 8), value).save(folder / name / f"{value}.png")
    return folder


def test_digits_are_called_by_their_names() -> None:
    _, classes = open_classes("digits", 28, 1)
    assert classes.names == DIGIT_NAMES
    assert np.array_equal(classes.labels, load_digits()[1])


def test_labels_of_idx_files_are_numbered_without_gaps(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", np.zeros((5, 4, 4)))
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.array([7, 1, 7, 26, 1]))
    _, classes = open_classes(str(tmp_path), 28, 1)
    assert classes.names == ("1", "7", "26")
    assert classes.labels.tolist() == [1, 0, 1, 2, 0]


def test_cifar_has_its_own_names(tmp_path: Path) -> None:
    write_cifar(tmp_path)
    _, classes = open_classes(str(tmp_path), 32, 3)
    assert classes.names == CLASS_NAMES[:4]  # those that occur
    assert classes.labels.tolist() == [0, 1, 2, 3] * 5


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"dog/big": [10], "dog": [20], "cat": [30, 40]})
    data = open_data(str(tmp_path), 8, 1, labelled=True)
    assert open_classes(str(tmp_path), 8, 1)[1].names == ("cat", "dog")
    (batch,) = data.labelled_batches(4, seed=0, epoch=0)
    assert batch.labels is not None
    named = dict(zip(batch.pixels[:, 0, 0, 0].tolist(), batch.labels.tolist(), strict=True))
    assert named == {10: 1, 20: 1, 30: 0, 40: 0}


def test_an_archive_and_folders_around_the_classes(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "pictures", {"cat": [1], "dog": [2]})
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for path in sorted(pictures.rglob("*.png")):
            archive.write(path, f"pets/train/{path.relative_to(pictures)}")
    _, classes = open_classes(str(tmp_path / "pets.zip"), 8, 1)
    assert (classes.names, classes.labels.tolist()) == (("cat", "dog"), [0, 1])


@pytest.mark.parametrize(
    ("files", "seen"),
    [
        (["a.png", "b.png"], "a.png lies in none"),
        (["cat/a.png", "b.png"], "b.png lies in none"),
        (["cat/a.png", "cat/b.png"], "there is only cat"),
        (["train/cat/a.png", "train/cat/b.png"], "there is only cat"),
    ],
)
def test_pictures_without_classes_are_refused(files: list[str], seen: str) -> None:
    with pytest.raises(UsageError, match=seen):
        folder_classes(files, "pets")


def test_files_without_labels_are_refused(tmp_path: Path) -> None:
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", np.zeros((5, 4, 4)))
    with pytest.raises(UsageError, match="no file of labels"):
        open_data(str(tmp_path), 28, 1, labelled=True)
    write_idx(tmp_path / "train-labels-idx1-ubyte.gz", np.full(5, 3))
    with pytest.raises(UsageError, match="two or more"):
        open_data(str(tmp_path), 28, 1, labelled=True)
    packed = tmp_path / "packed.npy"
    np.save(packed, np.zeros((2, 1, 8, 8), np.uint8))
    with pytest.raises(UsageError, match="folder of pictures for each class"):
        open_data(str(packed), 8, 1, labelled=True)


@pytest.mark.parametrize("memory", [0, 2**30])
def test_labels_go_with_their_images(memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In memory and streamed, also where the next image takes the place of one that cannot be read."""
    monkeypatch.setattr(dataset, "available_memory", lambda: memory)
    labels = np.arange(20) % 7
    data = gather(Numbers(20, frozenset([3, 4, 19])), (1, 2, 2), labels=labels)
    for batch in data.labelled_batches(5, seed=1, epoch=2):
        assert batch.labels is not None
        assert batch.labels.dtype == torch.int64
        assert batch.labels.tolist() == [number % 7 for number in batch.pixels[:, 0, 0, 0].tolist()]
    assert labels.tolist() == [number % 7 for number in range(20)]  # the caller's are left as they were


def test_other_labels_are_another_data_set() -> None:
    plain = gather(Numbers(4), (1, 2, 2))
    one, other = (
        gather(Numbers(4), (1, 2, 2), labels=np.array(each)) for each in ([0, 1, 0, 1], [0, 0, 1, 1])
    )
    assert len({plain.digest, one.digest, other.digest}) == 3
    assert plain.labels is None
    assert next(plain.labelled_batches(2, seed=0, epoch=0)).labels is None
