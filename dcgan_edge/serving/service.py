"""What answers are made of: models, limits, figures, and the way of one request through a worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from dcgan_edge.classes import every_pair
from dcgan_edge.errors import EdgeError
from dcgan_edge.latent.directions import SAMPLES, find_directions
from dcgan_edge.latents import FloatArray, latents
from dcgan_edge.parallel import worker_count
from dcgan_edge.sampling import MOST_ENCODERS
from dcgan_edge.serving.batching import Job
from dcgan_edge.serving.metrics import Metrics
from dcgan_edge.serving.models import Limits, Model, Models
from dcgan_edge.serving.worker import Worker, images_of_seeds

Result = TypeVar("Result")
BODY_S = 30.0  # in which a body has to arrive
AT_ONCE = 2**16  # bytes that are read or copied sooner than they are handed to another thread


class ClientLeft(Exception):
    """The client has closed its connection, and nobody waits for the answer."""


class BodyTooLarge(EdgeError):
    """A body is larger than the limit."""


class Service:
    """All that the addresses share. It belongs to one event loop."""

    def __init__(self, models: Models, limits: Limits) -> None:
        """Answer for `models` within `limits`."""
        self.models, self.limits, self.metrics = models, limits, Metrics(models)
        self.is_draining = False
        self._encoders = ThreadPoolExecutor(min(MOST_ENCODERS, worker_count()), "dcgan-edge encoder")
        self._directions: dict[str, FloatArray] = {}
        self._finding = {name: asyncio.Lock() for name in models}

    @property
    def is_ready(self) -> bool:
        """Whether new requests are welcome."""
        return not self.is_draining and all(model.worker.is_ready for model in self.models.values())

    def retry_s(self) -> int:
        """Return the seconds after which a refused request may be tried again."""
        return max(model.worker.retry_s() for model in self.models.values())

    async def body(self, request: Request) -> bytes:
        """Return the body of `request`. Raises BodyTooLarge before it has read more than the limit, and
        HTTPException for a compressed one and for one that does not arrive in time.
        """
        most = self.limits.body
        declared = request.headers.get("content-length", "0")
        if "content-encoding" in request.headers:
            raise HTTPException(415, "Compressed bodies are not taken; send it as it is.")
        if len(declared) > 18 or int(declared) > most:
            raise BodyTooLarge(f"A body has at most {most} bytes.")

        async def read() -> bytes:
            parts, size = [], 0
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise BodyTooLarge(f"A body has at most {most} bytes.")
                parts.append(part)
            return b"".join(parts)

        try:
            return await asyncio.wait_for(read(), BODY_S)
        except asyncio.TimeoutError as error:
            raise HTTPException(408, f"A body arrives within {BODY_S:g} seconds.") from error
        except ClientDisconnect as error:
            raise ClientLeft from error

    async def made(
        self,
        request: Request,
        worker: Worker,
        job: Job,
        finish: Callable[[list[Any]], Result],
        *,
        at_once: bool = False,
    ) -> tuple[Result, str]:
        """Have `job` made, and return what `finish` makes of it, and how long it all took as a Server-Timing
        header. `at_once` is for `beside`.

        Raises QueueFull at once when there is no room, and ClientLeft as soon as nobody waits any more:
        whatever happens, nothing of the job is left in the queue.
        """
        worker.queue.submit(job)
        try:
            made = await _unless_left(request, asyncio.wrap_future(job.future))
            begun = time.perf_counter()
            result = await self.beside(lambda: finish(made), at_once=at_once)
        finally:
            worker.queue.withdraw(job)
        spans = {
            "queue": job.started - job.arrived,
            "compute": job.finished - job.started,
            "encode": time.perf_counter() - begun,
        }
        return result, ", ".join(f"{name};dur={1000 * span:.3f}" for name, span in spans.items())

    async def beside(self, function: Callable[[], Result], *, at_once: bool = False) -> Result:
        """Return `function()`, computed by a thread that keeps nobody else waiting; or here, `at_once`, where
        that is over sooner than it is handed to another thread.
        """
        if at_once:
            return function()
        return await asyncio.get_running_loop().run_in_executor(self._encoders, function)

    async def directions(self, request: Request, model: Model) -> FloatArray:
        """Return the latent directions of `model`, found when they are first asked for.

        Raises as `made` does.
        """
        async with self._finding[model.name]:  # who comes meanwhile waits for the same
            if model.name not in self._directions:
                self._directions[model.name] = await self._find_directions(request, model)
        return self._directions[model.name]

    async def _find_directions(self, request: Request, model: Model) -> FloatArray:
        architecture = model.worker.manifest.architecture
        pairs = every_pair(architecture, range(SAMPLES), None)

        def find(made: list[Any]) -> FloatArray:
            drawn = latents(range(SAMPLES), architecture.latent_dim, architecture.distribution)
            images = images_of_seeds(pairs, made)
            return find_directions(drawn[:, :, 0, 0], images, [number for _, number in pairs])

        job = await self.beside(lambda: model.worker.seeds(pairs))
        found, _ = await self.made(request, model.worker, job, find)
        return found

    def close(self) -> None:
        """Make what waits, and end every thread."""
        self.models.close()
        self._encoders.shutdown()


async def _unless_left(request: Request, work: Awaitable[Result]) -> Result:
    """Return what `work` comes to. Raises ClientLeft if the client leaves before."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientLeft
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
