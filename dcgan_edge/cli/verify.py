"""`dcgan-edge verify`: artifacts against PyTorch, or against their golden images."""

from __future__ import annotations

from pathlib import Path

import click

from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.options import SEEDS, backend_option, device_option, threads_option
from dcgan_edge.cli.progress import steps
from dcgan_edge.runtime.device import Backend


@click.command("verify")
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="[CHECKPOINT] ARTIFACT..."
)
@click.option(
    "--seeds",
    type=SEEDS,
    help="Seeds to compare against a CHECKPOINT, such as 0-255. [default: 0-63, and one of each class]",
)
@device_option
@backend_option
@threads_option
@json_option
def command(
    paths: tuple[Path, ...],
    seeds: list[int] | None,
    device: str,
    backend: Backend,
    threads: int | None,
    as_json: bool,
) -> None:
    """Prove that each ARTIFACT makes PyTorch's images on this device; exit 3 if one does not.

    With a CHECKPOINT, PyTorch makes them here; the ONNX file that an artifact was adopted from takes its
    place. Without, they are compared with the golden images that came with the artifact, and torch is not
    needed. The verdict is written into the artifact's manifest.

    \b
    dcgan-edge verify out/generator.fp16.onnx
    dcgan-edge verify runs/digits/checkpoint.safetensors out/generator.fp16.onnx --seeds 0-255
    """
    from dcgan_edge.cli.tables import parity_table, show
    from dcgan_edge.verification import is_foreign_onnx, verify

    given = paths[0].suffix.lower() == ".safetensors" or (len(paths) > 1 and is_foreign_onnx(paths[0]))
    checkpoint, artifacts = (paths[0], paths[1:]) if given else (None, paths)
    with steps() as say:
        proofs = verify(
            artifacts, checkpoint, seeds=seeds, device=device, backend=backend, threads=threads, progress=say
        )
    failed = [proof for proof in proofs if not proof.parity.passed]
    if as_json:
        found = {str(proof.artifact.path): proof.to_dict() for proof in proofs}
        print_json({"checkpoint": str(checkpoint) if checkpoint else None, "artifacts": found})
    else:
        show(parity_table({proof.artifact.path.name: proof.parity for proof in proofs}))
    for proof in proofs:
        if proof.not_recorded:
            click.echo(f"The verdict is not in the manifest: {proof.not_recorded}", err=True)
    for proof in failed:
        proof.raise_if_failed()
