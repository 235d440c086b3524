"""`python -m benchmarks.start_up`: what one image costs as a whole process, beside the shortest scripts.

A script does with bare ONNX Runtime, or with PyTorch, what `dcgan-edge sample` does for one seed: it loads
the generator, makes one image and writes a PNG. All run in turn, so that they share the machine's luck.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import click

from benchmarks.command import errors_said
from benchmarks.untrained import ARCHITECTURE, generator, make_artifact
from benchmarks.whole_process import Run, alternating, ratio
from dcgan_edge.cli.tables import new_table, show
from dcgan_edge.runtime.bench.intervals import Estimate

OURS, ORT, TORCH = "dcgan-edge sample", "bare onnxruntime", "bare torch"
NOTHING, HELP = "python -c pass", "dcgan-edge --help"
SAVE = """
from PIL import Image
pixels = ((images[0].transpose(1, 2, 0) + 1) * 127.5).round().clip(0, 255).astype("uint8")
Image.fromarray(pixels).save("OUT/image.png")
"""
WITH_ONNXRUNTIME = """
import numpy, onnxruntime
latents = numpy.random.default_rng(0).standard_normal((1, DIM, 1, 1), numpy.float32)
session = onnxruntime.InferenceSession("OUT/generator.fp32.onnx", providers=["CPUExecutionProvider"])
images = session.run(None, {"latents": latents})[0]
"""
WITH_TORCH = """
import torch
from torch import nn
widths, layers = [DIM, 512, 256, 128, 64, 3], []
for place, (before, after) in enumerate(zip(widths, widths[1:])):
    layers.append(nn.ConvTranspose2d(before, after, 4, 2 if place else 1, 1 if place else 0, bias=after == 3))
    layers += [nn.BatchNorm2d(after), nn.ReLU(True)] if after > 3 else [nn.Tanh()]
network = nn.Sequential(*layers)
network.load_state_dict(torch.load("OUT/generator.pth"))
network.eval()
torch.manual_seed(0)
with torch.inference_mode():
    images = network(torch.randn(1, DIM, 1, 1)).numpy()
"""


@click.command()
@click.option("--rounds", default=9, show_default=True, help="Runs of each program; 8 or more for intervals.")
@errors_said()
def main(rounds: int) -> None:
    """Run all programs in turn, and print times, memory and ratios."""
    with tempfile.TemporaryDirectory() as folder:
        taken = alternating(programs(Path(folder)), rounds)
    table = new_table("program", ">ms", ">MiB", ">its time over ours", ">its memory over ours")
    for name in (OURS, ORT, TORCH):
        table.add_row(*row(name, taken))
    show(table)
    extra = statistics.median(
        1000 * (shown.seconds - nothing.seconds)
        for shown, nothing in zip(taken[HELP], taken[NOTHING], strict=True)
    )
    click.echo(f"{HELP}: {extra:.0f} ms more than {NOTHING} ({milliseconds(taken[NOTHING]):.0f} ms)")


def programs(folder: Path) -> dict[str, list[str]]:
    """Write the generator as each program reads it into `folder`, and return what Python is given."""
    import torch
    from torch import nn

    artifact = make_artifact(folder, "fp32")
    layers = [each for each in generator().modules() if isinstance(each, nn.ConvTranspose2d | nn.BatchNorm2d)]
    places = [place for place in range(2 * len(layers)) if place % 3 != 2]  # activations have every third
    state = {
        f"{place}.{name}": value
        for place, layer in zip(places, layers, strict=False)
        for name, value in layer.state_dict().items()
    }
    torch.save(state, folder / "generator.pth")

    def script(text: str) -> list[str]:
        return ["-c", (text + SAVE).replace("OUT", str(folder)).replace("DIM", str(ARCHITECTURE.latent_dim))]

    sample = ["-m", "dcgan_edge", "sample", str(artifact), "--seeds", "0", "--out", str(folder / "samples")]
    return {
        OURS: sample,
        ORT: script(WITH_ONNXRUNTIME),
        TORCH: script(WITH_TORCH),
        NOTHING: ["-c", "pass"],
        HELP: ["-m", "dcgan_edge", "--help"],
    }


def row(name: str, taken: dict[str, list[Run]]) -> list[str]:
    """Return the row of a program."""
    cells = [name, f"{milliseconds(taken[name]):.0f}", f"{mebibytes(taken[name]):.0f}"]
    if name == OURS:
        return [*cells, "", ""]
    over = ratio(taken[name], taken[OURS])
    return [*cells, _words(over), f"{mebibytes(taken[name]) / mebibytes(taken[OURS]):.2f}"]


def milliseconds(runs: list[Run]) -> float:
    """Return the median time."""
    return 1000 * statistics.median(each.seconds for each in runs)


def mebibytes(runs: list[Run]) -> float:
    """Return the median of the largest memory."""
    return statistics.median(each.mib for each in runs)


def _words(over: Estimate) -> str:
    return f"{over.value:.2f} [{over.low:.2f}, {over.high:.2f}]" if over.bounded else f"{over.value:.2f}"


if __name__ == "__main__":
    main()
