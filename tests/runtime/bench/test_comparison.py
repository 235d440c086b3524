from __future__ import annotations

import functools

import numpy as np
import pytest
import scipy.stats

from dcgan_edge.errors import BenchmarkError, UsageError
from dcgan_edge.runtime.bench.comparison import (
    Gate,
    compare,
    compare_rounds,
    parse_gate,
)
from dcgan_edge.runtime.bench.intervals import t_quantile, welch_half_width
from dcgan_edge.runtime.bench.record import BenchReport, Measurement, WarmUp
from dcgan_edge.runtime.bench.statistics import CONFIDENCE
from dcgan_edge.runtime.bench.workload import Samples

GATE = Gate("p50", 0.05)


def run(
    seed: int, *, factor: float = 1.0, noise: float = 0.02, machine: str = "x", rounds: int = 10
) -> BenchReport:
    """A run of `rounds` rounds around 1 ms * factor, each round with luck of its own of `noise` (a share)."""
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(rounds):
        luck = 1 + noise * generator.standard_normal()
        latency = (1e6 * factor * luck * generator.lognormal(0, 0.1, 300)).astype(np.int64)
        made.append(Samples(np.cumsum(latency) - latency, latency))
    taken = Measurement(
        "x.onnx", "0", "fp32", "latency", 1, 1, {"backend": "b"}, WarmUp(1, 1, True), tuple(made)
    )
    return BenchReport({}, (taken,), {"cpu": machine}, {})


def test_the_same_thing_twice_is_no_regression() -> None:
    # 200 pairs at 2 % luck of the rounds: the interval may miss in 1 % of them, and then 5 % is far away.
    outcomes = [compare(run(2 * k), run(2 * k + 1), [GATE])[0].outcome for k in range(200)]
    assert outcomes.count("slower") + outcomes.count("faster") <= 4  # 1 % of 200 expected, fixed seeds
    assert not any(compare(run(2 * k), run(2 * k + 1), [GATE])[0].regression for k in range(200))


def test_ten_percent_are_found_every_time() -> None:
    found = [compare(run(2 * k), run(2 * k + 1, factor=1.1), [GATE])[0] for k in range(100)]
    assert all(each.regression and each.outcome == "slower" for each in found)
    # A 99 % interval on fixed seeds: 99 of 100 expected, 95 is far below chance.
    assert sum(each.low <= 0.1 <= each.high for each in found) >= 95


def test_better_is_an_improvement_and_little_is_within_the_gate() -> None:
    (better,) = compare(run(1), run(2, factor=0.8), [GATE])
    assert (better.outcome, better.regression) == ("faster", False)
    (little,) = compare(run(1, noise=0.001), run(2, factor=1.04, noise=0.001), [GATE])
    assert (little.outcome, little.regression) == ("slower", False)
    (slower,) = compare(run(1), run(2, factor=1.2), [Gate("throughput", -0.05)])
    assert (slower.outcome, slower.regression) == ("slower", True)


def test_a_single_round_proves_nothing() -> None:
    (found,) = compare(run(1, rounds=1), run(2, factor=2, rounds=1), [GATE])
    assert (found.outcome, found.regression) == ("ambiguous", False)
    assert "too few" in found.because


def side_by_side(seed: int, factor: float, rounds: int = 60) -> BenchReport:
    """A baseline and one `factor` times as slow, on a machine that changes its speed by a third now and then,
    from one round to the next.
    """
    generator = np.random.default_rng(seed)
    made: dict[str, list[Samples]] = {"x.onnx (baseline)": [], "x.onnx": []}
    speed = 1.0
    for _ in range(rounds):
        for name, slower in zip(made, (1.0, factor), strict=True):
            speed = generator.choice([1.0, 1.35]) if generator.random() < 0.2 else speed
            latency = (1e6 * speed * slower * generator.lognormal(0, 0.1, 100)).astype(np.int64)
            made[name].append(Samples(np.cumsum(latency) - latency, latency))
    taken = [
        Measurement(name, "0", "fp32", "latency", 1, 1, {}, WarmUp(1, 1, True), tuple(each))
        for name, each in made.items()
    ]
    return BenchReport({}, tuple(taken), {"cpu": "x"}, {})


