"""`python -m benchmarks.train_speed`: our training step against the plain one that everybody writes.

Same networks, batch, images and optimiser; each measurement is a process of its own, plain and ours in turn,
so that what else the machine does falls on both. A row of Markdown for each case: images per second of both,
the median of the ratios of the pairs with the smallest and the largest (for five pairs, the 94 % interval of
the median), and what share of the machine's own rate at matrix products our step reaches. With `--busy` a
process that never rests is pinned to one core, and ours is measured with and without it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import click

from benchmarks.command import errors_said
from dcgan_edge.artifact import Architecture
from dcgan_edge.errors import EdgeError
from dcgan_edge.machine import cpu_count
from dcgan_edge.recipes import RECIPES, recipe_settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from dcgan_edge.training.config import TrainConfig

CASES = {
    "28 px, width 32": Architecture("dcgan", 28, 1, width=32),
    "28 px, width 64": Architecture("dcgan", 28, 1, width=64),
    "64 px RGB, width 64": Architecture("dcgan", 64, 3, width=64),
}
WARM_UP = 3  # steps
PRODUCT = 2048  # rows and columns of the matrices that the machine's own rate is measured with
PRODUCTS = 5
SPIN = "while True: pass"


@dataclass(frozen=True)
class Rates:
    """What one process measured: images per second, floating point operations per second of a large matrix
    product, and those that a step takes for an image.
    """

    images: float
    products: float
    work: float


@click.command()
@click.option("--case", "cases", type=click.Choice(list(CASES)), multiple=True, help="Only this case.")
@click.option("--recipe", type=click.Choice(list(RECIPES)), default="paper", show_default=True)
@click.option("--batch", type=click.IntRange(min=2), help="Images per step.  [default: the recipe's]")
@click.option("--pairs", type=click.IntRange(min=1), default=5, show_default=True, help="Measured of each.")
@click.option("--seconds", type=click.FloatRange(min=0.0), default=5.0, show_default=True, help="Each.")
@click.option("--device", default="cpu", show_default=True, help="What computes: cpu or cuda.")
@click.option("--busy", is_flag=True, help="Measure ours beside a process that keeps one core busy.")
@click.option("--child", type=click.Choice(["plain", "ours"]), hidden=True)
@errors_said()
def main(
    cases: tuple[str, ...],
    recipe: str,
    batch: int | None,
    pairs: int,
    seconds: float,
    device: str,
    busy: bool,
    child: str | None,
) -> None:
    """Print how fast a training step is, plain and ours, alternating."""
    chosen = batch or RECIPES[recipe].batch
    if child is not None:
        click.echo(json.dumps(vars(_measured(child, CASES[cases[0]], recipe, chosen, seconds, device))))
        return
    click.echo(f"{cpu_count()} cores, recipe {recipe}, {chosen} images per step, {pairs} pairs\n")
    rows = ("alone", "beside a neighbour", "share") if busy else ("plain", "ours", "ratio", "of products")
    click.echo(_row("case", *rows))
    click.echo(_row("---", *["---:"] * len(rows)))
    for case in cases or CASES:
        arguments = ["--case", case, "--recipe", recipe, "--batch", str(chosen), "--seconds", str(seconds)]
        arguments += ["--device", device]
        click.echo(_row(case, *(_beside(arguments, pairs) if busy else _against(arguments, pairs))))


def _against(arguments: list[str], pairs: int) -> tuple[str, ...]:
    """Plain and ours in turn."""
    measured = [(_in_process("plain", arguments), _in_process("ours", arguments)) for _ in range(pairs)]
    shares = [ours.images * ours.work / ours.products for _, ours in measured]
    plain, ours = ([rates.images for rates in side] for side in zip(*measured, strict=True))
    return (*_summed_up(plain, ours), f"{median(shares):.0%}")


def _beside(arguments: list[str], pairs: int) -> tuple[str, ...]:
    """Ours alone and beside a neighbour in turn."""
    alone, beside = [], []
    for _ in range(pairs):
        alone.append(_in_process("ours", arguments).images)
        with _neighbour():
            beside.append(_in_process("ours", arguments).images)
    return _summed_up(alone, beside)


def _summed_up(before: list[float], after: list[float]) -> tuple[str, ...]:
    ratios = sorted(b / a for a, b in zip(before, after, strict=True))
    spread = f"{median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    return f"{median(before):,.0f}/s", f"{median(after):,.0f}/s", spread


def _in_process(child: str, arguments: list[str]) -> Rates:
    command = [sys.executable, "-m", "benchmarks.train_speed", "--child", child, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise EdgeError(f"The measurement of {child} failed: {ended.stderr.strip()[-500:]}")
    return Rates(**json.loads(ended.stdout))


@contextlib.contextmanager
def _neighbour() -> Iterator[None]:
    """Keep the last core busy within the block."""
    process = subprocess.Popen([sys.executable, "-c", SPIN])
    try:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
        yield
    finally:
        process.kill()
        process.wait()


def _measured(
    child: str, architecture: Architecture, recipe: str, batch: int, seconds: float, device: str
) -> Rates:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from dcgan_edge.training.allocator import keep_freed_memory
    from dcgan_edge.training.config import TrainConfig
    from dcgan_edge.training.state import new_state
    from dcgan_edge.training.steps import train_step
    from dcgan_edge.training.workers import default_shards, open_crew

    torch.manual_seed(0)
    place = torch.device(device)
    shape = (batch, architecture.channels, architecture.size, architecture.size)
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8).to(place)
    settings = {**recipe_settings(recipe, size=architecture.size), "batch": batch}
    config = TrainConfig(architecture, epochs=1, device=device, **settings)
    state = new_state(config, place)
    with FlopCounterMode(display=False) as counter:
        train_step(state, pixels, config, bf16=False)
    work, products = counter.get_total_flops() / batch, _products(place)
    if child == "plain":
        return Rates(_rate(_plain_step(config, pixels), batch, seconds), products, work)
    keep_freed_memory()
    with open_crew(state, default_shards(config, place)) as crew:

        def step() -> None:
            train_step(state, pixels, config, bf16=False, crew=crew).figures.tolist()

        return Rates(_rate(step, batch, seconds), products, work)


def _plain_step(config: TrainConfig, pixels: Tensor) -> Callable[[], None]:
    """The step of the tutorials: torch's defaults for everything that the recipe does not say."""
    import torch

    from dcgan_edge.models import build_discriminator, build_generator
    from dcgan_edge.training.losses import discriminator_loss, generator_loss
    from dcgan_edge.training.steps import draw_latents

    generator = build_generator(config.architecture).to(pixels.device)
    discriminator = build_discriminator(config.architecture, config.discriminator).to(pixels.device)
    adams = [
        torch.optim.Adam(network.parameters(), config.learning_rate, (config.beta1, config.beta2))
        for network in (generator, discriminator)
    ]

    def step() -> None:
        real = pixels.float() / 127.5 - 1.0
        fake = generator(draw_latents(len(real), config.architecture, real.device))
        discriminator.zero_grad()
        loss_d = discriminator_loss(config.loss, discriminator(real), discriminator(fake.detach()))
        torch.autograd.backward(loss_d)
        adams[1].step()
        generator.zero_grad()
        loss_g = generator_loss(config.loss, discriminator(fake))
        torch.autograd.backward(loss_g)
        adams[0].step()
        loss_d.item(), loss_g.item()

    return step


def _rate(step: Callable[[], None], batch: int, seconds: float) -> float:
    """Images per second, over `seconds` and at least one step."""
    for _ in range(WARM_UP):
        step()
    steps, begun = 0, time.perf_counter()
    while steps == 0 or time.perf_counter() - begun < seconds:
        step()
        steps += 1
    return steps * batch / (time.perf_counter() - begun)


def _products(place: torch.device) -> float:
    """Floating point operations per second of a large matrix product, with torch's own threads: the best."""
    import torch

    one, other = torch.randn(2, PRODUCT, PRODUCT, device=place)
    torch.mm(one, other)[0, 0].item()
    times = []
    for _ in range(PRODUCTS):
        begun = time.perf_counter()
        torch.mm(one, other)[0, 0].item()
        times.append(time.perf_counter() - begun)
    return 2.0 * PRODUCT**3 / min(times)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
