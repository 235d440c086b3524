from __future__ import annotations

import re
from typing import Any

import pytest

from dcgan_edge.artifact import Cost
from dcgan_edge.errors import ArtifactError
from dcgan_edge.report.cost import (
    bound_of,
    bound_rows,
    energy_of,
    energy_rows,
    not_measured,
    roofline_chart,
)
from dcgan_edge.report.rows import Row, rows
from dcgan_edge.runtime.bench.roofline.bound import Roofline, roofline
from dcgan_edge.runtime.bench.roofline.peaks import Peaks
from tests.report_pieces import ENERGY, ROOFLINE, bench_report, measurement

PEAKS = Peaks("a device", {"fp32": 1e12, "fp16": 2e12}, 1e11, "spec", ("taken from a sheet",))


def row(**facts: Any) -> Row:
    (only,) = rows({"": bench_report(measurement("g.onnx", latency_ms=[1.0] * 9, **facts))})
    return only


def test_measured_energy_is_shown_and_the_rest_has_its_reason() -> None:
    report = bench_report(
        measurement("a", energy=ENERGY),
        measurement("b", energy={"not_readable": "nothing measures power"}),
        measurement("c", energy={"not_readable": "nothing measures power"}),
        measurement("d"),
    )
    found = rows({"x": report, "y": bench_report(measurement("b", energy={"not_readable": "no sensor"}))})
    (measured,) = energy_rows(found)
    assert (measured.joules_per_image, measured.watts, measured.doubts) == (0.005, 5.0, ("it was short",))
    assert not_measured(found, "energy") == [
        ("nothing measures power", ("x",)),
        ("the record says nothing of it", ("x",)),
        ("no sensor", ("y",)),
    ]


def test_a_run_that_took_no_more_than_rest_has_no_images_per_joule() -> None:
    measured = energy_of(row(energy=ENERGY | {"images_per_joule": None, "joules_per_image": -0.001}))
    assert measured is not None
    assert measured.images_per_joule is None


def test_the_bound_is_read_as_the_roofline_wrote_it() -> None:
    cost = Cost(2e6, 1_000_000, 4000.0, 3e6, 1e6)
    made = roofline(cost, PEAKS, batch=1, precision="fp32", measured_ms=1.0)
    assert isinstance(made, Roofline)
    bound = bound_of(row(roofline=made.to_dict()))
    assert bound is not None
    assert bound.bound_ms == made.bound_ms
    assert bound.ratio == pytest.approx(made.ratio)
    assert bound.bound == made.bound
    assert bound.flops == pytest.approx(made.flops / 1e-3)
    assert bound.intensity == pytest.approx(made.flops / made.minimum_bytes)
    assert (bound.roof.flops, bound.roof.bandwidth) == (1e12, 1e11)
    assert bound.notes == ("taken from a sheet",)


def test_no_bound_is_nothing_to_explain_unless_there_is_a_reason() -> None:
    assert bound_rows([row()]) == []
    assert not_measured([row()], "roofline") == []
    unknown = row(roofline={"not_readable": "there is no fp16 peak"})
    assert bound_rows([unknown]) == []
    assert not_measured([unknown], "roofline") == [("there is no fp16 peak", ("",))]


def test_a_point_of_the_chart_lies_below_its_roof() -> None:
    bounds = bound_rows([row(roofline=ROOFLINE), row(roofline=ROOFLINE, reasons=("it moved",))])
    chart = roofline_chart(bounds)
    assert [label for _, label in chart.legend] == ["a device, fp16", "g.onnx"]
    assert {">arithmetic intensity (FLOP per byte)<", ">attained (FLOP per second)<"} <= set(
        re.findall(r">[^<>]+<", chart.svg.text)
    )
    assert bounds[0].flops <= min(bounds[0].roof.flops, bounds[0].roof.bandwidth * bounds[0].intensity)
    assert "2e+09 FLOP/s at 2 FLOP/B" in chart.svg.description


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("energy", {"joules_per_image": 1.0}),
        ("energy", ENERGY | {"watts": "many"}),
        ("roofline", {"peaks": {}}),
        ("roofline", ROOFLINE | {"bound_ms": 0.0}),
        ("roofline", ROOFLINE | {"precision": "int4"}),
        ("roofline", {name: value for name, value in ROOFLINE.items() if name != "notes"}),
    ],
)
def test_damaged_figures_are_refused(name: str, facts: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError, match=r"of g\.onnx in a record is damaged"):
        (energy_rows if name == "energy" else bound_rows)([row(**{name: facts})])
