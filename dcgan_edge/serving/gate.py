"""Who is answered: the first and the last that a request meets, as plain ASGI.

Without a token the server is for this machine, and a web page of somebody else in this machine's browser is
not of it. Such a page reaches a loopback address in two ways: by a name of its own that it lets point here
(DNS rebinding), which the Host header shows; and by requests across origins, which Origin and Sec-Fetch-Site
show. No CORS header is ever sent, so that no other origin reads an answer.
Sources: RFC 9110, sections 7.2 and 7.4 (Host, 421); Fetch Metadata Request Headers, W3C; RFC 6750.
"""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
OPEN = frozenset({"/", "/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"})
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
GONE = 499  # what is counted for a client that left; nothing is sent


@dataclass(frozen=True)
class Refusal:
    """A status and the sentence that goes with it."""

    status: int
    why: str


class Gate:
    """Lets requests of this machine through to `app`, or those that have the token; counts every answer."""

    def __init__(
        self,
        app: App,
        *,
        names: Collection[str],
        token: str | None,
        is_draining: Callable[[], bool],
        answered: Callable[[str, int, float], None],
    ) -> None:
        """Answer to the host `names` alone, or with a `token` to any, but to its bearers alone.

        `answered` is told route, status and seconds of each answer.
        """
        self._app, self._names = app, frozenset(names)
        self._token = None if token is None else token.encode()
        self._is_draining, self._answered = is_draining, answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        begun, status = time.perf_counter(), GONE

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                added = [*HEADERS, (b"connection", b"close")] if self._is_draining() else HEADERS
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        try:
            refusal = self.refusal(scope)
            if refusal is None:
                await self._app(scope, receive, send_on)
            else:
                await _refuse(refusal, send_on)
        except BaseException:
            status = 500 if status == GONE else status
            raise
        finally:
            self._answered(_route(scope), status, time.perf_counter() - begun)

    def refusal(self, scope: Scope) -> Refusal | None:
        """Return why the request is not answered, None if it is."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if self._token is None and _name(host) not in self._names:
            return Refusal(421, f"This server is for this machine, and not called {host[:100]!r}.")
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return Refusal(403, "Web pages of other origins are not answered.")
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not (
            scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"
        ):
            return Refusal(403, "Web pages of other origins are not answered.")
        if self._token is None or scope["path"] in OPEN:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token):
            return Refusal(401, "This server wants its token: Authorization: Bearer TOKEN.")
        return None


async def _refuse(refusal: Refusal, send: Send) -> None:
    body = json.dumps({"error": refusal.why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _name(host: str) -> str:
    """Return the name in a Host header, without its port and the brackets of IPv6."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _route(scope: Scope) -> str:
    """Return the pattern of the address that was asked for, "other" for one that there is none of."""
    return str(getattr(scope.get("route"), "path", "other"))
