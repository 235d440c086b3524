"""Any `torch.nn.Module` from latents to images, exported as our own generators are.

The user's code runs here, in this process: it is asked for by name, and the manifest says so. The reference
is the module itself, as it runs in eager PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx

from dcgan_edge.architecture import CUSTOM, MOST_CLASSES, Architecture
from dcgan_edge.artifact import (
    Artifact,
    BatchProfile,
    Layout,
    Manifest,
    Output,
    Precision,
    Target,
    generator_tensors,
)
from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.files import StrPath
from dcgan_edge.latents import Distribution
from dcgan_edge.manifest import Origin

from ..onnx.graph import build_graph
from ..onnx.reference import LARGEST_BATCH, TorchSession
from ..writing import Making, Wanted, check_folder, write_generator
from .module_calling import CanonicalModule, find_call
from .module_loading import LoadedModule, importing_from_here, load_module

ADVICE = (
    "Its forward may not decide by the values of tensors (torch.where for `if`, tensors for `.item()`), nor "
    "by their number, unless that is fixed: --min-batch 8 --opt-batch 8 --max-batch 8. Or export it to ONNX "
    "your own way, and bring that: dcgan-edge adopt."
)


def export_module(
    name: str, out: StrPath = "out", *, latent_dim: int, arguments: Mapping[str, Any] | None = None,
    weights: StrPath | None = None, key: str | None = None, classes: int | Sequence[str] = (),
    distribution: Distribution = "normal", value_range: tuple[float, float] | None = None,
    precisions: Sequence[Precision] = ("fp32", "fp16"), engine: bool = False, targets: Sequence[str] = (),
    keep_fp32: Sequence[str] = (), keep_fp16: Sequence[str] = (), batch: BatchProfile | None = None,
    workspace: int | None = None, target: Target = "any", output: Output = "float32",
    layout: Layout = "NCHW", progress: Callable[[str], None] | None = None,
) -> list[Artifact]:  # fmt: skip
    """Write the module of `name`, "package.module:factory", into the folder `out`, and return the files.

    RUNS THE CODE OF `name`. It is imported, from the current folder too, and called with the keyword
    `arguments`; it takes latents (batch, latent_dim) or (batch, latent_dim, 1, 1), and with `classes` (their
    number, or their names) a class as its number or one-hot; it makes square images (batch, channels, size,
    size) in `value_range`, None to tell by the images. All of that is found by trying. `weights` is a file of
    its state dict, in it at `key`; None leaves it those that it comes with. The other options are those of
    `export`.

    Raises UsageError (no such module, other weights than its own, no such latents, no images), EdgeError (its
    code raises, its images are random or depend on the batch, torch.export cannot follow it), ArtifactError
    (the file of weights), VerificationError and UnavailableError as `export` does.
    """
    wanted = Wanted(
        tuple(precisions), engine, tuple(targets), tuple(keep_fp32), workspace, tuple(keep_fp16), target,
        output, layout,
    )  # fmt: skip
    check_folder(Path(out))
    say = progress or (lambda step: None)
    profile = batch or BatchProfile()
    names = _class_names(classes)
    _check_request(Architecture(CUSTOM, 8, 1, 0, latent_dim, distribution, names))
    say(f"running the code of {name}")
    with importing_from_here():
        loaded = load_module(name, arguments=arguments, weights=Path(weights) if weights else None, key=key)
        module, images, found = find_call(
            loaded,
            latent_dim=latent_dim,
            classes=len(names),
            distribution=distribution,
            value_range=value_range,
            batch=profile.max if profile.min == profile.max else None,
        )
        architecture = Architecture(
            CUSTOM, images.shape[2], images.shape[1], 0, latent_dim, distribution, names
        )
        reference = ModuleSession(loaded, module, architecture, profile, found)
        say("tracing the module")
        graph = _graph(module, architecture, profile, name)
        making = Making(reference=f"the module {name}")
        return write_generator(
            graph, reference, Path(out), wanted, batch=profile, making=making, progress=say
        )


def _class_names(classes: int | Sequence[str]) -> tuple[str, ...]:
    if not isinstance(classes, int):
        return tuple(classes)
    if not 0 <= classes <= MOST_CLASSES:
        raise UsageError(f"There is no such generator: {classes} are not up to {MOST_CLASSES} classes.")
    return tuple(map(str, range(classes)))


def _check_request(architecture: Architecture) -> None:
    """Raise UsageError for latents and classes that no generator has; the size of the images is not known."""
    try:
        architecture.check()
    except ValueError as error:
        raise UsageError(f"There is no such generator: {error}.") from error


class ModuleSession(TorchSession):
    """A module of others in eager PyTorch, float32 on the CPU, behind the `Session` contract."""

    def __init__(
        self,
        loaded: LoadedModule,
        module: CanonicalModule,
        architecture: Architecture,
        batch: BatchProfile,
        found: tuple[str, ...],
    ) -> None:
        """`found` are sentences about how it is called. A fixed `batch` is kept to."""
        self.generator = module
        source, result = generator_tensors(architecture)
        fixed = batch.min == batch.max
        self.manifest = Manifest(
            kind="checkpoint",
            architecture=architecture,
            precision="fp32",
            inputs=(source,),
            outputs=(result,),
            batch=batch if fixed else BatchProfile(1, 16, LARGEST_BATCH),
            parent_sha256="",
            builder=loaded.name,
            origin=Origin(
                "module", loaded.file or loaded.name, loaded.sha256, found, "measured", loaded.notes
            ),
            sha256=loaded.sha256,
        )


def _graph(
    module: CanonicalModule, architecture: Architecture, batch: BatchProfile, name: str
) -> onnx.ModelProto:
    try:
        return build_graph(module, architecture, batch)
    except EdgeError as error:
        raise EdgeError(f"{name} cannot be exported: {error} {ADVICE}") from error
