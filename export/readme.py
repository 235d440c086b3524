"""A short README.md beside artifacts: what goes in, what comes out, and the lines that run them.

Written from the manifests alone, without torch and onnx, as a device that builds engines has neither. Text
that may come from strangers' files (names of classes, notes) is shown as one line, its markup escaped.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from dcgan_edge.artifact import Artifact, Manifest
from dcgan_edge.errors import ArtifactError
from dcgan_edge.files import write_atomic
from dcgan_edge.names import shown
from dcgan_edge.words import count_words, parity_words, quoted

NAME = "README.md"
MARKER = "<!-- Written by dcgan-edge. Without this line it is never replaced. -->"
SHOWN_CLASSES = 20
MOST_IMAGES = 4  # that the examples make
PREFERRED = ("fp16", "mixed", "fp32", "int8")
KINDS = {
    "onnx": "ONNX Runtime, or any other program that reads ONNX",
    "engine": "TensorRT",
    "checkpoint": "PyTorch",
}
ORIGINS = {
    ("import", "assumed"): "read by its tensors; what they do not tell is ASSUMED, and was not compared",
    ("import", "measured"): "read by its tensors, and measured against images that its own code made",
    ("module", "assumed"): "run by its own code",
    ("module", "measured"): "run by its own code",
    ("onnx", "assumed"): "adopted from another program's ONNX; what it does not tell is ASSUMED",
    ("onnx", "measured"): "adopted from another program's ONNX, and measured against it",
}


def write_readme(folder: Path, artifacts: Sequence[Artifact]) -> Path | None:
    """Describe `artifacts`, and what else of the same generator lies in `folder`, in its README.md.

    Returns the path, or None where a README.md that this program did not write was left as it is.

    Raises EdgeError when it cannot be written.
    """
    path = folder / NAME
    if os.path.lexists(path) and not _is_ours(path):
        return None
    write_atomic(path, readme_text(_all(folder, artifacts)).encode())
    return path


def readme_text(artifacts: Sequence[Artifact]) -> str:
    """Return the README of `artifacts`, which are of one generator."""
    first = artifacts[0].manifest
    architecture = first.architecture
    size = f"{architecture.size} x {architecture.size}"
    kind = {1: "grey", 3: "RGB"}.get(architecture.channels, f"{architecture.channels}-channel")
    sections = [
        f"{MARKER}\n# A generator of {size} pixel {kind} images\n",
        "\n".join(_table(artifacts)),
        "\n".join(_tensors(artifacts)),
        "\n".join(_proof(artifacts)),
        _cli_section(artifacts),
    ]
    runnable = _preferred(artifacts, "onnx")
    if runnable is not None:
        sections.append(_onnxruntime_section(runnable))
    engine = _preferred(artifacts, "engine")
    if engine is not None:
        sections.append(_tensorrt_section(engine))
    return "\n".join(sections)


def _is_ours(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(MARKER)) == MARKER.encode()
    except OSError:
        return False


def _all(folder: Path, artifacts: Sequence[Artifact]) -> list[Artifact]:
    """`artifacts` and those beside them that make the same images, by name; the new ones take precedence."""
    found = {artifact.path.name: artifact for artifact in artifacts}
    like = artifacts[0].manifest
    for sidecar in sorted(folder.glob("*.json")):
        path = sidecar.with_suffix("")
        if path.name in found or path.suffix not in (".onnx", ".engine") or not path.is_file():
            continue
        try:
            manifest = Manifest.from_json(sidecar.read_bytes(), sidecar.name)
        except (OSError, ArtifactError):
            continue
        if (manifest.architecture, manifest.golden) == (like.architecture, like.golden):
            found[path.name] = Artifact(path, manifest)
    order = {"checkpoint": 0, "onnx": 1, "engine": 2}
    listed = [artifact for artifact in found.values() if artifact.path.name.isprintable()]
    return sorted(listed or artifacts, key=lambda each: (order[each.manifest.kind], each.path.name))


def _preferred(artifacts: Sequence[Artifact], kind: str) -> Artifact | None:
    some = [artifact for artifact in artifacts if artifact.manifest.kind == kind]
    return min(some, key=lambda each: PREFERRED.index(each.manifest.precision), default=None)


def _table(artifacts: Sequence[Artifact]) -> Iterator[str]:
    yield "| file | for | precision | images per call |"
    yield "|---|---|---|---|"
    for artifact in artifacts:
        manifest, batch = artifact.manifest, artifact.manifest.batch
        runs = (
            f"{KINDS[manifest.kind]} on {', '.join(manifest.targets)}"
            if manifest.targets
            else KINDS[manifest.kind]
        )
        count = str(batch.max) if batch.min == batch.max else f"{batch.min} to {batch.max}"
        yield f"| `{artifact.path.name}` | {runs} | {manifest.precision} | {count} |"
    yield ""
    if artifacts[0].manifest.kind == "checkpoint":
        return
    yield "Beside each lie its manifest (`.json`) and the images it has to make (`.golden.gz`): copy both."
    yield ""


def _tensors(artifacts: Sequence[Artifact]) -> Iterator[str]:
    architecture, source = artifacts[0].manifest.architecture, artifacts[0].manifest.inputs[0]
    drawn = "drawn from N(0, 1)" if architecture.distribution == "normal" else "drawn evenly from -1..1"
    dim, classes = architecture.latent_dim, architecture.classes
    shape = f"(batch, {architecture.input_dim}, 1, 1)"
    if classes:
        yield (
            f"- Input `{source.name}`: float32 {shape}, {dim} numbers {drawn}, then {len(classes)} for "
            "the class: 1 in its place, 0 elsewhere."
        )
        names = [f"{place} = {_plain(name)}" for place, name in enumerate(classes[:SHOWN_CLASSES])]
        more = f", and {len(classes) - SHOWN_CLASSES} more" if len(classes) > SHOWN_CLASSES else ""
        yield f"- Classes: {', '.join(names)}{more}."
    else:
        yield f"- Input `{source.name}`: float32 {shape}, {drawn}."
    outputs = [artifact.manifest.outputs[0] for artifact in artifacts]
    for result in dict.fromkeys(outputs):
        names = [artifact.path.name for artifact in artifacts if artifact.manifest.outputs[0] == result]
        whose = f" of `{'`, `'.join(names)}`" if len(names) < len(outputs) else ""
        shape = ", ".join(map(str, result.shape))
        order = "channels first" if result.layout == "NCHW" else "channels last"
        ends = "from 0 (black) to 255" if result.dtype == "uint8" else "from -1 (black) to 1"
        yield f"- Output `{result.name}`{whose}: {result.dtype} ({shape}), {order}, {ends}."
    yield ""


def _proof(artifacts: Sequence[Artifact]) -> Iterator[str]:
    """What was proven and what was assumed."""
    first = artifacts[0].manifest
    for artifact in artifacts:
        if artifact.manifest.kind == "checkpoint":
            continue
        reference = artifact.manifest.parity.get("reference")
        seeds = count_words(artifact.manifest.parity.get("seeds", 0), "seed")
        against = f" ({seeds} against {_plain(str(reference))})" if reference else ""
        yield f"- Parity of `{artifact.path.name}`{against}: {_plain(parity_words(artifact.manifest))}."
    origin = first.origin
    if origin is not None:
        how = ORIGINS[origin.kind, origin.proof]
        yield f"- Came from {_plain(origin.file)} (sha256 {origin.sha256[:12]}), {how}:"
        for sentence in (*origin.assumptions, *origin.notes):
            yield f"  - {_plain(sentence)}"
    yield ""


def _cli_section(artifacts: Sequence[Artifact]) -> str:
    chosen = _preferred(artifacts, "engine") or _preferred(artifacts, "onnx") or artifacts[0]
    manifest, name = chosen.manifest, quoted(chosen.path.name)
    lines = []
    if manifest.kind == "checkpoint":
        lines.append(f"dcgan-edge export {name} --out .")
        name = "generator.fp16.onnx"
    lines.append(f"dcgan-edge verify {name}")
    lines.append(f"dcgan-edge sample {name} --seeds 0-15 --grid 4x4 --out samples")
    if manifest.architecture.classes:
        lines.append(f"dcgan-edge sample {name} --seeds 0-15 --class 0 --out samples")
    lines.append(f"dcgan-edge bench {name}")
    if manifest.kind != "engine":
        lines.append(f"dcgan-edge build {name}")
    hint = {
        "checkpoint": "`export` makes of it what other programs run, and writes this file anew.",
        "onnx": "`verify` proves the file on the machine it runs on; `build` makes a TensorRT engine for it.",
        "engine": "`verify` proves the file on the machine it runs on.",
    }[manifest.kind]
    return "## dcgan-edge\n\n```bash\n" + "\n".join(lines) + f"\n```\n\n{hint}\n"


def _drawing(manifest: Manifest) -> str:
    """The Python lines that draw latents: the first contract of this program in NumPy."""
    architecture = manifest.architecture
    dim = architecture.latent_dim
    draw = (
        "    radius, angle = np.sqrt(-2 * np.log(u[0::2])), 2 * np.pi * u[1::2]\n"
        f"    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)[:{dim}]\n"
        if architecture.distribution == "normal"
        else f"    return 2 * u[:{dim}] - 1\n"
    )
    count = _count(manifest)
    chosen = f"latents[:, {dim} + 0] = 1  # the class 0\n" if architecture.classes else ""
    return (
        "def latent(seed):  # as dcgan-edge draws it, so that a seed means the same image\n"
        f"    words = np.random.Philox(key=seed).random_raw({dim + dim % 2})\n"
        "    u = ((words >> np.uint64(11)) + 0.5) * 2.0**-53\n"
        f"{draw}\n"
        f"latents = np.zeros(({count}, {architecture.input_dim}, 1, 1), np.float32)\n"
        f"latents[:, :{dim}, 0, 0] = [latent(seed) for seed in range({count})]\n"
        f"{chosen}"
    )


def _count(manifest: Manifest) -> int:
    """How many images the examples make at once."""
    return min(max(MOST_IMAGES, manifest.batch.min), manifest.batch.max)


def _onnxruntime_section(artifact: Artifact) -> str:
    manifest = artifact.manifest
    source, result = manifest.inputs[0].name, manifest.outputs[0].name
    return (
        "## ONNX Runtime\n\n```python\nimport numpy as np\nimport onnxruntime\nfrom PIL import Image\n\n"
        'PROVIDERS = ["CPUExecutionProvider"]  # with onnxruntime-gpu, "CUDAExecutionProvider" before it\n\n'
        f"{_drawing(manifest)}"
        f"session = onnxruntime.InferenceSession({_text(artifact.path.name)}, providers=PROVIDERS)\n"
        f"(images,) = session.run([{_text(result)}], {{{_text(source)}: latents}})\n"
        f"{_saving(manifest)}```\n"
    )


def _saving(manifest: Manifest) -> str:
    """The Python lines that write `images` as PNG files, by way of bytes where the artifact makes floats."""
    result = manifest.outputs[0]
    turned = "image.transpose(1, 2, 0)" if result.layout == "NCHW" else "image"
    to_bytes = "images = np.rint(np.clip(images, -1, 1) * 127.5 + 127.5).astype(np.uint8)\n"
    return (
        f"{'' if result.dtype == 'uint8' else to_bytes}"
        "for seed, image in enumerate(images):\n"
        f'    Image.fromarray({turned}.squeeze()).save(f"image{{seed}}.png")\n'
    )


def _tensorrt_section(artifact: Artifact) -> str:
    manifest = artifact.manifest
    source, result = manifest.inputs[0].name, manifest.outputs[0].name
    library = "tensorrt_rtx" if manifest.builder.startswith("rtx") else "tensorrt"
    shape = (_count(manifest), *map(int, manifest.outputs[0].shape[1:]))
    return (
        "## TensorRT\n\n"
        "An engine is code for the GPU and the version of TensorRT that it was built for. The packages are "
        f"{library} and cuda-python.\n\n```python\nimport numpy as np\nimport {library} as trt\n"
        "from cuda.bindings import runtime as cuda\nfrom PIL import Image\n\n"
        f"{_drawing(manifest)}"
        "runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))\n"
        f'engine = runtime.deserialize_cuda_engine(open({_text(artifact.path.name)}, "rb").read())\n'
        "context = engine.create_execution_context()\n"
        f"context.set_input_shape({_text(source)}, latents.shape)\n"
        f"images = np.empty({shape}, np.{manifest.outputs[0].dtype})\n"
        "source, result = (cuda.cudaMalloc(array.nbytes)[1] for array in (latents, images))\n"
        f"context.set_tensor_address({_text(source)}, source)\n"
        f"context.set_tensor_address({_text(result)}, result)\n"
        "stream = cuda.cudaStreamCreate()[1]\n"
        "copy, kind = cuda.cudaMemcpyAsync, cuda.cudaMemcpyKind\n"
        "copy(source, latents.ctypes.data, latents.nbytes, kind.cudaMemcpyHostToDevice, stream)\n"
        "context.execute_async_v3(int(stream))\n"
        "copy(images.ctypes.data, result, images.nbytes, kind.cudaMemcpyDeviceToHost, stream)\n"
        "cuda.cudaStreamSynchronize(stream)\n"
        f"{_saving(manifest)}```\n"
    )


def _text(name: str) -> str:
    """Return `name` as Python reads it."""
    return json.dumps(name, ensure_ascii=False)


def _plain(text: str) -> str:
    """Return `text` as one line in which Markdown finds no markup of its own."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", shown(text, longest=400))
