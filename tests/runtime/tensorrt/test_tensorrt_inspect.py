"""An engine and its inspector on the in-memory machine, for each supported version of NVIDIA's libraries.

Every test takes a laboratory and nothing else, so that `mutants.py` can run it against changed source.
"""

from __future__ import annotations

import pytest

from dcgan_edge.artifact import BatchProfile
from dcgan_edge.errors import ArtifactError, EdgeError, UnavailableError
from tests.fakes.context import CONTEXT_BYTES
from tests.fakes.engine import LAYERS, SCRATCH
from tests.fakes.lab import Lab

pytest_plugins = ("tests.fakes.fixtures",)


def test_the_layers_have_the_shapes_and_types_of_a_batch(lab: Lab) -> None:
    found = lab.inspect(lab.blob(computes_in="FP16"))
    first, last = found.layers
    assert first.type == last.type == "CaskDeconvolutionV2"
    assert [(each.name, each.dtype, each.shape) for each in (*first.inputs, *last.inputs, *last.outputs)] == [
        ("latents", "float32", (4, 4, 1, 1)),
        ("hidden", "float16", (4, 2, 4, 4)),
        ("images", "float32", (4, 1, 8, 8)),
    ]
    assert [tensor.name for tensor in found.tensors] == ["latents", "images"]
    assert found.batch == 4
    assert "EngineInspector.get_engine_information" in lab.gpu.calls
    assert "IExecutionContext.execute_async_v3" not in lab.gpu.calls


def test_the_engine_and_what_it_takes_are_described(lab: Lab) -> None:
    found = lab.inspect(lab.blob(profiles=((2, 5, 8), (1, 1, 1))))
    assert found.library == f"TensorRT{'-RTX' if lab.is_rtx else ''} {lab.trt.__version__}"
    assert found.device == "Orin (fake) (sm87)"
    assert (found.verbosity, found.num_layers, found.batch) == ("DETAILED", LAYERS, 5)
    assert found.profiles == (BatchProfile(2, 5, 8), BatchProfile(1, 1, 1))
    assert found.scratch_bytes == 8 * SCRATCH
    assert found.taken_bytes == len(lab.blob().onnx)


def test_weights_are_added_up_where_layers_state_them(lab: Lab) -> None:
    stated = '{"Layers": [{"Weights": {"Type": "Half", "Count": 7}, "Bias": {"Type": "Float", "Count": 2}}]}'
    assert lab.inspect(lab.blob(described_as=stated)).weight_bytes == 7 * 2 + 2 * 4


def test_an_engine_that_was_built_with_names_only_has_names(lab: Lab) -> None:
    names = '{"Layers": ["one", "two"], "Bindings": ["latents", "images"]}'
    found = lab.inspect(lab.blob(described_as=names, verbosity="LAYER_NAMES_ONLY"))
    assert [layer.name for layer in found.layers] == ["one", "two"]
    assert found.verbosity == "LAYER_NAMES_ONLY"


def test_nothing_stays_after_an_inspection(lab: Lab) -> None:
    for _ in range(3):
        lab.inspect()
        assert not lab.gpu.leaks()
    assert not lab.gpu.violations


def test_an_inspection_that_fails_leaves_nothing_behind(lab: Lab) -> None:
    refused = "refused a batch of 4 in profile 0: Error Code 1"
    silent = rf"^TensorRT{'-RTX' if lab.is_rtx else ''} .* could not describe this engine: Error Code 1"
    for call, words in (
        ("ICudaEngine.create_execution_context", "could not make an execution context: Error Code 1"),
        ("IExecutionContext.set_optimization_profile_async", refused),
        ("IExecutionContext.set_input_shape", refused),
        ("cudaStreamSynchronize", "could not finish the work on the GPU"),
        ("ICudaEngine.create_engine_inspector", silent),
        ("EngineInspector.get_engine_information", silent),
    ):
        lab.fail_on({call}.__contains__)
        with pytest.raises(EdgeError, match=words) as failure:
            lab.inspect()
        assert not isinstance(failure.value, ArtifactError)
        assert failure.tb  # which knows all that was in use when it failed, and keeps no GPU memory
        assert not lab.gpu.leaks(), call
        assert not lab.gpu.violations, call


def test_a_library_that_writes_nonsense_is_an_error(lab: Lab) -> None:
    for text, words in (
        ("", "could not describe"), ("no JSON", "wrote something that is not"), ("[]", "not an object")
    ):  # fmt: skip
        with pytest.raises(EdgeError, match=words):
            lab.inspect(lab.blob(described_as=text))
        assert not lab.gpu.leaks()


def test_the_library_is_missed_first_then_the_device_then_the_match_then_memory(lab: Lab) -> None:
    elsewhere = {"targets": ("sm75",)}
    vars(lab.trt)["__version__"] = "0.9"
    with pytest.raises(UnavailableError, match="older than"):
        lab.inspect(manifest=elsewhere)
    lab.reset()
    lab.fail_on(lambda name: name == "cudaGetDeviceCount")
    with pytest.raises(UnavailableError, match="finds no usable GPU"):
        lab.inspect(manifest=elsewhere)
    lab.reset()
    with pytest.raises(ArtifactError, match="sm75"):
        lab.inspect(manifest=elsewhere)
    assert "Runtime" not in lab.gpu.calls  # nothing was deserialised
    lab.reset(memory=len(lab.blob().onnx) + 8 * SCRATCH + CONTEXT_BYTES - 1)
    with pytest.raises(EdgeError, match="OutOfMemory"):
        lab.inspect()
    assert not lab.gpu.leaks()
