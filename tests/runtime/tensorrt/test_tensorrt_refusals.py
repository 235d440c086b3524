"""What a session refuses, what it says then, and what it leaves behind.

Every test takes a laboratory and nothing else, so that `mutants.py` can run it against changed source.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dcgan_edge.errors import ArtifactError, EdgeError, UnavailableError, UsageError
from tests.fakes.context import CONTEXT_BYTES
from tests.fakes.lab import Lab, draw, expect

pytest_plugins = ("tests.fakes.fixtures",)


def test_latents_of_another_shape_or_of_integers_are_refused(lab: Lab) -> None:
    session = lab.open()
    for wrong in (draw(0)[:, :3], draw(2)[:, :3], draw(2).reshape(2, -1), draw(2).astype(np.int64)):
        for use in (session.run, session.run_timed, lambda latents: list(session.run_batches([latents]))):
            with pytest.raises(UsageError):
                use(wrong)
    expect(session.run(draw(2)), draw(2))


def test_latents_of_another_float_type_are_cast(lab: Lab) -> None:
    session = lab.open()
    wide = draw(2).astype(np.float64)
    expect(session.run(wide), draw(2))
    expect(session.run_timed(wide)[0], draw(2))
    expect(next(session.run_batches([wide])), draw(2))


def test_a_gpu_that_cannot_use_host_memory_is_not_made_to(lab: Lab) -> None:
    lab.gpu.maps_host_memory = False
    with pytest.raises(UnavailableError, match="without zero-copy"):
        lab.open(zero_copy=True)
    expect(lab.open().run(draw(2)), draw(2))


def test_one_call_at_a_time(lab: Lab) -> None:
    session = lab.open(streams=2)
    images = session.run_batches([draw(8), draw(8), draw(8)])
    expect(next(images), draw(8))
    with pytest.raises(EdgeError, match="busy"):
        session.run(draw(1))
    with pytest.raises(EdgeError, match="busy"):
        session.run_timed(draw(1))
    expect(next(images), draw(8))
    images.close()  # given up with work in flight
    expect(session.run(draw(8, 5)), draw(8, 5))


def test_a_closed_session_does_nothing_more(lab: Lab) -> None:
    session = lab.open(streams=2)
    images = session.run_batches([draw(8), draw(8), draw(8)])
    next(images)
    session.close()  # with work in flight
    session.close()
    assert not lab.gpu.leaks()
    last = lab.open(streams=2)
    landing = last.run_batches([draw(8), draw(8)])
    next(landing)  # all that is left is to collect
    last.close()
    calls = len(lab.gpu.calls)
    uses: list[Callable[[], object]] = [
        lambda: next(images),
        lambda: next(landing),
        lambda: session.run(draw(1)),
        lambda: session.run(draw(0)),
        lambda: session.run_timed(draw(1)),
        lambda: next(session.run_batches([draw(1)])),
    ]
    for use in uses:
        with pytest.raises(EdgeError, match="closed"):
            use()
    assert len(lab.gpu.calls) == calls


def test_a_session_closes_itself_at_the_end_of_its_block(lab: Lab) -> None:
    with lab.open() as session:
        session.run(draw(2))
    assert not lab.gpu.leaks()


def test_an_error_among_the_batches_leaves_nothing_in_flight(lab: Lab) -> None:
    session = lab.open(streams=2)
    with pytest.raises(UsageError):
        list(session.run_batches([draw(8), draw(8).astype(np.int64)]))
    assert not any(stream.queue for stream in lab.gpu.streams.values())
    expect(session.run(draw(8, 3)), draw(8, 3))


def test_too_little_memory_is_an_error_with_advice_and_nothing_is_kept(lab: Lab) -> None:
    needed = lab.open(streams=3).facts.details["memory"]["taken"]
    weights = len(lab.blob().onnx)
    lab.check()
    for memory in (100, weights - 1, weights + 100, *range(weights + 500, needed, 1500)):
        lab.reset(memory=memory)
        advice = r"out of memory \(cudaErrorMemoryAllocation\)\. Use fewer"
        with pytest.raises(EdgeError, match="OutOfMemory" if memory < weights else advice) as full:
            lab.open(streams=3)
        assert not isinstance(full.value, ArtifactError)  # the file is not to blame
        assert not lab.gpu.leaks()
    lab.reset(memory=needed + 3 * CONTEXT_BYTES)
    session = lab.open(streams=3)
    expect(session.run(draw(24)), draw(24))
    with pytest.raises(EdgeError, match="OutOfMemory"):
        session.run(draw(3))
    expect(session.run(draw(24, 9)), draw(24, 9))


def test_work_that_fails_on_the_gpu_ends_the_session(lab: Lab) -> None:
    session = lab.open()
    session.run(draw(4))
    lab.fail_from(len(lab.gpu.calls) + 1)  # the device is chosen, and then nothing works any more
    with pytest.raises(EdgeError, match="CUDA could not"):
        session.run(draw(4))
    with pytest.raises(EdgeError, match="closed"):
        session.run(draw(4))
    assert not lab.gpu.leaks()


def test_work_that_fails_while_a_batch_size_is_prepared_ends_the_session_too(lab: Lab) -> None:
    session = lab.open()
    before = len(lab.gpu.calls)
    session.run(draw(4))
    bound = lab.gpu.calls.index("IExecutionContext.execute_async_v3") - before
    session = lab.open()
    lab.fail_from(len(lab.gpu.calls) + bound)
    with pytest.raises(EdgeError):
        session.run(draw(4))
    with pytest.raises(EdgeError, match="closed"):
        session.run(draw(4))


def test_a_call_that_fails_once_does_not_end_the_session(lab: Lab) -> None:
    session = lab.open()
    session.run(draw(4))
    for later, what in enumerate(("choose the device", "copy to the GPU")):
        lab.fail_from(len(lab.gpu.calls) + later, len(lab.gpu.calls) + later)
        with pytest.raises(EdgeError, match=f"CUDA could not {what}: injected"):
            session.run(draw(4))
        expect(session.run(draw(4, 7)), draw(4, 7))


def test_what_the_library_logged_is_in_the_error(lab: Lab) -> None:
    lab.fail_on(lambda name: name == "ICudaEngine.create_execution_context")
    session = lab.open()
    with pytest.raises(EdgeError, match=r"could not make an execution context: Error Code 1: injected"):
        session.run(draw(2))


def test_a_batch_that_the_library_refuses_is_named_and_leaves_no_context_behind(lab: Lab) -> None:
    session = lab.open()
    for call in (
        "set_optimization_profile_async", "set_input_shape", "set_tensor_address", "infer_shapes"
    ):  # fmt: skip
        lab.fail_on({f"IExecutionContext.{call}"}.__contains__)
        words = rf"refused a batch of 2 in profile 0: Error Code 1: injected into IExecutionContext\.{call}"
        with pytest.raises(EdgeError, match=words) as failure:
            session.run(draw(2))
        assert not contexts(lab)
        assert failure.tb  # which knows all that was in use when it failed, and keeps no GPU memory
    lab.fail_on(lambda name: False)
    expect(session.run(draw(2)), draw(2))


def test_an_engine_that_makes_another_number_of_images_is_refused(lab: Lab) -> None:
    session = lab.open(lab.blob(images_per_latent=2))
    with pytest.raises(ArtifactError, match=r"makes images of shape \(4, 1, 8, 8\), not"):
        session.run(draw(2))
    assert not contexts(lab)


def test_a_preparation_that_fails_leaves_no_work_and_no_context_behind(lab: Lab) -> None:
    session = lab.open()
    copies = 0

    def third_copy(_: int, name: str) -> bool:
        nonlocal copies
        copies += name == "cudaMemcpyAsync"
        return copies == 3 and name == "cudaMemcpyAsync"

    lab.gpu.fail = third_copy  # the images of the warm-up, after NaN and latents went up
    with pytest.raises(EdgeError, match="copy from the GPU") as failure:
        session.run(draw(2))
    assert not contexts(lab)
    assert failure.tb  # which knows all that was in use when it failed, and keeps no GPU memory
    assert not any(stream.queue for stream in lab.gpu.streams.values())
    expect(session.run(draw(2)), draw(2))


def contexts(lab: Lab) -> list[str]:
    return [type(thing).__name__ for thing in lab.gpu.objects if type(thing).__name__ == "IExecutionContext"]


def test_streams_are_counted_within_reason(lab: Lab) -> None:
    for streams in (0, -1, 17):
        with pytest.raises(UsageError, match="1 to 16 streams"):
            lab.open(streams=streams)


def test_the_library_is_missed_first_then_the_device_then_the_match(lab: Lab) -> None:
    elsewhere = {"targets": ("sm75",)}
    lab.fail_on(lambda name: name == "cudaGetDeviceCount")
    vars(lab.trt)["__version__"] = "0.9"
    with pytest.raises(UnavailableError, match="older than"):
        lab.open(manifest=elsewhere)
    lab.reset()
    lab.fail_on(lambda name: name == "cudaGetDeviceCount")
    with pytest.raises(UnavailableError, match="finds no usable GPU") as missing:
        lab.open(manifest=elsewhere)
    assert str(missing.value).count(".\n") == 0
    lab.reset()
    with pytest.raises(ArtifactError, match="sm75"):
        lab.open(manifest=elsewhere)
    assert "Runtime" not in lab.gpu.calls  # nothing was deserialised


def test_an_engine_of_another_version_or_gpu_is_refused_unread_naming_both_sides(lab: Lab) -> None:
    library = "TensorRT-RTX" if lab.is_rtx else "TensorRT"
    here = f"this device has {library} {lab.trt.__version__} on sm87 (Orin (fake))."
    rebuild = " Build it here: dcgan-edge build generator.fp16.onnx"
    builder = "rtx1.0.0" if lab.is_rtx else "trt9.9.9"
    for changes, built in (
        ({"targets": ("sm86", "sm89")}, f"{lab.trt.__version__} for sm86, sm89"),
        ({"builder": builder, "versions": {lab.trt.__name__: "9.9.9"}}, "9.9.9 for sm87"),
        ({"versions": {lab.trt.__name__: f"{lab.trt.__version__}.1"}}, f"{lab.trt.__version__}.1 for sm87"),
    ):
        with pytest.raises(ArtifactError) as refusal:
            lab.open(manifest=changes)
        assert str(refusal.value) == f"This engine was built by {library} {built}; {here}{rebuild}"
    assert "Runtime" not in lab.gpu.calls


def test_a_version_compatible_engine_is_read_by_later_versions_only(lab: Lab) -> None:
    blob = lab.blob(version="9.1.0", host_code=True)
    older = {"builder": f"{'rtx' if lab.is_rtx else 'trt'}1.2.0", "versions": {lab.trt.__name__: "1.2.0"}}
    compatible = {**older, "notes": {"options": {"version_compatible": True}}}
    expect(lab.open(blob, manifest=compatible).run(draw(3)), draw(3))
    with pytest.raises(ArtifactError, match="was built by"):
        lab.open(blob, manifest=older)
    with pytest.raises(ArtifactError, match="was built by"):
        lab.open(blob, manifest={**compatible, "versions": {lab.trt.__name__: "99.0"}})


def test_what_the_library_refuses_is_refused_with_its_words(lab: Lab) -> None:
    for blob, words in (
        (lab.blob(targets=("sm86",)), "expecting compute"),
        (lab.blob(version="7.0.0"), "expecting library version"),
        (lab.blob(host_code=True), "host code is not allowed"),  # its manifest did not announce it
    ):
        with pytest.raises(ArtifactError, match=words):
            lab.open(blob)
    assert not lab.gpu.leaks()


def test_an_engine_with_other_tensors_is_refused(lab: Lab) -> None:
    source, result = lab.manifest(b"").inputs[0], lab.manifest(b"").outputs[0]
    larger = type(result)(result.name, result.dtype, ("batch", 3, 8, 8), result.layout, result.range)
    for blob, manifest, words in (
        (lab.blob(dtype="HALF"), {}, "HALF, not float32"),
        (lab.blob(format="CHW2"), {}, "CHW2, not linear"),
        (lab.blob(location="HOST"), {}, "on the host"),
        (lab.blob(names=("z", "images")), {}, "has the tensors z, images; its manifest says images, latents"),
        (lab.blob(), {"outputs": (larger,)}, r"of shape \(-1, 1, 8, 8\), not"),
        (lab.blob(), {"inputs": (result,), "outputs": (source,)}, "not TensorIOMode.INPUT"),
        (lab.blob(profiles=()), {}, "no optimization profile"),
    ):
        with pytest.raises(ArtifactError, match=words):
            lab.open(blob, manifest=manifest)
        assert not lab.gpu.leaks()
