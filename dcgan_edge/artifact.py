"""What a file is, where it came from and what was proven about it: the manifest and its sidecar.

Every artifact `x` has its manifest beside it as `x.json`. ONNX files carry the same facts inside
(`onnx_file`), engines stay pure, so that any TensorRT program loads them. A file's hash is checked before
anything in it is deserialised: `read_artifact` hands out the very bytes that were checked.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from dcgan_edge import onnx_file
from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.files import write_atomic
from dcgan_edge.latents import Distribution

SCHEMA_VERSION = 1
Kind = Literal["checkpoint", "onnx", "engine"]
Precision = Literal["fp32", "fp16", "mixed"]
SUFFIX_KINDS: dict[str, Kind] = {".onnx": "onnx", ".engine": "engine"}
METADATA_KEY = "dcgan_edge.manifest"  # in an ONNX file's metadata_props


@dataclass(frozen=True)
class Architecture:
    """What rebuilds a generator: `preset` at `size` x `size` pixels, first width, latent size and
    distribution.
    """

    preset: str
    size: int
    channels: int
    width: int
    latent_dim: int = 100
    distribution: Distribution = "normal"


@dataclass(frozen=True)
class TensorSpec:
    """One input or output. `shape` has "batch" where the batch goes; `range` is closed, None if unbounded."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    layout: str
    range: tuple[float, float] | None = None


@dataclass(frozen=True)
class BatchProfile:
    """Images per call that a file accepts (`min`..`max`) and is tuned for (`opt`)."""

    min: int = 1
    opt: int = 16
    max: int = 64

    def __post_init__(self) -> None:
        if not 1 <= self.min <= self.opt <= self.max:
            raise UsageError(
                f"Batch sizes must rise from 1: min {self.min}, opt {self.opt}, max {self.max} do not."
            )


