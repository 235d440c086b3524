"""What the addresses answer: the bytes of `sample`, tags, limits, and a sentence for everything else."""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcgan_edge import sample
from dcgan_edge.errors import UsageError
from dcgan_edge.latent.directions import SAMPLES
from dcgan_edge.latents import FloatArray, latents
from dcgan_edge.runtime.session import open_session
from dcgan_edge.serving.answers import npy_bytes, read_latents
from tests.doubles import ArithmeticSession
from tests.serving.asgi import answer_of, ask
from tests.serving.conftest import LIMITS, Server, server_of

pytest.importorskip("fastapi", reason="the extra serve is not installed")


@pytest.fixture(scope="module")
def real(exported: Path) -> Iterator[Server]:
    made = server_of({"digits": lambda: open_session(exported / "generator.fp32.onnx", threads=1)})
    yield made
    made.service.close()


def test_a_picture_is_the_file_that_sample_writes(real: Server, exported: Path, tmp_path: Path) -> None:
    sample(exported / "generator.fp32.onnx", [3, 4, 100], tmp_path, grid=(2, 2), threads=1)
    alone = ask(real.app, "/v1/samples?seeds=100")
    assert (alone.status, alone.headers["content-type"]) == (200, "image/png")
    assert alone.body == (tmp_path / "seed0100.png").read_bytes()
    several = ask(real.app, "/v1/samples?seeds=3,4,100")
    assert several.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(several.body)) as archive:
        assert archive.namelist() == ["seed0003.png", "seed0004.png", "seed0100.png"]
        for name in archive.namelist():
            assert archive.read(name) == (tmp_path / name).read_bytes()
    grid = ask(real.app, "/v1/samples?seeds=3,4,100&format=grid")
    assert grid.body == (tmp_path / "grid.png").read_bytes()


def test_arrays_have_the_order_that_was_asked_for(server: Server) -> None:
    there = ask(server.app, "/v1/samples?seeds=9,0-2,9&format=npy").array
    single = [ask(server.app, f"/v1/samples?seeds={seed}&format=npy").array[0] for seed in (9, 0, 1, 2, 9)]
    assert there.shape == (5, 4, 4, 1)
    assert np.array_equal(there, np.stack(single))


def test_classes_are_asked_for_by_name_number_or_not_at_all(server: Server) -> None:
    base = "/v1/samples?model=classy&seeds=4,5&format=npy"
    named, numbered = (ask(server.app, f"{base}&class={name}").array for name in ("eel", "2"))
    assert np.array_equal(named, numbered)
    both = ask(server.app, f"{base}&class=dog,eel").array
    assert np.array_equal(both[1::2], named)
    assert np.array_equal(ask(server.app, base).array, both[[0, 3]])  # 4 is a dog, 5 is an eel
    grid = ask(server.app, "/v1/samples?model=classy&seeds=4,5&format=grid&class=all")
    assert grid.body[16:24] == bytes([0, 0, 0, 3 * 6 - 2, 0, 0, 0, 2 * 6 - 2])  # a column for each class


def test_what_a_client_has_is_not_made_again(server: Server) -> None:
    address = "/v1/samples?seeds=0-15&format=npy"
    tag = ask(server.app, address).headers["etag"]
    calls = server.service.models["plain"].worker.calls
    for header in (tag, f'"other", W/{tag}', "*"):
        again = ask(server.app, address, headers={"If-None-Match": header})
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert server.service.models["plain"].worker.calls == calls
    assert ask(server.app, address, headers={"If-None-Match": '"other"'}).status == 200
    others = ("seeds=0-14&format=npy", "seeds=0-15&format=grid", "seeds=0-15&format=npy&model=classy")
    assert tag not in {ask(server.app, f"/v1/samples?{other}").headers["etag"] for other in others}


