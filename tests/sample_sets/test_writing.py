from __future__ import annotations

import contextlib
import io
import json
import random
import tarfile
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dcgan_edge import sample, sampling
from dcgan_edge.artifact import BatchProfile
from dcgan_edge.errors import UsageError
from dcgan_edge.latents import FloatArray
from dcgan_edge.sample_sets.plan import SamplePlan, SetFormat
from dcgan_edge.sample_sets.stores import FolderStore
from dcgan_edge.sample_sets.writing import write_files
from dcgan_edge.sampling import Progress, sample_to_folder
from dcgan_edge.seeds import rising
from tests.doubles import ArithmeticSession

NAMES = ("cat", "dog", "owl")


def write(
    session: ArithmeticSession,
    seeds: Sequence[int],
    folder: Path,
    form: SetFormat = "webdataset",
    *,
    classes: tuple[int, ...] | None = None,
    scale: int = 1,
    per_file: int = 20,
    shard: slice = slice(None),
    progress: Progress | None = None,
) -> list[Path]:
    plan = SamplePlan(session.manifest.architecture, rising(seeds), classes, form, scale, per_file=per_file)
    numbers = range(plan.files)[shard]
    return [Path(path) for path in write_files(session, plan, FolderStore(folder), numbers, progress)]


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
    (both,) = write(session, [4, 2], tmp_path / "both", classes=(1, 2))
    assert members(both)["000000004-1.png"] == members(own)["000000004.png"]
    assert members(both)["000000004-2.cls"] == b"2"
    assert len(members(both)) == 8


def test_an_array_can_be_mapped(tmp_path: Path) -> None:
    session = ArithmeticSession(BatchProfile(1, 3, 3))
    (path,) = write(session, [9, 2, 3, 3], tmp_path, "npy")
    mapped = np.load(path, mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, session.generate([2, 3, 9]))


def test_images_rise_by_seed_then_class(tmp_path: Path) -> None:
    session = ArithmeticSession(classes=NAMES)
    (path,) = write(session, range(3, 40), tmp_path, "npy", classes=(0, 2))
    expected = session.generate([seed for seed in range(3, 40) for _ in range(2)], [0, 2] * 37)
    np.testing.assert_array_equal(np.load(path), expected)


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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000.tar", "00000.tar.json", "samples.json"]
    finished = (tmp_path / "00000.tar").stat()
    (tmp_path / ".00001.tar.0a1b2c3d.tmp").write_bytes(b"half")  # as kill -9 leaves it
    session = ArithmeticSession()
    shards = write(session, range(60), tmp_path)
    assert len(session.batches) < 60 // 8  # the first twenty were not made again
    assert (tmp_path / "00000.tar").stat() == finished
    fresh = write(ArithmeticSession(), range(60), tmp_path / "fresh")
    assert [path.read_bytes() for path in shards] == [path.read_bytes() for path in fresh]
    assert {path.name for path in (tmp_path / "fresh").iterdir()} == {
        *(path.name for path in fresh), *(f"{path.name}.json" for path in fresh), "samples.json"
    }  # fmt: skip
    assert not list(tmp_path.glob(".*"))
    again = ArithmeticSession()
    assert write(again, range(60), tmp_path) == shards
    assert again.batches == []


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shards=st.integers(1, 5),
    per_file=st.integers(1, 25),
    cut_off=st.lists(st.integers(0, 12), max_size=3),
    chance=st.randoms(use_true_random=False),
    form=st.sampled_from(["webdataset", "parquet"]),
)
def test_shards_in_any_order_cut_off_and_repeated_write_what_one_run_does(
    tmp_path_factory: pytest.TempPathFactory, shards: int, per_file: int, cut_off: list[int],
    chance: random.Random, form: SetFormat,
) -> None:  # fmt: skip
    folder = tmp_path_factory.mktemp("sets")
    write(ArithmeticSession(classes=NAMES), range(5, 46), folder / "one", form, per_file=per_file)
    order = [*range(shards), *chance.choices(range(shards), k=2)]
    chance.shuffle(order)
    for number in order:
        share = slice(number, None, shards)
        if cut_off:
            session = Failing(classes=NAMES)
            session.calls = cut_off.pop()
            with contextlib.suppress(KeyboardInterrupt):
                write(session, range(5, 46), folder / "many", form, per_file=per_file, shard=share)
        write(ArithmeticSession(classes=NAMES), range(5, 46), folder / "many", form, per_file=per_file,
              shard=share)  # fmt: skip
    assert contents(folder / "many") == contents(folder / "one")


@pytest.mark.parametrize("name", ["00001.tar", "00001.tar.json"])
@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: bytes([data[0] ^ 1]) + data[1:], lambda data: b"[]"]
)
def test_a_file_that_is_not_what_was_written_is_made_again(
    tmp_path: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    write(ArithmeticSession(), range(60), tmp_path)
    before = contents(tmp_path)
    (tmp_path / name).write_bytes(damage(before[name]))
    session = ArithmeticSession()
    write(session, range(60), tmp_path)
    assert contents(tmp_path) == before
    assert 0 < len(session.batches) < 60 // 8


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
    form: SetFormat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "MOST_ENCODERS", 1)  # zlib has 0.3 MB in each thread
    peaks = []
    for count in (300, 2700):
        tracemalloc.start()
        write(ArithmeticSession(), range(count), tmp_path / str(count), form, per_file=150)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 120_000  # bytes; a list of 2,400 pairs alone would take twice as much


def test_sample_writes_them_and_refuses_what_does_not_apply(exported: Path, tmp_path: Path) -> None:
    artifact = exported / "generator.fp32.onnx"
    made = sample(artifact, range(25), tmp_path / "tar", format="webdataset", per_file=20, threads=1)
    assert (made.images, [Path(path).name for path in made.files]) == (25, ["00000.tar", "00001.tar"])
    assert json.loads(json.dumps(made.to_dict()))["images"] == 25
    picture = Image.open(io.BytesIO(members(Path(made.files[1]))["000000024.png"]))
    (alone,) = sample(artifact, [24], tmp_path / "png", device="cpu", threads=1).files
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(Image.open(alone)))
    wrong: list[dict[str, Any]] = [
        {"format": "npy", "scale": 2},
        {"format": "webdataset", "grid": (5, 5)},
        {"format": "gif"},
        {"shard": (0, 2)},
        {"per_file": 5},
        {"engine": "ray"},
        {"format": "npy", "shard": (1, 2)},
        {"format": "npy", "engine": "ray"},
        {"format": "webdataset", "workers": 2},
        {"format": "webdataset", "shard": (2, 2)},
        {"format": "webdataset", "shard": (-1, 2)},
    ]
    for options in wrong:
        with pytest.raises(UsageError):
            sample(artifact, range(25), tmp_path / "no", **options)
    assert not (tmp_path / "no").exists()
