"""The whole program as a process: it listens, Triton's own client talks to it, and it ends well."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from dcgan_edge.cli import main
from dcgan_edge.errors import UsageError
from dcgan_edge.latents import latents
from dcgan_edge.runtime.session import open_session
from dcgan_edge.serving.models import named_artifacts
from dcgan_edge.serving.server import _listening, serve
from tests.serving.conftest import PROCESS_S

pytest.importorskip("uvicorn", reason="the extra serve is not installed")


@dataclass(frozen=True)
class Running:
    """A server as another process, and where it is."""

    process: subprocess.Popen[str]
    url: str

    def get(self, path: str, headers: dict[str, str] | None = None) -> bytes:
        request = urllib.request.Request(self.url + path, headers=headers or {})
        with urllib.request.urlopen(request, timeout=PROCESS_S) as answer:
            content: bytes = answer.read()
        return content


@contextlib.contextmanager
def running(*words: str) -> Iterator[Running]:
    """`dcgan-edge serve` on a free port, until the block ends."""
    command = [sys.executable, "-m", "dcgan_edge", "serve", "--port", "0", "--json", "--threads", "1", *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            found = re.search(r"(http://\S+)/", line)
            assert found, line + process.stderr.read()
            yield Running(process, found[1])
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server(exported: Path) -> Iterator[Running]:
    first, second = f"first={exported / 'generator.fp32.onnx'}", str(exported / "generator.fp16.onnx")
    with running(first, second, "--max-delay-ms", "1000") as made:
        yield made


def test_several_artifacts_are_there_by_name_and_no_torch(server: Running) -> None:
    listed = json.loads(server.get("/v1/models"))
    assert [model["name"] for model in listed["models"]] == ["first", "generator.fp16"]
    maps = Path(f"/proc/{server.process.pid}/maps")
    assert not maps.exists() or "torch" not in maps.read_text()


def test_a_port_that_is_taken_is_said(server: Running, exported: Path) -> None:
    port = server.url.rpartition(":")[2]
    result = CliRunner().invoke(main, ["serve", str(exported / "generator.fp32.onnx"), "--port", port])
    assert result.exit_code == 1
    assert "Choose another --port" in result.output


def test_answers_leave_at_once() -> None:
    with _listening("127.0.0.1", 0) as listener:  # asyncio sets TCP_NODELAY on what such a socket accepts
        assert listener.proto == socket.IPPROTO_TCP


def test_the_client_of_triton_is_answered_unchanged(server: Running, exported: Path) -> None:
    http = pytest.importorskip("tritonclient.http", reason="tritonclient[http] is not installed")
    z = latents(range(8), 16)  # a full call, which waits for nobody
    with open_session(exported / "generator.fp32.onnx", threads=1) as session:
        images = session.run(z)
    with contextlib.closing(http.InferenceServerClient(server.url.removeprefix("http://"))) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("first")
        assert client.get_server_metadata()["name"] == "dcgan-edge"
        assert client.get_model_metadata("first")["inputs"][0]["shape"] == [-1, 16, 1, 1]
        for binary in (True, False):
            source = http.InferInput("latents", [8, 16, 1, 1], "FP32")
            source.set_data_from_numpy(z, binary_data=binary)
            wanted = [http.InferRequestedOutput("images", binary_data=binary)]
            for outputs in (None, wanted):
                result = client.infer("first", [source], outputs=outputs, request_id="7")
                assert np.array_equal(result.as_numpy("images"), images)
                assert result.get_response()["id"] == "7"
        with pytest.raises(Exception, match="There is no model"):
            client.infer("second", [source])


def test_at_its_end_it_answers_what_it_has_accepted_and_exits_with_0(server: Running) -> None:
    """The last that happens to this server: what comes after it starts another."""
    before = computed(server)
    pictures: list[bytes] = []

    def ask(seed: int) -> None:
        pictures.append(server.get(f"/v1/samples?seeds={seed}"))

    threads = [
        threading.Thread(target=ask, args=(seed,))
        for seed in range(0, 96, 8)  # a block of its own for each, which waits for a second
    ]
    for thread in threads:
        thread.start()
    while 'dcgan_edge_occupied_images{model="first"} 96.0' not in server.get("/metrics").decode():
        pass
    server.process.send_signal(signal.SIGTERM)
    out, _ = server.process.communicate(timeout=PROCESS_S)
    for thread in threads:
        thread.join()
    assert server.process.returncode == 0
    assert [picture[:4] for picture in pictures] == [b"\x89PNG"] * 12
    served = json.loads(out)
    assert (served["images"], served["refused"]) == (before + 96, 0)
    assert served["models"] == ["first", "generator.fp16"]


def computed(server: Running) -> int:
    """The images that all sessions have computed so far."""
    found = re.findall(
        r"^dcgan_edge_images_total\{.*\} (\S+)$", server.get("/metrics").decode(), re.MULTILINE
    )
    return int(sum(map(float, found)))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("missing.onnx",), 2, "There is no file"),
        (("a/b.onnx", "c/b.onnx"), 2, "Two artifacts are called b"),
        (("--host", "0.0.0.0"), 2, "--token"),
        (("--host", "a" * 70), 2, "There is no address"),
        (("--token", "short"), 2, "openssl rand"),
        (("--max-delay-ms", "nan"), 2, "finite"),
        (("--max-batch", "9"), 2, "1 to 8 images"),
        (("--device", "cuda"), 5, "CUDA"),
    ],
)
def test_what_cannot_be_served_is_said_before_anything_listens(
    exported: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    artifacts = [] if words[0].endswith(".onnx") else [str(exported / "generator.fp32.onnx")]
    result = CliRunner().invoke(main, ["serve", "--port", "0", *artifacts, *words])
    assert result.exit_code == code, result.output
    assert said in result.output


def test_names_are_given_or_come_from_files(tmp_path: Path) -> None:
    odd = tmp_path / "a=b.onnx"
    odd.write_bytes(b"")
    found = named_artifacts(["out/generator.fp16.onnx", "faces=out/x.engine"])
    assert {name: str(path) for name, path in found.items()} == {
        "generator.fp16": "out/generator.fp16.onnx", "faces": "out/x.engine"
    }  # fmt: skip
    with pytest.raises(UsageError, match="NAME=PATH"):
        named_artifacts([odd])  # a file that is there is a path, whose name no address can have
    with pytest.raises(UsageError, match="Nothing is served"):
        serve([])
