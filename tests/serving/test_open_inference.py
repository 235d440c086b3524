"""The Open Inference Protocol as its text has it: JSON, and JSON followed by bytes, in and out."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcgan_edge.errors import UsageError
from dcgan_edge.latents import FloatArray, latents
from dcgan_edge.runtime.session import Session
from dcgan_edge.serving.tensors import read_inference
from tests.doubles import ArithmeticSession
from tests.serving.asgi import Answer, ask
from tests.serving.conftest import LIMITS, Server

pytest.importorskip("fastapi", reason="the extra serve is not installed")
INFER = "/v2/models/plain/infer"
LENGTH = "Inference-Header-Content-Length"
Z = latents(range(2), 3)


def tensor(**changes: Any) -> dict[str, Any]:
    facts = {"name": "latents", "datatype": "FP32", "shape": [2, 3, 1, 1], "data": Z.ravel().tolist()}
    return {name: value for name, value in (facts | changes).items() if value is not None}


def post(server: Server, request: Any, binary: bytes | None = None, length: str | None = None) -> Answer:
    text = json.dumps(request).encode()
    headers = {} if binary is None else {LENGTH: length or str(len(text))}
    return ask(server.app, INFER, text + (binary or b""), headers)


def in_binary(answer: Answer) -> tuple[dict[str, Any], FloatArray]:
    length = int(answer.headers[LENGTH.lower()])
    header = json.loads(answer.body[:length])
    shape = header["outputs"][0]["shape"]
    return header, np.frombuffer(answer.body[length:], "<f4").reshape(shape).astype(np.float32)


def expected(z: FloatArray) -> FloatArray:
    session: Session = ArithmeticSession()
    return session.run(z)


def test_the_server_and_its_models_describe_themselves(server: Server) -> None:
    described = ask(server.app, "/v2").json
    assert (described["name"], described["extensions"]) == ("dcgan-edge", ["binary_tensor_data"])
    assert ask(server.app, "/v2/models/classy/versions/1").json == {
        "name": "classy",
        "versions": ["1"],
        "platform": "arithmetic",
        "inputs": [{"name": "latents", "datatype": "FP32", "shape": [-1, 6, 1, 1]}],
        "outputs": [{"name": "images", "datatype": "FP32", "shape": [-1, 1, 4, 4]}],
    }
    for path in ("health/live", "health/ready", "models/plain/ready", "models/plain/versions/1/ready"):
        assert ask(server.app, f"/v2/{path}").status == 200


@pytest.mark.parametrize("nested", [False, True])
def test_json_in_and_out(server: Server, nested: bool) -> None:
    data = Z.tolist() if nested else Z.ravel().tolist()
    answer = post(server, {"id": "mine", "inputs": [tensor(data=data)]})
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    facts = answer.json
    assert (facts["id"], facts["model_name"], facts["model_version"]) == ("mine", "plain", "1")
    (result,) = facts["outputs"]
    assert (result["name"], result["datatype"], result["shape"]) == ("images", "FP32", [2, 1, 4, 4])
    assert np.array_equal(np.float32(result["data"]).reshape(2, 1, 4, 4), expected(Z))


def test_bytes_in_and_out(server: Server) -> None:
    given_bytes = tensor(data=None, parameters={"binary_data_size": Z.nbytes})
    wanted: tuple[dict[str, Any], ...] = (
        {"parameters": {"binary_data_output": True}},
        {"outputs": [{"name": "images", "parameters": {"binary_data": True}}]},
    )
    for request in wanted:
        answer = post(server, {"inputs": [given_bytes], **request}, Z.tobytes())
        assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
        header, images = in_binary(answer)
        assert header["outputs"][0]["parameters"] == {"binary_data_size": images.nbytes}
        assert np.array_equal(images, expected(Z))
    outputs = [{"name": "images", "parameters": {"binary_data": False}}]
    asked = {"inputs": [given_bytes], "outputs": outputs, "parameters": {"binary_data_output": True}}
    assert post(server, asked, Z.tobytes()).json["outputs"][0]["data"]


def test_more_rows_than_a_call_takes_are_made_all_the_same(server: Server) -> None:
    z = latents(range(20), 3)
    answer = post(server, {"inputs": [tensor(shape=[20, 3, 1, 1], data=z.ravel().tolist())]})
    pieces = np.concatenate([expected(z[:8]), expected(z[8:16]), expected(z[16:])])
    assert np.array_equal(np.float32(answer.json["outputs"][0]["data"]), pieces.ravel())


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        ([], "inputs"),
        ({}, "exactly one input"),
        ({"inputs": []}, "exactly one input"),
        ({"inputs": [tensor(), tensor()]}, "exactly one input"),
        ({"inputs": [tensor(name="noise")]}, "latents"),
        ({"inputs": [tensor(datatype="FP64")]}, "FP32"),
        ({"inputs": [tensor(shape=[2, 3])]}, "shape"),
        ({"inputs": [tensor(shape=[True, 3, 1, 1])]}, "whole numbers"),
        ({"inputs": [tensor(shape="2")]}, "whole numbers"),
        ({"inputs": [tensor(shape=[-2, 3, 1, 1])]}, "1 to 32"),
        ({"inputs": [tensor(shape=[10**30, 3, 1, 1])]}, "1 to 32"),
        ({"inputs": [tensor(data=[1, 2])]}, "6 numbers"),
        ({"inputs": [tensor(data=[[1], [2, 3]])]}, "numbers"),
        ({"inputs": [tensor(data="many")]}, "numbers"),
        ({"inputs": [tensor(data={"a": 1})]}, "numbers"),
        ({"inputs": [tensor(data=None)]}, "numbers"),
        ({"inputs": [tensor(data=[1e300] * 6)]}, "finite"),
        ({"inputs": [tensor(parameters={"binary_data_size": 24})]}, "24 bytes"),
        ({"inputs": [tensor(parameters=[])]}, "object"),
        ({"inputs": [tensor(parameters={"shared_memory_region": "x"})]}, "shared_memory_region"),
        ({"inputs": [tensor()], "outputs": [{"name": "pixels"}]}, "images"),
        ({"inputs": [tensor()], "outputs": [{"name": "images"}] * 2}, "one output"),
        ({"inputs": [tensor()], "id": 7}, "id"),
    ],
)
def test_what_the_artifact_does_not_take_is_a_sentence(server: Server, request_: Any, word: str) -> None:
    answer = post(server, request_)
    assert answer.status == 400
    assert word in answer.json["error"]


@pytest.mark.parametrize("length", ["-1", "99999999", "x", "1.5", "9" * 40, "½"])
def test_a_length_that_is_none_is_refused(server: Server, length: str) -> None:
    given_bytes = tensor(data=None, parameters={"binary_data_size": Z.nbytes})
    assert post(server, {"inputs": [given_bytes]}, Z.tobytes(), length).status == 400


@given(st.binary(max_size=60), st.sampled_from([None, "0", "2", "30"]))
def test_no_body_is_a_crash(server: Server, body: bytes, length: str | None) -> None:
    manifest = server.service.models["plain"].worker.manifest
    with pytest.raises(UsageError):
        read_inference(body, length, manifest, LIMITS)
