"""One file over HTTP into `<name>.part`, going on where an earlier attempt, or an earlier run, was cut off.

Below `fetch`, which chooses mirrors and checks digests. A part is continued with a Range request and, where
the server gave a validator, If-Range (RFC 9110, sections 13.1.5 and 14.2): a file that has changed meanwhile
is sent from its beginning. Whatever happens, Ctrl-C included, the bytes that have come stay in the part.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, BinaryIO
from urllib.request import Request

from dcgan_edge.data.http_client import HEADERS, MirrorError, TransientError, open_url, reason
from dcgan_edge.errors import EdgeError
from dcgan_edge.files import write_atomic

CHUNK = 1 << 16
WORTH = 1 << 20  # bytes; an attempt that brought so many does not count as a failure
MAX_DELAY = 60.0  # seconds between two attempts
Bytes = Callable[[int], None]  # is told the bytes there are


@dataclass(frozen=True)
class Network:
    """Patience with a server. It is given up after `timeout` seconds without a byte, or a mean below
    `min_rate` bytes/s over `window` seconds; `retries` attempts in a row may fail before the mirror has.
    """

    timeout: float = 30.0
    retries: int = 5
    min_rate: float = 1024.0
    window: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


def download(url: str, part: Path, size: int, *, network: Network, report: Bytes) -> None:
    """Fill `part` with the `size` bytes at `url`, beginning with what it already holds.

    Raises MirrorError when this server cannot give the file; EdgeError when the disk is full or refuses.
    """
    failures = 0
    while True:
        before = size_of(part)
        try:
            return _attempt(url, part, size, network, report)
        except TransientError as error:
            failures = 0 if size_of(part) - before >= WORTH else failures + 1
            if failures > network.retries:
                raise MirrorError(f"{error}, {failures} times in a row") from error
            network.sleep(min(error.wait or 2.0 ** max(0, failures - 1), MAX_DELAY))


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def forget(part: Path) -> None:
    """Remove a part and what is known about it."""
    part.unlink(missing_ok=True)
    _facts_path(part).unlink(missing_ok=True)


def _attempt(url: str, part: Path, size: int, network: Network, report: Bytes) -> None:
    have = size_of(part)
    if have > size:
        forget(part)
        have = 0
    if have == size:
        report(have)
        return
    request = Request(url, headers=HEADERS | _range_headers(part, url, have))
    with open_url(request, network.timeout) as response:
        if response.status == 416:  # there is nothing after our last byte: it was another file
            forget(part)
            raise TransientError("its file is shorter than what was received")
        start = _start(response, part, have, size)
        _check_space(part, size - start)
        if start == 0:
            _remember(part, url, response)
        try:
            with open(part, "ab" if start else "wb") as file:
                _copy(response, file, start, size, network, report)
                os.fsync(file.fileno())
        except OSError as error:
            raise EdgeError(f"Cannot write {part}: {error.strerror or error}. What came is kept.") from error
    if size_of(part) < size:
        raise TransientError(f"the connection ended after {size_of(part):,} of {size:,} bytes")


def _copy(response: Any, file: BinaryIO, have: int, size: int, network: Network, report: Bytes) -> None:
    since, mark = network.clock(), have
    while have < size:
        report(have)
        try:
            chunk = response.read1(min(CHUNK, size - have))
        except (OSError, HTTPException) as error:
            raise TransientError(reason(error)) from error
        if not chunk:
            break
        file.write(chunk)
        have += len(chunk)
        elapsed = network.clock() - since
        if elapsed >= network.window and have < size:
            if have - mark < network.min_rate * elapsed:
                raise TransientError(f"it sends only {(have - mark) / elapsed:,.0f} bytes a second")
            since, mark = network.clock(), have
    report(have)


def _start(response: Any, part: Path, have: int, size: int) -> int:
    """Where in the file the body of `response` begins. Raises when it cannot be the file that is wanted."""
    if response.status == 206:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != have:
            forget(part)
            raise TransientError("it sent another part of the file than was asked for")
        total, start = found[2], have
    elif response.status == 200:
        total, start = response.headers.get("Content-Length", "*"), 0
    else:
        raise MirrorError(f"its answer is {response.status} {response.reason}")
    if total != "*" and total != str(size):
        raise MirrorError(f"its file has {total} bytes, the published one {size}")
    return start


def _range_headers(part: Path, url: str, have: int) -> dict[str, str]:
    """Range, and If-Range where the part came from this very address. From another mirror nothing but the
    size can be compared; the digest of the whole file decides in the end.
    """
    if not have:
        return {}
    try:
        facts = json.loads(_facts_path(part).read_bytes())
        validator = facts["validator"] if facts["url"] == url else None
    except (OSError, ValueError, KeyError, TypeError):
        validator = None
    return {"Range": f"bytes={have}-"} | ({"If-Range": str(validator)} if validator else {})


def _remember(part: Path, url: str, response: Any) -> None:
    tag = response.headers.get("ETag", "")
    validator = tag if tag.startswith('"') else response.headers.get("Last-Modified")  # weak tags do not do
    write_atomic(_facts_path(part), json.dumps({"url": url, "validator": validator}).encode())


def _facts_path(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _check_space(part: Path, missing: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if free < missing:
        raise EdgeError(
            f"{part.parent} has {free:,} bytes free and {missing:,} are still to come. Make room, then run "
            "the same command again: it goes on where it stopped."
        )
