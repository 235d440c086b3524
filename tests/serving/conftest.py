"""A server without a network: two sessions made of arithmetic, one of them with classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from dcgan_edge.artifact import BatchProfile
from dcgan_edge.runtime.session import Session
from dcgan_edge.serving.gate import LOCAL_NAMES, App, Gate
from dcgan_edge.serving.models import Limits, open_models
from tests.doubles import ArithmeticSession

if TYPE_CHECKING:
    from dcgan_edge.serving.service import Service

LIMITS = Limits(images=32, body=4096)
PROCESS_S = 60.0  # what no other process here may take longer than


@dataclass(frozen=True)
class Server:
    """An application behind its gate, and the service that it answers for."""

    app: App
    service: Service


def server_of(
    openers: dict[str, Callable[[], Session]],
    *,
    limits: Limits = LIMITS,
    room: int = 1024,
    delay_s: float = 0.0,
    token: str | None = None,
) -> Server:
    """Open the sessions and put them behind an application; the caller closes the service."""
    from dcgan_edge.serving.app import create_app
    from dcgan_edge.serving.service import Service

    service = Service(open_models(openers, batch=None, delay_s=delay_s, room=room), limits)
    gate = Gate(
        create_app(service), names=LOCAL_NAMES, token=token, is_draining=lambda: service.is_draining,
        answered=service.metrics.answered,
    )  # fmt: skip
    return Server(gate, service)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    made = server_of(
        {
            "plain": lambda: ArithmeticSession(BatchProfile(1, 4, 16)),
            "classy": lambda: ArithmeticSession(BatchProfile(1, 4, 16), classes=("cat", "dog", "eel")),
        }
    )
    yield made
    made.service.close()
