"""Whether an engine may be loaded here, decided from its manifest before a byte of it is deserialised.

TensorRT loads an engine only in the very version that built it, unless it was built version-compatible, and
its kernels are for the compute capabilities that it was built for.
"""

from __future__ import annotations

import re
from types import ModuleType

from dcgan_edge.artifact import Manifest, file_stem
from dcgan_edge.errors import ArtifactError

from ..cuda import CudaDevice
from .library import MODULES, Flavour, version_tag

LIBRARY_NAMES: dict[Flavour, str] = {"tensorrt": "TensorRT", "rtx": "TensorRT-RTX"}


def flavour_of(manifest: Manifest) -> Flavour:
    """Which library built the engine: a builder of "rtx1.7.1" is TensorRT-RTX, "trt10.3.0" TensorRT."""
    return "rtx" if manifest.builder.startswith("rtx") else "tensorrt"


def is_version_compatible(manifest: Manifest) -> bool:
    """Whether the engine was built to be loaded by later versions, too. It then carries code for the host."""
    return bool(_options(manifest).get("version_compatible"))


def check_match(manifest: Manifest, trt: ModuleType, device: CudaDevice) -> None:
    """Raises ArtifactError, naming both sides and the way to rebuild, unless `trt` and `device` fit."""
    flavour = flavour_of(manifest)
    source = f"{file_stem(manifest.notes.get('for', 'any'))}.{manifest.label}.onnx"
    rebuild = f"Build it here: dcgan-edge build {source}"
    built = manifest.versions.get(MODULES[flavour], "")
    if _loads(manifest, built, trt) and device.sm in manifest.targets:
        return
    library = LIBRARY_NAMES[flavour]
    raise ArtifactError(
        f"This engine was built by {library} {built or manifest.builder} for "
        f"{', '.join(manifest.targets) or 'no device'}; this device has {library} {trt.__version__} on "
        f"{device.sm} ({device.name}). {rebuild}"
    )


def _loads(manifest: Manifest, built: str, trt: ModuleType) -> bool:
    """Whether this version of the library reads engines of the version `built`."""
    here = str(trt.__version__)
    if is_version_compatible(manifest):
        return _numbers(built) <= _numbers(here)
    return manifest.builder == version_tag(trt) and built in (here, "")


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _options(manifest: Manifest) -> dict[str, bool]:
    options = manifest.notes.get("options", {})
    return options if isinstance(options, dict) else {}
