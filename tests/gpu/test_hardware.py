"""On a real GPU: engines are built and make the right images in every mode, and nothing leaks.

    python -m pytest -s tests/gpu

Figures are written down, and no test passes or fails by them. docs/hardware.md says what to do with the rows
that are printed at the end.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

import numpy as np
import pytest

from dcgan_edge.artifact import read_artifact
from dcgan_edge.errors import ArtifactError
from dcgan_edge.runtime.parity import GATES, compare
from dcgan_edge.runtime.tensorrt.inspect import inspect_engine
from tests.gpu.gpu_support import (
    MIB,
    PRECISIONS,
    PROFILE,
    ROUNDS,
    SEEDS,
    Hardware,
    median_ms,
    resident_bytes,
    with_manifest,
)

pytest_plugins = ("tests.gpu.gpu_fixtures",)
pytestmark = pytest.mark.gpu

# Other kernels may sum in another order: half a grey level in FP16.
OTHER_KERNELS = 4e-3
# Clock ticks of two devices are compared: 0.5 us for an event, and some for the host.
TICKS_MS = 0.05


@pytest.mark.parametrize("precision", PRECISIONS)
def test_images_match_the_reference(hardware: Hardware, precision: str) -> None:
    with hardware.open(precision) as session:
        images = session.run(hardware.draw(len(SEEDS)))
        made = session.manifest.precision
    parity = compare(hardware.reference, images, SEEDS, GATES[made])
    print(f"{precision} against {hardware.reference_name}: {parity}")
    hardware.note(precision, "worst PSNR dB", f"{parity.worst_psnr_db:.1f}")
    hardware.note(precision, "grey levels", parity.grey_levels)
    parity.raise_if_failed(precision)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_any_number_of_latents_makes_the_same_images(hardware: Hardware, precision: str) -> None:
    with hardware.open(precision) as session:
        for count in (1, 2, 3, 5, 16, 17, PROFILE.max - 1, PROFILE.max):
            images = session.run(hardware.draw(count))
            np.testing.assert_allclose(images, hardware.reference[:count], rtol=0, atol=2e-2)
        longer = session.run(hardware.draw(2 * PROFILE.max + 3))
        np.testing.assert_allclose(longer[: len(SEEDS)], hardware.reference, rtol=0, atol=2e-2)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_graphs_change_the_time_and_not_the_images(hardware: Hardware, precision: str) -> None:
    found = {}
    for cuda_graph in (True, False):
        with hardware.open(precision, cuda_graph=cuda_graph) as session:
            found[cuda_graph] = [session.run(hardware.draw(count)) for count in (1, 16, 64)]
            latent = hardware.draw(1)
            label = "batch 1 ms" if cuda_graph else "batch 1 ms, no graph"
            hardware.note(precision, label, f"{median_ms(lambda: session.run(latent)):.3f}")  # noqa: B023  # used at once
            if cuda_graph:
                graphs = session.facts.details["cuda_graph"]
                hardware.note(precision, "graphs refused", len(graphs["refused"]))
                print(graphs)
                assert session.facts.backend == "tensorrt-rtx" or graphs["captured"] or graphs["refused"]
    for with_graph, without in zip(found[True], found[False], strict=True):
        np.testing.assert_allclose(with_graph, without, rtol=0, atol=OTHER_KERNELS)


def test_shared_and_copied_memory_make_the_same_images(hardware: Hardware) -> None:
    found = {}
    for zero_copy in (False, True):
        if zero_copy and not hardware.cuda.device.maps_host_memory:
            pytest.skip("this GPU cannot use host memory in place")
        with hardware.open("fp16", zero_copy=zero_copy) as session:
            found[zero_copy] = session.run(hardware.draw(37))
            _, times = session.run_timed(hardware.draw(1))
            print(f"zero-copy {zero_copy}: {times}")
    np.testing.assert_allclose(found[True], found[False], rtol=0, atol=OTHER_KERNELS)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_streams_make_the_same_images_in_order(hardware: Hardware, precision: str) -> None:
    batches = [hardware.draw(16, first_seed=seed) for seed in range(0, 320, 16)]
    found = []
    for streams in (1, 2):
        with hardware.open(precision, streams=streams) as session:
            found.append(np.concatenate(list(session.run_batches(batches))))
            spent = median_ms(lambda: list(session.run_batches(batches)), calls=20)  # used at once
            column = f"images/s, {streams} stream{'s' if streams > 1 else ''}"
            hardware.note(precision, column, f"{320 / spent * 1e3:.0f}")
            hardware.note(precision, "zero-copy", "yes" if session.facts.details["zero_copy"] else "no")
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=OTHER_KERNELS)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_phases_fit_into_the_whole(hardware: Hardware, precision: str) -> None:
    with hardware.open(precision) as session:
        session.run(hardware.draw(16))
        for _ in range(50):
            images, times = session.run_timed(hardware.draw(16))
            assert np.isfinite(images).all()
            assert times.compute > 0
            assert times.enqueue <= times.end_to_end
            assert times.h2d + times.compute + times.d2h <= times.end_to_end + TICKS_MS
        print(f"{precision}: {times}")
        latents = hardware.draw(16)
        hardware.note(precision, "batch 16 ms", f"{median_ms(lambda: session.run(latents)):.3f}")
        hardware.note(precision, "GPU memory MiB", f"{session.facts.details['memory']['taken'] / MIB:.0f}")


def test_memory_does_not_grow_in_a_long_run(hardware: Hardware) -> None:
    with hardware.open("fp16", streams=2) as session:

        def churn(rounds: int) -> None:
            for index in range(rounds):
                session.run(hardware.draw(1 + index % 24))  # more sizes than are kept prepared

        # a context that stayed, 100 KiB and more, would be 100 MiB after a thousand runs
        require_no_growth(hardware, churn, warm_up=ROUNDS // 10, rounds=ROUNDS)


def test_memory_comes_back_when_sessions_close(hardware: Hardware) -> None:
    def cycle(rounds: int) -> None:
        for _ in range(rounds):
            with hardware.open("fp16") as session:
                session.run(hardware.draw(3))
            hardware.sessions.clear()

    # an engine that stayed, 20 MiB and more with its buffers, would be 400 MiB
    require_no_growth(hardware, cycle, warm_up=3, rounds=20)


def require_no_growth(hardware: Hardware, work: Callable[[int], None], *, warm_up: int, rounds: int) -> None:
    """The memory of the process and of the GPU is the same after `rounds` of `work`."""
    work(warm_up)
    gc.collect()
    free, resident = hardware.cuda.free_memory(), resident_bytes()
    work(rounds)
    gc.collect()
    lost, grown = free - hardware.cuda.free_memory(), resident_bytes() - resident
    print(f"{rounds} rounds: GPU {lost / MIB:.1f} MiB less free, process {grown / MIB:.1f} MiB larger")
    assert grown < 64 * MIB
    # with memory of its own nobody else is likely to take some; else it is the system's, and others do
    assert lost < (256 if hardware.cuda.device.integrated else 64) * MIB


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_inspector_names_layers_kernels_and_data_types(hardware: Hardware, precision: str) -> None:
    found = inspect_engine(*read_artifact(hardware.engines[precision]))
    for layer in found.layers:
        outputs = ", ".join(f"{tensor.dtype} {tensor.format} {tensor.shape}" for tensor in layer.outputs)
        print(f"{layer.name} | {layer.type} | {layer.tactic} | {outputs} | {layer.weights}")
    print(f"{precision}: {found.num_layers} layers, details: {found.details}")
    assert found.verbosity == "DETAILED"
    assert 0 < len(found.layers) <= found.num_layers * len(found.profiles)
    assert {tensor.name for tensor in found.tensors} == {"latents", "images"}
    if found.library.startswith("TensorRT "):  # what TensorRT-RTX tells has not been seen
        dtypes = {tensor.dtype for layer in found.layers for tensor in layer.outputs}
        assert {"fp32": "float32", "fp16": "float16"}[precision] in dtypes


def test_an_inspection_gives_its_memory_back(hardware: Hardware) -> None:
    manifest, data = read_artifact(hardware.engines["fp16"])

    def ask(rounds: int) -> None:
        for _ in range(rounds):
            inspect_engine(manifest, data)

    require_no_growth(hardware, ask, warm_up=3, rounds=20)


def test_an_engine_for_another_gpu_is_refused(hardware: Hardware) -> None:
    with pytest.raises(ArtifactError, match=hardware.cuda.device.sm):
        with_manifest(hardware, "fp16", targets=("sm53",))


def test_rtx_starts_warm_the_second_time(hardware: Hardware) -> None:
    states = []
    for _ in range(2):
        with hardware.open("fp16") as session:
            session.run(hardware.draw(16))
            if session.facts.backend != "tensorrt-rtx":
                pytest.skip("TensorRT compiles its kernels when it builds; only TensorRT-RTX keeps some")
            states.append(session.facts.details["rtx"]["runtime_cache_state"])
    assert states == ["cold", "warm"]
