"""`dcgan-edge selftest`: the proof of a device's artifacts, and what is no longer as it was."""

from __future__ import annotations

from pathlib import Path

import click

from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.options import device_option, threads_option
from dcgan_edge.cli.progress import steps


@click.command("selftest")
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@device_option
@threads_option
@json_option
def command(folder: Path, device: str, threads: int | None, as_json: bool) -> None:
    """Prove every artifact in FOLDER by its golden images on this device; exit 3 if one makes others.

    FOLDER is an unpacked bundle, which is checked first, or has artifacts in it. What changed since the last
    self-test, or since the bundle was packed, is told: libraries, driver, power mode, clocks, figures.
    The record is selftest.json in FOLDER; manifests stay as they are.

    \b
    dcgan-edge selftest
    dcgan-edge selftest dcgan-edge-bundle --json
    """
    from dcgan_edge.cli.tables import parity_table, show
    from dcgan_edge.names import shown
    from dcgan_edge.packaging.selftest import selftest

    with steps() as say:
        found = selftest(folder, device=device, threads=threads, progress=say)
    if as_json:
        print_json(found.to_dict())
    elif found.proofs:
        show(parity_table({proof.artifact.path.name: proof.parity for proof in found.proofs}))
    if not as_json:
        since = f" since {found.since}" if found.since else ""
        click.echo(f"changed{since}:" if found.changes else f"nothing changed{since}")
        for change in found.changes:
            click.echo(
                f"  {shown(change.what)}: {shown(change.before) or 'none'} -> {shown(change.now) or 'none'}"
            )
    for name, error in found.not_run.items():
        click.echo(f"{name} was not run: {error}", err=True)
    if found.not_recorded:
        click.echo(f"The record is not in the folder: {found.not_recorded}", err=True)
    found.raise_if_failed()
