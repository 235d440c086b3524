"""What a person sees of a training: a line while it runs, what goes wrong as it does, and what it came to."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from dcgan_edge.cli import is_quiet, print_json
from dcgan_edge.cli.progress import stderr
from dcgan_edge.words import quoted

if TYPE_CHECKING:
    from dcgan_edge.training import TrainEvent, TrainProgress, TrainResult

STAGES = {"read": "reading images", "train": "training"}


@contextlib.contextmanager
def training_bar() -> Iterator[Callable[[TrainProgress], None]]:
    """Show a bar of the budget with losses, learning rate, speed, FID and the time that is left; call what is
    yielded with the progress of `train`.

    Each event that the monitor reports becomes a line on stderr, with -q as well; each evaluation one
    without.
    """
    from rich import progress as bars
    from rich.console import RenderableType
    from rich.text import Text

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.TaskProgressColumn(),
        bars.TimeRemainingColumn(),
        bars.TextColumn("left"),
    )

    class BarWithFacts(bars.Progress):
        """A bar with a line below it, which is as long as a terminal of 80 columns is wide."""

        facts = ""

        def get_renderables(self) -> Iterator[RenderableType]:
            yield from super().get_renderables()
            yield Text(self.facts)

    console = stderr()
    with BarWithFacts(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, bars.TaskID] = {}

        def update(progress: TrainProgress) -> None:
            if progress.stage not in tasks:
                for task in tasks.values():
                    bar.remove_task(task)
                tasks[progress.stage] = bar.add_task(STAGES[progress.stage], total=1.0)
            bar.facts = _facts(progress)
            bar.update(tasks[progress.stage], completed=progress.fraction)
            for said in (*progress.events, *([progress.note] if progress.note else [])):
                if is_quiet():
                    click.echo(str(said), err=True)  # a warning, which -q lets through
                else:
                    console.print(str(said), markup=False, soft_wrap=True)
            if progress.quality is not None and progress.quality.step == progress.step:
                console.print(_evaluation(progress), markup=False, soft_wrap=True)

        yield update


def _facts(progress: TrainProgress) -> str:
    if progress.losses is None:
        return f"{progress.step:,} of {progress.steps or 0:,} files"
    facts = [
        f"step {progress.step:,}",
        f"epoch {progress.epoch}",
        f"loss D {progress.losses.loss_d:.2f} G {progress.losses.loss_g:.2f}",
        f"{progress.images_per_second:,.0f} images/s",
    ]
    if progress.learning_rates:
        facts.insert(3, _rates(*progress.learning_rates))
    if progress.quality is not None:
        facts.append(f"FID {progress.quality.fid:.3g}")
    return ", ".join(facts)


def _rates(discriminator: float, generator: float) -> str:
    if discriminator == generator:
        return f"lr {generator:.2g}"
    return f"lr D {discriminator:.2g} G {generator:.2g}"


def _evaluation(progress: TrainProgress) -> str:
    """One evaluation in a line, with the best one so far."""
    assert progress.quality is not None
    said = f"Step {progress.quality.step:,}: FID {progress.quality.fid:.3g}, KID {progress.quality.kid:.3g}"
    if progress.best is None or progress.best == progress.quality:
        return f"{said}, the best so far."
    return f"{said}; the best was FID {progress.best.fid:.3g} at step {progress.best.step:,}."


def print_events(events: Sequence[TrainEvent]) -> None:
    """Sum up on stdout what the monitor saw; nothing where it saw nothing."""
    if events:
        click.echo("\nWhat went wrong (docs/training.md says more):")
    for event in events:
        click.echo(f"  {event}")


def show_result(result: TrainResult, *, as_json: bool) -> None:
    """Print on stdout what a training came to, and what comes next."""
    if as_json:
        paths = {name: str(getattr(result, name)) for name in ("checkpoint", "grid", "metrics")}
        best = None if result.best_checkpoint is None else str(result.best_checkpoint)
        print_json({**dataclasses.asdict(result), **paths, "best_checkpoint": best})
        return
    shards = f" in {result.shards} shards" if result.shards > 1 else ""
    click.echo(
        f"Trained {result.step:,} steps, {result.images:,} images, in {result.seconds:,.0f} s "
        f"({result.precision} on {result.device}{shards}, {result.images_per_second:,.0f} images/s)."
    )
    click.echo(f"Checkpoint: {result.checkpoint}\nSamples:    {result.grid}\nMetrics:    {result.metrics}")
    checkpoint, folder = result.checkpoint, result.checkpoint.parent / "export"
    if result.best is not None and result.best_checkpoint is not None:
        click.echo(
            f"Best:       {result.best_checkpoint} (FID {result.best.fid:.3g}, step {result.best.step:,})"
        )
        checkpoint = result.best_checkpoint
    print_events(result.events)
    click.echo(f"\nNext:\n  dcgan-edge export {quoted(checkpoint)} --out {quoted(folder)}")