def test_latents_make_what_their_seeds_make(server: Server) -> None:
    drawn = ask(server.app, "/v1/latents?seeds=8-15&model=classy").array
    assert np.array_equal(drawn, latents(range(8, 16), 3)[:, :, 0, 0])
    made = ask(server.app, "/v1/latents?model=classy&class=dog", npy_bytes(drawn))
    asked = ask(server.app, "/v1/samples?model=classy&seeds=8-15&class=dog&format=npy")
    assert np.array_equal(made.array, asked.array)
    weights = np.concatenate([drawn, np.tile(np.array([0, 1, 0], np.float32), (8, 1))], axis=1)
    for given_latents in (weights, weights[:, :, None, None], weights.astype(np.float64)):
        again = ask(server.app, "/v1/latents?model=classy", npy_bytes(given_latents))
        assert np.array_equal(again.array, made.array)
    assert (
        ask(server.app, "/v1/latents?format=png", npy_bytes(drawn[:1])).headers["content-type"] == "image/png"
    )


@pytest.mark.parametrize(
    ("address", "status", "word"),
    [
        ("/v1/samples", 400, "seeds"),
        ("/v1/samples?seeds=", 400, "list of seeds"),
        ("/v1/samples?seeds=0-32", 400, "1 to 32"),
        ("/v1/samples?seeds=0-9999999", 400, "1 to 32"),
        ("/v1/samples?seeds=18446744073709551616", 400, "range"),
        ("/v1/samples?seeds=" + "1," * 3000 + "1", 400, "characters"),
        ("/v1/samples?seeds=1&class=3", 400, "no classes"),
        ("/v1/samples?seeds=1&model=classy&class=owl", 400, "0 cat, 1 dog"),
        ("/v1/samples?seeds=0-15&model=classy&class=all", 400, "1 to 32"),
        ("/v1/samples?seeds=1&format=gif", 400, "png, grid, npy"),
        ("/v1/samples?seeds=1&model=other", 404, "plain, classy"),
        ("/v1/latents?seeds=0-99", 400, "1 to 32"),
        ("/v2/models/other", 404, "plain, classy"),
        ("/v2/models/plain/versions/2", 404, "version 1"),
        ("/nothing", 404, "Not Found"),
    ],
)
def test_what_cannot_be_is_a_status_and_a_sentence(
    server: Server, address: str, status: int, word: str
) -> None:
    answer = ask(server.app, address)
    assert answer.status == status
    assert word in answer.json["error"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x93NUMPY",
        npy_bytes(np.zeros((1, 4), np.float32)),
        npy_bytes(np.zeros((33, 3), np.float32)),
        npy_bytes(np.zeros((0, 3), np.float32)),
        npy_bytes(np.zeros((2, 3), np.int64)),
        npy_bytes(np.full((2, 3), np.nan, np.float32)),
        npy_bytes(np.full((2, 3), 1e300)),
        npy_bytes(np.zeros((1, 3), np.float32)) + b"more",
        npy_bytes(np.zeros((1, 3), np.float32)).replace(b"(1, 3)", b"(9, 3)"),
        npy_bytes(np.zeros((1, 3), np.float32)).replace(b"(1, 3), }        ", b"(10**9, 10**9), }"),
        npy_bytes(np.zeros((1, 3), np.float32)).replace(b"<f4", b"|O8"),
    ],
)
def test_a_body_that_holds_no_latents_is_refused(server: Server, body: bytes) -> None:
    answer = ask(server.app, "/v1/latents", body)
    assert answer.status == 400, answer.json
    assert answer.json["error"]


@settings(max_examples=50)
@given(st.integers(0, 175), st.integers(0, 255))
def test_a_damaged_body_is_never_a_crash(server: Server, place: int, value: int) -> None:
    body = bytearray(npy_bytes(np.zeros((4, 3), np.float32)))
    body[place] = value
    with contextlib.suppress(UsageError):
        read_latents(bytes(body), server.service.models["plain"], None, LIMITS)


def test_a_body_has_a_size_and_is_not_compressed(server: Server) -> None:
    large = npy_bytes(np.zeros((2048, 3), np.float32))
    assert ask(server.app, "/v1/latents", large).status == 413
    assert (
        ask(server.app, "/v1/latents", large, {"Content-Length": "10"}).status == 413
    )  # though it says less
    assert ask(server.app, "/v1/latents", b"", {"Content-Length": "9" * 30}).status == 413
    assert ask(server.app, "/v1/latents", b"", {"Content-Encoding": "gzip"}).status == 415


