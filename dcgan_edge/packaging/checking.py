"""Checking a bundle, packed or unpacked, before anything of it is loaded or unpacked.

Every file is hashed and held against SHA256SUMS, no file may be missing or too many, and each artifact must
be the one that its manifest describes, with its golden images. A signature of SHA256SUMS is one of all.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dcgan_edge.artifact import SUFFIX_KINDS, Manifest, golden_path, read_file, sidecar_path
from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.files import StrPath, sha256, sha256_of
from dcgan_edge.names import shown
from dcgan_edge.packaging.layout import (
    BOM,
    FACTS,
    FOLDERS,
    INSTALL,
    PROFILE,
    RECORD,
    REQUIREMENTS,
    ROOT,
    SIGNATURE,
    SUMS,
    TEXT_LIMIT,
    VENV,
    BundleFacts,
    is_sound_name,
    parse_sums,
    without_verdicts,
)
from dcgan_edge.packaging.stored_tar import Entry, read_archive

NEEDED = (BOM, FACTS, INSTALL, REQUIREMENTS)
Signature = Literal["none", "not checked", "good"]


@dataclass(frozen=True)
class CheckedBundle:
    """A bundle in which every byte is as it was packed. `manifests` are by the artifact's name, `files` is
    their number and `size` their bytes in all; `signature` is "good" where a key was given and it matches.
    """

    path: Path
    facts: BundleFacts
    manifests: Mapping[str, Manifest]
    files: int
    size: int
    signature: Signature

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON has them."""
        return {
            "bundle": str(self.path),
            "platform": self.facts.platform,
            "python": self.facts.python,
            "dcgan_edge": self.facts.dcgan_edge,
            "versions": self.facts.versions,
            "artifacts": {name: manifest.sha256 for name, manifest in self.manifests.items()},
            "files": self.files,
            "bytes": self.size,
            "signature": self.signature,
        }


def check_bundle(path: StrPath, *, key: StrPath | None = None) -> CheckedBundle:
    """Check the bundle at `path`, a .tar.gz or the folder it was unpacked to, and return what it is.

    Nothing is unpacked, loaded or run. In a folder, the virtual environment of install.sh, the record of
    `selftest` and the profile of `tune` may lie beside what was packed, and manifests have later verdicts.
    With `key`, a public key in PEM, the bundle must be signed by the private key that belongs to it; without,
    its hashes show damage, but not who packed it.

    Raises UsageError when there is no such file or key; ArtifactError for the first thing that is not as it
    was packed; UnavailableError when a signature is to be checked and model-signing is not installed.
    """
    path = Path(path)
    if path.is_dir():
        try:
            found = _read_folder(path)
        except OSError as error:
            raise EdgeError(f"Cannot read {shown(error.filename or path)}: {error.strerror}.") from error
    else:
        found = read_archive(path, ROOT, _is_text, limit=TEXT_LIMIT)
    _compare(found, path)
    facts = BundleFacts.from_json(_text(found, FACTS))
    manifests = {name: _manifest(name, found) for name in facts.artifacts}
    _refuse_unlisted(found, manifests)
    signature: Signature = "not checked" if SIGNATURE in found else "none"
    if key is not None:
        from dcgan_edge.packaging.signing import check_signature

        if SIGNATURE not in found:
            raise ArtifactError(
                f"{shown(path)} is not signed. Check it without a key, or pack it with --sign."
            )
        check_signature(_text(found, SUMS), _text(found, SIGNATURE), Path(key))
        signature = "good"
    size = sum(entry.size for entry in found.values())
    return CheckedBundle(path, facts, manifests, len(found), size, signature)


def _is_text(name: str) -> bool:
    """Whether the file is read as text: the lists, and the manifests."""
    return name in (SUMS, SIGNATURE, FACTS) or (name.startswith("artifacts/") and name.endswith(".json"))


def _text(found: Mapping[str, Entry], name: str) -> bytes:
    return found[name].content or b""


