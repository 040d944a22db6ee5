"""Doors, loops and certificates of a throw-away authority."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import trustme

from oct.smtp.door import Door
from oct.smtp.tls import verifying_context
from oct.smtp.transaction import DoorLimits
from tests.adapters.smtp.doors import House, Loop, Opened, Opener, server_tls


@pytest.fixture
def loop() -> Iterator[Loop]:
    running = Loop()
    yield running
    running.close()


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """A server's context."""
    return server_tls(authority)


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client's context that knows the authority."""
    context = verifying_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def opens(loop: Loop) -> Iterator[Opener]:
    """Opens doors: `opens(limits..., listen=, tls=, authenticate=, house=)`."""
    with ExitStack() as closing:

        def opener(
            *,
            listen: tuple[str, ...] = ("127.0.0.1:0",),
            tls: ssl.SSLContext | None = None,
            authenticate: bool = False,
            trace_number: Callable[[], str] = lambda: "OCT-00042",
            **limits: float,
        ) -> Opened:
            house = House()
            door = Door(
                listen,
                hostname="porte.oct.test",
                limits=DoorLimits(**limits),  # type: ignore[arg-type]
                accept=house.accept,
                knows_recipient=house.knows,
                screen_sender=house.screen,
                trace_number=trace_number,
                refused=house.note,
                tls=tls,
                authenticate=house.authenticate if authenticate else None,
            )
            loop.run(door.start())
            closing.callback(lambda: loop.run(door.stop(0.2)))
            return Opened(door, house, loop)

        yield opener
