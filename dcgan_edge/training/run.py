"""One training run in progress: its state, its clock and its folder. `loop` decides when, this does it.

DIR/checkpoint.safetensors, DIR/metrics.jsonl, DIR/samples/step000000.png, and what `keeping` keeps. A
checkpoint is written after what it covers is on the disk, so that a run killed at any moment goes on without
gap or repeat.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from dcgan_edge import __version__
from dcgan_edge.data.source import WHOLE, Batch, Part
from dcgan_edge.errors import EdgeError
from dcgan_edge.files import write_atomic
from dcgan_edge.images import encode_png
from dcgan_edge.models import preset_spec
from dcgan_edge.training.checkpoint import CHECKPOINT_NAME, save_checkpoint
from dcgan_edge.training.config import Arithmetic, TrainConfig
from dcgan_edge.training.crew import Alone, Crew
from dcgan_edge.training.distributed import STEP
from dcgan_edge.training.ema import measure_statistics, statistics_latents
from dcgan_edge.training.grid import grid_inputs, grid_picture, grid_scale
from dcgan_edge.training.header import Header
from dcgan_edge.training.keeping import Keeper
from dcgan_edge.training.metrics import MetricsLog
from dcgan_edge.training.monitor import Monitor, TrainEvent
from dcgan_edge.training.progress import Losses, TrainProgress
from dcgan_edge.training.quality import Judge, Quality, judged
from dcgan_edge.training.schedule import learning_rate
from dcgan_edge.training.state import TrainState
from dcgan_edge.training.steps import StepOutcome, train_step
from dcgan_edge.training.tensorboard import TensorBoardLog
from dcgan_edge.training.vital_signs import Classify, class_figures, vital_signs

Clock = Callable[[], float]  # seconds from any start
CLASSES_EVERY = 10  # lines of metrics; classifying 128 images takes about half a step of the 28-pixel DCGAN
SAVING_SHARE = 20  # a checkpoint that takes one second is written every 20 seconds at the most


class Run:
    """A run at the step of `state`, with its clock at `elapsed` seconds. `images`, `data_digest` and
    `class_shares` are of the data, `crew` is who executes its steps, `classify` is what the monitor counts
    classes with, `judge` what images are evaluated by where the settings ask for it, `board` where events go
    besides the metrics.
    """

    def __init__(
        self,
        config: TrainConfig,
        out: Path,
        state: TrainState,
        *,
        images: int,
        data_digest: str,
        class_shares: Sequence[float] = (),
        precision: Arithmetic,
        metrics: MetricsLog,
        elapsed: float,
        clock: Clock,
        crew: Crew | None = None,
        classify: Classify | None = None,
        judge: Judge | None = None,
        board: TensorBoardLog | None = None,
        schedule_changes: tuple[str, ...] = (),
    ) -> None:
        self.config, self.out, self.state, self.precision = config, out, state, precision
        self.steps_per_epoch = images // config.batch
        self.steps = None if config.epochs is None else config.epochs * self.steps_per_epoch
        self.losses: Losses | None = None
        self.events: tuple[TrainEvent, ...] = ()
        self.monitor = Monitor(metrics.kept)
        self.images_per_second = 0.0
        self.is_whole = True  # False within a step, when half of the networks are a step ahead
        self.keeper = Keeper(out / CHECKPOINT_NAME, config.keep, metrics.kept)
        self.quality: Quality | None = None
        self._images, self._metrics, self._clock = images, metrics, clock
        self._classify, self._judge, self._board = classify, judge, board
        self._data_digest, self._schedule_changes = data_digest, schedule_changes
        self._crew = crew or Alone(state)
        self._measured_at = -1
        self._device = next(state.generator.parameters()).device
        architecture = config.architecture
        self._statistics = statistics_latents(architecture, class_shares).to(self._device)
        self._grid = torch.from_numpy(grid_inputs(architecture)).to(self._device)
        self._started = clock() - elapsed
        self._lap, self._seconds, self._steps = clock(), 0.0, 0
        self._next_save = clock() + config.checkpoint_seconds
        self.is_over = self.fraction >= 1.0

    @property
    def shards(self) -> int:
        """Return in how many parts a batch is taken."""
        return self._crew.count

    @property
    def part(self) -> Part:
        """Return which part of each batch this process takes: number i of n."""
        group = self._crew.group
        return (group.rank, group.size) if group else WHOLE

    @property
    def elapsed(self) -> float:
        """Return the seconds of training so far, resumed runs included, evaluation left out."""
        return self._clock() - self._started

    @property
    def fraction(self) -> float:
        """Return the share of the run that is done, 0 to 1."""
        if self.steps is not None:
            return min(1.0, self.state.step / self.steps)
        return min(1.0, self.elapsed / (60.0 * (self.config.minutes or math.inf)))

    def train(self, batch: Batch) -> None:
        """Take one step on `batch`, then write the metrics, grid and checkpoint that are due after it.

        Raises EdgeError when a loss is not finite; the last checkpoint is then left as it is.
        """
        self.is_whole = False
        rate, bf16 = learning_rate(self.config, self.fraction), self.precision == "bf16"
        if self._crew.group:
            self._crew.group.tell(STEP, rate)
        taken = train_step(
            self.state,
            batch.pixels,
            self.config,
            batch.labels,
            bf16=bf16,
            learning_rate=rate,
            crew=self._crew,
        )
        values = taken.figures.tolist()
        if self._crew.group:
            self._crew.group.is_in_step = False
        self.is_whole = True
        if not all(map(math.isfinite, values)):
            raise EdgeError(self._diverged())
        self.losses, self.events = Losses(*values), ()
        self._count_step()
        self.is_over = self.fraction >= 1.0  # asked once, so that the last step is known to be the last
        quality = self._evaluate() if self._is_judged() else None
        step = self.state.step
        if quality or step % self.config.log_every == 0:
            self._log(batch.pixels, taken, quality)
        self._write_what_is_due(is_best=quality is not None and self.keeper.note(quality))
        self._lap = self._clock()  # what was written does not count into images per second

    def make_up(self) -> None:
        """Write the copies of the checkpoint, at the step of this run, that a kill may have cut short."""
        step = self.state.step
        if self.keeper.best is not None and self.keeper.best.step == step:
            self.keeper.keep_best()
        if step and step % self.config.grid_every == 0 and not self.keeper.numbered_path(step).exists():
            self.keeper.keep_numbered(step)

    def progress(self) -> TrainProgress:
        """Return where the run is, for whoever shows it."""
        return TrainProgress(
            "train",
            self.fraction,
            self.state.step,
            self.steps,
            epoch=self.state.step // self.steps_per_epoch,
            images=self.state.step * self.config.batch,
            images_per_second=self.images_per_second,
            elapsed=self.elapsed,
            losses=self.losses,
            learning_rates=self._learning_rates(),
            events=self.events,
            quality=self.quality,
            best=self.keeper.best,
        )

    def draw_grid(self) -> Path:
        """Write a grid of the averaged generator's images, see `grid_inputs`; return where."""
        self._measure_statistics()
        with torch.no_grad():
            images = self.state.average(self._grid).float().cpu().numpy()
        path = self.out / "samples" / f"step{self.state.step:06}.png"
        picture = grid_picture(images, self.config.architecture)
        write_atomic(path, encode_png(picture, scale=grid_scale(self.config.architecture)))
        if self._board is not None:
            self._board.draw(self.state.step, picture)
        return path

    def save(self) -> Path:
        """Write the checkpoint of this moment, after all metrics before it; return where."""
        begun = self._clock()
        self._measure_statistics()
        self._metrics.flush()
        if self._board is not None:
            self._board.flush()
        path = self.out / CHECKPOINT_NAME
        save_checkpoint(path, self.state, self.header())
        ended = self._clock()
        self._next_save = ended + max(self.config.checkpoint_seconds, SAVING_SHARE * (ended - begun))
        return path

    def _write_what_is_due(self, *, is_best: bool) -> None:
        """Write the grid and the checkpoints that are due after this step."""
        step = self.state.step
        is_drawn = step % self.config.grid_every == 0
        if is_drawn:
            self.draw_grid()
        if is_drawn or is_best or self._clock() >= self._next_save:
            self.save()
        if is_best:
            self.keeper.keep_best()
        if is_drawn:
            self.keeper.keep_numbered(step)

    def _is_judged(self) -> bool:
        every = self.config.eval_every
        return bool(every and self._judge and (self.is_over or self.state.step % every == 0))

    def _evaluate(self) -> Quality:
        """Judge the averaged generator. The time that takes is not one of training."""
        assert self._judge is not None
        begun = self._clock()
        self._measure_statistics()
        self.quality = judged(self.state.average, self.config.architecture, self.state.step, self._judge)
        self._started += self._clock() - begun
        return self.quality

    def _learning_rates(self) -> tuple[float, float]:
        rates = [
            adam.param_groups[0]["lr"] for adam in (self.state.discriminator_adam, self.state.generator_adam)
        ]
        return float(rates[0]), float(rates[1])

    def _measure_statistics(self) -> None:
        """Fit the averaged generator's BatchNorm to its weights, once per step at most."""
        if self._measured_at != self.state.step:
            measure_statistics(self.state.average, self._statistics)
            self._measured_at = self.state.step

    def header(self) -> Header:
        """Return what a checkpoint of this moment says of the run."""
        epoch, step_in_epoch = divmod(self.state.step, self.steps_per_epoch)
        return Header(
            config=self.config,
            precision=self.precision,
            step=self.state.step,
            epoch=epoch,
            step_in_epoch=step_in_epoch,
            images=self._images,
            elapsed_seconds=self.elapsed,
            data_digest=self._data_digest,
            schedule_changes=self._schedule_changes,
            shards=self.shards,
            versions={"dcgan-edge": __version__, "torch": torch.__version__},
            generator=preset_spec(self.config.architecture),
        )

    def _count_step(self) -> None:
        self._seconds += self._clock() - self._lap
        self._steps += 1
        self.images_per_second = self._steps * self.config.batch / max(self._seconds, 1e-9)

    def _log(self, pixels: torch.Tensor, outcome: StepOutcome, quality: Quality | None) -> None:
        """Write the line of this step, with how the run is and what the monitor says to it."""
        assert self.losses is not None
        line = {
            "step": self.state.step,
            "epoch": self.state.step // self.steps_per_epoch,
            "images": self.state.step * self.config.batch,
            **asdict(self.losses),
            **dict(zip(("learning_rate_d", "learning_rate_g"), self._learning_rates(), strict=True)),
            **vital_signs(self.state, pixels, outcome),
        }
        if quality is not None:
            line |= {"fid": quality.fid, "kid": quality.kid}
        if self._classify and self.state.step % (self.config.log_every * CLASSES_EVERY) == 0:
            line |= class_figures(pixels, outcome, self._classify, self.config.architecture.classes)
        self.events = self.monitor.observe(line)
        if self.events:
            line["events"] = [asdict(event) for event in self.events]
        line["images_per_second"] = round(self.images_per_second, 1)
        self._metrics.append(line)
        if self._board is not None:
            self._board.append(line)
        self._seconds, self._steps = 0.0, 0

    def _diverged(self) -> str:
        return (
            f"Training diverged: a loss is not finite at step {self.state.step}. Try another --seed, a "
            f"larger --batch or --precision fp32; the last good checkpoint is kept in {self.out}."
        )
