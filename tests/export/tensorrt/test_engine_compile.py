"""The compiler itself, NVIDIA's own: TensorRT-RTX builds for GPUs that are not here."""

from __future__ import annotations

import hashlib
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from onnx import helper

from dcgan_edge.artifact import BatchProfile, Precision
from dcgan_edge.errors import EdgeError, UnavailableError, UsageError
from dcgan_edge.export.tensorrt import compile as compile_module
from dcgan_edge.export.tensorrt.compile import Built, compile_engine
from dcgan_edge.export.tensorrt.config import Settings
from dcgan_edge.export.tensorrt.network import read_graph
from dcgan_edge.export.tensorrt.process import run_in_child
from dcgan_edge.export.tensorrt.targets import AHEAD_OF_TIME
from dcgan_edge.runtime.tensorrt import library
from dcgan_edge.runtime.tensorrt.library import captured, load_tensorrt, process_logger
from tests.engine_models import BATCH, generator_nodes, job, model, needs_rtx, no_progress, onnx_bytes

pytestmark = needs_rtx
ENGINE_MAGIC = b"vtrt"  # what NVIDIA's engine files begin with


def digest(built: Built) -> str:
    return hashlib.sha256(built.engine).hexdigest()


@pytest.mark.parametrize("precision", ["fp32", "fp16", "mixed"])
@pytest.mark.parametrize("batch", [None, 2])
def test_every_kind_of_graph_builds(precision: Precision, batch: int | None) -> None:
    profile = BATCH if batch is None else BatchProfile(batch, batch, batch)
    built = compile_engine(job(onnx=onnx_bytes(precision, batch=batch), profiles=(profile,)), no_progress)
    assert built.engine.startswith(ENGINE_MAGIC)
    assert built.warnings == ()


def test_half_weights_make_a_smaller_engine() -> None:
    precisions: tuple[Precision, ...] = ("fp16", "fp32")
    sizes = {p: len(compile_engine(job(onnx=onnx_bytes(p)), no_progress).engine) for p in precisions}
    weights = 16 * 4 * 16 + 4 + 4 * 16 + 1
    assert sizes["fp32"] - sizes["fp16"] >= 2 * weights  # two bytes for each, and some padding


@pytest.mark.parametrize("target", AHEAD_OF_TIME)
def test_each_target_builds(target: str) -> None:
    assert len(compile_engine(job(targets=(target,)), no_progress).engine) > 1000


def test_the_targets_of_an_engine_change_its_bytes() -> None:
    engines = {
        digest(compile_engine(job(targets=t), no_progress)) for t in (("sm75",), ("sm86",), AHEAD_OF_TIME)
    }
    assert len(engines) == 3


def test_the_same_job_makes_the_same_engine_in_every_process() -> None:
    """The library numbers its internal names by a counter that depends on what its threads do meanwhile."""
    engines = [run_in_child(compile_engine, job(), timeout=60).engine for _ in range(3)]
    assert len({re.sub(rb"__mye[0-9]+", b"__mye", engine) for engine in engines}) == 1


def test_workspace_and_profiles_are_part_of_the_engine() -> None:
    several = (BatchProfile(1, 1, 1), BatchProfile(2, 8, 32))
    jobs = [job(), job(workspace=2**28), job(profiles=several)]
    assert len({digest(compile_engine(each, no_progress)) for each in jobs}) == 3


def test_the_network_is_half_between_the_casts_at_its_border() -> None:
    trt = load_tensorrt("rtx")
    builder = trt.Builder(process_logger(trt))
    graph = read_graph(trt, builder, onnx_bytes(), "x")
    network: Any = graph.network
    types = [network.get_layer(i).get_output(0).dtype for i in range(network.num_layers)]
    assert types == [trt.DataType.HALF] * (len(types) - 1) + [trt.DataType.FLOAT]
    assert network.get_input(0).dtype == network.get_output(0).dtype == trt.DataType.FLOAT
    assert tuple(network.get_output(0).shape) == (-1, 1, 8, 8)


