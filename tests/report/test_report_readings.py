from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dcgan_edge.errors import ArtifactError
from dcgan_edge.report.readings import grouped_readings, recorded
from tests.report_pieces import telemetry


def values(readings: dict[str, Any]) -> dict[str, list[float]]:
    found = recorded(telemetry(readings)).series
    return {reading.name: np.round(reading.values, 6).tolist() for reading in found}


def test_a_gauge_is_drawn_as_it_was_read() -> None:
    assert values({"clock/gpu": [300.0, 1020.0]}) == {"clock/gpu": [300, 1020]}


def test_an_energy_counter_becomes_watts() -> None:
    # 1 J and 2 J in 0.2 s each; the first value holds for the time before it, of which nothing is known.
    assert values({"energy/package0": [10.0, 11.0, 13.0]}) == {"energy/package0": [5, 5, 10]}


def test_processor_time_of_others_is_all_but_ours_in_percent_of_a_core() -> None:
    times = {"cpu_time/all": [5.0, 5.4], "cpu_time/ours": [1.0, 1.1], "cpu_time/stolen": [0.0, 0.02]}
    assert values(times) == {"cpu_time/others": [150, 150], "cpu_time/stolen": [10, 10]}


def test_ours_is_interpolated_where_it_was_read_at_other_times() -> None:
    times = telemetry({"cpu_time/all": [5.0, 5.4], "cpu_time/ours": [1.0, 1.1]})
    times["series"][1]["times_ns"] = [0, 400_000_000]  # half of the tenth of a second falls into our 0.2 s
    (others,) = recorded(times).series
    assert others.values.tolist() == pytest.approx([175, 175])


@pytest.mark.parametrize("readings", [{"cpu_time/all": [1.0, 2.0]}, {"energy/gpu_board": [3.0]}])
def test_what_has_no_rate_is_left_out(readings: dict[str, list[float]]) -> None:
    assert values(readings) == {}


def test_counted_events_are_drawn_when_they_happen() -> None:
    assert values({"throttle_count/oc1": [7.0, 7.0, 9.0]}) == {"throttle_count/oc1 (events)": [0, 0, 2]}


def test_readings_are_drawn_together_by_their_unit() -> None:
    names = ["temperature/gpu", "power/VDD_IN", "energy/package0", "throttle/gpu", "throttle_count/oc1"]
    found = recorded(telemetry({name: [1.0, 2.0] for name in names}))
    groups = {group.title: [r.place for r in members] for group, members in grouped_readings(found.series)}
    assert groups == {
        "Power": ["VDD_IN", "package0"], "Temperatures": ["gpu"], "Throttling": ["gpu", "oc1 (events)"],
    }  # fmt: skip


def test_a_record_without_telemetry_has_nothing_to_draw() -> None:
    found = recorded({})
    assert (found.series, found.limits, found.not_readable) == ((), {}, ())


@pytest.mark.parametrize(
    "damaged",
    [
        {"series": [{"name": "power/x"}]},
        {"series": [{"name": "power/x", "times_ns": [1, 2], "values": [1.0]}]},
        {"series": [{"name": "power/x", "times_ns": ["a"], "values": ["b"]}]},
        {"series": [{"name": "power/x", "times_ns": [2**70], "values": [1.0]}]},
        {"series": [{"name": "power/x", "times_ns": [[1]], "values": [[1.0]]}]},
        {"series": 5},
        {"limits": {"clock/gpu": "fast"}},
        {"cost": []},
        {"facts": {"a": "b"}},
    ],
)
def test_damaged_telemetry_is_refused(damaged: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError, match="telemetry of a record is damaged"):
        recorded(damaged)
