from __future__ import annotations

import dataclasses
import multiprocessing
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dcgan_edge import verify
from dcgan_edge.artifact import (
    BatchProfile,
    Manifest,
    embed_manifest,
    generator_tensors,
    read_artifact,
    write_artifact,
)
from dcgan_edge.errors import ArtifactError, EdgeError, UnavailableError, UsageError
from dcgan_edge.extras import is_installed
from dcgan_edge.latents import FloatArray, latents
from dcgan_edge.runtime import openvino_session, session
from dcgan_edge.runtime.bench.workload import closed_loop, make_ready
from dcgan_edge.runtime.openvino_session import MOST_BATCHES, OpenVinoSession, compile_options
from dcgan_edge.runtime.session import EngineOptions, open_session
from tests.prepared import TINY

FP32_ATOL = 1e-4  # the fp32 gate; float32 sums in another order differ by 1e-6, bfloat16 by 1e-2

if not is_installed("openvino"):
    pytest.skip("needs openvino, which is not installed", allow_module_level=True)


@pytest.fixture(scope="session")
def artifact(exported: Path) -> Path:
    return exported / "generator.fp32.onnx"


def loaded(artifact: Path, **changes: object) -> OpenVinoSession:
    manifest, data = read_artifact(artifact)
    return OpenVinoSession(dataclasses.replace(manifest, **changes), data)  # type: ignore[arg-type]


def test_it_makes_the_images_of_onnxruntime_at_any_batch(artifact: Path) -> None:
    with (
        open_session(artifact, backend="openvino", threads=1) as ours,
        open_session(artifact, backend="onnxruntime", device="cpu", threads=1) as theirs,
    ):
        for count in (1, 3, 21, 1):  # the profile ends at 8
            z = latents(range(count), 16)
            np.testing.assert_allclose(ours.run(z), theirs.run(z), rtol=0, atol=FP32_ATOL)
        facts = ours.facts
    assert (facts.backend, facts.device, facts.provider, facts.threads) == ("openvino", "cpu", "", 1)
    assert facts.version[0].isdigit()
    assert facts.details["options"]["INFERENCE_PRECISION_HINT"] == "f32"
    with pytest.raises(EdgeError, match="closed"):
        ours.run(latents([1], 16))
    ours.close()


def test_every_precision_passes_its_gate(exported: Path, tmp_path: Path) -> None:
    copies = Path(shutil.copytree(exported, tmp_path / "copies"))  # the verdicts are written beside them
    files = [copies / f"generator.{precision}.onnx" for precision in ("fp32", "fp16")]
    for proof in verify(files, backend="openvino", threads=1):
        proof.raise_if_failed()
        assert (proof.verification.verdict, proof.verification.backend) == ("passed", "openvino")


def left_to_openvino(manifest: Manifest, data: bytes, z: FloatArray) -> FloatArray | None:
    """The images in the precision that OpenVINO takes by itself, None where there is no bfloat16.

    For a process of its own: kernels of bfloat16 may use the tiles of AMX, whose state is more than the stack
    holds that pytest's faulthandler gives to signal handlers, and the next signal would end the process.
    """
    with OpenVinoSession(manifest, data) as session:
        if "BF16" not in session._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            return None
        del session._options["INFERENCE_PRECISION_HINT"]
        return session.run(z)


@pytest.mark.torch
def test_bfloat16_would_miss_the_gate_where_a_processor_has_it() -> None:
    from dcgan_edge.export.onnx.graph import build_graph
    from tests.conftest import lively_generator

    convolutional = dataclasses.replace(TINY, preset="dcgan-upsample", width=16)  # it leaves deconvolutions
    source, result = generator_tensors(convolutional)
    manifest = Manifest("onnx", convolutional, "fp32", (source,), (result,), BatchProfile(), "", "test")
    data = build_graph(lively_generator(convolutional), convolutional, manifest.batch).SerializeToString()
    z = latents(range(8), 16)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        wrong = pool.submit(left_to_openvino, manifest, data, z).result()
    if wrong is None:
        pytest.skip("this processor has no bfloat16")
    with OpenVinoSession(manifest, data) as right:
        assert np.abs(right.run(z) - wrong).max() > 10 * FP32_ATOL


def test_no_option_is_left_to_openvino(artifact: Path) -> None:
    with loaded(artifact) as session:
        session.run(latents([1], 16))
        (requests,) = session._compiled.values()
        given = compile_options(None, 1)
        assert {name: type(value) for name, value in given.items()} == {
            name: type(value) for name, value in compile_options(3, 2).items()
        }
        taken = {name: requests.model.get_property(name) for name in given}
    assert taken["INFERENCE_PRECISION_HINT"].get_type_name() == "f32"
    assert (taken["NUM_STREAMS"], taken["ENABLE_CPU_PINNING"], taken["ENABLE_HYPER_THREADING"]) == (
        1, False, False
    )  # fmt: skip


