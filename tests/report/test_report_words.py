from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.report.fleet import Outlier
from dcgan_edge.report.rows import rows
from dcgan_edge.report.words import (
    bounds,
    milliseconds,
    outlier_words,
    pieces,
    significant,
)
from dcgan_edge.runtime.bench.statistics import Percentile
from dcgan_edge.words import distribution_words, parity_words, size_words
from tests.report_pieces import bench_report, manifest, measurement


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (5 * 2**20, "5.0 MiB"),
        (3 * 2**30, "3.0 GiB"),
        (2**41, "2.0 TiB"),
    ],
)
def test_sizes(count: int, said: str) -> None:
    assert size_words(count) == said


@pytest.mark.parametrize(
    ("value", "said"), [(0.05312, "0.053"), (9.9, "9.900"), (49.614, "49.61"), (199.24, "199.2")]
)
def test_milliseconds(value: float, said: str) -> None:
    assert milliseconds(value) == said


def test_parity_in_words() -> None:
    verdict = {"verdict": "not_run", "reason": "no GPU"}
    assert parity_words(manifest("engine", "fp16", parity=verdict)) == "not run: no GPU"
    assert parity_words(manifest("onnx", "fp16", parity={"verdict": "passed"})) == "passed"
    figures = {"verdict": "passed", "worst_psnr_db": 74.52, "grey_levels": 1}
    assert parity_words(manifest("onnx", "fp16", parity=figures)) == "passed, 74.5 dB, 1 grey level at most"
    assert parity_words(manifest("onnx", "fp16")) == "not run"
    assert parity_words(manifest("checkpoint", "fp32")) == "the reference"


@given(st.text())
def test_pieces_are_the_whole_name(name: str) -> None:
    assert "".join(pieces(name)) == name


@pytest.mark.parametrize(
    ("value", "said"), [(145.2, "145"), (9.2, "9.20"), (0.029812, "0.0298"), (1234.5, "1.23e+03")]
)
def test_three_digits(value: float, said: str) -> None:
    assert significant(value) == said


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(1.0, 2.5, "1.000\N{EN DASH}2.500"), (1.0, None, "from 1.000"), (None, 12.0, "up to 12.00"),
     (None, None, "too few calls")],
)  # fmt: skip
def test_the_interval_of_a_percentile(low: float | None, high: float | None, said: str) -> None:
    assert bounds(Percentile(99.0, 2.0, low, high)) == said


def test_what_an_outlier_is_said_to_be() -> None:
    (row,) = rows({"a": bench_report(measurement("x"))})
    assert (
        outlier_words(Outlier(row, "p99 latency", 12.0, 6.0, 2.0, 9.0))
        == "p99 latency 12.00 ms (2.00\N{MULTIPLICATION SIGN})"
    )
    found = outlier_words(Outlier(row, "joules per image", 0.005, 0.01, 0.5, -9.0))
    assert found == "energy per image 5.00 mJ (0.50\N{MULTIPLICATION SIGN})"


@pytest.mark.parametrize("facts", [None, {}, {"kid": 3}, {"kid": {"value": "x"}}, [], "kid"])
def test_a_distribution_that_is_not_there_or_damaged_is_not_told(facts: object) -> None:
    assert distribution_words(facts) == ""


def test_a_distribution_is_told_by_its_kid_and_its_digits() -> None:
    kid = {"value": 1e-4, "low": -2e-4, "high": 4e-4}
    said = distribution_words({"kid": kid, "changed_class": 0.019})
    assert all(figure in said for figure in ("+1.0e-04", "-2.0e-04", "4.0e-04", "1.9%"))
    assert "%" not in distribution_words({"kid": kid, "changed_class": None})
