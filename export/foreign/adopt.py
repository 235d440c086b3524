"""A foreign ONNX file to artifacts: read, brought into this program's form, and proven against the file.

`adopt_file` reads it, `adopt_ports` finds its inputs and its images, `adopt_reference` runs it as it is,
`adopt_convert` and `adopt_graph` make the graph of it that is written by `export.writing`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from dcgan_edge.architecture import CUSTOM
from dcgan_edge.artifact import Architecture, Artifact, BatchProfile, Manifest, generator_tensors
from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.files import StrPath
from dcgan_edge.latents import Distribution
from dcgan_edge.manifest import Layout, Origin, Output, Precision, Target
from dcgan_edge.names import shown
from dcgan_edge.runtime.onnxruntime_session import OnnxRuntimeSession
from dcgan_edge.runtime.parity import FP16_GATE, FP32_GATE, Gate, compare

from ..onnx.folding import fold_batch_norm
from ..onnx.operators import opset
from ..onnx.shapes import resolve
from ..writing import Making, Wanted, check_folder, write_generator
from .adopt_batch import PROBES, with_batch
from .adopt_check import check_in_child
from .adopt_convert import converted, has_half, plain
from .adopt_file import ForeignModel, read_foreign
from .adopt_graph import canonical
from .adopt_ports import FLOATS, Asked, Ports, find_ports
from .adopt_range import Reading, measure, read_end
from .adopt_reference import OnnxReference

LOOKED_AT = 8  # images that are made to see whether the file works
MEASURED = 256  # images whose range is looked at, fewer of large ones
MEASURED_BYTES = 2**28
WHOLE_GATE = Gate(
    None,
    50.0,
    2,
    "the file rounds its images to 256 levels: a quarter of the pixels may come out at the next one, 54 dB",
)


def adopt(
    model: StrPath, out: StrPath = "out", *, precisions: Sequence[Precision] = ("fp32", "fp16"),
    engine: bool = False, targets: Sequence[str] = (), keep_fp32: Sequence[str] = (),
    keep_fp16: Sequence[str] = (), batch: BatchProfile | None = None, workspace: int | None = None,
    target: Target = "any", output: Output = "float32", layout: Layout = "NCHW",
    value_range: tuple[float, float] | None = None, distribution: Distribution | None = None,
    latent_dim: int | None = None, output_name: str | None = None, class_input: str | None = None,
    classes: int | Sequence[str] = 0, progress: Callable[[str], None] | None = None,
) -> list[Artifact]:  # fmt: skip
    """Make artifacts of the generator in the ONNX file `model`, verified against it, in the folder `out`.

    The file may be of opset 7 or later, with weights beside it, with a fixed batch, in half precision, NHWC,
    and with a class input. Its artifacts have one input and one output as every artifact has, opset 18.

    `value_range` is what its black and white are, such as (0, 255); None goes by the graph's end, or else by
    the values of 256 images. `distribution` is what its latents are drawn from (None: assumed to be normal),
    `latent_dim` how many numbers they have where the file leaves that open. `output_name` is the output with
    the images, `class_input` the input that takes a class, and `classes` their number or their names; without
    a class input the last so many numbers of the input are the one-hot class. The other options are those of
    `export`.

    Raises UsageError when an option is missing or does not apply, ArtifactError for a file that is refused,
    and what `export` raises; parity is with the file in ONNX Runtime, not with PyTorch.
    """
    wanted = Wanted(
        tuple(precisions), engine, tuple(targets), tuple(keep_fp32), workspace, tuple(keep_fp16), target,
        output, layout,
    )  # fmt: skip
    check_folder(Path(out))
    say = progress or (lambda step: None)
    say("reading the file")
    names = tuple(map(str, range(classes))) if isinstance(classes, int) else tuple(classes)
    asked = Asked(output_name, class_input, len(names), latent_dim)
    source = read_foreign(model)
    check_in_child(Path(model), asked)
    found = find(source, asked, names, distribution or "normal")
    with found.reference as reference:
        say("running the file as it is")
        reading = _read_range(found, value_range)
        reference.reading = reading
        say("converting the graph")
        graph, profile = _convert(found, reading, batch)
        reference.manifest = dataclasses.replace(
            reference.manifest, origin=found.origin(reading, profile, assumed=distribution is None)
        )
        making = Making(
            reference=f"the ONNX file {found.name}",
            builder="dcgan-edge adopt",
            libraries=("dcgan-edge", "onnx", "onnxruntime"),
            gate=None if found.gate is FP32_GATE else found.gate,
            notes={"adopted": found.facts(reading)},
        )
        return write_generator(
            graph, reference, Path(out), wanted, batch=profile, making=making, progress=say
        )


def open_original(path: Path, manifest: Manifest) -> OnnxReference:
    """Return the session of the ONNX file at `path` that the artifact of `manifest` was adopted from.

    Raises UsageError when it was not adopted, or there is no such file, and ArtifactError for a file that is
    refused.
    """
    facts: Any = manifest.notes.get("adopted")
    architecture = manifest.architecture
    try:
        low, high = map(float, facts["range"])
        asked = Asked(
            output_name=str(facts["output"]),
            class_input=str(facts["class_input"]) or None,
            classes=len(architecture.classes),
            latent_dim=architecture.latent_dim,
        )
        reading = Reading(low, high, "as it was adopted", not facts["clipped"])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"{path.name} is an ONNX file, and the artifact was not adopted from one."
        ) from error
    source = read_foreign(path)
    check_in_child(path, asked)
    found = find(source, asked, architecture.classes, architecture.distribution)
    found.reference.reading = reading
    return found.reference


@dataclass(frozen=True)
class Found:
    """A file that was read: name, hash and opset, its graph in opset 18, what it takes, its session."""

    name: str
    sha256: str
    opset: int
    model: onnx.ModelProto
    ports: Ports
    reference: OnnxReference
    half: bool
    dropped: tuple[str, ...]

    @property
    def gate(self) -> Gate:
        """What the adopted graph must keep to: float32's, or half's where the file itself rounds."""
        if self.ports.output_kind not in FLOATS:
            return WHOLE_GATE
        if self.half:
            return dataclasses.replace(FP16_GATE, why="the file itself computes in half precision")
        return FP32_GATE

    def facts(self, reading: Reading) -> dict[str, Any]:
        """Return what `open_original` needs to read the file again, as JSON values."""
        label = self.ports.label
        return {
            "output": self.ports.output,
            "class_input": label.name if label is not None else "",
            "range": [reading.low, reading.high],
            "clipped": not reading.certain,
        }

    def origin(self, reading: Reading, profile: BatchProfile, *, assumed: bool) -> Origin:
        """Return what is to be known of the artifacts' origin."""
        ports = self.ports
        notes = [f"It was of opset {self.opset}.", f"Its images were in {reading}: {reading.why}."]
        if self.half:
            notes.append("It computes in half precision.")
        if ports.layout in ("NHWC", "HWC"):
            notes.append("Channels were its last axis.")
        if ports.label is not None and ports.label.kind not in FLOATS:
            notes.append("The class is the largest of its weights, so classes cannot be mixed.")
        if self.dropped:
            notes.append(f"Outputs left out: {', '.join(self.dropped)}.")
        if profile.min == profile.max:
            notes.append(f"Its batch is fixed to {profile.max}.")
        return Origin(
            kind="onnx",
            file=self.name,
            sha256=self.sha256,
            assumptions=("latents of the normal distribution",) if assumed else (),
            proof="measured",
            notes=tuple(notes),
        )


