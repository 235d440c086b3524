"""Bundles: what they hold, that they are the same each time, and that no change goes unnoticed."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import os
import random
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_edge.artifact import read_artifact
from dcgan_edge.cli import main
from dcgan_edge.errors import ArtifactError, UnavailableError, UsageError
from dcgan_edge.packaging.bundle import write_bundle
from dcgan_edge.packaging.checking import check_bundle
from dcgan_edge.packaging.layout import ROOT, is_sound_name, parse_sums, sums_text
from dcgan_edge.packaging.stored_tar import read_archive, write_archive
from dcgan_edge.verification import verify
from tests.packaging.conftest import StubRegistry
from tests.packaging.flips import missed_flips


@pytest.fixture
def folder(bundle: Path, tmp_path: Path) -> Path:
    """The bundle, unpacked by tar."""
    with tarfile.open(bundle) as archive:
        for each in archive:  # as `tar -xzf` does; `filter` came with later versions of Python 3.10
            target = tmp_path / each.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.extractfile(each).read())  # type: ignore[union-attr]
    return tmp_path / ROOT


def everything(bundle: Path) -> dict[str, bytes]:
    found = read_archive(bundle, ROOT, lambda _: True, limit=1 << 30)
    return {name: entry.content or b"" for name, entry in found.items()}


def test_a_bundle_holds_the_artifact_with_its_proof_and_what_runs_it(bundle: Path, exported: Path) -> None:
    files = everything(bundle)
    for name in ("generator.fp16.onnx", "generator.fp16.onnx.golden.gz", "generator.fp16.onnx.json"):
        if not name.endswith(".json"):
            assert files[f"artifacts/{name}"] == (exported / name).read_bytes()
    found = check_bundle(bundle)
    manifest = dataclasses.replace(read_artifact(exported / "generator.fp16.onnx")[0], verified=())
    assert found.manifests == {"generator.fp16.onnx": manifest}
    assert (found.facts.platform, found.facts.python, found.signature) == ("linux-aarch64", "3.10", "none")
    assert {"dcgan-edge", "numpy", "onnxruntime", "tomli", "coloredlogs"} <= found.facts.versions.keys()
    assert {"colorama", "typing-extensions"}.isdisjoint(found.facts.versions)


def test_the_same_input_is_the_same_bundle(bundle: Path, exported: Path, tmp_path: Path) -> None:
    again = write_bundle(
        [exported / "generator.fp16.onnx"],
        tmp_path / "again.tar.gz",
        platform="linux-aarch64",
        python="3.10",
        license="CC-BY-4.0",
        download=StubRegistry(),
    )
    assert again.sha256 == hashlib.sha256(bundle.read_bytes()).hexdigest()


def test_a_changed_byte_is_caught(bundle: Path, tmp_path: Path) -> None:
    size = bundle.stat().st_size
    structured = [*range(15), 272, 420, size - 1, size - 5, size - 9]  # headers, padding, the checksum
    places = structured + random.Random(0).sample(range(size), 20)
    assert missed_flips(bundle, tmp_path / "flipped.tar.gz", places) == []


def test_an_unpacked_bundle_is_checked_too(folder: Path, bundle: Path) -> None:
    (folder / "venv" / "bin").mkdir(parents=True)
    (folder / "selftest.json").write_text("{}")
    (folder / "artifacts" / "tuned.json").write_text("{}")
    unpacked, packed = check_bundle(folder), check_bundle(bundle)
    assert dataclasses.replace(unpacked, path=packed.path) == packed


def test_verdicts_may_come_into_the_manifests_of_an_unpacked_bundle(folder: Path) -> None:
    verify(folder / "artifacts" / "generator.fp16.onnx")
    (manifest,) = check_bundle(folder).manifests.values()
    assert [proof.verdict for proof in manifest.verified] == ["passed"]
    sidecar = folder / "artifacts" / "generator.fp16.onnx.json"
    sidecar.write_text(sidecar.read_text().replace('"precision": "fp16"', '"precision": "fp32"'))
    with pytest.raises(ArtifactError):
        check_bundle(folder)


def changed(folder: Path) -> None:
    (folder / "wheels" / "numpy-2.2.6-py3-none-any.whl").write_bytes(b"other")


def missing(folder: Path) -> None:
    (folder / "artifacts" / "generator.fp16.onnx.golden.gz").unlink()


def too_many(folder: Path) -> None:
    (folder / "wheels" / "evil-1.0-py3-none-any.whl").write_bytes(b"x")


def linked(folder: Path) -> None:
    file = folder / "install.sh"
    file.rename(folder.parent / "elsewhere.sh")
    file.symlink_to(folder.parent / "elsewhere.sh")


def linked_folder(folder: Path) -> None:
    (folder / "wheels").rename(folder.parent / "elsewhere")
    (folder / "wheels").symlink_to(folder.parent / "elsewhere")


def piped(folder: Path) -> None:
    os.mkfifo(folder / "wheels" / "pipe.whl")


def hidden(folder: Path) -> None:
    (folder / "artifacts" / ".hidden").write_text("x")


def no_venv(folder: Path) -> None:
    (folder / "venv").write_text("x")


@pytest.mark.parametrize(
    "damage", [changed, missing, too_many, linked, linked_folder, piped, hidden, no_venv]
)
def test_an_unpacked_bundle_that_was_changed_is_refused(folder: Path, damage: Callable[[Path], None]) -> None:
    damage(folder)
    answer = CliRunner().invoke(main, ["check", str(folder)])
    assert answer.exit_code == ArtifactError.exit_code, answer.output


def resealed(bundle: Path, path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """A bundle whose files were changed, with sums that are right again, under the signature that it had."""
    files = everything(bundle)
    change(files)
    del files["SHA256SUMS"]
    listed = files.keys() - {"SHA256SUMS.sig"}
    sums = sums_text({name: hashlib.sha256(files[name]).hexdigest() for name in listed})
    write_archive(path, ROOT, {**files, "SHA256SUMS": sums.encode()})
    return path


ARTIFACT = "artifacts/generator.fp16.onnx"
FORGERIES: dict[str, Callable[[dict[str, bytes]], object]] = {
    "another graph": lambda files: files.update({ARTIFACT: b"other"}),
    "other golden images": lambda files: files.update({f"{ARTIFACT}.golden.gz": b"other"}),
    "no manifest": lambda files: files.pop(f"{ARTIFACT}.json"),
    "no bill": lambda files: files.pop("bom.cdx.json"),
    "no install.sh": lambda files: files.pop("install.sh"),
    "an artifact that is not named": lambda files: files.update({"artifacts/other.onnx": b"x"}),
    "no wheel": lambda files: files.update({"wheels/setup.py": b"x"}),
    "a file of no place": lambda files: files.update({"evil.sh": b"x"}),
    "a path upwards": lambda files: files.update({"artifacts/../../x": b"x"}),
    "a hidden file": lambda files: files.update({"artifacts/.x": b"x"}),
    "facts that are none": lambda files: files.update({"bundle.json": b"[]"}),
    "facts of another schema": lambda files: files.update({"bundle.json": b'{"schema_version": 2}'}),
    "a name upwards": lambda files: files.update(
        {"bundle.json": files["bundle.json"].replace(b'"generator.fp16.onnx"', b'"../x.onnx"')}
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_bundle_that_is_not_sound_is_refused(bundle: Path, tmp_path: Path, name: str) -> None:
    forged = resealed(bundle, tmp_path / "forged.tar.gz", lambda files: (FORGERIES[name](files), None)[1])
    with pytest.raises(ArtifactError):
        check_bundle(forged)


def test_a_forgery_changed_in_nothing_is_a_bundle(bundle: Path, tmp_path: Path) -> None:
    same = resealed(bundle, tmp_path / "same.tar.gz", lambda files: None)
    assert same.read_bytes() == bundle.read_bytes()


@given(st.binary(max_size=200))
@settings(max_examples=25)
def test_any_bytes_as_sums_are_read_or_refused(data: bytes) -> None:
    try:
        digests = parse_sums(data)
    except ArtifactError:
        return
    assert sums_text(digests).encode() == data


@given(st.text("./\\-a\n\0", max_size=8))
@settings(max_examples=30)
def test_no_sound_name_leads_out_of_the_folder(name: str) -> None:
    for candidate in (name, f"wheels/{name}", f"artifacts/{name}"):
        if is_sound_name(candidate):
            parts = candidate.split("/")
            assert len(parts) <= 2
            assert not {"", ".", ".."} & set(parts)
            assert os.path.normpath(candidate) == candidate


def test_check_says_what_it_found_and_refuses_with_six(bundle: Path, tmp_path: Path) -> None:
    answer = CliRunner().invoke(main, ["check", str(bundle), "--json"])
    found = json.loads(answer.stdout)
    assert (answer.exit_code, found["signature"], found["bytes"] > 0) == (0, "none", True)
    for path, code in ((tmp_path / "none", 2), (tmp_path, 2)):
        assert CliRunner().invoke(main, ["check", str(path)]).exit_code == code
    unsigned = CliRunner().invoke(main, ["check", str(bundle), "--key", str(bundle)])
    assert unsigned.exit_code == ArtifactError.exit_code
    assert "is not signed" in unsigned.output


def test_without_the_library_a_signature_says_what_is_missing(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "model_signing" else real(name)
    )
    with pytest.raises(UnavailableError, match=r"dcgan-edge\[sign\]"):
        write_bundle([exported / "generator.fp16.onnx"], tmp_path / "b.tar.gz", key=tmp_path / "key.pem")


def test_a_signature_is_the_owners_over_everything(exported: Path, tmp_path: Path) -> None:
    pytest.importorskip("model_signing", reason="the extra 'sign' is not installed")
    for name in ("signer", "stranger"):
        key, public = tmp_path / f"{name}.pem", tmp_path / f"{name}.pub.pem"
        subprocess.run(
            ["openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", key], check=True
        )
        subprocess.run(
            ["openssl", "ec", "-in", key, "-pubout", "-out", public], check=True, capture_output=True
        )
    path = tmp_path / "signed.tar.gz"
    made = write_bundle(
        [exported / "generator.fp16.onnx"], path, key=tmp_path / "signer.pem", download=StubRegistry()
    )
    assert made.signed
    assert check_bundle(path).signature == "not checked"
    assert check_bundle(path, key=tmp_path / "signer.pub.pem").signature == "good"
    with pytest.raises(ArtifactError, match="not by the owner"):
        check_bundle(path, key=tmp_path / "stranger.pub.pem")
    forged = resealed(path, tmp_path / "forged.tar.gz", _with_another_licence)
    assert check_bundle(forged).signature == "not checked"
    with pytest.raises(ArtifactError, match="not by the owner"):
        check_bundle(forged, key=tmp_path / "signer.pub.pem")
    for key in (tmp_path / "signed.tar.gz", tmp_path / "missing.pem"):
        with pytest.raises(UsageError):
            check_bundle(path, key=key)


def _with_another_licence(files: dict[str, bytes]) -> None:
    files["bom.cdx.json"] = files["bom.cdx.json"].replace(b"BSD", b"MIT")
