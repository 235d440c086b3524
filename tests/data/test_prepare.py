"""A folder of pictures to one packed file: what is in it, what is found, what a stopped run leaves."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dcgan_edge.artifact import sidecar_path
from dcgan_edge.data import check_source, dataset, native_channels, native_size, open_data, packed_writer
from dcgan_edge.data.dataset import MemoryDataset, StreamedDataset
from dcgan_edge.data.packed import open_packed
from dcgan_edge.data.pixels import read_image
from dcgan_edge.data.prepare import Duplicate, Prepared, prepare
from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.images import PixelArray


def picture(seed: int) -> PixelArray:
    """(40, 48, 3), smooth, so that shrinking it keeps its look."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((48, 40), Image.Resampling.BICUBIC))


def write(path: Path, pixels: PixelArray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Ten pictures: 0-5 differ, 6 is 0 again, 7 is 1 a little brighter, 8 is cut short, 9 is no picture."""
    folder = tmp_path / "photos"
    for seed in range(6):
        write(folder / f"{seed}.png", picture(seed))
    write(folder / "more" / "6.bmp", picture(0))
    write(folder / "more" / "7.png", np.clip(picture(1).astype(np.int16) + 2, 0, 255).astype(np.uint8))
    (folder / "more" / "8.png").write_bytes((folder / "2.png").read_bytes()[:200])
    (folder / "more" / "9.jpg").write_bytes(b"no picture")
    return folder


def run(photos: Path, **options: Any) -> Prepared:
    return prepare(photos, photos.parent / "out.npy", **{"size": 16, **options})


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def test_the_images_are_those_that_training_would_read(photos: Path) -> None:
    prepared = run(photos)
    images = np.load(prepared.out, allow_pickle=False)
    files = sorted(path for path in photos.rglob("*.*") if path.stem not in "89")
    assert (images.shape, images.dtype) == ((8, 3, 16, 16), np.uint8)
    assert np.array_equal(images, np.stack([read_image(path, 16, 3) for path in files]))
    assert leftovers(photos.parent) == []


def test_what_was_found_is_reported_and_written_beside_the_file(photos: Path) -> None:
    prepared = run(photos)
    assert (prepared.pictures, prepared.count, prepared.channels, prepared.dropped) == (10, 8, 3, 0)
    assert [item.file for item in prepared.findings.unreadable] == ["more/8.png", "more/9.jpg"]
    assert prepared.findings.exact == (Duplicate("more/6.bmp", "0.png", None),)
    assert [(item.file, item.earlier) for item in prepared.findings.near] == [("more/7.png", "1.png")]
    facts = json.loads(sidecar_path(prepared.out).read_text())
    assert (facts["count"], facts["sha256"], facts["source"]["pictures"]) == (8, prepared.sha256, 10)
    assert facts["exact"] == [{"file": "more/6.bmp", "earlier": "0.png", "distance": None}]
    assert facts["unreadable"][1] == {"file": "more/9.jpg", "reason": "not a picture"}


@pytest.mark.parametrize(("drop", "count"), [("none", 8), ("exact", 7), ("near", 6)])
def test_duplicates_are_dropped_as_asked(photos: Path, drop: str, count: int) -> None:
    prepared = run(photos, drop=drop)
    assert (prepared.count, prepared.dropped, len(open_packed(prepared.out))) == (count, 8 - count, count)


def test_channels_are_those_of_the_pictures_or_those_asked_for(photos: Path, tmp_path: Path) -> None:
    assert open_packed(run(photos, channels=1).out).shape == (8, 1, 16, 16)
    write(tmp_path / "grey" / "a.png", picture(0)[..., 0])
    assert prepare(tmp_path / "grey", tmp_path / "grey.npy", size=8).channels == 1


def test_training_takes_the_file_and_maps_it_where_memory_is_short(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(run(photos).out)
    check_source(path)
    assert (native_channels(path), native_size(path)) == (3, 16)
    whole = open_data(path, 16)
    assert isinstance(whole, MemoryDataset)
    assert np.array_equal(whole.pixels.numpy(), np.load(path))
    monkeypatch.setattr(dataset, "available_memory", lambda: 0)
    streamed = open_data(path, 16)
    assert isinstance(streamed, StreamedDataset)
    for one, other in zip(
        whole.batches(4, seed=1, epoch=0), streamed.batches(4, seed=1, epoch=0), strict=True
    ):
        assert one.equal(other)


def test_another_size_than_the_file_has_is_made_from_it(photos: Path) -> None:
    data = open_data(str(run(photos).out), 32, 1)
    assert next(data.batches(8, seed=0, epoch=0)).shape == (8, 1, 32, 32)


def test_the_file_is_mapped_and_cannot_be_written_through(photos: Path) -> None:
    images = open_packed(run(photos).out)
    assert isinstance(images.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def lose_description(path: Path) -> None:
    sidecar_path(path).unlink()


def empty_description(path: Path) -> None:
    sidecar_path(path).write_text("{}")


def describe(**changes: Any) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        facts = json.loads(sidecar_path(path).read_text())
        sidecar_path(path).write_text(json.dumps(facts | changes))

    return change


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (damage, "is not the file that out.npy.json describes"),
        (cut, "is not the file that"),
        (lose_description, "has no out.npy.json beside it"),
        (empty_description, "does not describe packed images"),
        (describe(schema_version=2), "of schema 1"),
        (describe(count=7), "not uint8 \\(7, 3, 16, 16\\)"),
        (describe(count=-1), "does not describe"),
        (describe(size="16"), "does not describe"),
    ],
)
def test_a_file_that_is_not_what_was_written_is_refused(
    photos: Path, spoil: Callable[[Path], None], message: str
) -> None:
    path = run(photos).out
    spoil(path)
    with pytest.raises(ArtifactError, match=message):
        open_data(str(path), 16)


def test_an_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "evil.npy"
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    from dcgan_edge.files import sha256_of

    facts = {"schema_version": 1, "kind": "packed-images", "count": 1, "channels": 1, "size": 1}
    sidecar_path(path).write_text(json.dumps({**facts, "sha256": sha256_of(path)}))
    with pytest.raises(ArtifactError, match=r"is not a \.npy file"):
        open_packed(path)


def interrupt_at(number: int) -> Callable[[int, int], None]:
    def report(done: int, of: int) -> None:
        if done == number:
            raise KeyboardInterrupt

    return report


@pytest.mark.parametrize("drop", ["none", "near"])
@pytest.mark.parametrize("stop", [1, 7, 9, 10])
def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(photos: Path, stop: int, drop: str) -> None:
    whole = run(photos, drop=drop)
    expected = whole.out.read_bytes(), sidecar_path(whole.out).read_bytes()
    whole.out.unlink()
    with pytest.raises(KeyboardInterrupt):
        run(photos, drop=drop, progress=interrupt_at(stop))
    assert not whole.out.exists()
    seen: list[int] = []
    again = run(photos, drop=drop, progress=lambda done, of: seen.append(done))
    assert seen == list(range(stop + 1, 11))
    assert (again.out.read_bytes(), sidecar_path(again.out).read_bytes()) == expected
    assert again == whole
    assert leftovers(photos.parent) == []


def stopped(photos: Path) -> tuple[Path, Path]:
    with pytest.raises(KeyboardInterrupt):
        run(photos, progress=interrupt_at(7))
    return photos.parent / ".out.npy.part", photos.parent / ".out.npy.journal"


def progress_of(photos: Path, **options: Any) -> list[int]:
    seen: list[int] = []
    run(photos, progress=lambda done, of: seen.append(done), **options)
    return seen


def test_what_was_not_written_whole_is_done_again(photos: Path) -> None:
    part, journal = stopped(photos)
    part.write_bytes(part.read_bytes()[:-1])
    assert progress_of(photos) == [7, 8, 9, 10]
    part, journal = stopped(photos)
    journal.write_bytes(journal.read_bytes()[:-5])
    assert progress_of(photos) == [7, 8, 9, 10]
    part, journal = stopped(photos)
    journal.write_bytes(journal.read_bytes()[:-1])  # all but the end of the line
    assert progress_of(photos) == [7, 8, 9, 10]
    part, journal = stopped(photos)
    part.write_bytes(part.read_bytes()[:128] + bytes(part.stat().st_size - 128))
    assert progress_of(photos) == list(range(1, 11))
    assert np.array_equal(open_packed(photos.parent / "out.npy")[0], read_image(photos / "0.png", 16, 3))


@pytest.mark.parametrize("options", [{"size": 8}, {"channels": 1}, {"drop": "near"}, {"near": 0}])
def test_other_options_begin_anew(photos: Path, options: dict[str, Any]) -> None:
    stopped(photos)
    assert progress_of(photos, **options) == list(range(1, 11))


def test_changed_pictures_begin_anew(photos: Path) -> None:
    stopped(photos)
    write(photos / "0.png", picture(77))
    assert progress_of(photos) == list(range(1, 11))
    stopped(photos)
    os.utime(photos / "0.png", ns=(0, 0))  # as when it was exchanged for one of the same size
    assert progress_of(photos) == list(range(1, 11))


def test_a_full_disk_keeps_what_is_done(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = packed_writer._write
    calls = iter(range(100))

    def write(file: Any, data: bytes) -> None:
        if next(calls) == 7:  # the first line, then pixels and a line of each picture
            raise OSError(28, "No space left on device")
        real(file, data)

    monkeypatch.setattr(packed_writer, "_write", write)
    with pytest.raises(EdgeError, match=r"No space left on device\. What is done is kept"):
        run(photos)
    monkeypatch.setattr(packed_writer, "_write", real)
    assert progress_of(photos)[0] == 4


def test_too_small_a_disk_is_seen_at_once(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=7000))
    with pytest.raises(EdgeError, match=r"out\.npy needs 7,680 bytes, and its disk has 7,000 free"):
        run(photos)


def test_nothing_but_unreadable_pictures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"no picture")
    with pytest.raises(EdgeError, match="can be read"):
        prepare(tmp_path / "photos", tmp_path / "out.npy", size=16)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_names_and_folders_that_cannot_be(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"ends in \.npy"):
        prepare(photos, tmp_path / "out.npz", size=16)
    with pytest.raises(UsageError, match="There is no folder"):
        prepare(tmp_path / "nowhere", tmp_path / "out.npy", size=16)
    (tmp_path / "empty").mkdir()
    with pytest.raises(EdgeError, match="There are no pictures"):
        prepare(tmp_path / "empty", tmp_path / "out.npy", size=16)
    with pytest.raises(EdgeError, match="Cannot write"):
        prepare(photos, photos / "0.png" / "out.npy", size=16)
