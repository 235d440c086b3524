"""Lists of layers: what they make, and what is refused before anything is built from them."""

from __future__ import annotations

from typing import Any

import pytest

from dcgan_edge.architecture import Architecture
from dcgan_edge.generator_spec import GeneratorSpec
from dcgan_edge.layers import MOST_LAYERS, Layer, input_shapes, shapes
from dcgan_edge.schema import build

UP = Layer("conv_transpose", 8, 4, 2, (1, 1))
SMALL = (Layer("conv_transpose", 16, 4), Layer("batch_norm"), Layer("relu"), UP, Layer("tanh"))


def test_each_layer_says_what_it_makes_of_what() -> None:
    assert shapes(SMALL, 5) == ((16, 4, 4), (16, 4, 4), (16, 4, 4), (8, 8, 8), (8, 8, 8))
    assert input_shapes(SMALL, 5)[0] == (5, 1, 1)
    dense = [
        Layer("flatten"),
        Layer("dense", 4 * 9 * 4),
        Layer("reshape", shape=(16, 3, 3)),
        Layer("upsample", factor=2),
        Layer("conv", 12, 3, padding=(1, 1)),
        Layer("pixel_shuffle", factor=2),
    ]
    assert shapes(dense, 7)[2:] == ((16, 3, 3), (16, 6, 6), (12, 6, 6), (3, 12, 12))


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [UP] * (MOST_LAYERS + 1),
        [Layer("dense", 5)],
        [Layer("flatten"), UP],
        [Layer("flatten"), Layer("reshape", shape=(2, 2, 2))],
        [Layer("conv", 4, 5)],
        [Layer("pixel_shuffle", factor=2)],
        [Layer("conv_transpose", 2**20, 64)],
        [Layer("upsample", factor=16)] * 20,
    ],
)
def test_chains_that_do_not_fit_or_claim_too_much_are_refused(layers: list[Layer]) -> None:
    with pytest.raises(ValueError, match="layer"):
        shapes(layers, 7)


@pytest.mark.parametrize(
    "facts",
    [
        {"kind": "relu", "kernel": 3},
        {"kind": "conv", "channels": -1, "kernel": 3},
        {"kind": "conv", "channels": 1, "kernel": 3, "stride": 0},
        {"kind": "conv", "channels": 1, "kernel": 10**9},
        {"kind": "conv", "channels": 1, "kernel": 3, "padding": [0, -1]},
        {"kind": "reshape"},
        {"kind": "batch_norm", "eps": 2.0},
        {"kind": "upsample", "factor": 2, "mode": "bicubic"},
        {"kind": "lambda"},
        {"kind": "relu", "code": "import os"},
    ],
)
def test_layers_that_no_generator_has_are_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"layer|kind|mode|code"):
        build(Layer, facts)


def test_a_spec_is_of_one_piece() -> None:
    GeneratorSpec(Architecture("custom", 8, 8, 0, 5), SMALL)
    GeneratorSpec(Architecture("custom", 8, 8, 0, 3, classes=("a", "b")), SMALL)
    for architecture in (
        Architecture("custom", 16, 8, 0, 5),
        Architecture("custom", 8, 3, 0, 5),
        Architecture("dcgan", 8, 8, 0, 5),
        Architecture("custom", 8, 8, 0, 3, classes=("a", "a")),
        Architecture("custom", 8, 8, 0, 3, classes=("a", "")),
    ):
        with pytest.raises(ValueError, match=r"layers make|width|classes"):
            GeneratorSpec(architecture, SMALL)
