"""`dcgan-edge data`: public data sets from their mirrors, and a folder of pictures packed for training."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.options import FiniteRange
from dcgan_edge.cli.progress import stderr
from dcgan_edge.words import quoted

if TYPE_CHECKING:
    from dcgan_edge.data.prepare import Prepared

NAMES = ("mnist", "fashion-mnist", "cifar10", "svhn", "celeba")
SHOWN = 5  # findings of a kind that are printed; all of them are in the file's description


@click.group("data")
def command() -> None:
    """Fetch public data sets, and pack pictures into one file. Nothing else in this program downloads.

    \b
    dcgan-edge data fetch cifar10 --out cifar10
    dcgan-edge data prepare photos --size 64 --out photos.npy
    """


@command.command("fetch")
@click.argument("name", type=click.Choice(NAMES))
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder to put this data set into."
)
@click.option(
    "--mirror",
    "mirrors",
    multiple=True,
    envvar="DCGAN_EDGE_MIRROR",
    metavar="URL",
    help="Address of the folder with the files, instead of the known ones; {set} in it becomes NAME. May be "
    "given several times.",
)
@click.option(
    "--timeout",
    type=FiniteRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds without a byte after which an attempt is given up.",
)
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="Attempts that may fail in a row, for each mirror.",
)
@json_option
def fetch_command(
    name: str, out: Path, mirrors: tuple[str, ...], timeout: float, retries: int, as_json: bool
) -> None:
    """Download data set NAME into a folder that `train --data` takes. Every file is compared with the SHA-256
    that is published for it. Files that are already there are not downloaded again.

    \b
    dcgan-edge data fetch mnist --out mnist
    dcgan-edge data fetch svhn --out svhn --mirror https://mirror.example/{set}/
    """
    from dcgan_edge import fetch

    with _bars() as progress:
        fetched = fetch(name, out, mirrors=mirrors, timeout=timeout, retries=retries, progress=progress)
    if as_json:
        print_json({"folder": str(out), **fetched.to_dict()})
        return
    click.echo(f"{fetched.title}\n{fetched.homepage}, terms: {fetched.terms}")
    for file in fetched.files:
        state = "SHA-256 ok" if file.checked else f"not here; its folder {file.unpacked} is"
        click.echo(f"  {file.name}: {state}, {file.url or 'was there already'}")
    click.echo(f"\nNext:\n  dcgan-edge train --data {quoted(out)} --out runs/{name}")


@command.command("prepare")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--size", type=click.IntRange(1, 1024), required=True, help="Pixels of a side.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="The file to write, ending in .npy."
)
@click.option(
    "--channels",
    type=click.Choice(["1", "3"]),
    callback=lambda ctx, option, value: value and int(value),
    help="Channels of the file. [default: 1 if the pictures are grey, else 3]",
)
@click.option(
    "--near",
    type=click.IntRange(0, 16),
    default=6,
    show_default=True,
    help="Bits of 256 by which difference hashes of near-duplicates may differ.",
)
@click.option(
    "--drop",
    type=click.Choice(["none", "exact", "near"]),
    default="none",
    show_default=True,
    help="Leave out duplicates of earlier pictures: those equal to the pixel, or near ones too.",
)
@json_option
def prepare_command(
    folder: Path,
    size: int,
    out: Path,
    channels: int | None,
    near: int,
    drop: Literal["none", "exact", "near"],
    as_json: bool,
) -> None:
    """Pack the pictures in FOLDER into one file: the centred square of each, resized, as uint8.

    Training maps the file into memory, so it may be larger than that. What cannot be read and what is there
    twice is counted here and listed in FILE.json. A run that was stopped goes on when it is started again.

    \b
    dcgan-edge data prepare photos --size 64 --out photos.npy
    dcgan-edge data prepare photos --size 64 --drop exact --out photos.npy --json
    dcgan-edge train --data photos.npy --out runs/photos
    """
    from dcgan_edge import prepare

    with _bars() as update, _says_it_is_kept():
        prepared = prepare(
            folder,
            out,
            size=size,
            channels=channels,
            near=near,
            drop=drop,
            progress=lambda done, of: update("Packing", done, of),
        )
    if as_json:
        print_json(prepared.to_dict())
    else:
        _show(prepared)


def _show(prepared: Prepared) -> None:
    findings = prepared.findings
    click.echo(
        f"{prepared.count:,} of {prepared.pictures:,} pictures in {prepared.out}, {prepared.channels} x "
        f"{prepared.size} x {prepared.size}"
    )
    lists = {
        "cannot be read": [f"{item.file}: {item.reason}" for item in findings.unreadable],
        "equal to an earlier one": [f"{item.file} = {item.earlier}" for item in findings.exact],
        "much like an earlier one": [f"{item.file} ~ {item.earlier}" for item in findings.near],
    }
    for title, items in lists.items():
        if items:
            click.echo(f"{len(items):,} {title}")
            click.echo("\n".join(f"  {item}" for item in items[:SHOWN]))
    if any(len(items) > SHOWN for items in lists.values()):
        click.echo(f"All of them are listed in {prepared.out}.json")
    if findings.exact or findings.near:
        click.echo(f"{prepared.dropped:,} of these were left out; --drop exact or --drop near decides.")
    run = Path("runs", prepared.out.stem)
    click.echo(f"\nNext:\n  dcgan-edge train --data {quoted(prepared.out)} --out {quoted(run)}")


@contextlib.contextmanager
def _says_it_is_kept() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        stderr().print("What is done is kept. Run the same command again to go on.")
        raise


@contextlib.contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """Bars on a terminal, one for each name; call what is yielded with a name, what is done, of how much."""
    from rich import progress as bars

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.TextColumn("{task.fields[amount]}"),
        bars.TimeRemainingColumn(),
    )
    console = stderr()
    with bars.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, bars.TaskID] = {}

        def update(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total, amount="")
            bar.update(tasks[name], completed=done, total=total, amount=f"{done:,} of {total:,}")

        yield update
