"""MLPerf's own load generator against one of our sessions, where mlcommons-loadgen is installed.

What it measures is MLPerf-style and not an official result: no rules on data, power or accuracy are kept.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from dcgan_edge.errors import EdgeError, UnavailableError, UsageError

from ..session import Session
from .workload import batch_latents, closed_loop

SCENARIOS = {"single-stream": "SingleStream", "offline": "Offline"}
SUMMARY = "mlperf_log_summary.txt"
LEAST_QUERIES = 64  # from which LoadGen's early stopping lets a p90 pass
PROBE_S = 0.1
OFFLINE_MARGIN = 4  # batches are so many times faster than single images, or fewer
LIBRARY_SAMPLES = 1024  # latents that queries draw from


def run_loadgen(session: Session, scenario: str, seconds: float) -> dict[str, Any]:
    """Run LoadGen's SingleStream (one image a query) or Offline for `seconds` at least, in this process.

    Returns its verdict and figures: `p50_ms`, `p90_ms` and `p99_ms` for SingleStream,
    `samples_per_second` for Offline. Raises UsageError for another scenario, UnavailableError without the
    library.
    """
    if scenario not in SCENARIOS:
        raise UsageError(f"LoadGen runs {' and '.join(SCENARIOS)} here, not {scenario}.")
    try:
        import mlperf_loadgen as loadgen
    except ImportError as error:
        raise UnavailableError(
            "MLPerf's load generator is not installed: pip install mlcommons-loadgen"
        ) from error
    settings = loadgen.TestSettings()
    settings.scenario = getattr(loadgen.TestScenario, SCENARIOS[scenario])
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = int(seconds * 1000)
    settings.min_query_count = LEAST_QUERIES
    quickest_ns = int(
        closed_loop(session, 1, PROBE_S).latency_ns.min()
    )  # LoadGen makes its queries beforehand
    settings.single_stream_expected_latency_ns = quickest_ns // 2
    settings.offline_expected_qps = OFFLINE_MARGIN * 1e9 / quickest_ns
    z = batch_latents(session, LIBRARY_SAMPLES)

    def issue(samples: list[Any]) -> None:
        session.run(z[[sample.index for sample in samples]])
        loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(sample.id, 0, 0) for sample in samples])

    system = loadgen.ConstructSUT(issue, lambda: None)
    library = loadgen.ConstructQSL(LIBRARY_SAMPLES, LIBRARY_SAMPLES, lambda _: None, lambda _: None)
    try:
        with tempfile.TemporaryDirectory() as folder:
            logs = loadgen.LogSettings()
            logs.log_output.outdir = folder
            logs.log_output.copy_summary_to_stdout = False
            logs.enable_trace = False
            loadgen.StartTestWithLogSettings(system, library, settings, logs, "")
            return parse_summary(Path(folder, SUMMARY).read_text())
    finally:
        loadgen.DestroyQSL(library)
        loadgen.DestroySUT(system)


def parse_summary(text: str) -> dict[str, Any]:
    """The figures of mlperf_log_summary.txt. Raises EdgeError when it has no verdict."""
    facts = dict(re.findall(r"^ *([^:\n]+?) *: *(.+?) *$", text, re.MULTILINE))
    if "Result is" not in facts:
        raise EdgeError("LoadGen left no result in its summary.")
    found: dict[str, Any] = {
        "source": "LoadGen, MLPerf-style, not an official result",
        "valid": facts["Result is"] == "VALID",
    }
    if "Samples per second" in facts:
        return found | {"samples_per_second": float(facts["Samples per second"])}
    percentiles = {f"p{p}_ms": f"{p}.00 percentile latency (ns)" for p in (50, 90, 99)}
    return found | {name: int(facts[key]) / 1e6 for name, key in percentiles.items()}
