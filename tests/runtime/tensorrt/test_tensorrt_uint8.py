"""Engines whose images are bytes, on the in-memory machine: buffers, copies and graphs of a quarter."""

from __future__ import annotations

import functools

import numpy as np
import onnx
import pytest

from dcgan_edge.artifact import LAYOUTS, Layout, generator_tensors
from dcgan_edge.errors import ArtifactError
from dcgan_edge.export.onnx.checking import check_graph
from dcgan_edge.export.onnx.uint8 import with_uint8
from dcgan_edge.images import from_uint8
from tests.fakes.blob import evaluate
from tests.fakes.lab import ARCHITECTURE, Lab, draw, tiny_onnx

pytest_plugins = ("tests.fakes.fixtures",)


@functools.cache
def bytes_onnx(layout: Layout = "NCHW") -> bytes:
    model = with_uint8(check_graph(onnx.load_from_string(tiny_onnx())), layout)
    return bytes(model.SerializeToString())


def opened(lab: Lab, layout: Layout = "NCHW", **options: object):  # type: ignore[no-untyped-def]  # a session of the laboratory's own modules
    outputs = generator_tensors(ARCHITECTURE, "uint8", layout)[1:]
    return lab.open(lab.blob(onnx=bytes_onnx(layout)), {"outputs": outputs}, **options)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("zero_copy", [False, True])
def test_bytes_come_through_as_they_are(lab: Lab, layout: Layout, zero_copy: bool) -> None:
    session = opened(lab, layout, zero_copy=zero_copy)
    for count in (1, 3, 8, 11):
        z = draw(count, first_seed=count)
        expected = evaluate(bytes_onnx(layout), z)
        planes = expected if layout == "NCHW" else np.moveaxis(expected, -1, 1)
        raw = session.raw(z)
        assert raw.dtype == np.uint8
        np.testing.assert_array_equal(raw, expected)
        np.testing.assert_array_equal(session.pixels(z), np.moveaxis(planes, 1, -1))
        np.testing.assert_array_equal(session.run(z), from_uint8(planes.astype(np.uint8)))
    assert [batch.shape for batch in session.run_batches([draw(2)])] == [(2, *expected.shape[1:])]
    assert session.run_timed(draw(2))[0].dtype == np.uint8


def test_a_quarter_of_the_image_memory_is_held(lab: Lab) -> None:
    image = ARCHITECTURE.size**2 * ARCHITECTURE.channels
    floats, pixels = (
        session.facts.details["memory"]["page_locked_host"] for session in (lab.open(), opened(lab))
    )
    assert floats - pixels == 8 * image * 3  # of the largest batch


def test_a_graph_that_computes_nothing_is_found_out_in_bytes_too(lab: Lab) -> None:
    outputs = generator_tensors(ARCHITECTURE, "uint8")[1:]
    session = lab.open(lab.blob(onnx=bytes_onnx(), empty_graph=True), {"outputs": outputs})
    np.testing.assert_array_equal(session.raw(draw(4)), evaluate(bytes_onnx(), draw(4)))
    if not lab.is_rtx:
        assert "4" in session.facts.details["cuda_graph"]["refused"]


def test_a_replay_of_bytes_may_differ_by_a_few_levels(lab: Lab) -> None:
    """Kernels with atomics sum in another order, which may make the next level of a byte."""
    outputs = generator_tensors(ARCHITECTURE, "uint8")[1:]
    for levels, captured in ((3, [4]), (9, [])) if not lab.is_rtx else ():
        blob = lab.blob(onnx=bytes_onnx(), replay_error=levels)
        session = lab.open(blob, {"outputs": outputs})
        session.raw(draw(4))
        assert session.facts.details["cuda_graph"]["captured"] == captured


def test_an_engine_of_another_type_than_its_manifest_is_refused(lab: Lab) -> None:
    with pytest.raises(ArtifactError, match="not float32"):
        lab.open(lab.blob(onnx=bytes_onnx()))
    outputs = generator_tensors(ARCHITECTURE, "uint8")[1:]
    with pytest.raises(ArtifactError, match="not uint8"):
        lab.open(lab.blob(), {"outputs": outputs})
