"""HTTP with what `download` needs of it: two kinds of failure, a timeout, and no other protocol.

Built on urllib alone. Proxies come from the usual environment variables.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from socket import EAI_NONAME, gaierror
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from dcgan_edge import __version__
from dcgan_edge.errors import EdgeError, UsageError

HEADERS = {"User-Agent": f"dcgan-edge/{__version__}", "Accept-Encoding": "identity"}
BUSY = {408, 425, 429, 500, 502, 503, 504}  # the same request may be answered a little later


class MirrorError(EdgeError):
    """This server cannot give the file; another may. The message is the reason, to follow the address."""


class TransientError(Exception):
    """An attempt failed, and the next one may not. `wait` is in seconds, where the server asked for it."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


def check_address(url: str) -> None:
    """Raises UsageError unless `url` is a whole http or https address."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not close
        whole = False
    if not whole or not url.isprintable() or " " in url:
        raise UsageError(f"{url!r} is not the address of a mirror; write https://HOST/FOLDER/.")


@contextmanager
def open_url(request: Request, timeout: float) -> Iterator[Any]:
    """The response to `request`, redirects followed; a 416 is a response too. Closed at the end.

    Raises TransientError or MirrorError for every other answer, and for none within `timeout` seconds.
    """
    try:
        response = _opener().open(request, timeout=timeout)
    except HTTPError as error:
        if error.code != 416:
            with error:
                raise _refusal(error) from error
        response = error
    except (OSError, HTTPException) as error:
        raise _failure(error) from error
    with response:
        yield response


def reason(error: Exception) -> str:
    """What went wrong on the network, in a few words."""
    if isinstance(error, TimeoutError):
        return "it stopped answering"
    if isinstance(error, URLError) and isinstance(error.reason, Exception):
        return reason(error.reason)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _opener() -> OpenerDirector:
    """urllib's own opener without file:, ftp: and data:, so that no redirect leads there."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPRedirectHandler(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
        UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _refusal(error: HTTPError) -> Exception:
    text = f"its answer is {error.code} {error.reason}"
    if error.code not in BUSY:
        return MirrorError(text)
    after = error.headers.get("Retry-After", "")
    return TransientError(text, float(after) if after.isascii() and after.isdigit() else None)


def _failure(error: Exception) -> Exception:
    inner = error.reason if isinstance(error, URLError) else error
    final = isinstance(inner, ssl.SSLCertVerificationError) or (
        isinstance(inner, gaierror) and inner.errno == EAI_NONAME
    )
    return MirrorError(reason(error)) if final else TransientError(reason(error))
