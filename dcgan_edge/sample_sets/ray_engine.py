"""Sets of samples written by Ray: an actor has a session and a store, a file is a task of its own.

A task that is done again, because its actor was killed or its machine went, finds the file whole or writes
the same bytes once more.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dcgan_edge.artifact import read_artifact
from dcgan_edge.errors import EdgeError
from dcgan_edge.extras import need
from dcgan_edge.files import StrPath
from dcgan_edge.runtime.device import Backend, parse_device
from dcgan_edge.runtime.parity import verification_words
from dcgan_edge.runtime.session import Session, SessionFacts, open_session
from dcgan_edge.sample_sets.plan import SamplePlan, Shard
from dcgan_edge.sample_sets.sampling import SetOptions, make_set_plan
from dcgan_edge.sample_sets.stores import is_url, open_store
from dcgan_edge.sample_sets.writing import SetWriter
from dcgan_edge.sampling import Progress, Sampled

Batch = dict[str, Any]  # columns of a batch of Ray Data
OBJECT_STORE = 128 * 2**20  # bytes of a cluster of our own: images never go through it
LONGEST_REASON = 300  # characters of an error of Ray that are shown


class FileTask:
    """What an actor does: it opens a session once, and writes the files whose numbers it is given.

    The session is opened with the first file, so that what is wrong with it is the error of a task.
    """

    def __init__(
        self, artifact: str, plan: SamplePlan, out: str, device: str, backend: Backend, threads: int | None
    ) -> None:
        """Only note what is wanted; `out` and `artifact` are reached from every machine."""
        self._artifact, self._plan, self._out = artifact, plan, out
        self._how: tuple[str, Backend, int | None] = (device, backend, threads)
        self._session: Session | None = None
        self._writer: SetWriter | None = None

    def __call__(self, batch: Batch) -> Batch:
        """Write the files of `batch["number"]`; return their numbers and images, and what made them."""
        session, writer = self._ready()
        images = [writer.write(int(number)).images for number in batch["number"]]
        count = len(images)
        facts = np.array([asdict(session.facts)] * count, object)
        words = np.array([verification_words(session)] * count, object)
        return {"number": batch["number"], "images": np.array(images), "facts": facts, "words": words}

    def _ready(self) -> tuple[Session, SetWriter]:
        if self._session is None:
            device, backend, threads = self._how
            self._session = open_session(self._artifact, device=device, backend=backend, threads=threads)
        if self._writer is None:
            self._writer = SetWriter(self._session, self._plan, open_store(self._out))
        return self._session, self._writer


def sample_with_ray(
    artifact: Path, seeds: Sequence[int], out: StrPath, options: SetOptions, device: str, backend: Backend,
    threads: int | None, progress: Progress | None,
) -> Sampled:  # fmt: skip
    """Write the files of a set, or of one shard of it, by `options.workers` actors of Ray; see `sample`.

    The cluster is that of RAY_ADDRESS, or one on this machine that lives as long as this. An actor takes
    `threads` processors (None: 1), and a GPU where `device` is one. None as `workers` is as many as fit.

    Raises UnavailableError without Ray, and EdgeError when Ray gives up.
    """
    need("ray", "ray")
    manifest, _ = read_artifact(artifact)
    plan = make_set_plan(manifest.architecture, seeds, options)
    numbers = Shard(*options.shard).of(plan.files)
    store = open_store(out)
    where = str(store) if is_url(out) else str(Path(str(store)).absolute())
    task = (str(artifact.absolute()), plan, where, device, backend, threads)
    total, done = plan.images_in(numbers), 0
    facts, words = SessionFacts("", "", device, ""), "not asked for"  # of a shard without files
    for row in _rows(numbers, task, options.workers):
        done += int(row["images"])
        facts, words = SessionFacts(**row["facts"]), str(row["words"])
        if progress:
            progress(done, total)
    files = [store.place(plan.name(number)) for number in numbers]
    return Sampled(artifact, manifest.sha256, total, files, facts, words, ())


def _rows(numbers: range, task: tuple[Any, ...], workers: int | None) -> Iterator[Batch]:
    """Yield what is said of each file when it is written, in an order of chance."""
    if not numbers:
        return
    *_, device, _, threads = task
    processors, graphics = threads or 1, float(parse_device(device).kind == "cuda")
    with _cluster() as ray, errors_said(ray.exceptions.RayError):
        there = ray.cluster_resources()
        fit = int(there.get("GPU", 0) if graphics else there.get("CPU", 0) // processors)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = context.print_on_execution_start = False
        files = ray.data.from_items([{"number": each} for each in numbers], override_num_blocks=len(numbers))
        written = files.map_batches(
            FileTask, fn_constructor_args=task, batch_size=1, num_cpus=processors, num_gpus=graphics,
            compute=ray.data.ActorPoolStrategy(size=workers or max(1, min(fit, len(numbers)))),
        )  # fmt: skip
        yield from written.iter_rows()


@contextlib.contextmanager
def _cluster() -> Iterator[Any]:
    """Yield Ray, connected to a cluster: the caller's, that of RAY_ADDRESS, or one of our own until the end.

    Ray would collect and send usage data unless this says otherwise.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)  # it warns of what is asked for here
    own = not ray.is_initialized()
    if own:
        here = {"include_dashboard": False, "object_store_memory": OBJECT_STORE}
        ray.init(
            log_to_driver=False,
            logging_level=logging.WARNING,
            **({} if os.environ.get("RAY_ADDRESS") else here),
        )
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Ray's reports of workers are no result of ours
            yield ray
    finally:
        if own:
            ray.shutdown()


@contextlib.contextmanager
def errors_said(kind: type[Exception]) -> Iterator[None]:
    """Raise our own error where it is what stopped Ray, whose errors are of `kind`; else an EdgeError with
    Ray's last word.
    """
    try:
        yield
    except kind as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, EdgeError):
            cause = getattr(cause, "cause", None) or cause.__cause__
        if cause is not None:
            raise type(cause)(*cause.args) from error
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise EdgeError(f"Ray gave up: {lines[-1][:LONGEST_REASON]}") from error