def test_an_image_does_not_depend_on_its_neighbours(artifact: Path) -> None:
    z = latents(range(8), 16)
    others = latents(range(100, 108), 16)
    for threads in (1, 2):
        with open_session(artifact, backend="openvino", threads=threads) as session:
            whole = session.run(z)
            for place in (0, 3, 7):
                mixed = others.copy()
                mixed[place] = z[place]
                np.testing.assert_array_equal(session.run(mixed)[place], whole[place])
            alone = session.generate([3])
            np.testing.assert_array_equal(session.generate([90, 3, 5])[1], alone[0])
            for count in range(1, 8):  # other batches, compiled before, leave it as it was
                session.run(z[:count])
            np.testing.assert_array_equal(session.generate([3]), alone)


@pytest.mark.parametrize("copied", [0, 2**30])
def test_images_belong_to_the_caller(artifact: Path, monkeypatch: pytest.MonkeyPatch, copied: int) -> None:
    monkeypatch.setattr(openvino_session, "COPIED_BYTES", copied)
    with loaded(artifact) as session:
        first = session.run(latents(range(4), 16))
        kept = first.copy()
        session.run(latents(range(4, 8), 16))
        np.testing.assert_array_equal(first, kept)
        first[:] = 0  # and no later batch is written over
        np.testing.assert_array_equal(session.run(latents(range(4), 16)), kept)


def test_a_batch_of_little_arithmetic_gets_one_thread(artifact: Path) -> None:
    manifest, _ = read_artifact(artifact)
    assert manifest.cost is not None
    cost = dataclasses.replace(manifest.cost, flops=openvino_session.ONE_THREAD_FLOPS / 2.5)

    def threads_of(session: OpenVinoSession) -> list[int]:
        for batch in (2, 3):
            session.prepare(batch)
        return [session._compiled[n].model.get_property("INFERENCE_NUM_THREADS") for n in (2, 3)]

    with loaded(artifact, cost=cost) as session:
        assert session.facts.details["one_thread_up_to_batch"] == 2
        few, many = threads_of(session)
        assert (few, many) == (1, threads_of(loaded(artifact, cost=None))[1])
        session.use_streams(2)
        assert session.facts.details["one_thread_up_to_batch"] == 0
    for unknown in ({"flops": 0.0}, {"uncounted": ("Einsum",)}):
        with loaded(artifact, cost=dataclasses.replace(cost, **unknown)) as session:
            assert session.facts.details["one_thread_up_to_batch"] == 0
    with OpenVinoSession(
        dataclasses.replace(manifest, cost=cost), read_artifact(artifact)[1], threads=2
    ) as two:
        assert threads_of(two) == [2, 2]


def test_batches_that_were_not_used_for_long_make_room(artifact: Path) -> None:
    manifest, _ = read_artifact(artifact)
    profile = dataclasses.replace(manifest.batch, max=MOST_BATCHES + 2, opt=1)
    with loaded(artifact, batch=profile) as session:
        expected = session.run(latents([0], 16))
        for count in range(2, MOST_BATCHES + 2):
            session.run(latents(range(count), 16))
        assert len(session._compiled) == MOST_BATCHES
        assert 1 not in session._compiled
        np.testing.assert_array_equal(session.run(latents([0], 16)), expected)