def test_round_by_round_a_restless_machine_is_seen_through() -> None:
    names = {"x.onnx": "x.onnx (baseline)"}
    same = [compare_rounds(side_by_side(k, 1.0), names, [GATE])[0] for k in range(100)]
    assert {each.outcome for each in same} <= {"same", "ambiguous"}
    slower = [compare_rounds(side_by_side(100 + k, 1.1), names, [GATE])[0] for k in range(100)]
    assert all(each.regression and each.outcome == "slower" for each in slower)
    # A 99 % interval on fixed seeds: 99 of 100 expected, 95 is far below chance.
    assert sum(each.low <= 0.1 <= each.high for each in slower) >= 95


def test_few_rounds_have_no_interval_and_are_noise() -> None:
    (found,) = compare_rounds(side_by_side(0, 2.0, rounds=7), {"x.onnx": "x.onnx (baseline)"}, [GATE])
    assert (found.outcome, found.regression) == ("ambiguous", False)
    assert "too few" in found.because
    assert found.to_dict()["high"] is None


def test_where_runs_were_unstable_rounds_that_overlap_prove_nothing() -> None:
    restless = functools.partial(run, noise=0.2, rounds=40)
    found = [compare(restless(2 * k), restless(2 * k + 1, factor=1.3), [GATE])[0] for k in range(5)]
    assert {(each.outcome, each.regression) for each in found} == {("ambiguous", False)}
    assert all(each.low > 0 for each in found)  # Welch's interval alone would have called it
    (apart,) = compare(restless(1), restless(2, factor=9), [GATE])
    assert apart.regression


def test_other_machines_are_refused_unless_forced() -> None:
    with pytest.raises(BenchmarkError, match="cpu was x and is y"):
        compare(run(1), run(2, machine="y"), [GATE])
    assert compare(run(1), run(2, machine="y"), [GATE], force=True)


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(BenchmarkError, match="nothing in common"):
        compare(BenchReport({}, (), {}, {}), run(1), [GATE])


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("p99>+5%", Gate("p99", 0.05)),
        ("p99.9 > +2.5%", Gate("p99.9", 0.025)),
        ("throughput<-3%", Gate("throughput", -0.03)),
    ],
)
def test_gates(text: str, gate: Gate) -> None:
    assert parse_gate(text) == gate


@pytest.mark.parametrize(
    "text", ["", "p99", "p99>5%", "p99>-5%", "mean>+5%", "p0>+5%", "p50>+0%", "throughput<-100%"]
)
def test_other_text_is_no_gate(text: str) -> None:
    with pytest.raises(UsageError):
        parse_gate(text)


@pytest.mark.parametrize("probability", [0.95, 0.995])
@pytest.mark.parametrize("freedom", [4.0, 5.7, 8.0, 18.0, 200.0, 1e9])
def test_t_quantile_agrees_with_scipy(probability: float, freedom: float) -> None:
    assert t_quantile(probability, freedom) == pytest.approx(
        scipy.stats.t.ppf(probability, freedom), rel=0.02
    )


@pytest.mark.parametrize(("few", "many"), [(5, 5), (5, 40), (30, 30)])
def test_the_interval_of_welch_agrees_with_scipy(few: int, many: int) -> None:
    generator = np.random.default_rng(few)
    first, second = generator.normal(0, 1, few), generator.normal(0, 3, many)
    interval = scipy.stats.ttest_ind(second, first, equal_var=False).confidence_interval(CONFIDENCE)
    half = (interval.high - interval.low) / 2
    assert welch_half_width(first.tolist(), second.tolist()) == pytest.approx(half, rel=0.02)  # as t_quantile


def test_fewer_than_five_rounds_bound_nothing() -> None:
    assert welch_half_width([1.0, 1.1, 1.2, 1.3], [1.0] * 9) == np.inf
    assert welch_half_width([1.0] * 5, [2.0] * 5) == 0