def _read_folder(folder: Path) -> dict[str, Entry]:
    """The files of an unpacked bundle. Links, devices and strange names are refused, not followed."""
    found: dict[str, Entry] = {}
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        inside = entry.name in FOLDERS and entry.is_dir(follow_symlinks=False)
        if (entry.name == VENV and entry.is_dir(follow_symlinks=False)) or entry.name == RECORD:
            continue
        for file in sorted(os.scandir(entry.path), key=lambda each: each.name) if inside else (entry,):
            name = f"{entry.name}/{file.name}" if inside else file.name
            if name == PROFILE:
                continue
            if not is_sound_name(name) or not stat.S_ISREG(file.stat(follow_symlinks=False).st_mode):
                raise ArtifactError(f"{shown(folder / name)} does not belong to a bundle. Remove it.")
            found[name] = _read_entry(Path(file.path), name)
    if SUMS not in found:
        raise UsageError(f"{shown(folder)} is no unpacked bundle: it has no {SUMS}.")
    return found


def _read_entry(path: Path, name: str) -> Entry:
    size = path.stat().st_size
    if _is_text(name) and size > TEXT_LIMIT:
        raise ArtifactError(f"{shown(path)} is larger than any of its kind.")
    return Entry(sha256_of(path), size, read_file(path) if _is_text(name) else None)


def _compare(found: Mapping[str, Entry], path: Path) -> None:
    """Raise ArtifactError unless `found` are exactly the files that SHA256SUMS lists."""
    if SUMS not in found:
        raise ArtifactError(f"{shown(path)} is no bundle: it has no {SUMS}.")
    digests = parse_sums(_text(found, SUMS))
    missing = [name for name in (*NEEDED, *digests) if name not in found]
    if missing:
        raise ArtifactError(f"{shown(path)} lacks {shown(missing[0])}. Copy it again.")
    for name, entry in found.items():
        if name in (SUMS, SIGNATURE):
            continue
        if name not in digests:
            raise ArtifactError(f"{shown(path)} has {shown(name)}, which is not in its {SUMS}.")
        if digests[name] not in (entry.sha256, _packed_digest(name, entry, path)):
            raise ArtifactError(
                f"{shown(name)} in {shown(path)} is not the one that was packed: it was changed or damaged. "
                "Copy the bundle again."
            )


def _packed_digest(name: str, entry: Entry, path: Path) -> str:
    """The digest of a manifest in an unpacked folder as it was before `verify` wrote into it, else ""."""
    if not path.is_dir() or not name.endswith(".json") or entry.content is None or "/" not in name:
        return ""
    try:
        return sha256(without_verdicts(Manifest.from_json(entry.content, name)))
    except ArtifactError:
        return ""


def _manifest(name: str, found: Mapping[str, Entry]) -> Manifest:
    """The manifest of the artifact `name`, once it and its golden images were found to be what it says."""
    file = Path("artifacts") / name
    parts = {"file": file, "manifest": sidecar_path(file), "golden images": golden_path(file)}
    for what, part in parts.items():
        if part.as_posix() not in found:
            raise ArtifactError(f"The bundle has no {what} of {shown(name)}.")
    manifest = Manifest.from_json(_text(found, parts["manifest"].as_posix()), shown(name) + ".json")
    golden = found[parts["golden images"].as_posix()]
    if SUFFIX_KINDS.get(file.suffix.lower()) != manifest.kind:
        raise ArtifactError(f"{shown(name)} is described as {manifest.kind} by its manifest.")
    if found[file.as_posix()].sha256 != manifest.sha256:
        raise ArtifactError(f"{shown(name)} is not the file that its manifest describes.")
    if manifest.golden is None or golden.sha256 != manifest.golden.sha256:
        raise ArtifactError(f"The golden images of {shown(name)} are not those that its manifest names.")
    return manifest


def _refuse_unlisted(found: Mapping[str, Entry], manifests: Mapping[str, Manifest]) -> None:
    files = [Path("artifacts") / name for name in manifests]
    known = {part.as_posix() for file in files for part in (file, sidecar_path(file), golden_path(file))}
    for name in found:
        if name.startswith("artifacts/") and name not in known:
            raise ArtifactError(f"The bundle has {shown(name)}, which {FACTS} does not name.")
        if name.startswith("wheels/") and not name.endswith(".whl"):
            raise ArtifactError(f"The bundle has {shown(name)}, which is no wheel.")
