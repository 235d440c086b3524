"""`make bench`: trained generators by our runtime beside PyTorch, bare ONNX Runtime and OpenVINO.

Each contestant has a process of its own, and all take turns in short rounds. Before anything is timed, its
images are compared with PyTorch's; who cannot run, or makes other images, is a row that says so. What was
measured is kept in benchmarks/results and not measured again, so that a run that was stopped goes on. In the
end stand the tables, and what they say of the goals.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import click

from benchmarks.command import errors_said
from benchmarks.contestants import Contestant, contestants
from benchmarks.generators import RESULTS, SUBJECTS, Say, Subject, make_ready
from benchmarks.peers import closeness, torch_images
from benchmarks.results import Entry, Results
from benchmarks.tables import markdown
from benchmarks.verdicts import verdicts
from dcgan_edge.cli.progress import steps
from dcgan_edge.errors import EdgeError
from dcgan_edge.runtime.bench.measure import measure
from dcgan_edge.runtime.bench.plan import BenchPlan
from dcgan_edge.runtime.bench.roofline.bound import add_bounds
from dcgan_edge.runtime.bench.worker import Worker
from dcgan_edge.runtime.device import cpu_name

BATCHES = (1, 8, 64)
ROUNDS = 30
ROUND_S = 0.3  # caches, and the threads of other libraries that still spin, are felt in its first call


@click.command()
@click.option("--only", multiple=True, metavar="TEXT", help="Cells with this in their name: '64px batch 8'.")
@click.option("--max-time", default=120.0, show_default=True, help="Seconds of a cell at the most.")
@click.option("--precision-goal", default=0.03, show_default=True, help="Width of the intervals, a share.")
@click.option("--table", is_flag=True, help="Measure nothing: print what was measured.")
@errors_said()
def main(only: tuple[str, ...], max_time: float, precision_goal: float, table: bool) -> None:
    """Measure every cell that has not been measured yet, and print tables and verdicts."""
    results = Results(RESULTS / re.sub(r"[^a-z0-9]+", "-", cpu_name().lower()).strip("-"))
    if not table:
        with steps() as say:
            for subject in SUBJECTS:
                batches = [batch for batch in BATCHES if _is_wanted(cell_name(subject, batch), only)]
                plans = [
                    BenchPlan(
                        (batch,), duration_s=ROUNDS * ROUND_S, rounds=ROUNDS, max_time_s=max_time,
                        precision_goal=precision_goal,
                    )
                    for batch in batches
                ]  # fmt: skip
                take_cells(subject, plans, results, say)
    for subject in SUBJECTS:
        cells = {batch: cell_name(subject, batch) for batch in BATCHES}
        click.echo(markdown(subject, cells, results))
        click.echo("\n".join(verdicts(subject, cells, results)) + "\n")


def cell_name(subject: Subject, batch: int) -> str:
    """Return the name of a cell, such as "64px batch 8"."""
    return f"{subject.name} batch {batch}"


def take_cells(subject: Subject, plans: Sequence[BenchPlan], results: Results, say: Say) -> None:
    """Add to `results` the cells of `subject` that are missing, of those in `plans`, one for each batch."""
    missing = {
        cell: plan for plan in plans if results.report(cell := cell_name(subject, plan.batches[0])) is None
    }
    if not missing:
        return
    make_ready(subject, say)
    field = contestants(subject)
    able = enter(subject, field, results, say)
    floats = {each.name: each.file for each in able if each.kind == "float"}
    for cell, plan in missing.items():
        report = measure(
            [(each.name, each.opener) for each in able],
            plan,
            progress=lambda step, cell=cell: say(f"{cell}: {step}"),  # type: ignore[misc]
        )
        results.add_report(cell, add_bounds(report, floats))


def enter(subject: Subject, field: Sequence[Contestant], results: Results, say: Say) -> list[Contestant]:
    """Return those of `field` that run here and make PyTorch's images; keep in `results` how close each is.

    Who was refused before is asked again: what it lacked may have been installed.
    """
    known = results.entries(subject.name)
    latents, images = torch_images(field[0].file, subject.checkpoint)
    able = []
    for each in field:
        entry = known.get(each.name)
        if entry is None or entry.refused:
            say(f"{subject.name}: comparing the images of {each.name} with PyTorch's")
            try:
                with Worker(each.name, each.opener) as worker:
                    close = worker.call(closeness, latents, images)
                entry = Entry.judged(subject.name, each.name, each.kind, each.is_ours, *close)
            except EdgeError as error:
                entry = Entry(subject.name, each.name, each.kind, each.is_ours, refused=str(error))
            results.add_entry(entry)
        if not entry.refused:
            able.append(each)
    return able


def _is_wanted(cell: str, only: Sequence[str]) -> bool:
    return not only or any(text in cell for text in only)


if __name__ == "__main__":
    main()
