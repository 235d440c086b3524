"""`dcgan-edge latent`: what the latent space of a generator can do. `latent_tools` and `latent_arithmetic`
have the commands that run exported artifacts, `latent_restore` those that need a checkpoint.
"""

from __future__ import annotations

import click

from dcgan_edge.cli.latent_arithmetic import arithmetic, measure
from dcgan_edge.cli.latent_restore import denoise, inpaint, invert, stylize
from dcgan_edge.cli.latent_tools import grid, interpolate


@click.group("latent")
def command() -> None:
    """Walk through the latent space, calculate in it, and restore images with it.

    \b
    dcgan-edge latent interpolate out/generator.fp16.onnx --seeds 1,2,3 --out walk
    dcgan-edge latent arithmetic out/generator.fp16.onnx --from 1,2,3 --minus 4,5,6 --plus 7,8,9
    dcgan-edge latent inpaint runs/digits/checkpoint.safetensors --mask centre --out inpainted
    """


for subcommand in (interpolate, arithmetic, measure, grid, invert, inpaint, denoise, stylize):
    command.add_command(subcommand)
