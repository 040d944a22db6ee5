"""Insurers that answer, and what came of their answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from oct.formats.entities import Entities
from oct.settings.data_files import built_in
from oct.simulators.answers import Answers
from oct.simulators.insurer import Opened
from oct.simulators.mail import Letter
from oct.simulators.parties import Caisse
from oct.simulators.sending import Reply
from oct.store import holds, lots, messages
from oct.store.lots import Lot
from tests.journeys.practice import (
    BOURG,
    Practice,
)
from tests.journeys.world import Outcome, World

ENTITIES = Entities.from_toml(built_in("noemie.toml"))


class Recorded(Answers):
    """Answers that remember the last file they sent."""

    file = b""

    def send_back(self, opened: Opened, description: str, data: bytes) -> Reply:
        self.file = data
        return super().send_back(opened, description, data)


@dataclass(frozen=True, slots=True)
class Sent:
    """A file of one lot that an insurer opened."""

    trace: str
    opened: Opened

    def lots(self, world: World) -> list[Lot]:
        """The lots of its message, as the concentrator knows them."""
        with world.store.read() as conn:
            message = messages.by_trace(conn, self.trace)
            assert message is not None
            return lots.of_message(conn, message.id)

    def state(self, world: World) -> str:
        (lot,) = self.lots(world)
        return lot.state


def sent(world: World, who: Practice, caisse: Caisse = BOURG) -> Sent:
    """One lot of one practitioner, delivered to a caisse."""
    file = who.claims.file(who.sender, [who.claims.fse_lot(who.sender, caisse)])
    outcome = world.play(who.address, who.wrap(file))
    (opened,) = outcome.opened
    one = Sent(outcome.trace, opened)
    assert one.state(world) == "delivered"
    return one


def answered(world: World, reply: Reply, before: int) -> Outcome:
    """What came of an answer."""
    assert reply.code == 250
    world.settle()
    return world.since(before, reply)


def only_letter(outcome: Outcome) -> Letter:
    """The one thing that was sent to anybody."""
    (letter,) = outcome.letters
    assert outcome.opened == []
    return letter


def unanswering(opened: Opened) -> Opened:
    """An opened file whose answer will name no message that we sent."""
    raw = b"From: oct@concentrateur.example\r\nSubject: reponse\r\nMessage-ID: <inconnu@ailleurs.example>\r\n\r\n"
    return replace(opened, letter=replace(opened.letter, raw=raw))


def reaches_nobody(world: World, answer: Callable[[], Reply]) -> None:
    """The return is taken, held for the operator, and nothing leaves."""
    before = len(world.outside.arrivals)
    outcome = answered(world, answer(), before)
    assert (outcome.letters, outcome.opened) == ([], [])
    with world.store.read() as conn:
        message = messages.by_trace(conn, outcome.trace)
        assert message is not None
        assert message.state == "held"
        assert [hold.message_id for hold in holds.list_open(conn)].count(message.id) == 1
