"""Writing sets of samples: one file of a plan after the other, and nothing that is whole already.

Jobs need to know nothing of each other. Each finds the index or writes it, and puts its own files there; one
that is started again goes on with what is missing.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dcgan_edge.runtime.sampling import block_size
from dcgan_edge.runtime.session import Session
from dcgan_edge.sample_sets.formats import Told, write_content
from dcgan_edge.sample_sets.plan import SamplePlan
from dcgan_edge.sample_sets.records import FileRecord, claim, record_name, whole_file
from dcgan_edge.sample_sets.stores import Store
from dcgan_edge.sampling import Progress

COMPUTED_BY = ("backend", "version", "provider", "device", "device_name", "threads")


class SetWriter:
    """Writes files of a plan into a store with an open session; the index is there once it is made."""

    def __init__(self, session: Session, plan: SamplePlan, store: Store) -> None:
        """Raises UsageError for a store that holds other images, and for a batch that is not taken."""
        self._session, self._plan, self._store = session, plan, store
        self._index = claim(store, {**plan.to_dict(), **making(session, plan)})

    def write(self, number: int, told: Told = lambda done: None) -> FileRecord:
        """Write file `number` and its record unless both are there and right; return the record.

        `told` is called with the number of its images done. Raises EdgeError when it cannot be written.
        """
        name = self._plan.name(number)
        record = whole_file(self._store, name, self._index)
        if record is None:
            digest = hashlib.sha256()
            with self._store.replacing(name) as write:

                def note(data: bytes | memoryview) -> None:
                    digest.update(data)
                    write(data)

                write_content(note, self._session, self._plan, number, told)
            images = len(self._plan.pairs_of(number))
            record = FileRecord(name, images, digest.hexdigest(), self._index)
            self._store.put(record_name(name), record.to_json())
        return record


def write_files(
    session: Session, plan: SamplePlan, store: Store, numbers: range, progress: Progress | None = None
) -> list[Path | str]:
    """Write the files `numbers` of `plan` into `store`, and return where they are, in order.

    `progress` is told the number of images done, and of how many. Raises as `SetWriter` does.
    """
    writer = SetWriter(session, plan, store)
    total, done = plan.images_in(numbers), 0
    for number in numbers:
        done += writer.write(number, _shifted(progress, done, total)).images
        if progress:
            progress(done, total)
    return [store.place(plan.name(number)) for number in numbers]


def making(session: Session, plan: SamplePlan) -> dict[str, Any]:
    """Return what the bytes depend on beside the request: what computes, how, and what compresses."""
    facts = session.facts
    made = {
        "class_names": list(plan.architecture.classes),
        "sha256": session.manifest.sha256,
        "batch": block_size(session.manifest.batch, plan.batch),
        "session": {name: getattr(facts, name) for name in COMPUTED_BY},
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
    }
    if plan.format == "parquet":
        import pyarrow

        made["pyarrow"] = pyarrow.__version__
    return made


def _shifted(progress: Progress | None, start: int, total: int) -> Callable[[int], None]:
    def told(done: int) -> None:
        if progress:
            progress(start + done, total)

    return told
