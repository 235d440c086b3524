"""Pixels made in the graph are those that the host makes of the floats, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from dcgan_edge.artifact import LAYOUTS, Layout
from dcgan_edge.export.onnx.cost import count
from dcgan_edge.export.onnx.uint8 import with_uint8
from dcgan_edge.images import to_uint8
from dcgan_edge.latents import latents
from tests.foreign_graphs import node
from tests.prepared import TINY

from .exact import graph, operators

SEEDS = 512


def run(model: onnx.ModelProto, given: npt.NDArray[np.float32]) -> npt.NDArray[np.generic]:
    session = onnxruntime.InferenceSession(model.SerializeToString())
    found: npt.NDArray[np.generic] = session.run(None, {model.graph.input[0].name: given})[0]
    return found


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_bytes_are_the_hosts_own_over_many_seeds(exported: Path, precision: str, layout: Layout) -> None:
    floats = onnx.load(exported / f"generator.{precision}.onnx")
    made = with_uint8(floats, layout)
    assert operators(made)[: len(floats.graph.node)] == operators(floats)
    z = latents(range(SEEDS), TINY.latent_dim)
    expected = to_uint8(run(floats, z).astype(np.float32))
    found = run(made, z)
    assert found.dtype == np.uint8
    # ONNX Runtime computes the product and the sum apart, as the host does: not even ties differ.
    np.testing.assert_array_equal(found if layout == "NCHW" else np.moveaxis(found, -1, 1), expected)
    # A quarter of the bytes of an image leave the graph; the latents are as before.
    image = TINY.channels * TINY.size**2
    assert count(floats).image_bytes - count(made).image_bytes == 3 * image


def test_beyond_the_range_is_black_and_white_and_ties_go_to_even() -> None:
    values = [-2, -1, -1 + 1 / 255, -1 + 3 / 255, 0, 1 - 1 / 255, 1, 1.0001, 2, np.inf, -np.inf]
    given = np.array(values, np.float32).reshape(1, 1, 1, -1)
    made = with_uint8(graph([node("Identity", ["x"], "y")], ["n", 1, 1, len(values)], []), "NCHW")
    np.testing.assert_array_equal(run(made, given), to_uint8(given))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_fixed_batch_is_kept_and_bytes_are_made_last(layout: Layout) -> None:
    made = with_uint8(graph([node("Tanh", ["x"], "y")], [3, 2, 4, 5], []), layout)
    kind = made.graph.output[0].type.tensor_type
    shape = [3, 2, 4, 5] if layout == "NCHW" else [3, 4, 5, 2]
    assert (kind.elem_type, [axis.dim_value for axis in kind.shape.dim]) == (TensorProto.UINT8, shape)
    assert made.graph.output[0].name == "y"
    assert operators(made)[-1] == "Cast"  # TensorRT has no bytes between layers
