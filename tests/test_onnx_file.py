from __future__ import annotations

import contextlib

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from dcgan_edge import onnx_file
from dcgan_edge.errors import ArtifactError


def _model(props: dict[str, str]) -> onnx.ModelProto:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    model = helper.make_model(
        helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [out])
    )
    helper.set_model_props(model, props)
    return model


MODEL = _model({}).SerializeToString()


@given(st.dictionaries(st.text(min_size=1, max_size=40), st.text(max_size=300), max_size=4))
def test_metadata_is_read_as_onnx_reads_it(props: dict[str, str]) -> None:
    assert onnx_file.metadata(_model(props).SerializeToString()) == props
    written = onnx_file.with_metadata(MODEL, props)
    assert {p.key: p.value for p in onnx.load_from_string(written).metadata_props} == props
    assert onnx_file.metadata(written) == props


def test_the_digest_ignores_metadata_and_nothing_else() -> None:
    digest = onnx_file.content_digest(MODEL)
    assert onnx_file.content_digest(onnx_file.with_metadata(MODEL, {"a": "b"})) == digest
    other = _model({})
    other.graph.node[0].op_type = "Tanh"
    assert onnx_file.content_digest(other.SerializeToString()) != digest


@pytest.mark.parametrize(
    "data", [b"", b"hello, I am a text file\n", MODEL[:-1], MODEL[: len(MODEL) // 2], b"\x07"]
)
def test_what_is_no_whole_onnx_file_is_refused(data: bytes) -> None:
    with pytest.raises(ArtifactError):
        onnx_file.metadata(data)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_or_read_but_never_crash(data: bytes) -> None:
    with contextlib.suppress(ArtifactError):
        onnx_file.metadata(data)
