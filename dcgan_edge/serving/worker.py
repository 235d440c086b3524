"""The thread that owns one session: sessions are used by one thread at a time, from opening to closing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np

from dcgan_edge.artifact import Manifest
from dcgan_edge.classes import Pair
from dcgan_edge.errors import EdgeError
from dcgan_edge.images import ImageArray, PixelArray
from dcgan_edge.latents import FloatArray, latents
from dcgan_edge.runtime.sampling import block_seeds, block_size, pixel_blocks
from dcgan_edge.runtime.session import Session, SessionFacts
from dcgan_edge.serving.batching import LATENTS, BatchQueue, Job, Part, Piece


@dataclass(frozen=True)
class SeedBlock:
    """What a part of a job for seeds holds: pairs of one block, and the latents of the whole block."""

    pairs: list[Pair]
    drawn: FloatArray


class Worker:
    """Makes images of seeds and latents for many clients, in calls of `batch` images at most."""

    def __init__(
        self,
        open_it: Callable[[], Session],
        *,
        batch: int | None = None,
        delay_s: float = 0.0,
        room: int = 1024,
    ) -> None:
        """Open the session in a thread of its own and run it once with each size that calls may have.

        `batch` None is that of `sample`. Raises what `open_it` raises, and UsageError for a batch that the
        artifact does not take.
        """
        self.calls = self.images = 0
        self.busy_s = 0.0
        opened: Future[tuple[Manifest, SessionFacts, BatchQueue]] = Future()

        def queue_of(session: Session) -> BatchQueue:
            most = block_size(session.manifest.batch, batch)
            return BatchQueue(most=most, delay_s=delay_s, room=room)

        self._thread = threading.Thread(
            target=self._live, args=(open_it, queue_of, opened), name="dcgan-edge session", daemon=True
        )
        self._thread.start()
        self.manifest, self.facts, self.queue = opened.result()

    @property
    def batch(self) -> int:
        """Return the most images of a call, and the length of the blocks that seeds are computed in."""
        return self.queue.most

    @property
    def is_ready(self) -> bool:
        """Whether the session is open and its thread takes work."""
        return self._thread.is_alive()

    def seeds(self, pairs: Sequence[Pair]) -> Job:
        """Return the job of making `pairs`, seeds with their classes; see `images_of_seeds`.

        Latents are drawn here and not in the thread of the session, which has better to do. Raises what
        `BatchQueue.check_room` raises.
        """
        blocks: dict[int, list[Pair]] = {}
        for pair in sorted(set(pairs)):
            blocks.setdefault(pair[0] // self.batch, []).append(pair)
        computed = {number: self.batch * _most_classes(wanted) for number, wanted in blocks.items()}
        self.queue.check_room(sum(computed.values()))
        architecture = self.manifest.architecture
        parts = []
        for number, wanted in blocks.items():
            seeds = block_seeds(number, self.batch)
            drawn = latents(seeds, architecture.latent_dim, architecture.distribution)
            parts.append(Part(number, len(wanted), computed[number], SeedBlock(wanted, drawn)))
        return Job(parts)

    def latents(self, given: FloatArray) -> Job:
        """Return the job of making `given` latents (n, input_dim, 1, 1), n >= 1; see `images_of_latents`."""
        return Job(
            Part(LATENTS, len(rows), len(rows), rows)
            for rows in (given[at : at + self.batch] for at in range(0, len(given), self.batch))
        )

    def retry_s(self) -> int:
        """Return the whole seconds after which what is being made now will be done, at least 1."""
        if not self.images:
            return 1
        return max(1, round(self.queue.occupied * self.busy_s / self.images))

    def close(self) -> None:
        """Make what waits, close the session, and return when that is done."""
        self.queue.close()
        self._thread.join()

    def _live(
        self,
        open_it: Callable[[], Session],
        queue_of: Callable[[Session], BatchQueue],
        opened: Future[tuple[Manifest, SessionFacts, BatchQueue]],
    ) -> None:
        try:
            session = open_it()
        except BaseException as error:
            opened.set_exception(error)
            return
        with session:
            try:
                queue = queue_of(session)
                self._padded = _prepares_sizes(session.facts)
                dim = session.manifest.architecture.input_dim
                for size in _sizes(queue.most):
                    session.raw(np.zeros((size, dim, 1, 1), np.float32))
            except BaseException as error:
                opened.set_exception(error)
                return
            opened.set_result((session.manifest, session.facts, queue))
            while batch := queue.take():
                self._call(session, batch, queue.most)

    def _call(self, session: Session, batch: list[Piece], most: int) -> None:
        begun = time.perf_counter()
        try:
            made = (
                self._latents(session, batch, most)
                if batch[0].part.key == LATENTS
                else self._block(session, batch, most)
            )
        except Exception as error:  # the thread outlives it, and each client hears of it
            if not isinstance(error, EdgeError):
                logging.getLogger(__name__).exception("A call failed.")
            for piece in batch:
                piece.job.fail(error)
            return
        finally:
            self.busy_s += time.perf_counter() - begun
        for piece, images in zip(batch, made, strict=True):
            piece.job.finished = time.monotonic()
            piece.job.deliver(piece, images)

    def _block(self, session: Session, batch: list[Piece], most: int) -> list[dict[Pair, PixelArray]]:
        """Make one block of seeds, once for all who asked for some of it; further classes take more calls."""
        blocks: list[SeedBlock] = [piece.part.content for piece in batch]
        pairs = sorted({pair for block in blocks for pair in block.pairs})
        drawn = {batch[0].part.key: blocks[0].drawn}
        found: dict[Pair, PixelArray] = {}
        for made, pixels in pixel_blocks(session, pairs, batch=most, drawn=drawn):
            found.update(zip(made, pixels, strict=True))
            self.calls += 1
            self.images += most
        return [{pair: found[pair] for pair in block.pairs} for block in blocks]

    def _latents(self, session: Session, batch: list[Piece], most: int) -> list[ImageArray]:
        rows = [piece.part.content for piece in batch]
        joined = rows[0] if len(rows) == 1 else np.concatenate(rows)
        count = len(joined)
        if self._padded and count not in (sizes := _sizes(most)):
            missing = min(size for size in sizes if size > count) - count
            joined = np.pad(joined, ((0, missing), (0, 0), (0, 0), (0, 0)))
        images = session.raw(joined)
        self.calls += 1
        self.images += len(joined)
        ends = np.cumsum([len(each) for each in rows])
        return [images[end - len(each) : end] for each, end in zip(rows, ends, strict=True)]


def images_of_seeds(pairs: Sequence[Pair], made: Iterable[dict[Pair, PixelArray]]) -> PixelArray:
    """Return uint8 (n, size, size, channels) of `pairs` in their order, from what their job has made."""
    found = {pair: image for each in made for pair, image in each.items()}
    return np.stack([found[pair] for pair in pairs])


def images_of_latents(made: Sequence[Any]) -> ImageArray:
    """Return the images of a job's latents as the artifact makes them, from what their job has made."""
    images: ImageArray = made[0] if len(made) == 1 else np.concatenate(made)
    return images


def _most_classes(pairs: Sequence[Pair]) -> int:
    """Return in how many classes the seed of `pairs` with the most of them is asked for."""
    counts: dict[int, int] = {}
    for seed, _ in pairs:
        counts[seed] = counts.get(seed, 0) + 1
    return max(counts.values())


def _prepares_sizes(facts: SessionFacts) -> bool:
    """Whether a batch size that is new takes long once, as everywhere but in ONNX Runtime on a CPU."""
    return facts.backend != "onnxruntime" or facts.device != "cpu"


def _sizes(most: int) -> list[int]:
    """Return the batch sizes that sessions are prepared for: the powers of two below `most`, and `most`."""
    return [*(2**power for power in range((most - 1).bit_length())), most]
