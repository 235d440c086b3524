"""A client without a network: one request to an ASGI application, and its answer."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from dcgan_edge.serving.gate import App, Message


@dataclass(frozen=True)
class Answer:
    """Status, headers with small letters, and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def array(self) -> npt.NDArray[Any]:
        array: npt.NDArray[Any] = np.load(io.BytesIO(self.body), allow_pickle=False)
        return array


def ask(
    app: App, address: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """GET `address`, or POST `body` to it."""
    return asyncio.run(answer_of(app, address, body, headers))


async def answer_of(
    app: App,
    address: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    leave: asyncio.Event | None = None,
    more: bool = False,
) -> Answer:
    """The same in a loop that runs; the client closes its connection when `leave` is set, and has `more` of
    the body that it never sends.
    """
    parts = urlsplit(address)
    given = {"host": "localhost", **({} if body is None else {"content-length": str(len(body))})}
    given |= {name.lower(): value for name, value in (headers or {}).items()}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http",
        "method": "GET" if body is None else "POST", "path": parts.path, "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(), "root_path": "", "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip
    messages: list[Message] = []
    requests = [{"type": "http.request", "body": body or b"", "more_body": more}]
    gone = leave or asyncio.Event()

    async def receive() -> Message:
        if requests:
            return requests.pop()
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    return Answer(
        messages[0]["status"],
        {name.decode(): value.decode() for name, value in messages[0]["headers"]},
        b"".join(message.get("body", b"") for message in messages[1:]),
    )
