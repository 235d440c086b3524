"""Results as tables on stdout, for people; programs ask for `--json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dcgan_edge.artifact import Manifest
from dcgan_edge.runtime.parity import Parity

LOG_WIDTH = 120  # columns when stdout is a file or a pipe


def show(table: Table) -> None:
    """Print on stdout, as wide as the terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = LOG_WIDTH
    console.print(table)


def artifact_table(written: Sequence[tuple[Path, Manifest]]) -> Table:
    table = new_table("file", "precision", ">size", "sha256", "parity with PyTorch")
    for path, manifest in written:
        table.add_row(
            path.name, manifest.precision, size(manifest.size), manifest.sha256[:12], parity_words(manifest)
        )
    return table


def parity_words(manifest: Manifest) -> str:
    """The verdict of a manifest in a few words."""
    parity = manifest.parity
    if parity.get("verdict") not in ("passed", "failed"):
        return f"not run: {parity['reason']}" if parity else "the reference"
    levels = "1 grey level" if parity["grey_levels"] == 1 else f"{parity['grey_levels']} grey levels"
    return f"{parity['verdict']}, {parity['worst_psnr_db']:.1f} dB, {levels} at most"


def parity_table(verdicts: Mapping[str, Parity]) -> Table:
    table = new_table(
        "artifact", ">seeds", ">max |diff|", ">mean |diff|", ">worst PSNR", ">worst seed", ">grey levels",
        ">pixels differ", "verdict",
    )  # fmt: skip
    for name, parity in verdicts.items():
        table.add_row(
            name,
            str(parity.seeds),
            f"{parity.max_abs:.2e}",
            f"{parity.mean_abs:.2e}",
            f"{parity.worst_psnr_db:.1f} dB",
            str(parity.worst_seed),
            str(parity.grey_levels),
            f"{parity.pixels_differ:.3%}",
            "passed" if parity.passed else "FAILED",
        )
    return table


def size(count: int) -> str:
    """Bytes as people read them, in units of 1024."""
    value = float(count)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"


def new_table(*headings: str) -> Table:
    """Return an empty table; a column whose heading starts with ">" holds numbers."""
    table = Table()
    for heading in headings:
        first = heading == headings[0]
        table.add_column(heading.lstrip(">"), justify="right" if heading[0] == ">" else "left", no_wrap=first)
    return table
