"""The report as one HTML file that needs nothing else, no network and no script."""

from __future__ import annotations

import importlib.resources
import importlib.util
from collections.abc import Sequence
from typing import Any

from dcgan_edge import __version__
from dcgan_edge.errors import UnavailableError
from dcgan_edge.report import bench, cost
from dcgan_edge.report.comparison import compared, overlays
from dcgan_edge.report.content import FLEET, ReportContent, WorstSeed
from dcgan_edge.report.drawing import DARK, FONT, LIGHT
from dcgan_edge.report.environment import differing, environment
from dcgan_edge.report.fleet import RULE, Fleet, fleet, fleet_charts
from dcgan_edge.report.headline import headline
from dcgan_edge.report.incidents import all_well, incidents
from dcgan_edge.report.pareto import pareto_charts
from dcgan_edge.report.rows import MLPERF_STYLE, Row, grouped, intervals, is_mlperf_style, rows
from dcgan_edge.report.timeline import Timeline, timeline
from dcgan_edge.report.training import MANY_MARKS, Picture, picture, thinned, training_charts
from dcgan_edge.report.words import FILTERS
from dcgan_edge.runtime.bench.statistics import CONFIDENCE, ENOUGH_FOR_P99

TEMPLATE = "page.html.jinja"
IMAGE_BUDGET = 900_000  # bytes of PNG, which base64 makes a third longer: the page stays below 2 MB
HERO, GRID, WORST = 440, 260, 170  # CSS pixels: width of the samples, of a grid over time, of a worst seed
MOST_TIMELINES = 6


def render(content: ReportContent) -> str:
    """The HTML page. Equal content gives equal text.

    Raises UnavailableError when jinja2 or matplotlib is not installed, EdgeError when an image is not a PNG,
    ArtifactError when a record is damaged.
    """
    require_libraries()
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=jinja2.FunctionLoader(_template),
    )  # fmt: skip
    environment.filters |= FILTERS
    return environment.get_template(TEMPLATE).render(_context(content))


def _template(name: str) -> str:
    return importlib.resources.files("dcgan_edge.report").joinpath(name).read_text(encoding="utf-8")


def _context(content: ReportContent) -> dict[str, Any]:
    """The names that the templates use."""
    measured = rows(content.runs)
    comparison = compared(content.runs, measured) if len(content.runs) == 2 else None
    boards = fleet(content.runs, measured) if len(content.runs) >= FLEET else None
    tables = environment(content.runs, measured)
    return {
        "content": content,
        "light": LIGHT,
        "dark": DARK,
        "font": FONT,
        "version": __version__,
        "headline": headline(content.artifacts, content.parity, measured, comparison or boards),
        "environment": tables,
        "differing": differing(tables),
        "timelines": _timelines(content, measured, boards),
        "comparison": comparison,
        "overlays": overlays(comparison) if comparison else [],
        "fleet": boards,
        "fleet_charts": fleet_charts(boards) if boards else [],
        "rule": RULE,
        "pareto_charts": pareto_charts(content.pareto) if content.pareto else [],
        **_training(content),
        **_bench(measured, len(content.runs)),
    }


def _training(content: ReportContent) -> dict[str, Any]:
    shown = [content.samples or b""]
    for worst in content.worst_seeds:
        shown += [worst.reference, worst.candidate, worst.difference]
    grids = thinned(content.grids, IMAGE_BUDGET - sum(map(len, shown)))
    return {
        "samples": picture(content.samples, HERO) if content.samples else None,
        "training": training_charts(content.metrics),
        "incidents": incidents(content.metrics),
        "most_marks": MANY_MARKS,
        "all_well": all_well(content.metrics),
        "grids": [(label, picture(png, GRID)) for label, png in grids],
        "parents": {manifest.sha256: name for name, manifest in content.artifacts},
        "worst": [_pictures(worst) for worst in content.worst_seeds],
    }


def _bench(measured: Sequence[Row], runs: int) -> dict[str, Any]:
    if runs > 1:  # the same artifact of all runs, one below the other
        measured = [row for same in grouped(measured, "label").values() for row in same]
    charts = bench.distributions(measured) if runs == 1 else []  # overlays and boxes show those of more
    charts += bench.throughputs(measured) if runs < FLEET else []
    bounds = cost.bound_rows(measured)
    return {
        "workloads": grouped(measured, "workload"),
        "percents": bench.percents(measured),
        "intervals": intervals(measured),
        "confidence": CONFIDENCE,
        "enough": ENOUGH_FOR_P99,
        "mlperf_style": MLPERF_STYLE if is_mlperf_style(measured) else "",
        "sessions": bench.sessions(measured) if runs == 1 else [],
        "course_notes": bench.course_notes(measured) if runs == 1 else [],
        "bench_charts": charts,
        "starts": [row for row in measured if row.measurement.load_s is not None],
        "energy": cost.energy_rows(measured),
        "no_energy": cost.not_measured(measured, "energy"),
        "bounds": bounds,
        "bound_charts": [cost.roofline_chart(bounds)] if bounds else [],
        "no_bound": cost.not_measured(measured, "roofline"),
    }


def _timelines(content: ReportContent, measured: Sequence[Row], boards: Fleet | None) -> list[Timeline]:
    """Of every run; of a large fleet, of the boards that stand out and the first of the others."""
    names = [name for name, report in content.runs.items() if report.measurements]
    odd = {outlier.row.run for outlier in boards.outliers} if boards else set()
    chosen = sorted(names, key=lambda name: name not in odd)[:MOST_TIMELINES]
    drawn = []
    for name in (name for name in names if name in chosen):
        mine = [row for row in measured if row.run == name]
        drawn.append(timeline(name, content.runs[name].telemetry, mine))
    return drawn


def _pictures(worst: WorstSeed) -> tuple[WorstSeed, list[tuple[str, Picture]]]:
    """The three images of a worst seed with their captions, each from black to white as it is."""
    difference = f"difference \N{MULTIPLICATION SIGN}{worst.amplification:,}"
    images = (("PyTorch", worst.reference), ("artifact", worst.candidate), (difference, worst.difference))
    return worst, [(caption, picture(png, WORST)) for caption, png in images]


def require_libraries() -> None:
    """Raise UnavailableError unless jinja2 and matplotlib, which make the page, are installed."""
    for library in ("jinja2", "matplotlib"):
        if importlib.util.find_spec(library) is None:
            raise UnavailableError(
                f"The page is made with {library}, which is not installed: pip install 'dcgan-edge[report]'."
            )
