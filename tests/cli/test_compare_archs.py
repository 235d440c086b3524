"""`dcgan-edge compare-archs`: equal budgets, kept runs, and what it says of the difference."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dcgan_edge.claims.presets import ComparisonPlan, compare_architectures
from dcgan_edge.cli import main
from dcgan_edge.errors import UsageError
from dcgan_edge.evaluation.classifier import load_digit_features
from dcgan_edge.training import ema

BUDGET = ("--runs", 2, "--epochs", 1, "--width", 2, "--batch", 1000, "--seeds", "0-49")


PLAN = ComparisonPlan(("dcgan", "gan"), 28, 1, width=2, runs=2, epochs=1, batch=1000, seeds=range(50))


def ignore(step: str) -> None:
    """No one watches."""


def run(out: Path, *arguments: object) -> Result:
    words = ["compare-archs", "--out", out, *BUDGET, *arguments]
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture(scope="module", autouse=True)
def few_statistics() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ema, "STATISTICS_BATCHES", 2)
        yield


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("comparison")


@pytest.fixture(scope="module")
def document(out: Path) -> dict[str, Any]:
    answer = run(out, "--presets", "dcgan,gan", "--json")
    assert answer.exit_code == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def test_every_run_has_seen_as_many_images(document: dict[str, Any]) -> None:
    assert [(one["preset"], one["seed"]) for one in document["runs"]] == [
        ("dcgan", 0), ("gan", 0), ("dcgan", 1), ("gan", 1),
    ]  # fmt: skip
    assert {one["images"] for one in document["runs"]} == {7000}


def test_the_recipe_trains_every_run_and_gives_the_batch() -> None:
    paper = dataclasses.replace(PLAN, batch=None).config("gan", 1)
    other = dataclasses.replace(PLAN, batch=None, recipe="sn-hinge").config("gan", 1)
    assert (paper.recipe, paper.batch, paper.loss) == ("paper", 128, "cross-entropy")
    assert (other.recipe, other.batch, other.loss, other.seed) == ("sn-hinge", 64, "hinge", 1)
    assert dataclasses.replace(PLAN, recipe="sn-hinge").config("dcgan", 0).batch == 1000


def test_kept_runs_of_another_recipe_are_refused(document: dict[str, Any], out: Path) -> None:
    answer = run(out, "--presets", "dcgan,gan", "--recipe", "sn-hinge")
    assert answer.exit_code == 2
    assert document["plan"]["recipe"] == "paper"


def test_means_and_gap_are_of_the_runs(document: dict[str, Any]) -> None:
    fids = {
        preset: [one["scores"]["fid"] for one in document["runs"] if one["preset"] == preset]
        for preset in ("dcgan", "gan")
    }
    means = {preset: document["presets"][preset]["fid"]["mean"] for preset in fids}
    assert means == {preset: pytest.approx(sum(values) / 2) for preset, values in fids.items()}
    gap = document["gap"]
    assert gap["of"] == "gan less dcgan"
    assert gap["fid"]["difference"] == pytest.approx(means["gan"] - means["dcgan"])
    assert gap["fid"]["exceeds_spread"] == (not gap["fid"]["low"] <= 0.0 <= gap["fid"]["high"])
    assert document["baseline"]["fid"] < min(means.values())


def test_files_are_written(document: dict[str, Any], out: Path) -> None:
    assert document["files"] == [str(out / "comparison.json"), str(out / "samples.png")]
    saved = json.loads((out / "comparison.json").read_text())
    assert saved["gap"] == document["gap"]
    assert (out / "samples.png").read_bytes().startswith(b"\x89PNG")


def test_finished_runs_are_kept_and_give_the_same_figures(document: dict[str, Any], out: Path) -> None:
    checkpoints = {path: path.stat().st_mtime_ns for path in out.rglob("checkpoint.safetensors")}
    assert len(checkpoints) == 4
    answer = run(out, "--presets", "dcgan,gan")
    assert answer.exit_code == 0, answer.stderr
    assert {path: path.stat().st_mtime_ns for path in checkpoints} == checkpoints
    for words in (
        "baseline (real)",
        "dcgan",
        "gan less dcgan",
        "spread",
        "7,000",
        f"{document['baseline']['fid']:.2f}",
    ):
        assert words in answer.stdout


def test_an_interrupted_comparison_goes_on(document: dict[str, Any], tmp_path: Path) -> None:
    """Ctrl-C in the second run: the first is kept, and the figures are those of one call."""
    plan = dataclasses.replace(PLAN, presets=("gan", "dcgan"), runs=1)

    def interrupt(step: str) -> None:
        if "run 2" in step:
            raise KeyboardInterrupt

    extractor = load_digit_features()
    with pytest.raises(KeyboardInterrupt):
        compare_architectures(plan, tmp_path, extractor, on_step=interrupt)
    ((kept, written),) = [
        (path, path.stat().st_mtime_ns) for path in tmp_path.rglob("checkpoint.safetensors")
    ]
    steps: list[str] = []
    found = compare_architectures(plan, tmp_path, extractor, on_step=steps.append)
    assert kept.stat().st_mtime_ns == written
    assert steps[:2] == ["run 1 of 2: gan, seed 0", "run 2 of 2: dcgan, seed 0"]
    for preset in plan.presets:
        assert found.spreads(preset)["fid"].values[0] == document["presets"][preset]["fid"]["values"][0]


def test_runs_of_another_budget_or_other_settings_are_refused(
    document: dict[str, Any], out: Path, tmp_path: Path
) -> None:
    extractor = load_digit_features()
    out = Path(shutil.copytree(out, tmp_path / "copy"))
    with pytest.raises(UsageError, match="another architecture"):
        compare_architectures(dataclasses.replace(PLAN, width=3), out, extractor, on_step=ignore)
    more = dataclasses.replace(PLAN, presets=("gan",), runs=1, epochs=2)
    compare_architectures(more, out, extractor, on_step=ignore)
    with pytest.raises(UsageError, match=r"trained on 14,000 images and others on 7,000"):
        compare_architectures(PLAN, out, extractor, on_step=ignore)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--presets", "dcgan,stylegan"), "no preset 'stylegan'; there are dcgan"),
        (("--minutes", "1"), "not both"),
        (("--seeds", "0-9"), "50 to"),
        (("--size", "30"), "not 30"),
        (("--presets", "dcgan,gan", "--size", "64"), "grey images of 28 or 32 pixels"),
        (("--features", "inception"), "--weights PATH"),
    ],
)
def test_what_cannot_be_done_is_a_usage_error(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    answer = run(tmp_path, *arguments)
    assert answer.exit_code == 2
    assert message in answer.stderr


def test_a_single_run_says_nothing_of_the_difference(tmp_path: Path) -> None:
    answer = run(tmp_path, "--presets", "gan", "--runs", "1")
    assert answer.exit_code == 0, answer.stderr
    assert "at least two runs of each" in answer.stdout