def test_threads_may_share_it(artifact: Path) -> None:
    seeds = [range(start, start + 2 + start % 3) for start in range(12)]
    with loaded(artifact) as session:
        expected = [session.run(latents(each, 16)) for each in seeds]
        found: dict[int, FloatArray] = {}

        def work(first: int) -> None:
            for number in range(first, len(seeds), 3):
                found[number] = session.run(latents(seeds[number], 16))

        threads = [threading.Thread(target=work, args=(first,)) for first in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number, images in enumerate(expected):
        np.testing.assert_array_equal(found[number], images)


@pytest.mark.skipif(sys.platform != "linux", reason="signal stacks are Linux's")
def test_signals_arrive_after_sessions_that_were_closed_in_any_order(artifact: Path) -> None:
    code = f"""
import faulthandler, signal
faulthandler.enable()  # as pytest does: its stack for signal handlers is what OpenVINO replaces
signal.signal(signal.SIGTERM, lambda *_: print("arrived"))
from dcgan_edge.runtime.session import open_session
first, second = (open_session({str(artifact)!r}, backend="openvino") for _ in range(2))
for session in (first, second):
    session.generate([1])
first.close()
del first
second.close()
del session, second
signal.raise_signal(signal.SIGTERM)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (answer.returncode, answer.stdout) == (0, "arrived\n"), answer.stderr


def test_a_benchmark_has_its_streams(artifact: Path) -> None:
    with loaded(artifact) as session:
        make_ready(session, 2, 2)
        assert session.facts.streams == 2
        assert len(closed_loop(session, 2, 0.0, least=3, streams=2)) >= 6
        (kept,) = session._compiled.values()
        make_ready(session, 2, 2)
        assert list(session._compiled.values()) == [kept]


def test_what_is_prepared_is_compiled_and_not_run(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with loaded(artifact, batch=BatchProfile(2, 4, 8)) as session:
        monkeypatch.setattr(session, "_run", None)
        for batch, sizes in ((24_576, {8}), (25, {8, 2}), (5, {8, 2, 5})):  # 1 is padded to 2
            session.prepare(batch)
            assert set(session._compiled) == sizes


def test_latents_may_be_read_only(artifact: Path) -> None:
    z = latents(range(3), 16)
    with loaded(artifact) as session:
        expected = session.run(z)
        z.flags.writeable = False
        np.testing.assert_array_equal(session.run(z), expected)


def test_options_that_do_not_apply_are_refused(artifact: Path) -> None:
    for wrong in ({"device": "cuda"}, {"device": "gpu"}, {"engine": EngineOptions()}, {"threads": 0}):
        with pytest.raises(UsageError):
            open_session(artifact, backend="openvino", **wrong)


def test_auto_takes_it_for_any_other_file_only_where_onnxruntime_is_not(
    artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_session(artifact, device="cpu") as chosen:
        assert chosen.facts.backend == "onnxruntime"
    monkeypatch.setattr(session, "is_installed", lambda library: library == "openvino")
    with open_session(artifact) as chosen:
        assert chosen.facts.backend == "openvino"


def test_auto_takes_it_for_a_file_that_was_written_for_it(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, data = read_artifact(artifact)
    noted = dataclasses.replace(manifest, notes={**manifest.notes, "for": "openvino"})
    path = tmp_path / "generator.fp32.onnx"
    write_artifact(path, embed_manifest(data, noted), noted)
    with open_session(path) as chosen:
        assert chosen.facts.backend == "openvino"
    with open_session(path, backend="onnxruntime", device="cpu") as chosen:
        assert chosen.facts.backend == "onnxruntime"
    monkeypatch.setattr(session, "is_installed", lambda library: library == "onnxruntime")
    with open_session(path, device="cpu") as chosen:
        assert chosen.facts.backend == "onnxruntime"


def test_without_it_the_extra_is_named(artifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)  # blocks the import
    with pytest.raises(UnavailableError, match=r"dcgan-edge\[openvino\]"):
        open_session(artifact, backend="openvino")


def test_importing_it_sends_nothing() -> None:
    code = (
        "import sys; from dcgan_edge.runtime.openvino_session import import_openvino; import_openvino();"
        "print(*[name for name in sys.modules if 'telemetry' in name or 'tools.ovc' in name])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == []


def test_a_graph_that_does_not_load_is_refused(artifact: Path) -> None:
    manifest, data = read_artifact(artifact)
    for broken in (b"not a model", b"", data[: len(data) // 2], b"\x3a\x00"):
        with pytest.raises(ArtifactError):
            OpenVinoSession(manifest, broken)


def test_a_manifest_that_describes_other_tensors_is_refused(artifact: Path) -> None:
    manifest, _ = read_artifact(artifact)
    (latent,), (image,) = manifest.inputs, manifest.outputs
    changes: list[dict[str, object]] = [
        {"inputs": (dataclasses.replace(latent, name="z"),)},
        {"inputs": (dataclasses.replace(latent, shape=("batch", 7, 1, 1)),)},
        {"outputs": (dataclasses.replace(image, shape=("batch", 3, 28, 28)),)},
    ]
    for change in changes:
        with pytest.raises(ArtifactError, match="its manifest describes"):
            loaded(artifact, **change)


def test_what_fails_while_running_is_an_error_with_a_sentence(
    artifact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def infer(self, **options: object) -> None:
            raise RuntimeError("Exception from src/plugins/x.cpp:12:\nout of memory")

    with loaded(artifact) as session:
        session.prepare(1)
        session._compiled[1]._free[0]._request = Failing()
        with pytest.raises(EdgeError, match="OpenVINO failed on this file: out of memory"):
            session.run(latents([1], 16))
