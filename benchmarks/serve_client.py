"""A plain HTTP client for load: sockets, prepared requests, threads, little beside what it measures."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dcgan_edge.latents import FloatArray

PATIENCE_S = 120.0
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: what is closed is reset, as a killed process leaves it
REFUSED, LOST = "refused", "lost"  # never accepted; accepted, and not answered to the end


@dataclass
class Load:
    """What came back: how often each status, seconds of each answer of 200, and how long it all took."""

    statuses: Counter[int | str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    retry_after: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Return the answers of 200 per second."""
        return self.statuses[200] / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """Return the percentile of the latencies, in milliseconds: the least that so many do not exceed."""
        ordered = sorted(self.latencies_s)
        return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


class Connection:
    """One connection that is kept open, and opened anew when the server has closed it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._socket: socket.socket | None = None

    def ask(self, request: bytes) -> tuple[int, dict[str, str], int]:
        """Send `request` and return status, headers and the length of the body.

        Raises ConnectionRefusedError where nobody listens, ConnectionError for an answer that was cut short.
        """
        if self._socket is None:
            self._socket = socket.create_connection(self._address, PATIENCE_S)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._socket.sendall(request)
            status, headers, length = _answer(self._socket)
        except OSError:
            self.close()
            raise
        if headers.get("connection") == "close":
            self.close()
        return status, headers, length

    def abandon(self, request: bytes, wait_s: float) -> None:
        """Send `request` and reset the connection after `wait_s`, as a client that is killed does."""
        made = socket.create_connection(self._address, PATIENCE_S)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        with made:
            made.sendall(request)
            time.sleep(wait_s)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def get(path: str) -> bytes:
    """Return the request for `path`."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def infer(model: str, latents: FloatArray) -> bytes:
    """Return the request for the images of `latents` by the Open Inference Protocol, in binary both ways."""
    source = {
        "name": "latents", "datatype": "FP32", "shape": list(latents.shape),
        "parameters": {"binary_data_size": latents.nbytes},
    }  # fmt: skip
    text = json.dumps({"inputs": [source], "parameters": {"binary_data_output": True}}).encode()
    head = (
        f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: localhost\r\n"
        f"Inference-Header-Content-Length: {len(text)}\r\n"
        f"Content-Length: {len(text) + latents.nbytes}\r\n\r\n"
    )
    return head.encode() + text + latents.tobytes()


def closed_loop(
    address: tuple[str, int],
    requests: Sequence[bytes],
    *,
    clients: int,
    seconds: float,
    stop: threading.Event | None = None,
) -> Load:
    """Ask `requests` over and over on `clients` connections, each as soon as its last one is answered, for
    `seconds`, or until the server is gone or `stop` is set.

    Where their number is a multiple of `clients`, each client has requests of its own, so that no two ask for
    the same block of seeds, which would be computed once for both.
    """
    load, lock, end = Load(), threading.Lock(), time.perf_counter() + seconds

    def client(number: int) -> None:
        connection, place = Connection(address), number
        while time.perf_counter() < end and not (stop and stop.is_set()):
            place += clients
            if not _timed(connection, requests[place % len(requests)], time.perf_counter(), load, lock):
                break
        connection.close()

    begun = time.perf_counter()
    _together([threading.Thread(target=client, args=(number,)) for number in range(clients)])
    load.seconds = time.perf_counter() - begun
    return load


def open_loop(
    address: tuple[str, int], requests: Sequence[bytes], *, rate: float, clients: int, seconds: float
) -> Load:
    """Ask `rate` times a second at random moments (a Poisson process of a fixed seed), whatever is answered.

    A latency begins when its request was due, not when a connection was free for it.
    """
    load, lock, due = Load(), threading.Lock(), _moments(rate, seconds)
    begun = time.perf_counter()

    def client() -> None:
        connection = Connection(address)
        while True:
            with lock:
                place, moment = next(due, (0, -1.0))
            if moment < 0:
                break
            time.sleep(max(0.0, begun + moment - time.perf_counter()))
            _timed(connection, requests[place % len(requests)], begun + moment, load, lock)
        connection.close()

    _together([threading.Thread(target=client) for _ in range(clients)])
    load.seconds = time.perf_counter() - begun
    return load


def _moments(rate: float, seconds: float) -> Iterator[tuple[int, float]]:
    chance, moment, place = random.Random(0), 0.0, 0
    while (moment := moment + chance.expovariate(rate)) < seconds:
        yield place, moment
        place += 1


def _timed(connection: Connection, request: bytes, begun: float, load: Load, lock: threading.Lock) -> bool:
    """Ask once and note what came of it; return whether the server is still there."""
    status: int | str
    headers: dict[str, str] = {}
    try:
        status, headers, _ = connection.ask(request)
    except ConnectionRefusedError:
        status = REFUSED
    except OSError:
        status = LOST
    took = time.perf_counter() - begun
    with lock:
        load.statuses[status] += 1
        if status == 200:
            load.latencies_s.append(took)
        elif "retry-after" in headers:
            load.retry_after[headers["retry-after"]] += 1
    return not isinstance(status, str)


def _answer(connection: socket.socket) -> tuple[int, dict[str, str], int]:
    received = b""
    while b"\r\n\r\n" not in received:
        received += _received(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", 0))
    missing = length - len(body)
    while missing > 0:
        missing -= len(_received(connection))
    return int(first.split()[1]), headers, length


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(1 << 18)
    if not data:
        raise ConnectionResetError("The server closed the connection before the end of its answer.")
    return data


def _together(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
