"""`python -m benchmarks.train_digit_classifier`: trains the digit classifier that travels with the package.

Writes digits.safetensors, digits.onnx and digits.json into dcgan_edge/evaluation. Trained on the bundled
train split alone, for a fixed number of epochs; the test split is looked at once, at the end. On one machine
with the versions in digits.json the same files come out each time.

Augmentation: Simard, Steinkraus and Platt 2003, "Best practices for convolutional neural networks applied to
visual document analysis" (elastic deformation), with small rotations, scalings, shears and shifts.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import click
import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

import dcgan_edge.evaluation
from benchmarks.command import errors_said
from dcgan_edge.artifact import sha256
from dcgan_edge.data import load_digits
from dcgan_edge.errors import EdgeError, VerificationError
from dcgan_edge.evaluation.classifier import FILES, RECORD
from dcgan_edge.evaluation.digit_network import FEATURES, build_digit_network
from dcgan_edge.export.onnx.checking import OPSET, check_graph
from dcgan_edge.files import write_atomic
from dcgan_edge.images import from_uint8

FOLDER = Path(dcgan_edge.evaluation.__file__).parent
BATCH, EPOCHS, PEAK_RATE, SEED = 64, 40, 4e-3, 0
REQUIRED = 0.985  # share of the test split that must be right for the files to be written
ROTATION, SHEAR, SCALE, SHIFT = math.radians(12), 0.15, 0.10, 2.0 / 14  # largest; 14 pixels are half a side
ELASTIC_SIGMA, ELASTIC_PIXELS = 4.0, 1.0  # of the smooth field, and its typical displacement, in pixels


@click.command()
@click.option("--epochs", default=EPOCHS, show_default=True, help="Passes over the train split.")
@click.option("--seed", default=SEED, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=FOLDER, help="Folder of the three files.")
@errors_said()
def main(epochs: int, seed: int, out: Path) -> None:
    """Train, measure on the test split, write."""
    torch.set_num_threads(1)  # the same sums in the same order on every machine with these kernels
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    started = time.monotonic()
    images, labels = _split("train")
    network = _train(build_digit_network(), images, labels, epochs, started)
    _normalise(network, images)
    test_images, test_labels = _split("test")
    accuracy = _accuracy(network, test_images, test_labels)
    click.echo(f"{accuracy:.2%} of the test split right, {_accuracy(network, images, labels):.2%} of train")
    if accuracy < REQUIRED:
        raise VerificationError(f"The classifier is right on {accuracy:.2%}; {REQUIRED:.1%} are required.")
    _write(network, out, {"test_accuracy": accuracy, "epochs": epochs, "seed": seed})


def _split(split: str) -> tuple[Tensor, Tensor]:
    images, labels = load_digits("train" if split == "train" else "test")
    return torch.from_numpy(from_uint8(images[:, None])), torch.from_numpy(labels.astype(np.int64))


def _train(network: nn.Module, images: Tensor, labels: Tensor, epochs: int, started: float) -> nn.Module:
    steps = len(images) // BATCH
    adam = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, PEAK_RATE, total_steps=epochs * steps)
    for epoch in range(epochs):
        network.train()
        total = 0.0
        for chosen in torch.randperm(len(images))[: steps * BATCH].reshape(steps, BATCH):
            logits = network(augmented(images[chosen]))
            loss = functional.cross_entropy(logits, labels[chosen], label_smoothing=0.05)
            adam.zero_grad()
            torch.autograd.backward(loss)
            adam.step()
            schedule.step()
            total += loss.item()
        click.echo(
            f"epoch {epoch + 1}: loss {total / steps:.4f}, {time.monotonic() - started:.0f} s", err=True
        )
    return network.eval()


def augmented(images: Tensor) -> Tensor:
    """`images` (n, 1, 28, 28), each distorted in its own way; what comes in from outside is background."""
    count, _, side, _ = images.shape
    angle, shear = _spread(count, ROTATION), _spread(count, SHEAR)
    across, down = 1 + _spread(count, SCALE), 1 + _spread(count, SCALE)
    cosine, sine = angle.cos(), angle.sin()
    rows = [
        torch.stack([across * cosine, shear - sine, _spread(count, SHIFT)], 1),
        torch.stack([shear + sine, down * cosine, _spread(count, SHIFT)], 1),
    ]
    places = functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    places = places + _elastic(count, side)
    # Background is -1 and grid_sample pads with 0, hence the shift by 1.
    return functional.grid_sample(images + 1, places, align_corners=False) - 1


def _spread(count: int, largest: float) -> Tensor:
    return (torch.rand(count) * 2 - 1) * largest


def _elastic(count: int, side: int) -> Tensor:
    """Smooth random displacements (n, side, side, 2), in half sides as grid_sample counts."""
    reach = int(3 * ELASTIC_SIGMA)
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / ELASTIC_SIGMA) ** 2)
    bell = bell / bell.pow(2).sum().sqrt()  # keeps the variance of white noise
    noise = torch.randn(count * 2, 1, side + 2 * reach, side + 2 * reach)
    smooth = functional.conv2d(functional.conv2d(noise, bell.view(1, 1, -1, 1)), bell.view(1, 1, 1, -1))
    return smooth.view(count, 2, side, side).permute(0, 2, 3, 1) * (ELASTIC_PIXELS * 2 / side)


def _normalise(network: nn.Module, images: Tensor) -> None:
    """Scale the features to mean square 1 on `images`, and the head against it: the logits stay the same.

    The cubic kernel of KID then sees products of about 1, as it was made for.
    """
    body, head = network.get_submodule("body"), network.get_submodule("head")
    dense = list(body.children())[-2]
    assert isinstance(dense, nn.Linear)
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        features = torch.cat([body(batch) for batch in torch.split(images, 500)])
        scale = features.pow(2).mean().rsqrt()
        dense.weight.mul_(scale)
        dense.bias.mul_(scale)
        head.weight.div_(scale)


def _accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    with torch.inference_mode():
        right = sum(
            int((network(batch).argmax(1) == truth).sum())
            for batch, truth in zip(torch.split(images, 500), torch.split(labels, 500), strict=True)
        )
    return right / len(images)


class _Outputs(nn.Module):
    """Images to features and logits, as the ONNX file has them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.body, self.head = network.get_submodule("body"), network.get_submodule("head")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(images)
        return features, self.head(features)


