"""`dcgan-edge check`: a bundle before anything of it is loaded, or a set of samples; byte for byte."""

from __future__ import annotations

from pathlib import Path

import click

from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.progress import fraction
from dcgan_edge.errors import UsageError
from dcgan_edge.sample_sets.plan import MOST_SHARDS

SIGNATURES = {
    "none": "not signed",
    "not checked": "signed, not checked: name the signer's public key by --key",
    "good": "signed by the owner of the key",
}


@click.command("check")
@click.argument("bundle", type=click.Path(), metavar="BUNDLE|SAMPLES")
@click.option(
    "--key", type=click.Path(path_type=Path), help="Public key in PEM of whom the bundle must be by."
)
@click.option(
    "--shards",
    type=click.IntRange(1, MOST_SHARDS),
    help="List which of so many shards of a set of samples have to be repeated.",
)
@json_option
def command(bundle: str, key: Path | None, shards: int | None, as_json: bool) -> None:
    """Check BUNDLE, a .tar.gz or the folder that it was unpacked to; exit 6 if it is not as it was packed.

    Nothing is unpacked, loaded or run: names, sizes and hashes of all files, the manifests, and with --key
    the signature. Of SAMPLES, a folder or URL that `sample` wrote tar or Parquet files into, every file is
    read and held against its record; exit 3 if one is missing or not what was written.

    \b
    dcgan-edge check bundle.tar.gz
    dcgan-edge check bundle.tar.gz --key signer.pub.pem
    dcgan-edge check shards --shards 64
    """
    from dcgan_edge.sample_sets.checking import is_sample_set

    if is_sample_set(bundle):
        if key is not None:
            raise UsageError("--key is for bundles: samples are not signed.")
        _samples(bundle, shards, as_json)
    elif shards is not None:
        raise UsageError(f"{bundle} is no set of samples: --shards does not apply.")
    else:
        _bundle(Path(bundle), key, as_json)


def _samples(where: str, shards: int | None, as_json: bool) -> None:
    from dcgan_edge.sample_sets.checking import check_samples
    from dcgan_edge.words import count_words

    with fraction("Checking", "files") as progress:
        found = check_samples(where, progress=progress)
    unfinished = None if shards is None else found.shards(shards)
    if as_json:
        print_json(found.to_dict() | ({} if unfinished is None else {"unfinished_shards": unfinished}))
    elif unfinished:
        click.echo(",".join(map(str, unfinished)))  # as sbatch --array takes it
    found.raise_if_failed()
    if not as_json:
        click.echo(f"{where}: complete, {count_words(found.files, 'file')} of {found.images:,} images")


def _bundle(bundle: Path, key: Path | None, as_json: bool) -> None:
    from dcgan_edge.packaging.checking import check_bundle
    from dcgan_edge.words import count_words, parity_words, size_words

    found = check_bundle(bundle, key=key)
    if as_json:
        print_json(found.to_dict())
        return
    facts = found.facts
    click.echo(f"{bundle}: as it was packed, {count_words(found.files, 'file')}, {size_words(found.size)}")
    click.echo(f"  {SIGNATURES[found.signature]}")
    click.echo(f"  for {facts.platform} and Python {facts.python}, dcgan-edge {facts.dcgan_edge}")
    for name, manifest in found.manifests.items():
        click.echo(f"  {name}: {parity_words(manifest)}")
