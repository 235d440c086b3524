from __future__ import annotations

import io
import json
import tarfile
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from dcgan_edge import sample, sample_sets, sampling
from dcgan_edge.artifact import BatchProfile
from dcgan_edge.errors import UsageError
from dcgan_edge.latents import FloatArray
from dcgan_edge.sample_sets import write_set
from dcgan_edge.sampling import Progress, sample_to_folder
from tests.doubles import ArithmeticSession

NAMES = ("cat", "dog", "owl")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_sets, "SHARD", 20)


def write(
    session: ArithmeticSession,
    seeds: Sequence[int],
    folder: Path,
    form: Literal["npy", "webdataset"] = "webdataset",
    *,
    classes: Sequence[int] | None = None,
    scale: int = 1,
    progress: Progress | None = None,
) -> list[Path]:
    return write_set(
        session, seeds, folder, classes=classes, format=form, scale=scale, batch=None, progress=progress
    )


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        found = {}
        for member in tar:
            assert (member.mtime, member.uid, member.mode, member.isreg()) == (0, 0, 0o644, True)
            content = tar.extractfile(member)
            assert content is not None
            found[member.name] = content.read()
    return found


def test_shards_hold_the_files_of_png(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    session = ArithmeticSession()
    shards = write(session, range(3, 48), tmp_path / "tar", progress=lambda *said: told.append(said))
    assert [path.name for path in shards] == ["00000.tar", "00001.tar", "00002.tar"]
    assert told[-1] == (45, 45)
    assert told == sorted(told)
    found = [members(path) for path in shards]
    assert [len(each) for each in found] == [20, 20, 5]
    assert next(iter(found[1])) == "000000023.png"
    files = sample_to_folder(session, range(3, 48), tmp_path / "png")
    assert [path.read_bytes() for path in files] == [data for each in found for data in each.values()]


def test_shards_name_the_class(tmp_path: Path) -> None:
    session = ArithmeticSession(classes=NAMES)
    (own,) = write(session, [4, 2], tmp_path / "own")
    assert members(own)["000000004.cls"] == b"1"
    assert list(members(own)) == ["000000002.png", "000000002.cls", "000000004.png", "000000004.cls"]
    (both,) = write(session, [4, 2], tmp_path / "both", classes=[2, 1])
    assert members(both)["000000004-1.png"] == members(own)["000000004.png"]
    assert members(both)["000000004-2.cls"] == b"2"
    assert len(members(both)) == 8


def test_an_array_can_be_mapped(tmp_path: Path) -> None:
    session = ArithmeticSession(BatchProfile(1, 3, 3))
    (path,) = write(session, [9, 2, 3, 3], tmp_path, "npy")
    mapped = np.load(path, mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, session.generate([2, 3, 9]))


class Failing(ArithmeticSession):
    """Is interrupted in its `calls`-th call."""

    calls = 5

    def _run(self, latents: FloatArray) -> FloatArray:
        if len(self.batches) >= self.calls:
            raise KeyboardInterrupt
        return super()._run(latents)


def test_a_run_that_was_cut_off_goes_on_with_its_first_unfinished_shard(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(Failing(), range(60), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000.tar", "samples.json"]
    finished = (tmp_path / "00000.tar").stat()
    (tmp_path / ".00001.tar.0a1b2c3d.tmp").write_bytes(b"half")  # as kill -9 leaves it
    session = ArithmeticSession()
    shards = write(session, range(60), tmp_path)
    assert len(session.batches) < 60 // 8  # the first twenty were not made again
    assert (tmp_path / "00000.tar").stat() == finished
    fresh = write(ArithmeticSession(), range(60), tmp_path / "fresh")
    assert [path.read_bytes() for path in shards] == [path.read_bytes() for path in fresh]
    assert sorted(path.name for path in (tmp_path / "fresh").iterdir()) == [
        *(path.name for path in fresh), "samples.json"
    ]  # fmt: skip
    assert not list(tmp_path.glob(".*"))
    again = ArithmeticSession()
    assert write(again, range(60), tmp_path) == shards
    assert again.batches == []


def test_files_of_another_request_are_not_mixed_with(tmp_path: Path) -> None:
    write(ArithmeticSession(), range(20), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UsageError, match="another artifact"):
        write(ArithmeticSession(), range(40), tmp_path)
    with pytest.raises(UsageError, match="another artifact"):
        write(ArithmeticSession(), range(20), tmp_path, scale=2)
    with pytest.raises(UsageError, match="another artifact"):
        write(ArithmeticSession(), range(20), tmp_path, "npy")
    other = ArithmeticSession()
    object.__setattr__(other.manifest, "sha256", "0" * 64)
    with pytest.raises(UsageError, match="another artifact"):
        write(other, range(20), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / "samples.json").unlink()
    with pytest.raises(UsageError, match=r"no samples\.json"):
        write(ArithmeticSession(), range(20), tmp_path)


@pytest.mark.parametrize("form", ["npy", "webdataset"])
def test_memory_does_not_grow_with_the_seeds(
    form: Literal["npy", "webdataset"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_sets, "SHARD", 150)
    monkeypatch.setattr(sampling, "MOST_ENCODERS", 1)  # zlib has 0.3 MB in each thread
    peaks = []
    for count in (300, 2700):
        tracemalloc.start()
        write(ArithmeticSession(), range(count), tmp_path / str(count), form)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 120_000  # bytes; a list of 2,400 pairs alone would take twice as much


def test_sample_writes_them_and_refuses_what_does_not_apply(exported: Path, tmp_path: Path) -> None:
    artifact = exported / "generator.fp32.onnx"
    made = sample(artifact, range(25), tmp_path / "tar", format="webdataset", device="cpu", threads=1)
    assert (made.images, [path.name for path in made.files]) == (25, ["00000.tar", "00001.tar"])
    assert json.loads(json.dumps(made.to_dict()))["images"] == 25
    picture = Image.open(io.BytesIO(members(made.files[1])["000000024.png"]))
    (alone,) = sample(artifact, [24], tmp_path / "png", device="cpu", threads=1).files
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(Image.open(alone)))
    for wrong in ({"format": "npy", "scale": 2}, {"format": "webdataset", "grid": (5, 5)}, {"format": "gif"}):
        with pytest.raises(UsageError):
            sample(artifact, range(25), tmp_path / "no", **wrong)
    assert not (tmp_path / "no").exists()
