"""A model repository of NVIDIA Triton Inference Server: one model for each artifact, and its config.pbtxt.

A repository holds only what Triton reads. ONNX files carry their manifest inside; of an engine, config.pbtxt
names the file that it was and its hash. Source: Triton Inference Server, "Model Configuration" and
"Model Repository".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan_edge import __version__
from dcgan_edge.artifact import Artifact, Manifest, TensorSpec, read_artifact, read_file
from dcgan_edge.errors import UsageError
from dcgan_edge.files import StrPath, write_atomic
from dcgan_edge.names import shown
from dcgan_edge.words import quoted

CONFIG = "config.pbtxt"
MARKER = "# Written by dcgan-edge"  # without it, a model is somebody else's and stays
TYPES = {"float32": "TYPE_FP32", "uint8": "TYPE_UINT8"}
PLATFORMS = {"onnx": ("onnxruntime_onnx", "onnxruntime"), "engine": ("tensorrt_plan", "tensorrt")}
FILES = {"onnx": "model.onnx", "engine": "model.plan"}
CPU_GRAPHS = ("onnxruntime-cpu", "openvino")  # what `export --for` writes for processors alone
DELAY_S = 0.001
MOST_DELAY_S = 60.0
MOST_INSTANCES = 256
CONCURRENCY = "1:4"  # requests in flight that perf_analyzer goes through


@dataclass(frozen=True)
class TritonModel:
    """One model of a repository. `requires` says what Triton's container must have, "" for an ONNX file;
    `perf_analyzer` is the command that measures the model on a server with default ports.
    """

    name: str
    folder: Path
    artifact: Artifact
    max_batch_size: int
    requires: str
    perf_analyzer: str

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON has them."""
        return {
            "name": self.name,
            "folder": str(self.folder),
            "artifact": str(self.artifact.path),
            "sha256": self.artifact.manifest.sha256,
            "max_batch_size": self.max_batch_size,
            "requires": self.requires or None,
            "perf_analyzer": self.perf_analyzer,
        }


def write_triton_repository(
    artifacts: Sequence[StrPath],
    repository: StrPath,
    *,
    delay_s: float = DELAY_S,
    instances: int = 1,
) -> list[TritonModel]:
    """Put each of `artifacts` into the model repository of Triton at `repository`, as version 1 of a model.

    Models are named after the files, with letters that Triton takes: `generator_fp16`. Requests wait for
    others up to `delay_s` seconds (0 to 60) to run as one batch, on `instances` copies (1 to 256) of the
    model for each GPU, or on the CPU. A model that this program wrote before is replaced.

    Raises UsageError for what Triton cannot run (an engine of TensorRT-RTX, a smallest batch above 1 that is
    not the only one), for two artifacts of one name, and for a model in the way that somebody else wrote;
    what `read_artifact` raises.
    """
    if not 0 <= delay_s <= MOST_DELAY_S or not 1 <= instances <= MOST_INSTANCES:
        raise UsageError(f"Requests wait 0 to {MOST_DELAY_S:g} s, for 1 to {MOST_INSTANCES} instances.")
    if not artifacts:
        raise UsageError("There is nothing to package without an artifact.")
    models = [_model(Path(path), Path(repository)) for path in artifacts]
    names = [model.name for model in models]
    for model in models:
        if names.count(model.name) > 1:
            raise UsageError(f"Several artifacts would be the model {model.name}; rename their files.")
        _refuse_strangers(model.folder)
    for model in models:
        manifest, data = read_artifact(model.artifact.path)
        text = config_text(
            model.name, manifest, model.artifact.path.name, delay_s=delay_s, instances=instances
        )
        write_atomic(model.folder / "1" / FILES[manifest.kind], data)
        write_atomic(model.folder / CONFIG, text.encode())
    return models


def config_text(name: str, manifest: Manifest, file: str, *, delay_s: float, instances: int) -> str:
    """Return the config.pbtxt of the model `name`, which is the artifact in `file`.

    Where the artifact takes one batch size alone, that is part of every shape, and Triton batches nothing.
    """
    platform, backend = PLATFORMS[manifest.kind]
    lines = [
        f"{MARKER} {__version__} from {shown(file)},",
        f"# sha256 {manifest.sha256}.",
        f"name: {_string(name)}",
        f"platform: {_string(platform)}",
        f"backend: {_string(backend)}",
        f"max_batch_size: {_largest(manifest)}",
        *_tensor("input", manifest, manifest.inputs[0]),
        *_tensor("output", manifest, manifest.outputs[0]),
        *_batching(manifest, delay_s),
        *_instances(manifest, instances),
        *_warm_up(manifest),
    ]
    return "\n".join([*lines, ""])


