"""The same over OpenSSH: two servers on loopback, one of which is killed in the middle."""

from __future__ import annotations

import sys

import pytest

from dcgan_edge.fleet.run import run_fleet
from tests.fleet.conftest import CELLS, World

pytestmark = pytest.mark.source  # the server is one of the benchmarks' tools


def test_a_server_that_is_killed_is_a_row_and_goes_on_later(world: World) -> None:
    from benchmarks.sshd import Sshd, sshd_program

    program = sshd_program()
    if program is None:
        pytest.skip("there is no sshd here: apt-get install openssh-server")
    servers = {name: Sshd(world.folder / name, program) for name in ("a", "b")}
    lines = [f'python = "{sys.executable}"']
    for name, server in servers.items():
        settings = {"PYTHONPATH": world.folder / "site", "FLEET_TEST_STATE": world.folder / name}
        said = ", ".join(f'{variable} = "{value}"' for variable, value in settings.items())
        lines += [f"[hosts.{name}]", f"environment = {{ {said} }}", server.toml]
        lines += [f'folder = "{world.folder / name}/it\'s $HOME"']
    world.hosts.write_text("\n".join(lines))
    world.tell("b", "hang", "3")
    (world.folder / "tools" / "ssh").unlink()  # the real one is behind it
    killed: list[int] = []

    def progress(name: str, what: str) -> None:
        if name == "b" and what.startswith("measuring cell 3 ") and not killed:
            killed.append(servers["b"].kill())

    try:
        for server in servers.values():
            server.start()
        first = run_fleet(world.hosts, world.plan, out=world.out, timeout_s=60, progress=progress)
        servers["b"].start()
        world.mend("b", "hang")
        second = run_fleet(world.hosts, world.plan, out=world.out)
    finally:
        for server in servers.values():
            server.kill()
    assert [(row.status, row.cells) for row in first.rows] == [("done", CELLS), ("unreachable", 2)]
    assert killed[0] >= 1
    assert [(row.status, row.was_here) for row in second.rows] == [("done", True), ("done", False)]
    log = (world.out / "logs" / "b.log").read_text()
    assert "cell 2 of" not in log
    assert "cell 3 of" in log
