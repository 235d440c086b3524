"""The digit classifier in PyTorch: what `benchmarks/train_digit_classifier.py` trains and exports.

A network in the manner of LeNet-5 (LeCun et al. 1998, "Gradient-based learning applied to document
recognition"), with padding, ReLU, batch normalisation and dropout, which that had not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

FEATURES = 64  # length of a feature vector
CLASSES = 10


def build_digit_network() -> nn.Sequential:
    """Return a network with fresh weights. `network.body`: float32 (n, 1, 28, 28) in [-1, 1] -> features (n,
    64), not negative; `network.head`: features -> logits (n, 10); the network itself: images -> logits.
    """
    from torch import nn

    def block(narrow: int, wide: int) -> list[nn.Module]:
        return [nn.Conv2d(narrow, wide, 5, padding=2, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]

    body = nn.Sequential(
        *block(1, 16),
        nn.MaxPool2d(2),  # 28 -> 14 pixels
        *block(16, 32),
        nn.MaxPool2d(2),  # 14 -> 7
        *block(32, 64),
        nn.MaxPool2d(2),  # 7 -> 3
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(64 * 3 * 3, FEATURES),
        nn.ReLU(),
    )
    network = nn.Sequential()
    network.add_module("body", body)
    network.add_module("head", nn.Linear(FEATURES, CLASSES))
    return network