def _model(path: Path, repository: Path) -> TritonModel:
    manifest, _ = read_artifact(path)
    _refuse_unfit(path, manifest)
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", path.stem).strip("_") or "generator"
    requires = ""
    if manifest.kind == "engine":
        version = manifest.builder.removeprefix("trt")
        requires = f"TensorRT {version} on {' or '.join(manifest.targets) or 'the GPU it was built on'}"
    batch = [] if _is_fixed(manifest) else ["-b", str(manifest.batch.opt)]
    command = ("-i", "grpc", "-u", "localhost:8001", *batch, "--concurrency-range", CONCURRENCY)
    measuring = f"perf_analyzer -m {quoted(name, *command)}"
    folder = repository / name
    return TritonModel(name, folder, Artifact(path, manifest), _largest(manifest), requires, measuring)


def _refuse_unfit(path: Path, manifest: Manifest) -> None:
    """Raise UsageError for an artifact that no backend of Triton runs."""
    batch = manifest.batch
    if manifest.kind == "engine" and not manifest.builder.startswith("trt"):
        raise UsageError(
            f"{path.name} is an engine of TensorRT-RTX, and Triton runs those of TensorRT. Package the ONNX "
            "file, or build on the server's own GPU: dcgan-edge build."
        )
    if batch.min > 1 and not _is_fixed(manifest):
        raise UsageError(
            f"{path.name} takes {batch.min} images and more, and Triton also sends single ones. Export it "
            "again with --min-batch 1."
        )


def _refuse_strangers(folder: Path) -> None:
    config = folder / CONFIG
    if not folder.exists() or (config.is_file() and read_file(config).startswith(MARKER.encode())):
        return
    raise UsageError(
        f"{folder} is there, and not written by this program. Remove it, or choose another folder."
    )


def _is_fixed(manifest: Manifest) -> bool:
    return manifest.batch.min == manifest.batch.max


def _largest(manifest: Manifest) -> int:
    """Triton's max_batch_size; 0 says that shapes hold the batch."""
    return 0 if _is_fixed(manifest) else manifest.batch.max


def _dims(manifest: Manifest, tensor: TensorSpec) -> str:
    shape = tensor.shape[1:]
    whole = (manifest.batch.max, *shape) if _is_fixed(manifest) else shape
    return f"dims: [ {', '.join(map(str, whole))} ]"


def _tensor(role: str, manifest: Manifest, tensor: TensorSpec) -> Iterator[str]:
    yield f"{role} ["
    yield f"  {{ name: {_string(tensor.name)} data_type: {TYPES[tensor.dtype]} {_dims(manifest, tensor)} }}"
    yield "]"


def _batching(manifest: Manifest, delay_s: float) -> Iterator[str]:
    if _is_fixed(manifest):
        return
    sizes = sorted({manifest.batch.opt, manifest.batch.max})
    yield "dynamic_batching {"
    yield f"  preferred_batch_size: [ {', '.join(map(str, sizes))} ]"
    yield f"  max_queue_delay_microseconds: {round(delay_s * 1e6)}"
    yield "}"


def _instances(manifest: Manifest, count: int) -> Iterator[str]:
    """An engine runs on GPUs, a graph for processors on the CPU, any other on a GPU where there is one."""
    kind, profile = "KIND_AUTO", ""
    if manifest.kind == "engine":
        kind = "KIND_GPU"
        profiles = manifest.notes.get("profiles")
        if isinstance(profiles, list) and len(profiles) > 1:
            numbers = ", ".join(_string(str(number)) for number in range(len(profiles)))
            profile = f" profile: [ {numbers} ]"
    elif manifest.notes.get("for") in CPU_GRAPHS:
        kind = "KIND_CPU"
    yield f"instance_group [ {{ count: {count} kind: {kind}{profile} }} ]"


def _warm_up(manifest: Manifest) -> Iterator[str]:
    """Requests that Triton runs before it says that it is ready: of one image, and of the batch tuned for."""
    source = manifest.inputs[0]
    content = f"data_type: {TYPES[source.dtype]} {_dims(manifest, source)} random_data: true"
    yield "model_warmup ["
    sizes = [1] if _is_fixed(manifest) else sorted({1, manifest.batch.opt})
    for size in sizes:
        end = "" if size == sizes[-1] else ","
        yield f'  {{ name: "batch {size}" batch_size: {size}'
        yield f"    inputs {{ key: {_string(source.name)} value {{ {content} }} }} }}{end}"
    yield "]"


def _string(text: str) -> str:
    """`text` in quotes as protobuf's text format has it; what is not plain ASCII as octal bytes."""
    plain = (
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}"
        for byte in text.encode(errors="replace")
    )
    return f'"{"".join(plain)}"'