def find(
    source: ForeignModel, asked: Asked, classes: tuple[str, ...] = (), distribution: Distribution = "normal"
) -> Found:
    """Look into a file and open it. Nothing is run before the sizes of its tensors are known.

    Raises UsageError and ArtifactError as `adopt` does.
    """
    half = has_half(source.model)
    content = source.model.SerializeToString()  # with its weights inside, and otherwise as it came
    kinds = {
        value.name: value.type.tensor_type.elem_type
        for value in (*source.model.graph.input, *source.model.graph.output)
    }
    version = opset(source.model)
    model = converted(plain(source.model))
    ports = find_ports(model, asked, kinds)
    names = classes or tuple(str(number) for number in range(ports.classes))
    architecture = Architecture(
        CUSTOM, ports.size, ports.channels, 0, ports.latent_dim, distribution, classes=names
    )
    try:
        architecture.check()
    except ValueError as error:
        raise ArtifactError(f"{source.name} is no generator for this program: {error}.") from error
    dropped = tuple(shown(each.name, longest=40) for each in model.graph.output if each.name != ports.output)
    reference = OnnxReference(source, content, ports, architecture)
    return Found(source.name, source.sha256, version, model, ports, reference, half, dropped)


def _read_range(found: Found, asked: tuple[float, float] | None) -> Reading:
    """Return the range of the file's images: as its graph ends, as `asked`, or as measured.

    Raises ArtifactError when it makes NaN, infinities, or the same image of every latent.
    """
    architecture = found.reference.manifest.architecture
    ends = read_end(found.model, found.ports.output, found.ports.output_kind)
    known = ends if ends is not None and asked in (None, (ends.low, ends.high)) else None
    image = 4 * architecture.channels * architecture.size**2
    count = LOOKED_AT if known or asked else max(LOOKED_AT, min(MEASURED, MEASURED_BYTES // image))
    images = found.reference.run(architecture.inputs(range(count)))
    if not np.isfinite(images).all():
        raise ArtifactError(f"{found.name} makes values that are not finite (NaN or infinity).")
    if np.ptp(images, axis=0).max() == 0:
        raise ArtifactError(f"{found.name} makes the same image of every latent.")
    return known or (Reading(*asked, "as given", False) if asked else measure(images))


def _convert(
    found: Found, reading: Reading, batch: BatchProfile | None
) -> tuple[onnx.ModelProto, BatchProfile]:
    """Return the graph in this program's form, and the batches that it takes: those of `batch` if it can.

    Raises UsageError when it cannot.
    """
    ports = found.ports
    ranks = {name: len(shape) for name, (shape, _) in resolve(found.model, 1).tensors.items()}
    model = fold_batch_norm(found.model, ranks)
    try:
        graph = canonical(model, ports, reading, batch=None)
        if ports.batch is not None:
            _prove_free(found, graph)
    except EdgeError as error:
        if ports.batch is None:
            raise
        fixed = BatchProfile(ports.batch, ports.batch, ports.batch)
        if batch not in (None, fixed):
            raise UsageError(
                f"{found.name} is fixed to {ports.batch} images per call, and cannot be freed of that "
                f"({error}) Leave the batch options out."
            ) from error
        return canonical(model, ports, reading, batch=ports.batch), fixed
    profile = batch or BatchProfile()
    return (with_batch(graph, profile.max) if profile.min == profile.max else graph), profile


def _prove_free(found: Found, graph: onnx.ModelProto) -> None:
    """Raise EdgeError unless `graph` makes the file's images whatever the batch, which the file fixes."""
    reference = found.reference
    architecture = reference.manifest.architecture
    source, result = generator_tensors(architecture)
    manifest = Manifest("onnx", architecture, "fp32", (source,), (result,), BatchProfile(), "", "adopt")
    seeds = range(max(PROBES))
    inputs = architecture.inputs(seeds)
    expected = reference.run(inputs)
    with OnnxRuntimeSession(manifest, graph.SerializeToString(), device="cpu") as candidate:
        for count in PROBES:
            images = candidate.run(inputs[:count])
            compare(expected[:count], images, seeds[:count], found.gate).raise_if_failed(
                f"the graph for {count} images", found.name
            )