def test_a_body_arrives_in_time(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcgan_edge.serving.service.BODY_S", 0.01)
    answer = asyncio.run(answer_of(server.app, "/v1/latents", b"\x93NUMPY", more=True))
    assert (answer.status, "seconds" in answer.json["error"]) == (408, True)


class HeldSession(ArithmeticSession):
    """One whose calls wait until they may end."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.may_end = threading.Event(), threading.Event()
        self.is_held = False

    def _run(self, latents: FloatArray) -> FloatArray:
        if self.is_held:
            self.entered.set()
            assert self.may_end.wait(30)
        return super()._run(latents)


@pytest.fixture
def held() -> Iterator[tuple[Server, HeldSession]]:
    session = HeldSession()
    made = server_of({"held": lambda: session}, room=16)
    session.is_held = True
    yield made, session
    session.may_end.set()
    made.service.close()
    assert session.closed


def test_too_much_is_answered_503_at_once_and_later_again(held: tuple[Server, HeldSession]) -> None:
    server, session = held

    async def overload() -> None:
        first = asyncio.create_task(answer_of(server.app, "/v1/samples?seeds=0-15&format=npy"))
        while not session.entered.is_set():
            await asyncio.sleep(0.001)
        refused = await answer_of(server.app, "/v1/samples?seeds=16")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        session.may_end.set()
        assert (await first).status == 200
        assert (await answer_of(server.app, "/v1/samples?seeds=16")).status == 200

    asyncio.run(overload())
    queue = server.service.models["held"].worker.queue
    assert (queue.occupied, queue.waiting, queue.refused) == (0, 0, 1)


def test_a_client_that_leaves_leaves_nothing(held: tuple[Server, HeldSession]) -> None:
    server, session = held
    queue = server.service.models["held"].worker.queue

    async def leave() -> None:
        leaving = asyncio.Event()
        waiting = asyncio.create_task(answer_of(server.app, "/v1/samples?seeds=0-15", leave=leaving))
        while not session.entered.is_set():
            await asyncio.sleep(0.001)
        leaving.set()
        assert (await waiting).status == 499

    asyncio.run(leave())
    assert (queue.occupied, queue.waiting, queue.withdrawn) == (0, 0, 1)
    session.may_end.set()
    assert ask(server.app, "/v1/samples?seeds=1").status == 200


def test_a_call_that_fails_is_500_and_the_next_one_is_made() -> None:
    class Failing(ArithmeticSession):
        def run(self, latents: FloatArray) -> FloatArray:
            images = super().run(latents)
            return images * np.float32("nan") if latents[0, 0, 0, 0] == 9.0 else images

    made = server_of({"failing": Failing})
    bad, good = (npy_bytes(np.array([[first, 0, 0]], np.float32)) for first in (9, 1))
    failed = ask(made.app, "/v1/latents", bad)
    assert (failed.status, "NaN" in failed.json["error"]) == (500, True)
    assert ask(made.app, "/v1/latents", good).status == 200
    made.service.close()


def test_directions_are_square_to_each_other_and_kept(server: Server) -> None:
    answer = ask(server.app, "/v1/directions")
    found = answer.array
    assert found.shape[1] == 3
    # float32 of unit vectors: 1e-6 is ten times their rounding
    assert np.allclose(found @ found.T, np.eye(len(found)), atol=1e-6)
    again = ask(server.app, "/v1/directions", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status == 304


def test_directions_are_found_once_for_all_who_ask_meanwhile() -> None:
    made = server_of({"one": ArithmeticSession})

    async def several() -> list[bytes]:
        return [
            answer.body
            for answer in await asyncio.gather(*(answer_of(made.app, "/v1/directions") for _ in range(3)))
        ]

    assert len(set(asyncio.run(several()))) == 1
    assert made.service.models["one"].worker.images == SAMPLES
    made.service.close()


def test_latents_of_many_seeds_keep_nobody_waiting(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def noted(*arguments: Any) -> FloatArray:
        threads.append(threading.current_thread().name)
        return latents(*arguments)

    monkeypatch.setattr("dcgan_edge.serving.app.latents_of", noted)
    assert ask(server.app, "/v1/latents?seeds=0-31").array.shape == (32, 3)
    assert threads[0].startswith("dcgan-edge encoder")
