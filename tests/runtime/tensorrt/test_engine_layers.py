"""The inspector's JSON as values. The texts are written by hand, with the keys and phrases of published
TensorRT 8 and 10 outputs and of NVIDIA's migration page for 11; none was recorded from our own engines.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_edge.errors import EdgeError
from dcgan_edge.runtime.tensorrt.layers import EngineLayers, LayerTensor, LayerWeights, parse_layers

SHAPES = {"latents": [4, 100, 1, 1], "mid": [4, 64, 4, 4], "images": [4, 3, 64, 64]}


def ten(name: str, words: str) -> dict[str, Any]:
    return {"Name": name, "Location": "Device", "Dimensions": SHAPES[name], "Format/Datatype": words}


def eleven(name: str, dtype: str, words: str) -> dict[str, Any]:
    return {"Name": name, "Dimensions": SHAPES[name], "Datatype": dtype, "Format": words}


def layer(source: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    return {
        "Name": "main.0 + main.2",
        "LayerType": "CaskDeconvolutionV2",
        "Inputs": [source],
        "Outputs": [result],
        "ParameterType": "Deconvolution",
        "Kernel": [4, 4],
        "Weights": {"Type": "Half", "Count": 102400},
        "Bias": {"Type": "Float", "Count": 64},
        "TacticName": "sm80_xmma_deconv_f16f16",
        "TacticValue": "0x12",
        "StreamId": 0,
        "Metadata": "[ONNX Layer: main.0]\x1e[ONNX Layer: main.2]",
    }


TEN = {
    "Layers": [layer(ten("latents", "Row major linear FP32"), ten("mid", "Channel major FP16 format where"))],
    "Bindings": ["latents", "images"],
}
ELEVEN = {
    "Layers": [layer(eleven("latents", "Float", "Row major"), eleven("mid", "Half", "Channel major"))],
    "I/O Tensors": [
        {
            "Name": "latents",
            "IOMode": "Input",
            "DataType": "Float",
            "Dimensions": [-1, 100, 1, 1],
            "ProfileInfo": [{"MinShape": [1, 100, 1, 1], "Format": "Row major linear FP32 format (kLINEAR)"}],
        }
    ],
    "Engine Metadata": {"Multi-Device": "Disabled"},
}


@pytest.mark.parametrize("facts", [TEN, ELEVEN], ids=["10", "11"])
def test_a_layer_has_the_same_facts_in_every_version(facts: dict[str, Any]) -> None:
    (found,) = parse_layers(json.dumps(facts)).layers
    assert (found.name, found.type) == ("main.0 + main.2", "CaskDeconvolutionV2")
    assert found.tactic == "sm80_xmma_deconv_f16f16"
    assert found.nodes == ("main.0", "main.2")
    assert found.weights == (
        LayerWeights("Weights", "float16", 102400, 204800),
        LayerWeights("Bias", "float32", 64, 256),
    )
    assert [(each.name, each.dtype, list(each.shape)) for each in (*found.inputs, *found.outputs)] == [
        ("latents", "float32", SHAPES["latents"]),
        ("mid", "float16", SHAPES["mid"]),
    ]
    assert found.outputs[0].format.startswith("Channel major")
    assert found.details == {
        "ParameterType": "Deconvolution",
        "Kernel": [4, 4],
        "TacticValue": "0x12",
        "StreamId": 0,
    }


def test_the_engines_own_tensors_are_bindings_or_io_tensors() -> None:
    assert parse_layers(json.dumps(TEN)).tensors == (LayerTensor("latents"), LayerTensor("images"))
    newer = parse_layers(json.dumps(ELEVEN))
    assert newer.tensors == (LayerTensor("latents", "float32", "", (-1, 100, 1, 1)),)
    assert newer.details == {"Engine Metadata": {"Multi-Device": "Disabled"}}


def test_an_engine_with_layer_names_only_has_these() -> None:
    found = parse_layers('{"Layers": ["main.0 + main.2"\n,"main.3"\n],\n"Bindings": ["latents"\n]}')
    assert [each.name for each in found.layers] == ["main.0 + main.2", "main.3"]
    assert all(each.type == each.tactic == "" and not each.outputs for each in found.layers)


def test_nothing_is_made_of_formats_that_depend_on_shapes() -> None:
    facts = {"Layers": [{"Name": "a", "Outputs": [ten("mid", "N/A due to dynamic shapes")]}]}
    (found,) = parse_layers(json.dumps(facts)).layers
    assert found.outputs == (LayerTensor("mid", "", "", (4, 64, 4, 4)),)


@pytest.mark.parametrize(
    ("words", "dtype"),
    [
        ("Row major linear FP16 format", "float16"),
        ("Half(64,1:8,...)", "float16"),
        ("Thirty-two wide channel vectorized row major Int8 format.", "int8"),
        ("BFloat16", "bfloat16"),
        ("Float", "float32"),
        ("Bool", "bool"),
        ("E8M0", ""),
    ],
)
def test_the_data_type_is_a_word_of_the_text(words: str, dtype: str) -> None:
    (found,) = parse_layers(json.dumps({"Bindings": [ten("mid", words)]})).tensors
    assert found.dtype == dtype


def test_a_kernel_without_a_name_is_its_number() -> None:
    (found,) = parse_layers('{"Layers": [{"Name": "r", "TacticName": "", "TacticValue": "0x3e8"}]}').layers
    assert found.tactic == "0x3e8"


def test_weights_of_an_unknown_type_have_no_size() -> None:
    (found,) = parse_layers('{"Layers": [{"Weights": {"Type": "E8M0", "Count": 7}}]}').layers
    assert found.weights == (LayerWeights("Weights", "", 7, None),)


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "null", '"Layers"', '{"Layers": [', "[" * 100_000])
def test_what_is_no_object_is_an_error_of_one_sentence(text: str) -> None:
    with pytest.raises(EdgeError, match=r"^TensorRT's inspector wrote [^\n]+\.$"):
        parse_layers(text)


KEYS = st.sampled_from([
    "Name", "Layers", "Bindings", "I/O Tensors", "Inputs", "Outputs", "Dimensions", "Format/Datatype",
    "Datatype", "Format", "Weights", "Type", "Count", "TacticName", "TacticValue", "Metadata", "Other",
])  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(KEYS, JSON, max_size=4))
def test_no_object_is_too_strange_and_the_result_is_plain_json(facts: dict[str, Any]) -> None:
    found = parse_layers(json.dumps(facts))
    assert isinstance(found, EngineLayers)
    json.dumps(dataclasses.asdict(found), allow_nan=False)


def test_numbers_that_json_does_not_have_stay_text() -> None:
    assert parse_layers('{"a": NaN, "b": 1e999, "c": 0.5}').details == {"a": "NaN", "b": "1e999", "c": 0.5}
