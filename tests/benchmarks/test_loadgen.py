from __future__ import annotations

import pytest

from benchmarks.loadgen import parse_summary
from dcgan_edge.errors import EdgeError

SUMMARY = """
SUT name : PySUT
Result is : VALID
  Min duration satisfied : Yes
50.00 percentile latency (ns)   : 1500000
90.00 percentile latency (ns)   : 2000000
99.00 percentile latency (ns)   : 2500000
"""


def test_the_percentiles_of_a_summary_are_read_in_milliseconds() -> None:
    assert parse_summary(SUMMARY) == {"p50_ms": 1.5, "p90_ms": 2.0, "p99_ms": 2.5}


@pytest.mark.parametrize("text", ["", SUMMARY.replace("VALID", "INVALID")])
def test_what_loadgen_itself_calls_invalid_is_no_figure(text: str) -> None:
    with pytest.raises(EdgeError):
        parse_summary(text)
