from __future__ import annotations

from pathlib import Path

import pytest

import dcgan_edge
from dcgan_edge.artifact import BatchProfile, Manifest, read_artifact, sha256, sidecar_path
from dcgan_edge.errors import ArtifactError, UnavailableError, UsageError, VerificationError
from dcgan_edge.export import writing
from dcgan_edge.export.onnx import reference
from dcgan_edge.export.onnx.reference import TorchSession
from dcgan_edge.export.pipeline import export
from dcgan_edge.runtime import parity
from dcgan_edge.runtime.parity import Gate, verify
from dcgan_edge.runtime.session import open_session
from tests.interpreters import failures


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_each_file_is_what_its_manifest_says(checkpoint: Path, exported: Path, precision: str) -> None:
    path = exported / f"generator.{precision}.onnx"
    manifest, data = read_artifact(path)
    assert manifest.precision == precision
    assert manifest.parent_sha256 == sha256(checkpoint.read_bytes())
    assert manifest.batch == BatchProfile(1, 4, 8)
    assert manifest.parity["verdict"] == "passed"
    assert manifest.parity["seeds"] == 64
    assert manifest.parity["measured_on"]["backend"] == "onnxruntime"
    assert set(manifest.versions) == {"dcgan-edge", "torch", "onnx", "onnxscript"}
    # The file says the same of itself when it stands alone.
    sidecar = sidecar_path(path).read_bytes()
    sidecar_path(path).unlink()
    try:
        assert read_artifact(path) == (manifest, data)
    finally:
        sidecar_path(path).write_bytes(sidecar)


def test_a_layer_kept_in_float32_makes_a_mixed_file_with_proof(checkpoint: Path, tmp_path: Path) -> None:
    single, mixed = export(checkpoint, tmp_path, batch=BatchProfile(1, 4, 8), keep_fp32=("ConvTranspose_2",))
    assert [single.path.name, mixed.path.name] == ["generator.fp32.onnx", "generator.mixed.onnx"]
    assert (mixed.manifest.precision, mixed.manifest.parity["verdict"]) == ("mixed", "passed")


def test_parity_holds_on_other_seeds_too(checkpoint: Path, exported: Path) -> None:
    torch_session = TorchSession(checkpoint)
    for precision in ("fp32", "fp16"):
        with open_session(exported / f"generator.{precision}.onnx") as session:
            assert verify(torch_session, session, range(1000, 1032)).passed


def test_the_same_checkpoint_gives_the_same_bytes(checkpoint: Path, exported: Path, tmp_path: Path) -> None:
    export(checkpoint, tmp_path, batch=BatchProfile(1, 4, 8))
    for path in sorted(exported.iterdir()):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_a_failed_parity_leaves_nothing(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impossible = Gate(None, 150.0, 0, "beyond half precision")
    monkeypatch.setitem(parity.GATES, "fp16", impossible)
    with pytest.raises(VerificationError, match=r"generator\.fp16\.onnx does not match PyTorch"):
        export(checkpoint, tmp_path, precisions=("fp16",))
    assert list(tmp_path.iterdir()) == []


def test_an_engine_is_built_from_the_fp16_file(checkpoint: Path, tmp_path: Path) -> None:
    told: list[str] = []
    written = export(
        checkpoint,
        tmp_path,
        precisions=("fp32",),
        engine=True,
        targets=("sm86", "sm89"),
        progress=told.append,
    )
    by_kind: dict[str, list[Manifest]] = {}
    for artifact in written:
        assert artifact.path.is_file()
        by_kind.setdefault(artifact.manifest.kind, []).append(artifact.manifest)
    (engine,) = by_kind["engine"]
    half = next(manifest for manifest in by_kind["onnx"] if manifest.precision == "fp16")
    assert engine.parent_sha256 == half.sha256
    assert engine.targets == ("sm86", "sm89")
    assert engine.parity["verdict"] == "not_run"
    assert engine.cost == half.cost
    assert told[0] == "tracing the generator"


def test_without_a_builder_nothing_half_done_is_claimed(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*arguments: object, **options: object) -> None:
        raise UnavailableError("no builder: pip install 'dcgan-edge[rtx]'")

    monkeypatch.setattr(writing, "build", missing)
    with pytest.raises(UnavailableError, match=r"dcgan-edge\[rtx\]"):
        export(checkpoint, tmp_path, engine=True)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".onnx", ".gz", ".md"}


def test_bad_requests(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--format engine"):
        export(checkpoint, tmp_path, targets=("sm86",))
    with pytest.raises(UsageError, match="--format engine"):
        export(checkpoint, tmp_path, workspace=2**28)
    with pytest.raises(UsageError, match="--precision fp16"):
        export(checkpoint, tmp_path, precisions=("fp32",), keep_fp32=("ConvTranspose_2",))
    with pytest.raises(UsageError, match="There is no checkpoint"):
        export(tmp_path / "nothing.safetensors", tmp_path)
    foreign = tmp_path / "foreign.safetensors"
    foreign.write_bytes(b"not a checkpoint at all")
    with pytest.raises(ArtifactError):
        export(foreign, tmp_path)


ORDERS = (
    "import dcgan_edge as de; de.export; from dcgan_edge.export.pipeline import export",
    "from dcgan_edge.export.pipeline import export; import dcgan_edge as de",
    "import dcgan_edge.export.onnx; import dcgan_edge as de; from dcgan_edge.export.pipeline import export",
    "from dcgan_edge import export as package; import dcgan_edge as de; export = package.pipeline.export",
)


def test_the_package_is_the_function_whatever_was_imported_first() -> None:
    codes = [
        imports.replace("export = package", "import dcgan_edge.export.pipeline; export = package")
        for imports in ORDERS
    ]
    check = "assert callable(de.export) and de.export.pipeline.export is export"
    programs = [f"{code}; {check}" for code in codes]
    assert failures(programs, preloaded="import torch, onnx, onnxscript, onnxruntime") == {}


def test_it_is_called_by_its_public_name(checkpoint: Path, tmp_path: Path) -> None:
    (artifact,) = dcgan_edge.export(checkpoint, tmp_path, precisions=["fp32"])
    assert artifact.path == tmp_path / "generator.fp32.onnx"
    assert artifact.manifest.cost is not None


def test_a_checkpoint_that_is_replaced_meanwhile_is_exported_as_it_was_read(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training goes on while its checkpoint is exported: the hash is of the weights that were exported."""
    running = tmp_path / "checkpoint.safetensors"
    running.write_bytes(checkpoint.read_bytes())

    def replaced(path: Path) -> bytes:
        data = path.read_bytes()
        path.write_bytes(b"the next checkpoint")
        return data

    monkeypatch.setattr(reference, "read_checkpoint", replaced)
    (artifact,) = export(running, tmp_path / "out", precisions=("fp32",))
    assert artifact.manifest.parent_sha256 == sha256(checkpoint.read_bytes())