def test_the_parser_supports_the_whole_graph_as_one_piece() -> None:
    trt = load_tensorrt("rtx")
    builder = trt.Builder(process_logger(trt))
    network = builder.create_network(0)  # the parser does not keep it alive
    parser = trt.OnnxParser(network, process_logger(trt))
    assert parser.supports_model_v2(onnx_bytes())
    assert parser.num_subgraphs == 1
    assert parser.is_subgraph_supported(0)


def test_progress_is_told_with_steps() -> None:
    events: list[tuple[str, int, int]] = []
    compile_engine(job(), lambda *event: events.append(event))
    assert events
    assert all(0 <= done <= total for _, done, total in events)


def test_an_unknown_operator_is_named_with_its_node() -> None:
    nodes = generator_nodes()
    nodes[1] = helper.make_node("Reluctant", ["a"], ["b"], "Reluctant_1", domain="elsewhere")
    graph = model(nodes)
    graph.opset_import.append(helper.make_opsetid("elsewhere", 1))
    with pytest.raises(EdgeError, match=r"generator.fp16.onnx cannot be compiled.*Reluctant_1 \(Reluctant\)"):
        compile_engine(job(onnx=graph.SerializeToString()), no_progress)


def test_what_is_no_onnx_is_refused() -> None:
    with pytest.raises(EdgeError, match="cannot be compiled"):
        compile_engine(job(onnx=b"no protobuf at all"), no_progress)


def test_an_open_batch_without_a_profile_is_refused_in_the_library_s_words() -> None:
    with pytest.raises(EdgeError, match="no optimization profile has been defined"):
        compile_engine(job(profiles=()), no_progress)


def test_a_fixed_batch_takes_no_other() -> None:
    with pytest.raises(UsageError, match="fixed batch of 2; batches 1 to 8"):
        compile_engine(job(onnx=onnx_bytes(batch=2)), no_progress)


def test_too_little_workspace_says_what_to_do() -> None:
    with pytest.raises(EdgeError, match=r"within workspace limit.* Try another --workspace"):
        compile_engine(job(workspace=2**20), no_progress)


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """TensorRT-RTX under the name of TensorRT 10.3: the same bindings, so the same code runs."""
    rtx = load_tensorrt("rtx")
    mask = ModuleType("tensorrt")
    mask.__dict__.update({name: getattr(rtx, name) for name in dir(rtx) if not name.startswith("_")})
    mask.__dict__["__version__"] = "10.3.0"
    monkeypatch.setitem(sys.modules, "tensorrt", mask)
    monkeypatch.setitem(library._loggers, mask, process_logger(rtx))  # the library below takes only one
    # TensorRT-RTX answers questions about its timing cache with a warning, and with an empty cache
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield mask


def test_tensorrt_takes_the_same_path(masked: ModuleType, tmp_path: Path) -> None:
    timings = tmp_path / "timing" / "x.cache"
    first = compile_engine(job(flavour="tensorrt", timing_cache=timings), no_progress)
    assert timings.stat().st_size > 0
    again = compile_engine(job(flavour="tensorrt", timing_cache=timings), no_progress)
    direct = compile_engine(job(), no_progress)
    assert len(first.engine) == len(again.engine) == len(direct.engine)


def test_damaged_timings_are_replaced(masked: ModuleType, tmp_path: Path) -> None:
    timings = tmp_path / "x.cache"
    timings.write_bytes(b"damaged")
    compile_engine(job(flavour="tensorrt", timing_cache=timings), no_progress)
    assert timings.read_bytes() != b"damaged"


