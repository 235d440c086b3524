"""One published file from one address, with pooch over requests. Below `fetch`, which chooses mirrors.

A file gets its name only after its SHA-256 was found to be the published one; what is cut off leaves nothing.
Proxies come from the usual environment variables.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from dcgan_edge import __version__
from dcgan_edge.data.fetch_sources import RemoteFile
from dcgan_edge.errors import EdgeError, UnavailableError

CHUNK = 1 << 16  # bytes between two reports
MAX_DELAY = 60.0  # seconds between two attempts
HEADERS = {"User-Agent": f"dcgan-edge/{__version__}", "Accept-Encoding": "identity"}
BUSY = {408, 425, 429, 500, 502, 503, 504}  # the same request may be answered a little later
ByteProgress = Callable[[int, int], None]  # bytes done, of how many


class MirrorError(EdgeError):
    """A server cannot give the file; another may. The message is the reason, to follow the address."""


def download(
    url: str, file: RemoteFile, folder: Path, *, timeout: float, retries: int, progress: ByteProgress
) -> None:
    """Bring `file` from `url` into `folder`, which must exist, and check its SHA-256.

    The server is given up after `timeout` seconds without a byte; a broken connection or a busy server is
    tried again `retries` times, after 1, 2, 4 ... seconds or when the server asks for it.

    Raises MirrorError when this server cannot give the file, EdgeError when the disk is full or refuses,
    UnavailableError when pooch is not installed.
    """
    try:
        import pooch
        import requests
    except ImportError as error:
        raise UnavailableError(
            f"{file.name} is downloaded with pooch, which is not installed: pip install 'dcgan-edge[data]'"
        ) from error
    pooch.get_logger().setLevel("WARNING")
    downloader = pooch.HTTPDownloader(
        progressbar=_Bar(file.size, progress), chunk_size=CHUNK, timeout=timeout, headers=HEADERS
    )
    for attempt in range(retries + 1):
        try:
            pooch.retrieve(url, f"sha256:{file.sha256}", fname=file.name, path=folder, downloader=downloader)
            return
        except requests.RequestException as error:
            reason, final = _reason(error)
            if final or attempt == retries:
                raise MirrorError(reason if final else f"{reason}, {attempt + 1} times in a row") from error
            time.sleep(_delay(error, attempt))
        except ValueError as error:  # of pooch: another digest; of the bar: another size
            raise MirrorError(str(error)) from error
        except OSError as error:
            raise EdgeError(f"Cannot write {folder / file.name}: {error.strerror or error}.") from error


class _Bar:
    """What pooch takes for a progress bar: reports bytes, and ends a download of another size early."""

    def __init__(self, size: int, progress: ByteProgress) -> None:
        self._size, self._progress, self._done = size, progress, 0

    @property
    def total(self) -> int:
        """The size of the published file in bytes; raises ValueError when another one is announced."""
        return self._size

    @total.setter
    def total(self, announced: int) -> None:
        self._done = 0
        if announced not in (0, self._size):
            raise ValueError(f"its file has {announced:,} bytes, the published one {self._size:,}")

    def update(self, count: int) -> None:
        """Count a block that has come; `count` is its greatest size, not its own."""
        if self._done > self._size:
            raise ValueError(f"its file has more than the {self._size:,} bytes of the published one")
        self._done += count
        self._progress(min(self._done, self._size), self._size)

    def reset(self) -> None:
        """Begin the count again, as pooch does before it adds the total at the end."""
        self._done = 0

    def close(self) -> None:
        """Do nothing; what shows the progress belongs to the caller."""


def _reason(error: Exception) -> tuple[str, bool]:
    """What went wrong on the network in a few words, and whether asking again is in vain."""
    from requests import exceptions

    response = getattr(error, "response", None)
    if response is not None and not isinstance(error, exceptions.TooManyRedirects):
        return f"its answer is {response.status_code} {response.reason}", response.status_code not in BUSY
    if isinstance(error, exceptions.Timeout) or "timed out" in str(error):
        return "it stopped answering", False
    final = isinstance(error, exceptions.TooManyRedirects | exceptions.SSLError | ValueError)
    inner: BaseException | None = error
    while inner is not None:  # the reason of the system, below three layers of libraries
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror, final
        inner = inner.__cause__ or inner.__context__
    return f"the connection failed ({error})", final


def _delay(error: Exception, attempt: int) -> float:
    """Seconds before the next attempt: 1, 2, 4 ..., or as the server asks; a minute at most."""
    response = getattr(error, "response", None)
    after = response.headers.get("Retry-After", "") if response is not None else ""
    return min(float(after) if after.isascii() and after.isdigit() else 2.0**attempt, MAX_DELAY)
