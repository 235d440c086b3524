"""What a server says of itself: models, metrics and health, and what changes when it ends."""

from __future__ import annotations

import pytest

from tests.doubles import ArithmeticSession
from tests.serving.asgi import ask
from tests.serving.conftest import Server, server_of

pytest.importorskip("fastapi", reason="the extra serve is not installed")


def test_models_metrics_and_health_say_what_there_is(server: Server) -> None:
    listed = ask(server.app, "/v1/models").json
    assert [model["name"] for model in listed["models"]] == ["plain", "classy"]
    assert listed["models"][1]["classes"] == ["cat", "dog", "eel"]
    assert listed["limits"] == {"images": 32, "body": 4096}
    text = ask(server.app, "/metrics").body.decode()
    calls = server.service.models["plain"].worker.calls
    assert f'dcgan_edge_calls_total{{model="plain"}} {calls:.1f}' in text
    assert 'dcgan_edge_requests_total{route="/v1/models",status="200"}' in text
    assert [ask(server.app, f"/health/{what}").status for what in ("live", "ready")] == [200, 200]


def test_a_server_that_ends_says_so_and_answers_what_it_has() -> None:
    made = server_of({"one": ArithmeticSession})
    made.service.is_draining = True
    assert ask(made.app, "/health/ready").status == ask(made.app, "/v2/health/ready").status == 503
    assert ask(made.app, "/health/live").status == 200
    answer = ask(made.app, "/v1/samples?seeds=1")
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    made.service.close()
    assert ask(made.app, "/v1/samples?seeds=1").status == 503
