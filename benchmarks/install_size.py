"""`python -m benchmarks.install_size [EXTRA...]`: what an installation takes on the disk, package by package.

Counts what is installed here of this package's requirements and theirs, the Python itself left out.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import click
from packaging.requirements import Requirement

import dcgan_edge
from benchmarks.command import errors_said
from dcgan_edge.cli.tables import new_table, show

NAME = "dcgan-edge"
MEBIBYTE = 2**20


@click.command()
@click.argument("extras", nargs=-1)
@errors_said()
def main(extras: tuple[str, ...]) -> None:
    """List the base installation with EXTRAS, the largest package first."""
    sizes = installed(set(extras))
    table = new_table("package", ">MiB")
    for name, size in sorted(sizes.items(), key=lambda entry: -entry[1]):
        table.add_row(name, f"{size / MEBIBYTE:.1f}")
    table.add_row("in all", f"{sum(sizes.values()) / MEBIBYTE:.1f}")
    show(table)


def installed(extras: set[str]) -> dict[str, int]:
    """Return the bytes of this package and of each distribution that it needs with `extras`, by name."""
    package = Path(dcgan_edge.__file__).parent
    own = sum(path.stat().st_size for path in package.rglob("*") if path.suffix not in (".pyc", ""))
    for link in ("export", "runtime"):
        linked = (package / link).resolve()
        own += sum(path.stat().st_size for path in linked.rglob("*.py")) if linked.parent != package else 0
    sizes = {NAME: own}
    wanted = needs(NAME, extras)
    while wanted:
        name = wanted.pop()
        if name in sizes:
            continue
        files = distribution(name).files or ()
        found = [Path(str(file.locate())) for file in files]
        sizes[name] = sum(path.stat().st_size for path in found if path.is_file())
        wanted += needs(name, set())
    return sizes


def needs(name: str, extras: set[str]) -> list[str]:
    """Return what the distribution `name` requires here with `extras`, as far as it is installed."""
    found = []
    for text in distribution(name).requires or ():
        one = Requirement(text)
        if one.marker and not any(one.marker.evaluate({"extra": extra}) for extra in (extras or {""})):
            continue
        try:
            distribution(one.name)
        except PackageNotFoundError:
            continue
        found.append(one.name)
    return found


if __name__ == "__main__":
    main()
