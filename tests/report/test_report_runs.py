"""The page of two runs, and of a fleet."""

from __future__ import annotations

import dataclasses
import functools
import re

import numpy as np
import pytest

from dcgan_edge.report import ReportContent, render
from dcgan_edge.runtime.bench.record import BenchReport
from tests.html_page import Page
from tests.report_pieces import (
    ENERGY,
    MACHINE,
    ROOFLINE,
    bench_report,
    measurement,
    samples,
    steady,
    telemetry,
)

BOARDS = 5
CALLS = 20_000


def board(number: int) -> BenchReport:
    """20 000 samples of each of two artifacts; board 5 is a third slower."""
    generator = np.random.default_rng(number)
    slow = 1.33 if number == BOARDS else 1.0
    taken = []
    for index, name in enumerate(("fp32.onnx", "fp16.onnx")):
        rounds = tuple(
            samples(
                (slow * generator.lognormal(0, 0.1, CALLS // 5)).tolist(), start_s=8 * (2 * round_ + index)
            )
            for round_ in range(5)
        )
        taken.append(measurement(name, rounds=rounds, energy=ENERGY, roofline=ROOFLINE))
    beside = telemetry({"power/VDD_IN": generator.normal(9, 1, 420).tolist(), "clock/gpu": [1020.0] * 420})
    model = {"jetson_model": "Orin Nano", "jetson_l4t": "R36"}
    return bench_report(*taken, telemetry=beside, machine=MACHINE | model)


@pytest.fixture(scope="module")
def fleet_html() -> str:
    return render(ReportContent("A fleet", runs={f"nano-{n}": board(n) for n in range(1, BOARDS + 1)}))


@pytest.fixture(scope="module")
def pair_html() -> str:
    then = bench_report(steady("a", 1.0), steady("b", 1.0), steady("only.onnx"))
    now = bench_report(
        steady("a", 1.2), steady("b", 0.9, reasons=("it moved",)), machine=MACHINE | {"cpu": "another"},
        versions={"numpy": "10"},
    )  # fmt: skip
    scenario = [dataclasses.replace(taken, scenario="single-stream") for taken in then.measurements]
    runs = {"before": dataclasses.replace(then, measurements=tuple(scenario))}
    renamed = [dataclasses.replace(taken, scenario="single-stream") for taken in now.measurements]
    return render(
        ReportContent(
            "A change", runs=runs | {"after": dataclasses.replace(now, measurements=tuple(renamed))}
        )
    )


@functools.cache
def parsed(html: str) -> Page:
    return Page(html)


def words(html: str) -> str:
    return " ".join(parsed(html).text.split())


def test_two_runs_are_compared_with_effect_interval_and_outcome(pair_html: str) -> None:
    text = words(pair_html)
    assert "after against before, by the figures of their rounds" in text
    assert re.search(r"1\.022 ms 1\.226 ms \+20\.0 % \+19\.\d to \+20\.\d % ✗ slower", text)
    assert re.search(r"-10\.0 % -10\.\d to -9\.\d % ✓ faster UNSTABLE: after", text)
    assert "gate p50>+5%" in text


def test_what_was_not_alike_is_listed(pair_html: str) -> None:
    text = words(pair_html)
    assert (
        "✗ Not measured alike, so that a change may have another cause: cpu: a processor, then another"
        in text
    )
    assert re.search(r"Versions: numpy *9\.9 *10", text)
    assert "Only in one of the two: only.onnx, single-stream, batch 1 (before)" in text


def test_every_table_of_latencies_says_what_a_latency_is(pair_html: str, fleet_html: str) -> None:
    for html, sections in (
        (pair_html, ("comparison", "benchmark")),
        (fleet_html, ("fleet", "benchmark", "roofline")),
    ):
        for section in sections:
            start = html.index(f'<section id="{section}"')
            assert (
                "latents in host memory to images in host memory"
                in html[start : html.index("</section>", start)]
            )


def test_scenarios_of_mlperf_are_called_mlperf_style(pair_html: str, fleet_html: str) -> None:
    assert "MLPerf-style, not an official result." in words(pair_html)
    assert "MLPerf" not in words(fleet_html)


def test_a_p99_of_few_calls_is_marked(pair_html: str, fleet_html: str) -> None:
    assert re.search(r'<td class="number">[\d.]+ †', pair_html)  # 200 calls
    assert not re.search(r'<td class="number">[\d.]+ †', fleet_html)  # 20 000


def test_a_fleet_has_its_boards_its_outlier_and_its_rule(fleet_html: str) -> None:
    text = words(fleet_html)
    assert text.count("✓ like the others") == BOARDS - 1
    assert "✗ STANDS OUT" in text
    assert re.search(r"nano-5 Orin Nano R36 ✗ STANDS OUT .*median latency 1\.\d+ ms \(1\.3", text)
    assert "more than 3.5 robust standard deviations" in text
    assert "Boards 5 Orin Nano" in text


def test_the_charts_of_a_fleet_are_boxes_timelines_and_a_roofline(fleet_html: str) -> None:
    drawn = [str(image["alt"]).partition(". ")[2] for image in parsed(fleet_html).charts()]
    assert all(said.startswith("Latency in milliseconds") for said in drawn[:2])
    assert len([said for said in drawn if said.startswith("latency (ms) over time")]) == BOARDS
    assert drawn[-1].startswith("Roofline")
    assert len(drawn) == 2 + 3 * BOARDS + 1


def test_a_fleet_of_five_with_twenty_thousand_samples_each_stays_below_two_megabytes(fleet_html: str) -> None:
    assert len(fleet_html.encode()) < 1_000_000  # half of it is for pictures


@pytest.mark.parametrize("page", ["pair_html", "fleet_html"])
def test_the_pages_are_whole_need_nothing_and_refer_to_what_is_there(
    page: str, request: pytest.FixtureRequest
) -> None:
    html = request.getfixturevalue(page)
    read = parsed(html)
    assert not re.search(r"(https?|ftp|file):|//[a-z]|@import|<script", html)
    assert len(read.ids()) == len(set(read.ids()))
    ids = set(read.ids())
    for _, attributes in read.elements:
        named = {attributes.get("aria-labelledby"), attributes.get("aria-describedby")} - {None}
        pointed = {href[1:] for href in [attributes.get("href") or ""] if href.startswith("#")}
        assert named | pointed <= ids
    assert all(cell.get("scope") for cell in read.all("th"))


def test_a_large_fleet_shows_the_timelines_of_those_that_stand_out() -> None:
    runs = {str(n): bench_report(steady(ms=1.0 if n < 7 else 2.0)) for n in range(8)}
    html = render(ReportContent("x", runs=runs))
    shown = re.findall(r"<h3>(\d)<wbr>", html)
    assert shown == ["0", "1", "2", "3", "4", "7"]
    assert "6 of 8 runs are shown" in words(html)
