"""`dcgan-edge fleet`: one plan of benchmarks on many boards, over SSH."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.options import Duration
from dcgan_edge.cli.progress import hosts_at_work

if TYPE_CHECKING:
    from dcgan_edge.fleet.outcome import FleetRun

FILE = click.Path(path_type=Path)


@click.group("fleet")
def command() -> None:
    """Measure on many boards over SSH, and put their records beside each other.

    \b
    dcgan-edge fleet run hosts.toml --plan plan.toml --report fleet.html
    """


@command.command("run")
@click.argument("hosts", type=FILE)
@click.option("--plan", type=FILE, metavar="TOML", required=True, help="What to measure, as for bench.")
@click.option(
    "--out",
    type=FILE,
    default="fleet",
    show_default=True,
    help="Folder for records and logs; a record that is there is not asked for again.",
)
@click.option("--report", type=FILE, metavar="HTML", help="Write a page on all records that are there.")
@click.option(
    "--parallel", type=click.IntRange(1, 256), default=16, show_default=True, help="Most hosts at a time."
)
@click.option(
    "--connect-timeout",
    type=Duration(1, 600),
    default="10s",
    show_default=True,
    help="Longest time to connect to a host.",
)
@click.option(
    "--timeout",
    type=Duration(1),
    default="1h",
    show_default=True,
    help="Longest time of one host in all; what it has measured by then is kept there.",
)
@json_option
def run_command(
    hosts: Path, plan: Path, out: Path, report: Path | None, parallel: int, connect_timeout: float,
    timeout: float, as_json: bool,
) -> None:  # fmt: skip
    """Run the plan on every host in HOSTS.toml with the system's ssh, and fetch the records.

    A host gets its bundle, or the plan's artifacts where it has dcgan-edge already. No password is asked for.
    A host that is lost is a row; the same command goes on with what is missing, there and here.
    Exit code 5 if hosts could not be reached, 1 if any failed.

    \b
    dcgan-edge fleet run hosts.toml --plan plan.toml
    dcgan-edge fleet run hosts.toml --plan plan.toml --out orins --report orins.html --timeout 2h
    """  # fmt: skip
    from dcgan_edge.fleet.run import run_fleet

    with hosts_at_work() as say:
        found = run_fleet(
            hosts, plan, out=out, report=report, parallel=parallel, connect_timeout_s=connect_timeout,
            timeout_s=timeout, progress=say,
        )  # fmt: skip
    if as_json:
        print_json(found.to_dict())
    else:
        _show(found)
    found.raise_if_failed()


def _show(found: FleetRun) -> None:
    from rich.text import Text

    from dcgan_edge.cli.tables import new_table, show
    from dcgan_edge.words import quoted

    table = new_table("host", "result", ">cells", ">seconds", "~why")
    for row in found.rows:
        spent = "earlier" if row.was_here else f"{row.seconds:.1f}"
        table.add_row(Text(row.name), row.status, f"{row.cells} of {row.of}", spent, Text(row.reason))
    show(table)
    if found.report is not None:
        click.echo(f"{found.report}")
    elif found.records:
        click.echo(f"Next:\n  dcgan-edge report {quoted(*found.records)} --output fleet.html")
