"""The load of `serve`, in its smallest size: the client counts right, and killed clients leave nothing."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks.serve_client import LOST, REFUSED, Load, closed_loop, get, infer, open_loop
from benchmarks.serve_load import Settings, killed
from dcgan_edge.artifact import BatchProfile
from dcgan_edge.latents import latents
from tests.doubles import ArithmeticSession
from tests.serving.conftest import server_of
from tests.serving.test_page import listening

pytest.importorskip("uvicorn", reason="the extra serve is not installed")


def test_answers_are_counted_by_status_and_timed_from_when_they_were_due() -> None:
    made = server_of({"one": lambda: ArithmeticSession(BatchProfile(1, 4, 16))})
    requests = [get("/v1/samples?seeds=0-7&format=npy"), infer("one", latents(range(2), 3)), get("/nothing")]
    with listening(made) as url:
        address = ("127.0.0.1", urlsplit(url).port or 0)
        closed = closed_loop(address, requests, clients=3, seconds=0.2)
        opened = open_loop(address, requests[:2], rate=200.0, clients=2, seconds=0.2)
    made.service.close()
    assert set(closed.statuses) == {200, 404}
    assert set(opened.statuses) == {200}
    assert len(opened.latencies_s) == opened.statuses[200] > 10
    gone = closed_loop(address, requests, clients=2, seconds=0.2)
    assert gone.statuses == {REFUSED: 2}


def test_an_answer_that_is_cut_short_is_lost() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address: tuple[str, int] = listener.getsockname()
        connections = []

        def cut() -> None:
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf")
            connection.close()
            connections.append(connection)

        thread = threading.Thread(target=cut)
        thread.start()
        load = closed_loop(address, [get("/")], clients=1, seconds=5.0)
        thread.join()
    assert load.statuses == {LOST: 1}


def test_a_percentile_is_one_of_the_latencies() -> None:
    load = Load(latencies_s=[number / 1000 for number in range(100, 0, -1)])
    assert [round(load.percentile_ms(percent), 9) for percent in (0, 50, 99, 100)] == [1, 51, 100, 100]


def test_killed_clients_leave_nothing(exported: Path) -> None:
    settings = Settings(exported / "generator.fp32.onnx", 8, 1, 1, 0.1, 1)
    found = killed(settings, 6, warm_s=0.2, settle_s=0.2)
    assert found["next_status"] == 200
    for name in ("occupied_images", "waiting_parts"):
        assert found["after"][name] == found["before"][name]
    # Of the six one at most is left: the connection that asked for the figures may still be open.
    assert found["after"]["files"] <= found["before"]["files"] + 1
