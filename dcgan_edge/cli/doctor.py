"""`dcgan-edge doctor`: what this machine has and can do."""

from __future__ import annotations

import click

from dcgan_edge.cli import json_option, print_json


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """Look at this machine: libraries found and wanted, CPU, GPU or Jetson, what can be done here.

    \b
    dcgan-edge doctor
    """
    from dcgan_edge.runtime.doctor import diagnose

    diagnosis = diagnose()
    if as_json:
        print_json({"diagnosis": diagnosis.to_dict()})
        return
    for key, value in diagnosis.machine.items():
        click.echo(f"{key:14}{value}")
    click.echo(f"{'gpu':14}{'; '.join(diagnosis.gpus) or 'no NVIDIA GPU with a driver'}")
    click.echo("\nLibraries")
    for library in diagnosis.libraries:
        state = library.found or "missing"
        remedy = "" if library.found else f"  ->  {library.remedy}"
        click.echo(f"  {library.name:15}{state:12}{library.reason}{remedy}")
    click.echo("\nOn this machine you can")
    for ability in diagnosis.abilities:
        if not ability.lacking:
            click.echo(f"  yes  {ability.task}")
            continue
        remedy = f"  ->  {ability.remedy}" if ability.remedy else ""
        click.echo(f"  no   {ability.task}: lacks {ability.lacking}{remedy}")