@dataclass(frozen=True)
class Manifest:
    """The facts of one artifact. `sha256` is of the file as it lies on disk, `parent_sha256` of what it was
    made from (a checkpoint for an ONNX file, an ONNX file for an engine). `parity` is a verdict with numbers.
    """

    kind: Kind
    architecture: Architecture
    precision: Precision
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    batch: BatchProfile
    parent_sha256: str
    builder: str
    versions: dict[str, str] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    built_on: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    parity: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""
    size: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)}

    def to_json(self) -> str:
        """The same manifest always gives the same text."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True, allow_nan=False) + "\n"

    def sealed(self, data: bytes) -> Manifest:
        """This manifest, with the hash and size of the file content it belongs to."""
        return dataclasses.replace(self, sha256=sha256(data), size=len(data))

    @classmethod
    def from_json(cls, text: str | bytes, origin: str) -> Manifest:
        """Raises ArtifactError naming `origin` unless `text` is a whole manifest of a known schema."""
        try:
            facts = json.loads(text)
            version = facts.pop("schema_version")
            if version != SCHEMA_VERSION:
                raise ArtifactError(
                    f"{origin} has manifest schema {version}; this program reads {SCHEMA_VERSION}."
                )
            facts["architecture"] = Architecture(**facts["architecture"])
            facts["batch"] = BatchProfile(**facts["batch"])
            facts["inputs"] = tuple(_tensor_spec(spec) for spec in facts["inputs"])
            facts["outputs"] = tuple(_tensor_spec(spec) for spec in facts["outputs"])
            facts["targets"] = tuple(facts["targets"])
            manifest = cls(**facts)
            if manifest.kind not in get_args(Kind) or manifest.precision not in get_args(Precision):
                raise ValueError(f"{manifest.precision!r} {manifest.kind!r} is unknown")
            return manifest
        except (AttributeError, KeyError, TypeError, ValueError, UsageError) as error:
            raise ArtifactError(f"{origin} is not a dcgan-edge manifest ({error}).") from error


@dataclass(frozen=True)
class Artifact:
    """A file that was written or read, and what is known of it."""

    path: Path
    manifest: Manifest

    def to_dict(self) -> dict[str, Any]:
        """The manifest's facts with the file's `path`."""
        return {"path": str(self.path), **self.manifest.to_dict()}


def _tensor_spec(facts: dict[str, Any]) -> TensorSpec:
    facts["shape"] = tuple(facts["shape"])
    if facts["range"] is not None:
        low, high = facts["range"]
        facts["range"] = (low, high)
    return TensorSpec(**facts)


def generator_tensors(architecture: Architecture) -> tuple[TensorSpec, TensorSpec]:
    """The one input and the one output that every generator has, whatever its preset."""
    size, channels = architecture.size, architecture.channels
    bounds = (-1.0, 1.0) if architecture.distribution == "uniform" else None
    return (
        TensorSpec("latents", "float32", ("batch", architecture.latent_dim, 1, 1), "NCHW", bounds),
        TensorSpec("images", "float32", ("batch", channels, size, size), "NCHW", (-1.0, 1.0)),
    )


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sidecar_path(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def write_artifact(path: Path, data: bytes, manifest: Manifest) -> Manifest:
    """Put `data` at `path` and its sealed manifest beside it, each atomically; return the sealed manifest.

    If the program dies in between, the file does not match the manifest and is refused, never misread.
    """
    sealed = manifest.sealed(data)
    write_atomic(path, data)
    write_atomic(sidecar_path(path), sealed.to_json().encode())
    return sealed


def read_artifact(path: Path) -> tuple[Manifest, bytes]:
    """Return the manifest of `path` and its content, after the content's hash was found to match.

    An ONNX file may stand alone: its own metadata then holds the facts and the digest of its graph.

    Raises UsageError when there is no such file; ArtifactError when the file is of another kind, truncated,
    changed, or an engine without a manifest (an engine is code: it is loaded only with its provenance).
    """
    kind = SUFFIX_KINDS.get(path.suffix)
    if kind is None:
        raise ArtifactError(f"{path} is not an artifact of this program; those end in .onnx or .engine.")
    data = read_file(path)
    sidecar = sidecar_path(path)
    if sidecar.is_file():
        manifest = Manifest.from_json(read_file(sidecar), sidecar.name)
        if manifest.sha256 != sha256(data):
            raise ArtifactError(
                f"{path.name} is not the file that {sidecar.name} describes: it was changed, cut short or "
                "exchanged. Copy both again, or export again."
            )
    elif kind == "engine":
        raise ArtifactError(
            f"{path.name} has no manifest {sidecar.name} beside it, and an engine is code. Copy the manifest "
            "too, or build it here: dcgan-edge export CHECKPOINT --format engine."
        )
    else:
        manifest = _standalone_manifest(path, data)
    if manifest.kind != kind:
        raise ArtifactError(f"{path.name} is described as {manifest.kind} by {sidecar.name}.")
    return manifest, data


def read_file(path: Path) -> bytes:
    """The content of `path`. Raises UsageError if it is not a file, EdgeError if it cannot be read."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise UsageError(f"There is no file {path}.") from error
    except OSError as error:
        raise EdgeError(f"Cannot read {path}: {error.strerror or error}.") from error


def embed_manifest(data: bytes, manifest: Manifest) -> bytes:
    """Return the ONNX file `data` with `manifest` and a digest of both in its metadata_props."""
    facts = {"digest": _digest(data, manifest.to_dict()), "manifest": manifest.to_dict()}
    return onnx_file.with_metadata(data, {METADATA_KEY: json.dumps(facts, sort_keys=True)})


def _digest(data: bytes, facts: dict[str, Any]) -> str:
    """SHA-256 of an ONNX file's graph and of the facts it carries about itself."""
    return sha256((onnx_file.content_digest(data) + json.dumps(facts, sort_keys=True)).encode())


def _standalone_manifest(path: Path, data: bytes) -> Manifest:
    text = onnx_file.metadata(data, path.name).get(METADATA_KEY)
    if text is None:
        raise ArtifactError(
            f"{path.name} is an ONNX file of another program. Export it from a checkpoint: dcgan-edge export."
        )
    try:
        embedded = json.loads(text)
        digest, facts = embedded["digest"], embedded["manifest"]
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"The metadata of {path.name} is damaged ({error}).") from error
    if digest != _digest(data, facts):
        raise ArtifactError(f"{path.name} was changed after it was exported. Copy it again, or export again.")
    return Manifest.from_json(json.dumps(facts), path.name).sealed(data)
