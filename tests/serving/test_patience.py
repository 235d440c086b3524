"""Clients that never ask, or never read: uvicorn's own connections, and a clock that the test moves."""

from __future__ import annotations

import asyncio

import pytest

from dcgan_edge.serving.gate import Receive, Scope, Send
from dcgan_edge.serving.patience import Patience

uvicorn = pytest.importorskip("uvicorn", reason="the extra serve is not installed")
LARGE = 2**25  # bytes: more than the system takes from a server for a client that does not read
ASK = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer /large with many bytes, and anything else when the client has left."""
    if scope["path"] != "/large":
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": bytes(LARGE)})


async def who_is_left() -> str:
    """The path that the one client asked for which still has a connection, of four that have done nothing for
    longer than they may.
    """
    now = [0.0]
    patience = Patience(seconds=20.0, clock=lambda: now[0])
    server = uvicorn.Server(uvicorn.Config(slow, port=0, lifespan="off", ws="none", log_config=None))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    writers = []
    for request in (b"", ASK[:-2], ASK.replace(b"/ ", b"/large "), ASK):  # the last one waits for its answer
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(request)
        writers.append(writer)
    connections = server.server_state.connections
    while len(connections) < 4 or sum(each.cycle is not None for each in connections) < 2:
        await asyncio.sleep(0.005)
    while not any(each.transport.get_write_buffer_size() for each in connections):
        await asyncio.sleep(0.005)
    patience.look(connections)
    now[0] = 20.0
    patience.look(connections)
    assert len(connections) == 4  # as long as it may take
    now[0] = 20.5
    patience.look(connections)
    while len(connections) > 1:
        await asyncio.sleep(0.005)
    (connection,) = connections
    for writer in writers:
        writer.transport.abort()
    server.should_exit = True
    await serving
    return str(connection.scope["path"])


def test_those_who_never_ask_and_never_read_are_cut_off() -> None:
    assert asyncio.run(asyncio.wait_for(who_is_left(), 30.0)) == "/"
