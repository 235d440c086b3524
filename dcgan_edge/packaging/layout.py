"""What a bundle holds and how its parts are called, for those who write, check and use it.

dcgan-edge-bundle/
  SHA256SUMS          a line for each of the others, as sha256sum has it
  SHA256SUMS.sig      its OpenSSF signature, if the bundle was signed
  artifacts/          generators, each with its manifest and its golden images
  bom.cdx.json        the bill of materials, CycloneDX
  bundle.json         what the bundle is for (`BundleFacts`)
  install.sh          makes a virtual environment of the wheels, without network
  requirements.txt    the wheels with their hashes, as pip has it
  wheels/
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Literal, get_args

from dcgan_edge.artifact import Manifest
from dcgan_edge.errors import ArtifactError
from dcgan_edge.schema import build, read_json

Platform = Literal["linux-x86_64", "linux-aarch64"]  # what bundles are for
PLATFORMS: tuple[Platform, ...] = get_args(Platform)
ROOT = "dcgan-edge-bundle"
SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"
FACTS = "bundle.json"
BOM = "bom.cdx.json"
INSTALL = "install.sh"
REQUIREMENTS = "requirements.txt"
FILES = (SUMS, SIGNATURE, FACTS, BOM, INSTALL, REQUIREMENTS)
FOLDERS = ("artifacts", "wheels")
VENV = "venv"  # what install.sh leaves in the unpacked folder
RECORD = "selftest.json"  # and what `selftest` leaves there
PROFILE = "artifacts/tuned.json"  # and `tune`
TEXT_LIMIT = 4 * 2**20  # bytes of a file that is read as text
LONGEST_NAME = 150  # bytes of a file's name; with its folder it has to fit into a tar header
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class BundleFacts:
    """What a bundle is for: `platform` "linux-aarch64", `python` "3.10"; `artifacts` are names in its folder
    of artifacts, `versions` of the wheels by distribution. `dcgan_edge` is the version that wrote it.
    """

    platform: str
    python: str
    dcgan_edge: str
    artifacts: tuple[str, ...]
    versions: dict[str, str]

    def to_json(self) -> str:
        """Return the text of bundle.json; the same facts always give the same."""
        facts = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)}
        return json.dumps(facts, indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: bytes) -> BundleFacts:
        """Return the facts that `text` holds. Raises ArtifactError unless they are whole, of this schema."""
        facts: Any = read_json(text, FACTS, limit=TEXT_LIMIT)
        if not isinstance(facts, dict) or facts.pop("schema_version", None) != SCHEMA_VERSION:
            raise ArtifactError(f"{FACTS} is not of schema {SCHEMA_VERSION}, which this program reads.")
        try:
            return build(cls, facts)
        except ValueError as error:
            raise ArtifactError(f"{FACTS} is not that of a bundle ({error}).") from error


def is_sound_name(name: str) -> bool:
    """Return whether a bundle may have the file `name`: one of its own, or one in a folder of its own.

    So no name leads out of the folder, is hidden, or needs an escape in SHA256SUMS.
    """
    folder, slash, file = name.rpartition("/")
    if not slash:
        return name in FILES
    return folder in FOLDERS and is_sound_file(file)


def is_sound_file(file: str) -> bool:
    """Return whether `file` is the plain name of a file that a bundle can hold."""
    plain = file.isprintable() and not set(file) & set('/\\:*?"<>|') and file[:1] not in ("", ".", "-", " ")
    try:
        return plain and len(file.encode()) <= LONGEST_NAME
    except UnicodeEncodeError:
        return False


def without_verdicts(manifest: Manifest) -> bytes:
    """Return the text of `manifest` as bundles have it: without the proofs made on other machines."""
    return dataclasses.replace(manifest, verified=()).to_json().encode()


def sums_text(digests: dict[str, str]) -> str:
    """Return SHA256SUMS of the files with these `digests`, in the order of their names."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def parse_sums(text: bytes) -> dict[str, str]:
    """Return the digests in SHA256SUMS by name. Raises ArtifactError unless `sums_text` writes it so."""
    try:
        lines = text.decode().splitlines()
        digests = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{SUMS} is damaged.") from error
    sound = all(
        is_sound_name(name) and len(digest) == 64 and set(digest) <= set("0123456789abcdef")
        for name, digest in digests.items()
    )
    if not sound or sums_text(digests).encode() != text or {SUMS, SIGNATURE} & digests.keys():
        raise ArtifactError(f"{SUMS} is not as dcgan-edge writes it.")
    return digests
