"""`dcgan-edge tune`: from artifacts or a checkpoint to a profile of how they run best on this device."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from dcgan_edge.artifact import Precision, Target
from dcgan_edge.errors import UsageError
from dcgan_edge.files import StrPath, check_writable, write_atomic
from dcgan_edge.profile import NAME as PROFILE
from dcgan_edge.profile import Objective
from dcgan_edge.runtime.device import Backend, check_threads, parse_device

from .candidates import read_subjects
from .objective import Wishes, require_energy
from .outcome import Tuned
from .search import Search


def tune(
    artifacts: StrPath | Sequence[StrPath],
    *,
    out: StrPath | None = None,
    objective: Objective = "latency",
    batches: Sequence[int] = (),
    streams: Sequence[int] = (),
    threads: Sequence[int] = (),
    backends: Sequence[Backend] = (),
    precisions: Sequence[Precision] = (),
    targets: Sequence[Target] = (),
    device: str = "auto",
    duration_s: float = 1.0,
    max_time_s: float | None = None,
    report: StrPath | None = None,
    progress: Callable[[str], None] | None = None,
) -> Tuned:
    """Find how `artifacts`, of one generator and in one folder, or a checkpoint run best on this device.

    The `objective` is "latency", "throughput", "energy" or "size". Candidates are artifacts by `backends`
    (empty: all here) with `threads` (empty: the default and powers of two) and queries of `batches` images,
    `streams` of them in flight (one kind for latency and size; for the others empty is some of each). Each
    has to make the right images here before it is measured, for `duration_s` seconds beside a base; the best
    are then measured at length. After `max_time_s` seconds no more are begun.

    A checkpoint is exported into the folder `out` first, in `precisions` (empty: float32 and INT8) and the
    forms for `targets` (empty: those of the backends here), INT8 also with layers left in float32.

    The profile `tuned.json` is written beside the artifacts; `open_session` and `sample` follow it. What was
    found is kept in `tuned.search.json`, so that an interrupted search goes on. `report` is an HTML page.

    Raises UsageError for artifacts and options that do not go together, UnavailableError where nothing runs
    them or energy is not measured here, VerificationError when no candidate makes the right images,
    BenchmarkError when the time passed before anything was measured.
    """
    paths = [Path(path) for path in ([artifacts] if isinstance(artifacts, str | os.PathLike) else artifacts)]
    if not paths:
        raise UsageError("Name the artifacts to tune, or one checkpoint.")
    parse_device(device)
    for count in threads:
        check_threads(count)
    wishes = Wishes(
        objective, tuple(batches), tuple(streams), tuple(threads), tuple(backends), device, duration_s,
        max_time_s,
    )  # fmt: skip
    is_checkpoint = any(path.suffix.lower() == ".safetensors" for path in paths)
    if is_checkpoint and len(paths) > 1:
        raise UsageError("Tune one checkpoint alone, or artifacts.")
    if not is_checkpoint and (out is not None or precisions or targets):
        raise UsageError("--out, --precision and --for are for a checkpoint: artifacts are what they are.")
    folder = Path(out or "out") if is_checkpoint else paths[0].parent
    check_writable(folder / PROFILE)
    if report is not None:
        from dcgan_edge.report import require_libraries

        require_libraries()
        check_writable(Path(report))
    if objective == "energy":
        require_energy()
    say = progress or (lambda step: None)
    if is_checkpoint:
        from .variants import tune_checkpoint

        tuned = tune_checkpoint(paths[0], folder, wishes, precisions, targets, say)
    else:
        subjects = read_subjects(paths)
        search = Search(subjects, wishes, say)
        search.survey(subjects)
        search.refine()
        tuned = search.finish()
    if report is not None:
        from .page import page

        write_atomic(Path(report), page(tuned).encode())
    return tuned
