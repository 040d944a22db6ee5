"""A held return goes to the practitioner whom a person names, once, or is turned down in silence (R1, R2, R4, K2)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from oct.domain.journey import LotState, MessageState
from oct.domain.model import ReturnMode
from oct.errors import RuleError
from oct.formats.arl import ArlLot
from oct.formats.frame import FrameFields
from oct.simulators.mail import Envelope, Shape, compose
from oct.simulators.return_files import arl
from oct.steps.attribution import give
from oct.steps.release import refuse, release
from oct.store import holds, messages, returns
from oct.store.holds import Hold
from oct.store.messages import Message
from tests.claims import LAYOUTS, PS, Batch, Claim
from tests.steps.bench import OCT
from tests.steps.hosting_rig import COLLEAGUE, COLLEAGUE_ADDRESS, HostingRig, hosting_rig
from tests.steps.resending_rig import ADDRESS, LOIRE, START

ONE = Batch((Claim(1),), 1)


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[HostingRig]:
    with hosting_rig(tmp_path, database_url) as made:
        yield made


def answer(content: bytes, number: int = 1) -> bytes:
    """An insurer's message whose Subject and header name nobody."""
    envelope = Envelope(LOIRE, OCT, "Retour", START, f"<retour{number}@assureur.example>", "ARL/SV", "arl")
    return compose(envelope, Shape.CLEAR, content)


def stray_arl() -> bytes:
    """An ARL of the practitioner's lot whose header names a number that nobody has here."""
    fields = FrameFields(
        sender_type="CT",
        sender_number="00000001011011",
        recipient_type="TP",
        recipient_number="00000999000111",
        application="AR",
        file_id="000001",
        created_on="261121",
    )
    lots = [ArlLot(PS, ONE.organism, "001", "261120", positive=True, code="", label="")]
    return arl(fields, lots, LAYOUTS)


def held(pieces: HostingRig, content: bytes) -> tuple[Message, Hold]:
    """A return that waits for a person."""
    message = pieces.take(answer(content), LOIRE)
    (hold,) = pieces.holds(message)
    assert (message.state, hold.subject) == (MessageState.HELD, "return")
    return message, hold


def state(pieces: HostingRig, message: Message) -> str:
    with pieces.workshop.store.read() as conn:
        found = messages.by_id(conn, message.id)
    assert found is not None
    return found.state


def test_r1_what_cannot_be_read_goes_whole_to_the_one_who_is_named(pieces: HostingRig) -> None:
    content = b"illisible".ljust(128)
    message, hold = held(pieces, content)
    with pytest.raises(RuleError, match="retenue-de-retour"):
        release(pieces.workshop, hold.id, "essai")
    give(pieces.workshop, hold.id, "essai", pieces.account())
    pieces.work()
    (letter,) = pieces.letters
    assert (letter.content, letter.subject, letter.description) == (content, "Retour", "ARL/SV")
    (one,) = pieces.returns()
    assert (one.evidence, one.state, one.message_id) == ("operateur", "remis", message.id)
    assert state(pieces, message) == MessageState.PROCESSED
    assert [event.actor for event in pieces.events(message, "decision")] == ["essai"]
    assert pieces.holds(message) == []


def test_r4_it_moves_the_lots_of_the_one_who_is_named(pieces: HostingRig) -> None:
    claim = pieces.submit(ONE)
    message, hold = held(pieces, stray_arl())
    give(pieces.workshop, hold.id, "essai", pieces.account())
    pieces.work()
    assert pieces.letters[-1].content == stray_arl()
    assert pieces.states(claim) == [LotState.ACKNOWLEDGED]
    (event,) = pieces.events(message, "retour")
    assert list(event.data["lots"].values()) == [LotState.ACKNOWLEDGED]


def test_r2_a_wrong_name_moves_nobody_else_s_lots(pieces: HostingRig) -> None:
    claim = pieces.submit(ONE)
    _, hold = held(pieces, stray_arl())
    give(pieces.workshop, hold.id, "essai", pieces.account(COLLEAGUE))
    pieces.work()
    assert pieces.states(claim) == [LotState.DELIVERED]
    assert [letter.content for letter in pieces.outside.of(COLLEAGUE_ADDRESS)] == [stray_arl()]


def test_r5_it_waits_in_the_hosted_mailbox_of_who_chose_it(pieces: HostingRig) -> None:
    pieces.choose(ReturnMode.BOITE)
    _, hold = held(pieces, b"illisible".ljust(128))
    give(pieces.workshop, hold.id, "essai", pieces.account())
    pieces.work()
    assert (pieces.letters, len(pieces.read())) == ([], 1)


def test_k2_of_two_people_who_decide_at_once_one_does(pieces: HostingRig) -> None:
    _, hold = held(pieces, b"illisible".ljust(128))
    start, outcomes = threading.Barrier(2), []

    def decide(number: str) -> None:
        account = pieces.account(number)
        start.wait()
        try:
            give(pieces.workshop, hold.id, "essai", account)
        except RuleError as error:
            outcomes.append(error.code)
        else:
            outcomes.append(number)

    people = [threading.Thread(target=decide, args=(number,)) for number in (PS, COLLEAGUE)]
    for one in people:
        one.start()
    for one in people:
        one.join()
    pieces.work()
    assert len({PS, COLLEAGUE} & set(outcomes)) == 1
    assert {"deja-decide", "retenue-inconnue"} & set(outcomes)
    assert len(pieces.outside.of(ADDRESS)) + len(pieces.outside.of(COLLEAGUE_ADDRESS)) == 1


def test_a_refused_return_is_closed_without_a_word_to_anybody(pieces: HostingRig) -> None:
    message, hold = held(pieces, b"illisible".ljust(128))
    before = len(pieces.outside.letters)
    refuse(pieces.workshop, hold.id, "essai", "Essai.")
    pieces.work()
    assert len(pieces.outside.letters) == before
    assert (state(pieces, message), pieces.holds(message)) == (MessageState.REFUSED, [])
    with pieces.workshop.store.read() as conn:
        kept = returns.by_id(conn, hold.return_id or 0)
    assert kept is not None
    assert (kept.state, kept.practitioner_id) == ("refuse", None)
    with pytest.raises(RuleError, match="retenue-inconnue"):
        give(pieces.workshop, hold.id, "essai", pieces.account())


def test_only_a_return_is_given_to_a_practitioner(pieces: HostingRig) -> None:
    message = pieces.take(answer(b"").replace(b"ARL/SV", b"ARL/SV/K"), LOIRE)
    (hold,) = pieces.holds(message)
    assert hold.subject == "message"
    with pytest.raises(RuleError, match="pas-un-retour"):
        give(pieces.workshop, hold.id, "essai", pieces.account())


def test_an_insurer_s_message_that_was_held_is_processed_again(pieces: HostingRig) -> None:
    """As any message: it is decided anew, here held again for the same reason."""
    message = pieces.take(answer(b"").replace(b"ARL/SV", b"ARL/SV/K"), LOIRE)
    (hold,) = pieces.holds(message)
    release(pieces.workshop, hold.id, "essai")
    assert state(pieces, message) == MessageState.RECEIVED
    pieces.work()
    (again,) = pieces.holds(message)
    assert (again.id > hold.id, again.code) == (True, hold.code)
    with pieces.workshop.store.read() as conn:
        closed = holds.by_id(conn, hold.id)
    assert closed is not None
    assert closed.decision == "libere"
