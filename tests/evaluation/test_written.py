from __future__ import annotations

import contextlib
import io
import itertools
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_edge import evaluate, feature_sums, fid, sample
from dcgan_edge.cli import main
from dcgan_edge.errors import ArtifactError, UsageError, VerificationError
from dcgan_edge.evaluation.frechet import moments
from dcgan_edge.evaluation.sums import FeatureSums, load_sums, sums_of
from dcgan_edge.evaluation.written import WrittenScore

# The same pixels go through the same network in batches of other sizes, which changes features in their last
# bits, float32; and sums are added in another order, float64. 1e-9 was seen.
SAME = 1e-6


@pytest.fixture(scope="module")
def sets(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("pyarrow")
    folder = tmp_path_factory.mktemp("written")
    for form in ("webdataset", "parquet"):
        sample(
            exported / "generator.fp32.onnx", range(130), folder / form, format=form, per_file=40, threads=1
        )
    return folder


@pytest.fixture(scope="module")
def whole(sets: Path) -> WrittenScore:
    return fid(sets / "webdataset")


def test_the_figures_are_those_of_eval(exported: Path, sets: Path, whole: WrittenScore) -> None:
    expected = evaluate(exported / "generator.fp32.onnx", seeds=range(130), threads=1)
    (judged,) = expected.judged.values()
    assert whole.fid == pytest.approx(judged.scores.fid, rel=SAME)
    assert (whole.sums.n, whole.real.n, whole.held_out.n) == (130, 7000, 1000)
    assert judged.scores.classes is not None
    assert whole.sums.class_shares() == list(judged.scores.classes.shares)
    assert expected.reference.class_shares is not None
    assert whole.real.class_shares() == expected.reference.class_shares.tolist()
    parquet = feature_sums(sets / "parquet")
    np.testing.assert_array_equal(parquet.mean, whole.sums.mean)


def run(*arguments: object) -> tuple[int, dict[str, Any]]:
    answer = CliRunner().invoke(main, [*map(str, arguments), "--json"], catch_exceptions=False)
    return answer.exit_code, json.loads(answer.stdout)


def test_shards_are_measured_apart_and_merged(sets: Path, whole: WrittenScore, tmp_path: Path) -> None:
    for number in range(3):
        output = tmp_path / f"{number}.npz"
        code, said = run("fid", sets / "webdataset", "--shard", f"{number}/3", "--output", output)
        assert (code, said["n"]) == (0, (80 - 30, 40, 40)[number])
    code, said = run("fid", *(tmp_path / f"{number}.npz" for number in (2, 0, 1)))
    assert (code, said["n"], said["files"]) == (0, 130, 4)
    assert said["fid"] == pytest.approx(whole.fid, rel=1e-9)  # float64 sums in another order
    assert said["baseline"] == {"n": 1000, "fid": pytest.approx(whole.baseline)}
    code, said = run("fid", tmp_path / "0.npz", tmp_path / "0.npz", tmp_path / "1.npz")
    assert (code, "counted twice" in said["error"]["message"]) == (2, True)


def test_a_set_that_is_not_whole_has_no_fid(sets: Path, tmp_path: Path) -> None:
    for path in (sets / "webdataset").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tar = tmp_path / "00002.tar"
    tar.write_bytes(tar.read_bytes()[:-1])
    with pytest.raises(VerificationError, match="dcgan-edge check"):
        feature_sums(tmp_path)
    assert feature_sums(tmp_path, shard=(1, 4)).n == 40


def test_what_cannot_be_measured_is_refused(sets: Path, tmp_path: Path) -> None:
    for words in (
        ("--shard", "0/2"),
        ("--output", tmp_path / "x.npz", "--data", "digits"),
        ("--shard", "9/10", "--output", tmp_path / "x.npz"),
        ("--weights", "w.pth"),
    ):
        assert run("fid", sets / "webdataset", *words)[0] == 2
    assert run("fid", tmp_path)[0] == 2
    assert run("fid", tmp_path / "no.npz")[0] == 2
    assert not (tmp_path / "x.npz").exists()


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(1, 59), max_size=5, unique=True), seed=st.integers(0, 99))
def test_merged_sums_are_those_of_all(cuts: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    features = (1e3 + random.standard_normal((60, 5))).astype(np.float32)  # what plain sums lose digits of
    labels = random.integers(0, 10, 60)
    edges = [0, *sorted(cuts), 60]
    parts = [
        sums_of(features[one:other], labels[one:other], {"name": "x"}, (1, 2, 2))
        for one, other in itertools.pairwise(edges)
    ]
    random.shuffle(parts)
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.plus(part)
    expected = moments(features)
    np.testing.assert_allclose(merged.moments().mean, expected.mean, rtol=1e-14)  # a few roundings
    np.testing.assert_allclose(merged.moments().covariance, expected.covariance, atol=1e-11)
    assert merged.labels.tolist() == np.bincount(labels, minlength=10).tolist()


def saved(tmp_path: Path) -> Path:
    features = np.arange(12, dtype=np.float32).reshape(4, 3)
    return sums_of(features, None, {"name": "random"}, (1, 2, 2)).save(tmp_path / "sums.npz")


def test_saved_sums_are_read_as_they_were(tmp_path: Path) -> None:
    sums = load_sums(saved(tmp_path))
    assert (sums.n, sums.shape, sums.extractor, sums.class_shares()) == (
        4,
        (1, 2, 2),
        {"name": "random"},
        None,
    )
    np.testing.assert_allclose(sums.moments().mean, [4.5, 5.5, 6.5])
    other = sums_of(np.ones((2, 3), np.float32), None, {"name": "random"}, (1, 3, 3))
    with pytest.raises(UsageError, match="1x2x2"):
        sums.plus(other)
    alone = FeatureSums(1, sums.mean, sums.scatter, sums.labels, {}, (1, 2, 2))
    with pytest.raises(UsageError, match="two images"):
        alone.moments()


@settings(max_examples=40)
@given(data=st.data())
def test_a_damaged_file_of_sums_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = saved(tmp_path_factory.mktemp("sums"))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(1, len(content)))]))
    with contextlib.suppress(ArtifactError):
        load_sums(path)


def test_a_compressed_or_pickled_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sums.npz"
    np.savez_compressed(path, facts=np.zeros(3, np.uint8))
    with pytest.raises(ArtifactError, match="compressed"):
        load_sums(path)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        array = io.BytesIO()
        np.save(array, np.array([{}], object), allow_pickle=True)
        archive.writestr("facts.npy", array.getvalue())
    path.write_bytes(content.getvalue())
    with pytest.raises(ArtifactError):
        load_sums(path)
