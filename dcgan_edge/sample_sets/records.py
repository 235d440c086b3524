"""What stands beside the images of a set: its index, and a record of each file that is whole.

`samples.json` says what the files are made of, and is the same whoever writes it. `<file>.json` is written
after the file that it names: a file counts when its record is there, is of this index and has its hash.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from dcgan_edge.errors import ArtifactError, UsageError
from dcgan_edge.files import sha256
from dcgan_edge.sample_sets.plan import MOST_FILES, SET_FORMATS, SetFormat, file_name
from dcgan_edge.sample_sets.stores import Store
from dcgan_edge.schema import build, read_json

INDEX = "samples.json"
INDEX_SCHEMA = 2
LARGEST = 2**24  # bytes of an index: seeds may be many ranges


@dataclass(frozen=True)
class FileRecord:
    """The record of a whole file: its name, number of images, SHA-256, and the SHA-256 of the index."""

    file: str
    images: int
    sha256: str
    index: str

    def to_json(self) -> bytes:
        """Return the content of the record's file."""
        return json.dumps({"schema_version": 1, **asdict(self)}, indent=1).encode()


@dataclass(frozen=True)
class Index:
    """What `samples.json` says as far as it is needed for reading; `digest` is its SHA-256."""

    format: SetFormat
    images: int
    files: int
    facts: dict[str, Any]
    digest: str

    def name(self, number: int) -> str:
        """Return the name of file `number`."""
        return file_name(self.format, number)


def read_index(store: Store) -> Index:
    """Return the index of the set in `store`. Raises UsageError without one, ArtifactError for another."""
    data = store.read(INDEX)
    if data is None:
        raise UsageError(
            f"{store} has no {INDEX}: it is no set of samples. Make one: dcgan-edge sample ARTIFACT "
            "--format webdataset"
        )
    facts = _facts(store, data)
    known = facts.get("schema_version") == INDEX_SCHEMA and facts.get("format") in SET_FORMATS
    images, files = facts.get("images"), facts.get("files")
    if not (
        known and type(images) is int and type(files) is int and images >= 0 and 1 <= files <= MOST_FILES
    ):
        raise ArtifactError(f"{store.place(INDEX)} is not an index of samples that this version knows.")
    return Index(facts["format"], images, files, facts, sha256(data))


def claim(store: Store, facts: dict[str, Any]) -> str:
    """Write the index with `facts` into `store`, or find the same one there; return its SHA-256.

    Raises UsageError for a folder that holds other images, or images of which nothing is said.
    """
    data = json.dumps({"schema_version": INDEX_SCHEMA, **facts}, indent=2).encode()
    if store.read(INDEX) is None:
        kinds = {file_name(format, 0).rpartition(".")[2] for format in SET_FORMATS}
        if any(name.rpartition(".")[2] in kinds for name in store.names()):
            raise UsageError(f"{store} holds images, but no {INDEX} that says of what. Choose another --out.")
        store.put(INDEX, data)
    there = store.read(INDEX)
    if there != data:  # another job may have written its own meanwhile
        found = _facts(store, there or b"{}")
        wanted = json.loads(data)
        names = sorted(name for name in wanted | found if wanted.get(name) != found.get(name))
        raise UsageError(
            f"{store} holds images of another artifact, other seeds or other options, as {INDEX} says: it "
            f"differs in {', '.join(names) or 'its form'}. Choose another --out, or delete what is there."
        )
    return sha256(data)


def whole_file(store: Store, name: str, index: str) -> FileRecord | None:
    """Return the record of the file `name` if it is whole, of this index, and has its hash; else None.

    The file is read through for that.
    """
    record = read_record(store, name)
    if record is None or record.index != index or record.file != name:
        return None
    return record if store.digest(name) == record.sha256 else None


def read_record(store: Store, name: str) -> FileRecord | None:
    """Return the record of the file `name`, None where there is none that can be read."""
    data = store.read(record_name(name))
    if data is None:
        return None
    try:
        facts = read_json(data, record_name(name), limit=LARGEST)
        if not isinstance(facts, dict) or facts.pop("schema_version", None) != 1:
            return None
        return build(FileRecord, facts)
    except (ArtifactError, ValueError):
        return None


def record_name(name: str) -> str:
    """Return the name of the record of the file `name`."""
    return f"{name}.json"


def _facts(store: Store, data: bytes) -> dict[str, Any]:
    facts = read_json(data, str(store.place(INDEX)), limit=LARGEST)
    if not isinstance(facts, dict):
        raise ArtifactError(f"{store.place(INDEX)} is not an index of samples.")
    return facts