def _write(network: nn.Module, folder: Path, facts: dict[str, float]) -> None:
    contents = {
        FILES["torch"]: save({name: value.contiguous() for name, value in network.state_dict().items()}),
        FILES["onnxruntime"]: _onnx(network),
    }
    for name, data in contents.items():
        write_atomic(folder / name, data)
    record = {
        "feature_size": FEATURES,
        **facts,
        "files": {name: {"sha256": sha256(data), "size": len(data)} for name, data in contents.items()},
        "trained_on": "the 7,000 bundled digits of the train split",
        "tested_on": "the 1,000 bundled digits of the test split",
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    write_atomic(folder / RECORD, (json.dumps(record, indent=2) + "\n").encode())


def _onnx(network: nn.Module) -> bytes:
    program = torch.onnx.export(
        _Outputs(network).eval(),
        (torch.zeros(2, 1, 28, 28),),
        input_names=["images"],
        output_names=["features", "logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        opset_version=OPSET,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise EdgeError("torch.onnx.export returned nothing.")
    model = program.model_proto
    graph = model.graph
    for holder in (
        model,
        graph,
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.initializer,
        *graph.value_info,
    ):
        del holder.metadata_props[:]  # source code and paths of this machine
        holder.doc_string = ""
    data: bytes = check_graph(model).SerializeToString(deterministic=True)
    return data


if __name__ == "__main__":
    main()
