"""`dcgan-edge check`: a bundle, byte for byte, before anything of it is loaded."""

from __future__ import annotations

from pathlib import Path

import click

from dcgan_edge.cli import json_option, print_json

SIGNATURES = {
    "none": "not signed",
    "not checked": "signed, not checked: name the signer's public key by --key",
    "good": "signed by the owner of the key",
}


@click.command("check")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--key", type=click.Path(path_type=Path), help="Public key in PEM of whom the bundle must be by."
)
@json_option
def command(bundle: Path, key: Path | None, as_json: bool) -> None:
    """Check BUNDLE, a .tar.gz or the folder that it was unpacked to; exit 6 if it is not as it was packed.

    Nothing is unpacked, loaded or run: names, sizes and hashes of all files, the manifests, and with --key
    the signature.

    \b
    dcgan-edge check bundle.tar.gz
    dcgan-edge check bundle.tar.gz --key signer.pub.pem
    """
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
