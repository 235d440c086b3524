"""`dcgan-edge latent`: what the latent space of a generator can do. `latent_tools` has the commands that run
on exported artifacts, `latent_restore` those that need a checkpoint.
"""

from __future__ import annotations

import click

from dcgan_edge.cli.latent_arithmetic import arithmetic
from dcgan_edge.cli.latent_restore import denoise, inpaint, invert, stylize
from dcgan_edge.cli.latent_tools import grid, interpolate


@click.group("latent")
def command() -> None:
    """Walk through the latent space, calculate in it, and restore images with it.

    \b
    dcgan-edge latent interpolate out/generator.fp16.onnx --seeds 1,2,3 --out walk
    dcgan-edge latent arithmetic out/generator.fp16.onnx \\
      --group a=1,2,3 --group b=4,5,6 --group c=7,8,9 --formula "a - b + c"
    dcgan-edge latent inpaint runs/digits/checkpoint.safetensors --mask centre --out inpainted
    """


for subcommand in (interpolate, arithmetic, grid, invert, inpaint, denoise, stylize):
    command.add_command(subcommand)
