"""`sample` for everything but single PNG files: what is asked for, by this process or by Ray's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dcgan_edge.architecture import Architecture
from dcgan_edge.classes import parse_classes
from dcgan_edge.errors import UsageError
from dcgan_edge.extras import need
from dcgan_edge.files import StrPath, check_writable
from dcgan_edge.runtime.device import Backend
from dcgan_edge.runtime.parity import verification_words
from dcgan_edge.runtime.session import open_session
from dcgan_edge.sample_sets.plan import PER_FILE, SamplePlan, SetFormat, Shard
from dcgan_edge.sample_sets.records import INDEX
from dcgan_edge.sample_sets.stores import FolderStore, open_store
from dcgan_edge.sample_sets.writing import write_files
from dcgan_edge.sampling import Engine, Progress, Sampled
from dcgan_edge.seeds import rising


@dataclass(frozen=True)
class SetOptions:
    """What of a request is about the set alone; see `sample`."""

    classes: str | None
    format: SetFormat
    scale: int
    batch: int | None
    per_file: int | None
    shard: tuple[int, int]
    engine: Engine
    workers: int | None

    def __post_init__(self) -> None:
        if self.format == "npy":
            named = {
                "--per-file": self.per_file is not None,
                "--shard": self.shard != (0, 1),
                "--engine": self.engine != "local",
            }
            for name, given in named.items():
                if given:
                    raise UsageError(f"An array is one file, and has no {name}; take webdataset or parquet.")
        if self.workers is not None and self.engine == "local":
            raise UsageError("--workers are those of --engine ray.")
        if self.per_file is not None and self.per_file < 1:
            raise UsageError("A file has at least one image.")


def make_set_plan(architecture: Architecture, seeds: Sequence[int], options: SetOptions) -> SamplePlan:
    """Return the plan of the images of `seeds` that `options` ask for.

    Raises UsageError for classes that are not there and for more files than have names, and UnavailableError
    where the library that writes the format is not installed.
    """
    if options.format == "parquet":
        need("pyarrow", "cluster")
    named = options.classes
    classes = None if named is None else tuple(sorted(set(parse_classes(named, architecture.classes))))
    per_file = PER_FILE if options.per_file is None else options.per_file
    return SamplePlan(
        architecture, rising(seeds), classes, options.format, options.scale, options.batch, per_file
    )


def sample_set(
    artifact: Path, seeds: Sequence[int], out: StrPath, options: SetOptions, device: str, backend: Backend,
    threads: int | None, progress: Progress | None,
) -> Sampled:  # fmt: skip
    """Write the files of a set, or of one shard of it, into the folder or URL `out`; see `sample`."""
    shard = Shard(*options.shard)
    store = open_store(out)
    if isinstance(store, FolderStore):
        check_writable(store.folder / INDEX)
    if options.engine == "ray":
        from dcgan_edge.sample_sets.ray_engine import sample_with_ray

        return sample_with_ray(artifact, seeds, out, options, device, backend, threads, progress)
    with open_session(artifact, device=device, backend=backend, threads=threads) as session:
        plan = make_set_plan(session.manifest.architecture, seeds, options)
        numbers = shard.of(plan.files)
        files = write_files(session, plan, store, numbers, progress)
        return Sampled(
            artifact, session.manifest.sha256, plan.images_in(numbers), files, session.facts,
            verification_words(session), (),
        )  # fmt: skip
