"""Who is answered: by host, by origin, by token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.doubles import ArithmeticSession
from tests.serving.asgi import ask
from tests.serving.conftest import Server, server_of

pytest.importorskip("fastapi", reason="the extra serve is not installed")
TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Server]:
    made = server_of({"one": ArithmeticSession}, token=TOKEN)
    yield made
    made.service.close()


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:9", "[::1]:8000", "LOCALHOST."])
def test_names_of_this_machine_are_answered(server: Server, host: str) -> None:
    assert ask(server.app, "/v1/models", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    ["", "rebound.example", "127.0.0.1.rebound.example:8000", "localhost@rebound.example", "[", "0.0.0.0"],
)
def test_a_name_that_somebody_lets_point_here_is_not(server: Server, host: str) -> None:
    answer = ask(server.app, "/health/live", headers={"Host": host})
    assert answer.status == 421
    assert "this machine" in answer.json["error"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "http://localhost:3000"}, 403),
        ({"Origin": "https://other.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
    ],
)
def test_pages_of_other_origins_are_not_answered(
    server: Server, headers: dict[str, str], status: int
) -> None:
    answer = ask(server.app, "/v1/models", headers=headers)
    assert answer.status == status
    assert not any(name.startswith("access-control") for name in answer.headers)


def test_a_link_from_elsewhere_leads_to_the_page(server: Server) -> None:
    linked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert ask(server.app, "/", headers=linked).status == 200


@pytest.mark.parametrize("path", ["/v1/models", "/v1/samples?seeds=1", "/metrics", "/v2", "/openapi.json"])
def test_a_token_is_wanted_of_everybody_who_asks_for_more_than_the_page(guarded: Server, path: str) -> None:
    answer = ask(guarded.app, path)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    for wrong in ("", "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer \xff"):
        assert ask(guarded.app, path, headers={"Authorization": wrong}).status == 401
    right = {"Authorization": f"bearer {TOKEN}", "Host": "any.example"}
    assert ask(guarded.app, path, headers=right).status == 200


def test_probes_and_the_page_need_no_token(guarded: Server) -> None:
    for path in ("/", "/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"):
        assert ask(guarded.app, path, headers={"Host": "any.example"}).status == 200


def test_refusals_are_counted_without_the_addresses_of_strangers(server: Server) -> None:
    for number in range(3):
        ask(server.app, f"/strange{number}")
    text = ask(server.app, "/metrics").body.decode()
    assert 'route="other",status="404"' in text
    assert "strange" not in text
