"""`dcgan-edge verify`: artifacts against the PyTorch generator of their checkpoint."""

from __future__ import annotations

from pathlib import Path

import click

from dcgan_edge.cli import json_option, print_json
from dcgan_edge.cli.options import backend_option, device_option, seeds_option
from dcgan_edge.cli.progress import steps
from dcgan_edge.runtime.session import Backend


@click.command("verify")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.argument("artifacts", nargs=-1, required=True, type=click.Path(path_type=Path))
@seeds_option("0-63")
@device_option
@backend_option
@json_option
def command(
    checkpoint: Path,
    artifacts: tuple[Path, ...],
    seeds: list[int],
    device: str,
    backend: Backend,
    as_json: bool,
) -> None:
    """Compare each of ARTIFACTS with CHECKPOINT in PyTorch, on the same seeds; exit 3 if one differs.

    \b
    dcgan-edge verify runs/digits/checkpoint.safetensors out/generator.fp16.onnx --seeds 0-255
    """
    from dcgan_edge.cli.tables import parity_table, show
    from dcgan_edge.errors import UsageError, VerificationError
    from dcgan_edge.export.onnx.reference import TorchSession
    from dcgan_edge.runtime.parity import verify
    from dcgan_edge.runtime.session import open_session

    if not seeds:
        raise UsageError("There is nothing to compare without a seed.")
    verdicts = {}
    reference = TorchSession(checkpoint)
    with steps() as say:
        for artifact in artifacts:
            say(f"comparing {artifact.name} on {len(seeds)} seeds")
            with open_session(artifact, device=device, backend=backend) as candidate:
                verdicts[str(artifact)] = verify(reference, candidate, seeds)
    failed = [name for name, parity in verdicts.items() if not parity.passed]
    if as_json:
        print_json(
            {"checkpoint": str(checkpoint), "artifacts": {name: p.to_dict() for name, p in verdicts.items()}}
        )
        if failed:
            click.get_current_context().exit(VerificationError.exit_code)
        return
    show(parity_table({Path(name).name: parity for name, parity in verdicts.items()}))
    for name in failed:
        verdicts[name].raise_if_failed(name)
