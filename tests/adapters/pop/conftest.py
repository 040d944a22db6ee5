"""POP servers, mailboxes and certificates of a throw-away authority."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_network
from pathlib import Path

import pytest
import trustme

from oct.crypto.passwords import hash_password
from oct.pop.desk import PopLimits
from oct.pop.mailboxes import Mailboxes
from oct.pop.server import PopServer
from oct.pop.throttle import Slowness
from oct.store.engine import Store, open_store
from tests.adapters.pop.boxes import LOGIN, PASSWORD, House, Opened, Opener, letter, open_mailboxes, server_tls
from tests.adapters.smtp.doors import Loop


@pytest.fixture(scope="session")
def hashed() -> str:
    """The hash of PASSWORD."""
    return hash_password(PASSWORD)


@pytest.fixture
def loop() -> Iterator[Loop]:
    running = Loop()
    yield running
    running.close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client's context that knows the authority."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def sqlite_store(sqlite_url: str) -> Iterator[Store]:
    opened = open_store(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def house(sqlite_store: Store, hashed: str) -> House:
    """One mailbox with three returns."""
    made = House(sqlite_store, open_mailboxes(sqlite_store, os.urandom), hashed)
    made.put(made.add(LOGIN), *(letter(LOGIN, number) for number in (1, 2, 3)))
    return made


@pytest.fixture
def opens(loop: Loop, house: House, authority: trustme.CA, trusting: ssl.SSLContext) -> Iterator[Opener]:
    """Opens servers: `opens(clear=, mailboxes=, limits...)`. The first address is clear, the second TLS."""
    with ExitStack() as closing:

        def opener(*, clear: bool = False, mailboxes: Mailboxes | None = None, **limits: float) -> Opened:
            server = PopServer(
                ("127.0.0.1:0", "tls://127.0.0.1:0"),
                hostname="boites.oct.test",
                mailboxes=mailboxes or house.instant_logins(),
                tls=server_tls(authority),
                clear_networks=[ip_network("127.0.0.0/8")] if clear else (),
                limits=PopLimits(**{"slowness": Slowness(first=0.01, cap=0.02), **limits}),  # type: ignore[arg-type]
            )
            loop.run(server.start())
            closing.callback(lambda: loop.run(server.stop(0.5)))
            return Opened(server, house, loop, trusting)

        yield opener


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For what a client writes."""
    made = tmp_path / "client"
    made.mkdir()
    return made
