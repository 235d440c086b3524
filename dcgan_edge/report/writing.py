"""Reports of files: what `dcgan-edge report` does, for Python as well."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from dcgan_edge.errors import UsageError
from dcgan_edge.files import StrPath, check_writable, write_atomic
from dcgan_edge.report.data import to_csv, to_json
from dcgan_edge.report.gather import gather
from dcgan_edge.report.markdown import to_markdown
from dcgan_edge.report.page import render

ReportFormat = Literal["html", "md", "json", "csv"]
MAKERS = {"html": render, "md": to_markdown, "json": to_json, "csv": to_csv}


def write_report(
    records: Sequence[StrPath],
    output: StrPath | None = None,
    *,
    format: ReportFormat = "html",
    artifacts: StrPath | None = None,
    samples: StrPath | None = None,
    training: StrPath | None = None,
    title: str | None = None,
) -> str:
    """Return a report on benchmark `records`, and write it to the file `output` if that is given.

    One record is a report, two are a comparison (the second against the first), three or more a fleet of
    boards. `artifacts` is a folder of .onnx and .engine files, whose manifests tell parity; `samples` a PNG
    for the top of the page; `training` the metrics.jsonl of a training run, or its folder.

    Raises UsageError for files that are not there or that the format does not show, ArtifactError for files
    of others, UnavailableError without jinja2 and matplotlib, EdgeError when `output` cannot be written.
    """
    if samples and format != "html":
        raise UsageError("Samples are shown on the page only: --format html.")
    if training and format == "csv":
        raise UsageError("A CSV file has measurements only, and no training run.")
    if not records and not training:
        raise UsageError("Give one or more records of dcgan-edge bench, or a training run: --training.")
    if output is not None:
        check_writable(Path(output))
    content = gather(
        [Path(record) for record in records],
        artifacts=Path(artifacts) if artifacts else None,
        samples=Path(samples) if samples else None,
        training=Path(training) if training else None,
        title=title,
    )
    text = MAKERS[format](content)
    if output is not None:
        write_atomic(Path(output), text.encode())
    return text
