"""A return from its deposit to its reading, and sent again after it: every step is the program's own (R5, R6, P6)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from oct.domain.model import ReturnMode
from oct.pop.server import PopServer
from oct.store import practitioners
from oct.store.events import Event
from tests.adapters.pop.boxes import LOGIN, PASSWORD, server_tls, write_identity
from tests.adapters.pop.test_clients import private, program, run
from tests.adapters.smtp.doors import Loop
from tests.steps.hosting_rig import HostingRig, hosting_rig
from tests.steps.resending_rig import HOUR


@pytest.fixture
def pieces(tmp_path: Path, database_url: str, hashed: str) -> Iterator[HostingRig]:
    """A concentrator whose practitioner takes its returns here."""
    with hosting_rig(tmp_path, database_url) as made:
        made.choose(ReturnMode.BOITE)
        with made.workshop.store.begin() as conn:
            practitioners.set_mailbox(conn, made.account().id, LOGIN, hashed)
        yield made


def test_a_return_sent_again_is_read_again_and_its_trace_tells_when(
    pieces: HostingRig, loop: Loop, authority: trustme.CA, folder: Path
) -> None:
    """mpop remembers UIDLs and leaves everything on the server."""
    one = pieces.returned()
    server = PopServer(
        ["tls://127.0.0.1:0"], hostname="boites.test", mailboxes=pieces.hosted().callables(), tls=server_tls(authority)
    )
    loop.run(server.start())
    stored = folder / "maildir"
    for name in ("new", "cur", "tmp"):
        (stored / name).mkdir(parents=True)
    trust = write_identity(authority, folder)[0]
    rc = private(
        folder / "mpoprc",
        f"account default\nhost 127.0.0.1\nport {server.ports[0]}\nuser {LOGIN}\npassword {PASSWORD}\ntls on\n"
        f"tls_starttls off\ntls_trust_file {trust}\nkeep on\ndelivery maildir {stored}\n"
        f"uidls_file {folder / 'uidls'}\nreceived_header off\n",
    )
    command = [program("mpop"), "-C", str(rc), "--quiet"]

    def polled() -> int:
        """How many messages it has now; when it polled is the clock's hour."""
        pieces.clock.pass_hours(1)
        run(command, folder)
        return len(list((stored / "new").iterdir()))

    deposited = pieces.clock()
    assert (polled(), polled()) == (2, 2)
    assert pieces.redeliver(one).sent == 1
    assert polled() == 3
    loop.run(server.stop(0.5))
    story = pieces.story(one.message_id)
    assert told(story, "releve") == [deposited + HOUR, deposited + 3 * HOUR]
    assert told(story, "depot") == [deposited, deposited + 2 * HOUR]


def told(story: list[Event], kind: str) -> list[int]:
    """When something happened."""
    return [event.at for event in story if event.kind == kind]
