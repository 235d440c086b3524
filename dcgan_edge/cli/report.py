"""`dcgan-edge report`: benchmark records and a training run as a page, a Markdown table, JSON or CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dcgan_edge.cli.program import json_answer

if TYPE_CHECKING:
    from dcgan_edge.report.writing import ReportFormat

DEFAULT_PAGE = Path("report.html")


def _note_json(ctx: click.Context, _: click.Parameter, value: str) -> str:
    """With JSON on stdout an error is a document too, as with `--json` elsewhere."""
    json_answer().wanted = value == "json"
    return value


@click.command("report")
@click.argument("records", nargs=-1, type=click.Path(path_type=Path), metavar="RUN.json...")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["html", "md", "json", "csv"]),
    default="html",
    show_default=True,
    callback=_note_json,
    is_eager=True,
    help="What to write: a page, a table for a README, summaries, or one line for each measurement.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help=f"File to write. [default: {DEFAULT_PAGE} for html, standard output for the others]",
)
@click.option(
    "--artifacts",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the .onnx and .engine files, whose manifests tell size, origin and parity.",
)
@click.option(
    "--samples",
    type=click.Path(path_type=Path),
    metavar="PNG",
    help="Picture to show at the top of the page.",
)
@click.option(
    "--training",
    type=click.Path(path_type=Path),
    metavar="METRICS.jsonl",
    help="Metrics of a training run, or its folder: show its curves, and what went wrong.",
)
@click.option("--title", help="Heading of the report. [default: made from the machine or the file names]")
def command(
    records: tuple[Path, ...],
    kind: ReportFormat,
    output: Path | None,
    artifacts: Path | None,
    samples: Path | None,
    training: Path | None,
    title: str | None,
) -> None:
    """Show what `dcgan-edge bench --output RUN.json` has recorded.

    One record is a report, two are a comparison (the second against the first), three or more are a fleet,
    in which boards that do not behave like the others are named. The page needs no network and no script.

    \b
    dcgan-edge report run.json --artifacts out --samples samples/grid.png
    dcgan-edge report before.json after.json --output change.html
    dcgan-edge report orin-*.json --output fleet.html
    dcgan-edge report --training runs/digits/metrics.jsonl --output training.html
    dcgan-edge report run.json --format md >> README.md
    """  # fmt: skip
    from dcgan_edge.report import write_report

    target = output or (DEFAULT_PAGE if kind == "html" else None)
    text = write_report(
        records, target, format=kind, artifacts=artifacts, samples=samples, training=training, title=title
    )
    if target is None:
        click.echo(text, nl=False)
    else:
        click.echo(f"{target} ({len(text.encode()):,} bytes)")
