"""What features are compared with: a network of the discriminator's shape that is trained on the labels."""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dcgan_edge.artifact import Architecture
from dcgan_edge.data.labelled import Labelled, Labels
from dcgan_edge.images import PixelArray
from dcgan_edge.models import build_discriminator
from dcgan_edge.training.activations import BATCH
from dcgan_edge.training.steps import to_network

LEARNING_RATE = 1e-3  # Adam
STEP_IMAGES = 64
EPOCHS = 10
FEWEST_STEPS = 200


def supervised_accuracy(
    architecture: Architecture,
    train: Labelled,
    test: Labelled,
    *,
    seed: int,
    epochs: int = EPOCHS,
    fewest_steps: int = FEWEST_STEPS,
) -> float:
    """Return the share of `test` that a fresh discriminator, trained on the labels of `train`, gets right.

    It has one logit per class. Cross-entropy, Adam, batches of 64 or of all there is, ten epochs or 200 steps
    if those are more; nothing about it is tuned, and no image is altered. Weights and order depend on `seed`.
    """
    classes = int(max(train.labels.max(), test.labels.max())) + 1
    batch = min(STEP_IMAGES, len(train.labels))
    steps = max(fewest_steps, epochs * math.ceil(len(train.labels) / batch))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = classifier(build_discriminator(architecture), classes).train()
        adam = torch.optim.Adam(network.parameters(), LEARNING_RATE)
        order = torch.empty(0, dtype=torch.int64)
        for _ in range(steps):
            if len(order) < batch:
                order = torch.randperm(len(train.labels))
            places, order = order[:batch].numpy(), order[batch:]
            logits = network(to_network(torch.from_numpy(train.pixels[places])))
            loss = functional.cross_entropy(logits, torch.from_numpy(train.labels[places]))
            adam.zero_grad()
            torch.autograd.backward(loss)
            adam.step()
    return float(np.mean(_predictions(network.eval(), test.pixels) == test.labels))


def classifier(discriminator: nn.Module, classes: int) -> nn.Sequential:
    """Return the layers of `discriminator` with a new last one: images -> (n, classes)."""
    *body, last = copy.deepcopy(discriminator).get_submodule("layers").children()
    head: nn.Module
    if isinstance(last, nn.Conv2d):
        head = nn.Conv2d(last.in_channels, classes, (last.kernel_size[0], last.kernel_size[1]))
    else:
        head = nn.Linear(int(last.get_parameter("weight").shape[1]), classes)
    return nn.Sequential(*body, head, nn.Flatten())


def _predictions(network: nn.Module, pixels: PixelArray) -> Labels:
    parts: list[Tensor] = []
    with torch.inference_mode():
        for start in range(0, len(pixels), BATCH):
            parts.append(network(to_network(torch.tensor(pixels[start : start + BATCH]))).argmax(1))
    return np.asarray(torch.cat(parts).numpy())
