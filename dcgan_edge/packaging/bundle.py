"""Writing a bundle: artifacts with their proofs and all that runs them, in one file for a machine offline."""

from __future__ import annotations

import dataclasses
import platform as machine
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dcgan_edge import __version__
from dcgan_edge.artifact import Manifest, golden_path, read_artifact, sidecar_path
from dcgan_edge.errors import UsageError
from dcgan_edge.files import StrPath, check_writable, sha256, sha256_of
from dcgan_edge.golden import read_golden
from dcgan_edge.packaging.bom import bom_text
from dcgan_edge.packaging.install_script import install_script
from dcgan_edge.packaging.layout import (
    BOM,
    FACTS,
    INSTALL,
    PLATFORMS,
    REQUIREMENTS,
    ROOT,
    SIGNATURE,
    SUMS,
    BundleFacts,
    Platform,
    is_sound_file,
    sums_text,
    without_verdicts,
)
from dcgan_edge.packaging.stored_tar import write_archive
from dcgan_edge.packaging.wheels import Download, Target, Wheel, collect_wheels, requirements_text

MACHINES = {"AMD64": "x86_64", "arm64": "aarch64"}  # other systems' names
PYTHON = re.compile(r"3\.(1[0-9]|[2-9][0-9])")
OLDEST_PYTHON = "3.10"


@dataclass(frozen=True)
class Bundle:
    """A bundle that was written: what it is for, its wheels' names, its bytes in all."""

    path: Path
    facts: BundleFacts
    wheels: tuple[str, ...]
    size: int
    sha256: str
    signed: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON has them."""
        return {
            "bundle": str(self.path),
            "platform": self.facts.platform,
            "python": self.facts.python,
            "artifacts": list(self.facts.artifacts),
            "versions": self.facts.versions,
            "wheels": list(self.wheels),
            "bytes": self.size,
            "sha256": self.sha256,
            "signed": self.signed,
        }


def write_bundle(
    artifacts: Sequence[StrPath],
    output: StrPath,
    *,
    platform: Platform | None = None,
    python: str | None = None,
    extras: Sequence[str] | None = None,
    license: str = "",
    key: StrPath | None = None,
    download: Download | None = None,
    progress: Callable[[str], None] | None = None,
) -> Bundle:
    """Put `artifacts`, their manifests and golden images, and the wheels that run them into `output`.

    `platform` and `python` ("3.10") are those of the machine that it is for, None are this one's. `extras`
    are what this program is installed with there; None is "cpu" where an ONNX file is among the artifacts and
    "jetson" where an engine goes to aarch64. `license` is the generators' in the bill of materials, and `key`
    a private key in PEM to sign with. `download` replaces pip. The same input gives the same bytes, but for
    the signature.

    Raises UsageError for what cannot be in one bundle (names that clash, an engine built for another
    processor), what `read_artifact` and `read_golden` raise, UnavailableError when a library that packing
    needs is not here, and EdgeError when wheels are not to be had or `output` cannot be written.
    """
    say = progress or (lambda step: None)
    path = Path(output)
    target = _target(platform, python)
    check_writable(path)
    if key is not None:
        from dcgan_edge.packaging.signing import need_library

        need_library()
    files, manifests = _artifact_files([Path(each) for each in artifacts], target)
    kinds = {manifest.kind for manifest in manifests.values()}
    chosen = _default_extras(kinds, target) if extras is None else tuple(dict.fromkeys(extras))
    say(f"collecting wheels for {target.machine} and Python {target.python}")
    wheels = collect_wheels(target, chosen, download=download)
    facts = BundleFacts(
        f"linux-{target.machine}",
        target.python,
        __version__,
        tuple(manifests),
        {wheel.name: wheel.version for wheel in wheels},
    )
    files |= _other_files(facts, manifests, wheels, license, "engine" in kinds)
    files[SUMS] = sums_text({name: sha256(data) for name, data in files.items()}).encode()
    if key is not None:
        from dcgan_edge.packaging.signing import sign

        files[SIGNATURE] = sign(files[SUMS], Path(key))
    say(f"writing {path.name}")
    write_archive(path, ROOT, files)
    return Bundle(
        path, facts, tuple(w.file for w in wheels), path.stat().st_size, sha256_of(path), key is not None
    )


def _target(platform: Platform | None, python: str | None) -> Target:
    here = machine.machine()
    name = platform or f"linux-{MACHINES.get(here, here)}"
    if name not in PLATFORMS:
        raise UsageError(f"There are no bundles for {name}; name --platform, one of {', '.join(PLATFORMS)}.")
    version = python or ".".join(machine.python_version_tuple()[:2])
    if not PYTHON.fullmatch(version):
        raise UsageError(
            f"{version[:20]!r} is no Python that this program runs on; write {OLDEST_PYTHON} or newer."
        )
    return Target(name.removeprefix("linux-"), version)


def _artifact_files(paths: Sequence[Path], target: Target) -> tuple[dict[str, bytes], dict[str, Manifest]]:
    """The files of the artifacts by their name in the bundle, and the manifests by the artifact's."""
    files: dict[str, bytes] = {}
    manifests: dict[str, Manifest] = {}
    for path in sorted(paths, key=lambda each: each.name):
        if not is_sound_file(path.name):
            raise UsageError(f"{path.name!r} is no name for a file in a bundle; rename it.")
        if path.name in manifests:
            raise UsageError(f"Two artifacts are called {path.name}; rename one.")
        manifest, data = read_artifact(path)
        _, golden = read_golden(path, manifest)
        built = MACHINES.get(manifest.built_on.get("architecture", ""), manifest.built_on.get("architecture"))
        if manifest.kind == "engine" and built not in (None, target.machine):
            raise UsageError(f"{path.name} was built on {built}, and does not run on {target.machine}.")
        inside = Path("artifacts") / path.name
        files[inside.as_posix()] = data
        files[sidecar_path(inside).as_posix()] = without_verdicts(manifest)
        files[golden_path(inside).as_posix()] = golden
        manifests[path.name] = dataclasses.replace(manifest, verified=())
    if not manifests:
        raise UsageError("There is nothing to package without an artifact.")
    return files, manifests


def _default_extras(kinds: Collection[str], target: Target) -> tuple[str, ...]:
    """What runs these kinds. TensorRT itself is the device's own: JetPack's, or what its owner installed."""
    needed = {"onnx": "cpu", "engine": "jetson" if target.machine == "aarch64" else ""}
    return tuple(sorted(extra for kind, extra in needed.items() if kind in kinds and extra))


def _other_files(
    facts: BundleFacts,
    manifests: dict[str, Manifest],
    wheels: Sequence[Wheel],
    license: str,
    has_engine: bool,
) -> dict[str, bytes]:
    return {
        **{f"wheels/{wheel.file}": wheel.content for wheel in wheels},
        FACTS: facts.to_json().encode(),
        BOM: bom_text(manifests, wheels, license=license).encode(),
        REQUIREMENTS: requirements_text(wheels).encode(),
        INSTALL: install_script(facts.platform, facts.python, system_packages=has_engine),
    }
