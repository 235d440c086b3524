from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_edge.artifact import BatchProfile
from dcgan_edge.errors import UsageError
from dcgan_edge.sample_sets.plan import SamplePlan, Shard, parse_shard
from dcgan_edge.seeds import MOST_IN_SETS, Seeds, rising
from tests.doubles import double_manifest

ARCHITECTURE = double_manifest(BatchProfile(), ("cat", "dog")).architecture


@given(files=st.integers(0, 300), count=st.integers(1, 70))
def test_every_file_is_in_one_shard(files: int, count: int) -> None:
    shares = [Shard(number, count).of(files) for number in range(count)]
    assert sorted(file for share in shares for file in share) == list(range(files))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1  # nobody has much more to do


@settings(max_examples=30)
@given(
    seeds=st.lists(st.integers(0, 40), min_size=1, max_size=30),
    both=st.booleans(),
    per_file=st.integers(1, 20),
    count=st.integers(1, 5),
)
def test_every_image_is_in_one_file(seeds: list[int], both: bool, per_file: int, count: int) -> None:
    plan = SamplePlan(ARCHITECTURE, rising(seeds), (0, 1) if both else None, per_file=per_file)
    files = [list(plan.pairs_of(number)) for number in range(plan.files)]
    assert [pair for file in files for pair in file] == list(plan.pairs)
    numbers = Shard(count - 1, count).of(plan.files)
    assert plan.images_in(numbers) == sum(len(files[number]) for number in numbers)


def test_a_hundred_million_images_are_not_listed_and_travel() -> None:
    plan = SamplePlan(ARCHITECTURE, Seeds((range(10**8),)))
    assert (plan.files, plan.name(9_999), plan.images_in(Shard(3, 64).of(plan.files))) == (
        10_000, "09999.tar", 157 * 10_000,
    )  # fmt: skip
    assert plan.pairs_of(9_999)[-1] == (10**8 - 1, 1)
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert len(pickle.dumps(plan)) < 2000


@pytest.mark.parametrize(
    "text", ["64/64", "0/0", "-1/4", "1", "1/", "/4", "1/2/3", "a/4", "0x1/4", "٣/4", "0/1000000", "1 /4"]
)
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_shard(text)


def test_a_shard_is_written_as_it_is_read() -> None:
    assert str(parse_shard(" 3/64 ")) == "3/64"


def test_more_files_than_five_digits_count_are_refused() -> None:
    with pytest.raises(UsageError, match="per file"):
        SamplePlan(ARCHITECTURE, Seeds((range(200_000),)), per_file=1)
    with pytest.raises(UsageError, match="too many"):
        SamplePlan(ARCHITECTURE, Seeds((range(MOST_IN_SETS),)), (0, 1))
