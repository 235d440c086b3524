from __future__ import annotations

import json
from pathlib import Path

import pytest

from dcgan_edge.errors import ArtifactError, UsageError, VerificationError
from dcgan_edge.sample_sets.checking import CheckedSamples, check_samples, is_sample_set
from tests.doubles import ArithmeticSession
from tests.sample_sets.test_writing import write


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    write(ArithmeticSession(), range(100), tmp_path, per_file=10)
    return tmp_path


def test_a_complete_set_is_complete(samples: Path) -> None:
    told: list[tuple[int, int]] = []
    found = check_samples(samples, progress=lambda *said: told.append(said))
    assert found == CheckedSamples(str(samples), "webdataset", 100, 10, (), ())
    assert (found.to_dict()["complete"], found.shards(4), told[-1]) == (True, [], (10, 10))
    found.raise_if_failed()
    assert is_sample_set(samples)


def test_what_is_missing_and_what_is_damaged_is_told_apart(samples: Path) -> None:
    (samples / "00003.tar").unlink()
    (samples / "00005.tar.json").unlink()  # as a shard that was killed leaves it
    content = (samples / "00008.tar").read_bytes()
    (samples / "00008.tar").write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    record = json.loads((samples / "00009.tar.json").read_text())
    (samples / "00009.tar.json").write_text(json.dumps(record | {"index": "0" * 64}))  # of another request
    found = check_samples(samples)
    assert (found.missing, found.damaged) == ((3, 5), (8, 9))
    assert (found.shards(4), found.shards(100)) == ([0, 1, 3], [3, 5, 8, 9])
    with pytest.raises(VerificationError, match="2 of 10 files are missing: 3, 5; 2 of 10 files are damaged"):
        found.raise_if_failed()
    write(ArithmeticSession(), range(100), samples, per_file=10)
    check_samples(samples).raise_if_failed()


@pytest.mark.parametrize(
    "index", ["", "[]", "{}", '{"schema_version": 2, "format": "webdataset"}', "[" * 9999]
)
def test_an_index_that_is_not_sound_is_refused(samples: Path, index: str) -> None:
    (samples / "samples.json").write_text(index)
    with pytest.raises(ArtifactError):
        check_samples(samples)


def test_another_folder_is_no_set(tmp_path: Path) -> None:
    assert not is_sample_set(tmp_path)
    assert not is_sample_set(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no set of samples"):
        check_samples(tmp_path)
