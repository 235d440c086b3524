"""`serve`: opens the artifacts, listens, answers until it is told to end, and ends without losing a
request."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from dcgan_edge.errors import EdgeError, UsageError
from dcgan_edge.extras import need
from dcgan_edge.files import StrPath
from dcgan_edge.runtime.device import Backend
from dcgan_edge.runtime.session import open_session
from dcgan_edge.serving.models import Limits, Models, named_artifacts, open_models

LIBRARIES = ("fastapi", "uvicorn", "prometheus_client")
TOKEN = re.compile(r"[\x21-\x7e]{16,1000}")
QUEUE = 1024  # images
DRAIN_S = 30.0  # in which what was accepted has to be answered
LAST_WORDS_S = 0.3  # in which requests on connections that were accepted before the end may still arrive
MOST_CONNECTIONS = 512


@dataclass(frozen=True)
class Served:
    """What a server has done from its start to its end: `calls` of sessions, `images` computed in them, and
    requests that were `refused` with 503 or `withdrawn` by clients that left, over all artifacts.
    """

    url: str
    models: tuple[str, ...]
    seconds: float
    calls: int
    images: int
    refused: int
    withdrawn: int

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON has them."""
        return {**vars(self), "models": list(self.models)}


def serve(
    artifacts: Sequence[StrPath],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    max_batch: int | None = None,
    max_delay_s: float = 0.001,
    max_queue: int = QUEUE,
    max_images: int = Limits.images,
    max_body: int = Limits.body,
    device: str = "auto",
    backend: Backend = "auto",
    threads: int | None = None,
    started: Callable[[str, Sequence[str]], None] | None = None,
) -> Served:
    """Answer HTTP requests for the images of `artifacts` until SIGTERM or Ctrl-C, and say what was done.

    An artifact is a path or NAME=PATH. `host` and `port` are where it listens (port 0: a free one); beyond
    this machine a `token` of at least 16 characters is needed, which every client then sends. `max_batch` is
    the number of images per call and the block that seeds are computed in (None: that of `sample`, whose
    files are then the same), `max_delay_s` how long a call that is not full waits for others. Up to
    `max_queue` images may be in the making before requests are answered 503; a request is for up to
    `max_images`, and of up to `max_body` bytes. `started` is told the address and the names once requests are
    answered.

    The main thread's signals are handled while it runs: what was accepted before SIGTERM is answered first.
    Raises UsageError for names, hosts and limits that cannot be, EdgeError for an address that is taken,
    UnavailableError without the extra `serve`, and what `open_session` raises.
    """
    for library in LIBRARIES:
        need(library, "serve")
    _check(token, (max_queue, max_images, max_body), max_delay_s)
    paths = named_artifacts(artifacts)
    for path in paths.values():
        if not os.path.isfile(path):  # noqa: PTH113  # its name may be too long, and pathlib would raise
            raise UsageError(f"There is no file {path}.")
    begun = time.monotonic()
    with _listening(host, port) as listener:
        address = listener.getsockname()
        if token is None and not _is_loopback(address[0]):
            raise UsageError(
                f"{host} is reached from other machines. Say who may ask: --token, or DCGAN_EDGE_SERVE_TOKEN."
            )
        open_it = partial(open_session, device=device, backend=backend, threads=threads)
        openers = {name: partial(open_it, path) for name, path in paths.items()}
        models = open_models(openers, batch=max_batch, delay_s=max_delay_s, room=max_queue)
        url = f"http://{f'[{address[0]}]' if ':' in address[0] else address[0]}:{address[1]}/"
        told = partial(started, url, tuple(models)) if started else None
        _run(models, Limits(max_images, max_body), listener, host, token, told)
        workers = [model.worker for model in models.values()]
    return Served(
        url, tuple(models), time.monotonic() - begun,
        sum(worker.calls for worker in workers), sum(worker.images for worker in workers),
        sum(worker.queue.refused for worker in workers), sum(worker.queue.withdrawn for worker in workers),
    )  # fmt: skip


def _run(
    models: Models,
    limits: Limits,
    listener: socket.socket,
    host: str,
    token: str | None,
    started: Callable[[], None] | None,
) -> None:
    """Answer on `listener` until a signal, and close everything."""
    import uvicorn

    from dcgan_edge.serving.app import create_app
    from dcgan_edge.serving.gate import LOCAL_NAMES, Gate
    from dcgan_edge.serving.patience import Patience
    from dcgan_edge.serving.service import Service

    service = Service(models, limits)
    gate = Gate(
        create_app(service), names={*LOCAL_NAMES, host.lower()}, token=token,
        is_draining=lambda: service.is_draining, answered=service.metrics.answered,
    )  # fmt: skip
    patience = Patience()

    class Server(uvicorn.Server):
        """uvicorn's, which says when it has started, does not wait for clients that do nothing, and lets
        requests that are on their way arrive.
        """

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started and started:
                started()

        async def on_tick(self, counter: int) -> bool:
            patience.look(cast(Any, self.server_state.connections))  # of HTTP/1.1, all of them
            return await super().on_tick(counter)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            service.is_draining = True
            for server in self.servers:
                server.close()
            await asyncio.sleep(LAST_WORDS_S)
            await super().shutdown(sockets)

    config = uvicorn.Config(
        gate, lifespan="off", ws="none", log_config=None, access_log=False, server_header=False,
        proxy_headers=False, limit_concurrency=MOST_CONNECTIONS, timeout_graceful_shutdown=int(DRAIN_S),
    )  # fmt: skip
    try:
        with _ending_well():
            Server(config).run(sockets=[listener])
    finally:
        service.close()


@contextlib.contextmanager
def _ending_well() -> Iterator[None]:
    """Have SIGTERM end the server and not the process: uvicorn sends it once more when it has drained."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Have a socket that is bound to `host` and `port`, and closed at the end."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"There is no address {host[:100]!r} here.") from error
    family, kind, protocol, _, address = found[0]
    # asyncio sets TCP_NODELAY on what a socket accepts only if that says itself that it is of TCP. Without,
    # an answer whose head and body are sent one after the other may wait 40 ms for the client's kernel.
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # what it accepts has it too
        try:
            listener.bind(address)
        except OSError as error:
            raise EdgeError(
                f"Cannot listen at {host}, port {port}: {error.strerror}. Choose another --port; 0 takes any."
            ) from error
        yield listener


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _check(token: str | None, counts: Sequence[int], delay_s: float) -> None:
    """Raise UsageError for a token that is easily guessed or cannot be sent, and for limits below 1."""
    if token is not None and not TOKEN.fullmatch(token):
        raise UsageError(
            "A token has 16 to 1,000 visible ASCII characters. This makes one: openssl rand -hex 16"
        )
    if min(counts) < 1 or not 0.0 <= delay_s <= 60.0:
        raise UsageError("Queue, images and body are at least 1, and the delay is 0 to 60 seconds.")
