"""A search as an HTML page: the front, every candidate, and the samples of the long rounds."""

from __future__ import annotations

from dcgan_edge.report import ReportContent, render
from dcgan_edge.report.pareto import ParetoPoint, ParetoSection
from dcgan_edge.words import count_words

from .outcome import Row, Tuned


def page(tuned: Tuned) -> str:
    """Return the page. Raises UnavailableError when jinja2 or matplotlib is not installed."""
    chosen = next((str(row.trial.candidate) for row in tuned.rows if row.chosen), tuned.base)
    section = ParetoSection(
        tuned.profile.objective,
        tuned.base,
        f"For {tuned.profile.objective}, {chosen} was chosen: {tuned.because}.",
        [_point(row) for row in tuned.rows],
        list(tuned.refused.items()),
    )
    left = tuned.not_measured
    notes = [f"There was no time left for {count_words(left, 'trial')}."] if left else []
    runs = {"the best, at length": tuned.report} if tuned.report else {}
    return render(ReportContent("Tuned for this device", pareto=section, runs=runs, notes=notes))


def _point(row: Row) -> ParetoPoint:
    trial, speed = row.trial, row.trial.speed
    interval = "" if speed.low is None else f" [{speed.low:.2f}, {speed.high:.2f}]"
    return ParetoPoint(
        name=str(trial.candidate),
        group=trial.candidate.backend,
        workload=str(trial.workload),
        ms_per_image=1000 / row.images_per_second,
        images_per_second=row.images_per_second,
        speed=f"{speed.value:.2f}x{interval}{', UNSTABLE' if trial.doubts else ''}",
        size=row.size,
        psnr_db=row.proof.psnr_db,
        kid=row.proof.kid,
        on_front=row.on_front,
        chosen=row.chosen,
    )
