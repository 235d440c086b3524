"""`run_training`: from settings to a checkpoint, in one call or over many resumes, with the same result."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable
from pathlib import Path

import torch

from dcgan_edge.data import Dataset, open_data
from dcgan_edge.data.labelled import class_shares
from dcgan_edge.data.source import WHOLE
from dcgan_edge.errors import UsageError
from dcgan_edge.training.allocator import keep_freed_memory
from dcgan_edge.training.checkpoint import (
    CHECKPOINT_NAME,
    check_checkpoint,
    read_header,
    restore_checkpoint,
)
from dcgan_edge.training.config import TrainConfig, differences
from dcgan_edge.training.distributed import END, Group, local_device, open_group
from dcgan_edge.training.following import begin, follow, leading
from dcgan_edge.training.header import Header
from dcgan_edge.training.interrupt import SAME_INTERRUPT, deferred_interrupt
from dcgan_edge.training.keeping import LEFTOVERS
from dcgan_edge.training.lock import locked
from dcgan_edge.training.memory import check_memory, shortage_explained
from dcgan_edge.training.metrics import METRICS_NAME, MetricsLog
from dcgan_edge.training.precision import resolve_device, resolve_precision
from dcgan_edge.training.progress import TrainProgress, TrainResult
from dcgan_edge.training.quality import Judge
from dcgan_edge.training.run import Clock, Run
from dcgan_edge.training.schedule import schedule_change
from dcgan_edge.training.state import new_state
from dcgan_edge.training.tensorboard import event_file, require_tensorboard
from dcgan_edge.training.vital_signs import Classify
from dcgan_edge.training.workers import default_shards, open_crew
from dcgan_edge.words import quoted

__all__ = ["TrainProgress", "TrainResult", "resumed_config", "run_training"]
Report = Callable[[TrainProgress], None]
MakeJudge = Callable[[TrainConfig, Dataset], Judge]


def run_training(
    config: TrainConfig,
    out: Path,
    *,
    resume: bool = False,
    progress: Report | None = None,
    classify: Classify | None = None,
    make_judge: MakeJudge | None = None,
    clock: Clock = time.monotonic,
) -> TrainResult:
    """Train as `config` says and keep everything in the folder `out` (see `run`).

    With `resume` the run in `out` goes on where its checkpoint stands, bit for bit as if it had never stopped
    (on a CPU); `config` may then differ in budget, device and place of the data only, see `resumed_config`.
    `progress` is called after every step; a TrainEvent in it says that something goes wrong, or is well again
    (see `monitor`), for which the classes of images are counted too where `classify` tells them.
    `make_judge` gives what evaluates images, for settings with `eval_every`. Nothing of that changes the
    training, and evaluation takes nothing of its time. torch's random generators are left as they were found.

    Ctrl-C or SIGTERM ends the step, saves, and raises KeyboardInterrupt (Terminated, its subclass, for
    SIGTERM); so does the same out of `progress`.

    Raises UsageError (a checkpoint is in the way, or none is there to resume, or another request), EdgeError
    (data that cannot be read, diverged training, a full disk), UnavailableError (no such device) and
    ArtifactError (a damaged checkpoint).
    """
    device = resolve_device(local_device(config.device))
    random = torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])
    with random, shortage_explained(), open_group(device) as group:
        lead = functools.partial(
            _lead, config, out, device, group, resume=resume, progress=progress, classify=classify,
            make_judge=make_judge, clock=clock,
        )  # fmt: skip
        if group is None:
            return lead()
        if group.rank > 0:
            followed: TrainResult = follow(group, device, lambda told: _open(told, None, None))
            return followed
        with leading(group):
            result = lead()
        group.tell(END, result)
        return result


def _lead(
    config: TrainConfig, out: Path, device: torch.device, group: Group | None, *, resume: bool,
    progress: Report | None, classify: Classify | None, make_judge: MakeJudge | None, clock: Clock,
) -> TrainResult:  # fmt: skip
    """Train in the only process, or in the first of `group`."""
    _refuse_file(out)
    check_memory(config, device)
    if config.tensorboard:
        require_tensorboard()
    with locked(out):
        saved = _claim(config, out, resume=resume)
        _remove_leftovers(out)
        data = _open(config, saved, progress)
        judge = make_judge(config, data) if make_judge and config.eval_every else None
        keep_freed_memory()
        torch.manual_seed(config.seed)
        state = new_state(config, device)
        note = schedule_change(saved.config, config) if saved else ""
        precision = saved.precision if saved else resolve_precision(config.precision, device)
        if saved:
            restore_checkpoint(out / CHECKPOINT_NAME, state)
            state.step = saved.step
        processes = group.size if group else 1
        shards = saved.shards if saved else config.shards or default_shards(config, device, processes)
        with (
            MetricsLog(out / METRICS_NAME, step=state.step) as metrics,
            event_file(config, out, state.step) as board,
            open_crew(state, shards, group) as crew,
        ):
            run = Run(
                config,
                out,
                state,
                images=len(data),
                data_digest=data.digest,
                class_shares=class_shares(data.labels, len(config.architecture.classes)),
                precision=precision,
                metrics=metrics,
                elapsed=saved.elapsed_seconds if saved else 0.0,
                clock=clock,
                crew=crew,
                classify=classify,
                judge=judge,
                board=board,
                schedule_changes=_noted(saved, note),
            )
            if group:
                begin(group, state, run.header())
            if note and progress is not None:
                progress(dataclasses.replace(run.progress(), note=note))
            return _train(run, data, progress, is_new=saved is None)


def resumed_config(out: Path, *, epochs: int | None = None, minutes: float | None = None) -> TrainConfig:
    """Return the settings of the run in `out`, with another budget if one is given.

    Raises UsageError when there is no checkpoint to go on from, ArtifactError when it is damaged.
    """
    config = _header_of(out).config
    if epochs is None and minutes is None:
        return config
    return dataclasses.replace(config, epochs=epochs, minutes=minutes)


def _refuse_file(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file; a run needs a folder.")


def _claim(config: TrainConfig, out: Path, *, resume: bool) -> Header | None:
    """What is saved in `out` when resuming. Refuses to begin where a checkpoint lies already."""
    checkpoint = out / CHECKPOINT_NAME
    if not resume:
        if checkpoint.exists():
            raise UsageError(
                f"{out} already holds a checkpoint. Go on with it: dcgan-edge train --out {quoted(out)} "
                "--resume, or choose another --out."
            )
        return None
    _header_of(out)
    saved = check_checkpoint(checkpoint)
    changed = differences(config, saved.config)
    if changed:
        raise UsageError(
            f"The run in {out} was begun with another {', '.join(changed)}, and a resumed run keeps its "
            "settings; only the budget, the device, the place of the data and what is shown may change."
        )
    return saved


def _header_of(out: Path) -> Header:
    if not (out / CHECKPOINT_NAME).is_file():
        raise UsageError(f"There is no checkpoint in {out} to resume. Leave --resume out to begin a run.")
    return read_header(out / CHECKPOINT_NAME)


def _noted(saved: Header | None, note: str) -> tuple[str, ...]:
    """The changes of the schedule that are known of, with `note` of this moment."""
    if saved is None:
        return ()
    return (*saved.schedule_changes, *([f"Step {saved.step:,}: {note}"] if note else []))


def _remove_leftovers(out: Path) -> None:
    """Delete the temporary files of writes that a kill cut short."""
    own = (f".{CHECKPOINT_NAME}.*.tmp", f".{METRICS_NAME}.*.tmp", "samples/.step*.png.*.tmp")
    for pattern in (*own, *LEFTOVERS):
        for path in out.glob(pattern):
            path.unlink(missing_ok=True)


def _open(config: TrainConfig, saved: Header | None, progress: Report | None) -> Dataset:
    def report(done: int, count: int) -> None:
        if progress is not None:
            progress(TrainProgress("read", done / count, done, count))

    architecture = config.architecture
    try:
        size, channels = architecture.size, architecture.channels
        data = open_data(config.data, size, channels, labelled=bool(architecture.classes), progress=report)
    except UsageError as error:
        if saved is None:
            raise
        raise UsageError(
            f"{error} If the images of this run lie elsewhere now, say where with --data."
        ) from error
    if len(data) < config.batch:
        raise UsageError(
            f"{config.data} has {len(data)} images, too few for one batch of {config.batch}. "
            "Choose a smaller --batch."
        )
    if saved is not None and (len(data), data.digest) != (saved.images, saved.data_digest or data.digest):
        raise UsageError(
            f"The {len(data):,} images of {config.data} are not the {saved.images:,} of the beginning; a "
            "resumed run needs the same ones. If they lie elsewhere now, say where with --data."
        )
    return data


def _train(run: Run, data: Dataset, progress: Report | None, *, is_new: bool) -> TrainResult:
    with deferred_interrupt(SAME_INTERRUPT if run.part != WHOLE else 0.0) as interruption:
        if is_new:
            run.draw_grid()
            run.save()
        else:
            run.make_up()
        try:
            while not run.is_over:
                _train_epoch(run, data, progress, interruption)
        except KeyboardInterrupt:
            if run.is_whole:
                run.save()
            raise
        grid, checkpoint = run.draw_grid(), run.save()
    last = run.progress()
    return TrainResult(
        checkpoint,
        grid,
        run.out / METRICS_NAME,
        step=last.step,
        epoch=last.epoch,
        images=last.images,
        seconds=last.elapsed,
        images_per_second=last.images_per_second,
        device=str(next(run.state.generator.parameters()).device),
        precision=run.precision,
        losses=last.losses,
        skipped=data.skipped,
        events=tuple(run.monitor.events),
        best=run.keeper.best,
        best_checkpoint=run.keeper.best_path if run.keeper.best else None,
        shards=run.shards,
    )


def _train_epoch(
    run: Run,
    data: Dataset,
    progress: Report | None,
    interruption: Callable[[], type[KeyboardInterrupt] | None],
) -> None:
    """The rest of the epoch that the run is in, or as much of it as the budget allows."""
    epoch, start = divmod(run.state.step, run.steps_per_epoch)
    for batch in data.labelled_batches(
        run.config.batch, seed=run.config.seed, epoch=epoch, start=start, part=run.part
    ):
        run.train(batch)
        if progress is not None:
            progress(run.progress())
        if raised := interruption():
            raise raised
        if run.is_over:
            return
