"""The self-test of a device: its artifacts make the golden images, and what is no longer as it was last time.

The proof is `verification`'s. What it was made under (libraries, driver, power mode, clocks) is recorded in
selftest.json in their folder, and the manifests stay as they were packed.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from dcgan_edge.artifact import SUFFIX_KINDS, read_file
from dcgan_edge.errors import ArtifactError, EdgeError, UsageError
from dcgan_edge.files import StrPath, write_atomic
from dcgan_edge.names import shown
from dcgan_edge.packaging.checking import check_bundle
from dcgan_edge.packaging.layout import RECORD, SUMS
from dcgan_edge.packaging.surroundings import surroundings
from dcgan_edge.schema import build, read_json
from dcgan_edge.verification import Proof, verify

SCHEMA_VERSION = 1
RECORD_LIMIT = 4 * 2**20  # bytes
FIGURES = (
    "verdict",
    "backend",
    "version",
    "device",
    "device_name",
    "max_abs",
    "worst_psnr_db",
    "grey_levels",
)
PACKED = "the bundle was packed"  # since when changes are told, before the first self-test
Facts = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Change:
    """One fact that is not as it was: `what` "versions: numpy", and its values; "" where there was none."""

    what: str
    before: str
    now: str


@dataclass(frozen=True)
class SelfTestRecord:
    """What a self-test found and what it ran under; `facts` by group, `date` UTC in ISO 8601."""

    date: str
    facts: Facts

    def to_json(self) -> str:
        """Return the text of selftest.json."""
        document = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)}
        return json.dumps(document, indent=2, sort_keys=True) + "\n"


@dataclass(frozen=True)
class SelfTest:
    """The verdicts of a self-test. `since` says what `changes` are against: the date of the last self-test,
    "the bundle was packed", or "" where there is nothing to compare with. `not_run` has the error of each
    artifact that could not be run, `not_recorded` the reason why the record was not written.
    """

    folder: Path
    proofs: tuple[Proof, ...]
    not_run: Mapping[str, EdgeError]
    since: str
    changes: tuple[Change, ...]
    record: SelfTestRecord
    not_recorded: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return verdicts, changes and conditions as JSON values."""
        return {
            "folder": str(self.folder),
            "artifacts": {proof.artifact.path.name: proof.to_dict() for proof in self.proofs},
            "not_run": {name: str(error) for name, error in self.not_run.items()},
            "since": self.since or None,
            "changes": [dataclasses.asdict(change) for change in self.changes],
            "date": self.record.date,
            "facts": self.record.facts,
            "not_recorded": self.not_recorded or None,
        }

    def raise_if_failed(self) -> None:
        """Raise VerificationError if an artifact failed, else the error of the first that was not run."""
        for proof in self.proofs:
            proof.raise_if_failed()
        for error in self.not_run.values():
            raise error


def selftest(
    folder: StrPath = ".",
    *,
    device: str = "auto",
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> SelfTest:
    """Prove every artifact in `folder` by its golden images here, and say what changed since the last time.

    `folder` is an unpacked bundle, which is checked whole first, or has artifacts in it. `device` and
    `threads` are as for `open_session`. Verdicts and conditions are written into the folder's selftest.json;
    a failed verdict is returned, not raised.

    Raises UsageError when there is no artifact, ArtifactError for a bundle that is not as it was packed.
    """
    folder = Path(folder)
    paths, packed = _artifacts(folder)
    before, since = _before(folder / RECORD, packed)
    proofs, not_run = [], {}
    for path in paths:
        try:
            proofs += verify(path, device=device, threads=threads, record=False, progress=progress)
        except EdgeError as error:
            not_run[path.name] = error
    found = {proof.artifact.path.name: _figures(proof) for proof in proofs}
    facts = {**surroundings(), **found}
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    record, reason = SelfTestRecord(now, facts), ""
    try:
        write_atomic(folder / RECORD, record.to_json().encode())
    except EdgeError as error:
        reason = str(error)
    changes = tuple(_changes(before, facts, whole=since != PACKED))
    return SelfTest(folder, tuple(proofs), not_run, since, changes, record, reason)


def _artifacts(folder: Path) -> tuple[list[Path], dict[str, str] | None]:
    """The artifacts to test, and the versions that a bundle brought, None for a folder that is no bundle."""
    if not folder.is_dir():
        raise UsageError(f"There is no folder {shown(folder)}.")
    if (folder / SUMS).exists():
        checked = check_bundle(folder)
        return [folder / "artifacts" / name for name in checked.manifests], dict(checked.facts.versions)
    paths = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in SUFFIX_KINDS and path.is_file()
    )
    if not paths:
        raise UsageError(
            f"There is no artifact in {shown(folder)}; name a folder with .onnx or .engine files."
        )
    return paths, None


def _before(path: Path, packed: dict[str, str] | None) -> tuple[Facts, str]:
    """What to compare with: the last self-test, else what the bundle brought; and since when."""
    if path.exists():
        try:
            document = read_json(read_file(path), RECORD, limit=RECORD_LIMIT)
            if isinstance(document, dict) and document.pop("schema_version", None) == SCHEMA_VERSION:
                record = build(SelfTestRecord, document)
                return record.facts, record.date
            raise ValueError("another schema")
        except ValueError as error:
            raise ArtifactError(
                f"{shown(path)} is not a record of this program ({error}). Remove it."
            ) from error
    return ({"versions": packed}, PACKED) if packed is not None else ({}, "")


def _figures(proof: Proof) -> dict[str, str]:
    facts = proof.to_dict()
    return {key: str(facts[key]) for key in FIGURES}


def _changes(before: Facts, now: Facts, *, whole: bool) -> Iterator[Change]:
    """What differs; what stands on one side only counts where `before` is a `whole` record."""
    for group in sorted(before.keys() | now.keys() if whole and before else before.keys() & now.keys()):
        old, new = before.get(group, {}), now.get(group, {})
        for key in sorted(old.keys() | new.keys() if whole else old.keys() & new.keys()):
            if old.get(key, "") != new.get(key, ""):
                yield Change(f"{group}: {key}", old.get(key, ""), new.get(key, ""))