class Wrapped:
    """NVIDIA's builder, with some of its methods replaced by a subclass."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def replace_builder(masked: ModuleType, kind: type[Wrapped]) -> None:
    make = masked.Builder
    masked.__dict__["Builder"] = lambda logger: kind(make(logger))


def stubborn(masked: ModuleType, half_nodes: tuple[str, ...], order: list[object] | None = None) -> None:
    """Make the builder refuse, as TensorRT does, the first of `half_nodes` that is computed in half."""

    class Builder(Wrapped):
        def build_serialized_network(self, network: Any, config: Any) -> Any:
            if order is not None:
                order.append("built")
            for index in range(network.num_layers):
                layer = network.get_layer(index)
                if layer.name in half_nodes and layer.get_output(0).dtype == masked.DataType.HALF:
                    text = f"Error Code 10: Could not find any implementation for node {layer.name}."
                    process_logger(masked).log(masked.ILogger.ERROR, text)
                    return None
            return self.inner.build_serialized_network(network, config)

    replace_builder(masked, Builder)


def test_a_layer_without_half_kernel_is_named_with_the_way_to_export_it(masked: ModuleType) -> None:
    stubborn(masked, ("ConvTranspose_2",))
    with pytest.raises(EdgeError) as refused:
        compile_engine(job(flavour="tensorrt"), no_progress)
    message = str(refused.value)
    assert "Could not find any implementation for node ConvTranspose_2" in message
    assert message.endswith("dcgan-edge export CHECKPOINT --keep-fp32 ConvTranspose_2")
    exported_so = job(flavour="tensorrt", onnx=onnx_bytes("mixed"))
    assert compile_engine(exported_so, no_progress).engine.startswith(ENGINE_MAGIC)


def test_a_device_is_made_current_before_the_builder(
    masked: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[object] = []
    monkeypatch.setattr(compile_module, "open_cuda", order.append)
    stubborn(masked, ("ConvTranspose_2",), order)
    with pytest.raises(EdgeError):
        compile_engine(job(flavour="tensorrt", device_index=1), no_progress)
    assert order == [1, "built"]


def test_a_builder_that_does_not_start_is_unavailable(masked: ModuleType) -> None:
    def refuse(logger: object) -> None:
        raise TypeError("pybind11::init(): factory function returned nullptr")

    masked.__dict__["Builder"] = refuse
    with pytest.raises(UnavailableError, match="finds no usable GPU"):
        compile_engine(job(flavour="tensorrt"), no_progress)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(optimization_level=1),
        Settings(hardware_compat="ampere-plus"),
        Settings(hardware_compat="same-compute-capability"),
    ],
)
def test_settings_reach_the_builder(masked: ModuleType, settings: Settings) -> None:
    seen: dict[str, object] = {}

    class Builder(Wrapped):
        def build_serialized_network(self, network: Any, config: Any) -> Any:
            seen.update(level=config.builder_optimization_level, compat=config.hardware_compatibility_level)
            return self.inner.build_serialized_network(network, config)

    replace_builder(masked, Builder)
    compile_engine(job(flavour="tensorrt", settings=settings), no_progress)
    if settings.optimization_level is not None:
        assert seen["level"] == settings.optimization_level


def test_flags_reach_the_builder(masked: ModuleType) -> None:
    seen: list[bool] = []

    class Builder(Wrapped):
        def build_serialized_network(self, network: Any, config: Any) -> None:
            seen.append(config.get_flag(masked.BuilderFlag.VERSION_COMPATIBLE))

    replace_builder(masked, Builder)
    with pytest.raises(EdgeError, match="the library gave no reason"):
        compile_engine(job(flavour="tensorrt", settings=Settings(version_compatible=True)), no_progress)
    assert seen == [True]


def test_same_compute_capability_needs_a_version_that_has_it(masked: ModuleType) -> None:
    levels = masked.HardwareCompatibilityLevel
    masked.__dict__["HardwareCompatibilityLevel"] = type("Level", (), {"AMPERE_PLUS": levels.AMPERE_PLUS})
    settings = Settings(hardware_compat="same-compute-capability")
    with pytest.raises(UnavailableError, match=r"10\.3\.0 has no hardware compatibility"):
        compile_engine(job(flavour="tensorrt", settings=settings), no_progress)


def test_a_library_without_targets_builds_none_ahead_of_time(masked: ModuleType) -> None:
    del masked.__dict__["ComputeCapability"]
    with pytest.raises(UnavailableError, match="GPU of this machine only"):
        compile_engine(job(flavour="tensorrt"), no_progress)


def test_the_log_of_the_library_goes_to_logging(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="dcgan_edge.tensorrt")
    with captured() as lines:
        compile_engine(job(), no_progress)
    assert any(record.name == "dcgan_edge.tensorrt" for record in caplog.records)
    assert list(lines) == []  # nothing to warn of
