"""What `tune` found, as a table on stdout, for people."""

from __future__ import annotations

import click
from rich.table import Table
from rich.text import Text

from dcgan_edge.cli.tables import new_table, show
from dcgan_edge.runtime.bench.statistics import CONFIDENCE
from dcgan_edge.tuning.outcome import Row, Tuned
from dcgan_edge.tuning.trials import Figure
from dcgan_edge.words import count_words, quoted, size_words


def show_tuned(tuned: Tuned) -> None:
    """Print every candidate, the best first, then what was refused, what was chosen and how it is used."""
    show(tuned_table(tuned))
    click.echo(f"Compared with {tuned.base}, by paired rounds; doubtful ratios are UNSTABLE.")
    for name, why in tuned.refused.items():
        click.echo(f"Refused: {name}: {why}")
    if tuned.not_measured:
        click.echo(f"No time was left for {count_words(tuned.not_measured, 'trial')}.")
    chosen = next((row for row in tuned.rows if row.chosen), None)
    best = str(chosen.trial.candidate) if chosen else tuned.base
    click.echo(f"Chosen: {best}, for {tuned.because}.")
    click.echo(f"Use it: dcgan-edge sample {quoted(tuned.path)}")


def tuned_table(tuned: Tuned) -> Table:
    """Return a row for each candidate under each workload; * is the Pareto front, -> the choice."""
    streams = any(row.trial.workload.streams > 1 for row in tuned.rows)
    joules = any(row.trial.joules_per_image is not None for row in tuned.rows)
    table = new_table(
        "candidate", "", ">batch", *([">streams"] if streams else []), ">median ms", ">images/s",
        f"times as fast, {CONFIDENCE:.0%} interval", *([">images/J"] if joules else []), ">size", ">PSNR dB",
        ">KID",
        title=f"Best first by {tuned.profile.objective}; * on the Pareto front (speed, size, PSNR)",
    )  # fmt: skip
    for row in tuned.rows:
        trial, workload = row.trial, row.trial.workload
        per_joule = "" if trial.joules_per_image is None else f"{1 / trial.joules_per_image:,.1f}"
        table.add_row(
            Text(str(trial.candidate)),
            f"{'->' if row.chosen else ''}{'*' if row.on_front else ''}",
            str(workload.batch),
            *([str(workload.streams)] if streams else []),
            f"{trial.median_ms.value:.3f}",
            f"{row.images_per_second:,.0f}",
            f"{speed_words(trial.speed)}{' (long)' * trial.final}{' UNSTABLE' * bool(trial.doubts)}",
            *([per_joule] if joules else []),
            size_words(row.size),
            "" if row.proof.psnr_db is None else f"{row.proof.psnr_db:.1f}",
            kid_words(row),
        )
    return table


def speed_words(speed: Figure) -> str:
    """Return the ratio with its interval: "3.10x [2.90, 3.30]"."""
    if speed.low is None or speed.high is None:
        return f"{speed.value:.2f}x"
    return f"{speed.value:.2f}x [{speed.low:.2f}, {speed.high:.2f}]"


def kid_words(row: Row) -> str:
    """Return the change of KID, marked where it was measured at export; "" where it is not asked for."""
    if row.proof.kid is None:
        return ""
    return f"{row.proof.kid:+.1e}{'' if row.proof.kid_from == 'here' else ' (export)'}"
