"""MLPerf's own load generator against one of our sessions, where mlcommons-loadgen is installed.

An outside check of our own loops. What it measures is MLPerf-style and not an official result: no rules on
data, power or accuracy are kept.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from dcgan_edge.errors import EdgeError, UnavailableError
from dcgan_edge.runtime.bench.workload import batch_latents, closed_loop
from dcgan_edge.runtime.session import Session

SUMMARY = "mlperf_log_summary.txt"
LEAST_QUERIES = 64  # from which LoadGen's early stopping lets a p90 pass
PROBE_S = 0.1
LIBRARY_SAMPLES = 1024  # latents that queries draw from
PERCENTS = (50, 90, 99)


def run_single_stream(session: Session, seconds: float) -> dict[str, float]:
    """Run LoadGen's SingleStream, one image a query, for at least `seconds` in this process.

    Returns `p50_ms`, `p90_ms` and `p99_ms`. Raises UnavailableError without the library, EdgeError when it
    calls its own result invalid.
    """
    try:
        import mlperf_loadgen as loadgen
    except ImportError as error:
        raise UnavailableError(
            "MLPerf's load generator is not installed: pip install mlcommons-loadgen"
        ) from error
    settings = loadgen.TestSettings()
    settings.scenario = loadgen.TestScenario.SingleStream
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = int(seconds * 1000)
    settings.min_query_count = LEAST_QUERIES
    # LoadGen makes its queries beforehand, and must not run out of them.
    quickest_ns = int(closed_loop(session, 1, PROBE_S).latency_ns.min())
    settings.single_stream_expected_latency_ns = quickest_ns // 2
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


def parse_summary(text: str) -> dict[str, float]:
    """Return the percentiles in mlperf_log_summary.txt. Raises EdgeError when LoadGen calls them invalid."""
    facts = dict(re.findall(r"^ *([^:\n]+?) *: *(.+?) *$", text, re.MULTILINE))
    if facts.get("Result is") != "VALID":
        raise EdgeError(f"LoadGen left no valid result in its summary, but {facts.get('Result is')!r}.")
    return {f"p{p}_ms": int(facts[f"{p}.00 percentile latency (ns)"]) / 1e6 for p in PERCENTS}
