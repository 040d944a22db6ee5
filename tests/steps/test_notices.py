"""Delivery notices (RFC 3464) on what was sent, on both databases: what they change, what a forged one cannot do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from oct.domain.journey import ConsignmentState, LotState, MessageState
from oct.simulators.mail import Letter
from oct.steps import notices as module
from oct.steps.release import release
from oct.steps.work.settlement import Delivery, Settlement
from oct.store import consignments, events, lots, mailboxes, practitioners
from oct.store.consignments import Consignment, NewConsignment
from oct.store.holds import HoldSubject
from oct.store.lots import Lot
from oct.store.messages import Message
from tests.journeys.waiting import until
from tests.steps.bench import CLAIMS, Bench, bench

FLOWS = Path(__file__).parents[1] / "vectors" / "flows"
MESSAGES: dict[str, dict[str, Any]] = json.loads((FLOWS / "flows.json").read_text(encoding="utf-8"))
SENT = b"<20261121080000000001@concentrateur.example>"
BOURG, PARC = "01011@011.01.rss.fr", "parc@boite.example"
CLAIM = (CLAIMS / "messages" / "02-source-split-amo.eml").read_bytes()


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[Bench]:
    """A concentrator in pieces."""
    with bench(tmp_path, database_url) as made:
        yield made


def notice(name: str, uid: str) -> bytes:
    """A golden notice on the message of a Message-ID."""
    raw = (FLOWS / f"{name}.eml").read_bytes()
    return raw.replace(SENT, uid.encode()).replace(SENT.strip(b"<>"), uid.strip("<>").encode())


def uid_of(letter: Letter) -> str:
    """The Message-ID of what we sent."""
    return str(letter.message["Message-ID"])


def sent(pieces: Bench, message: Message, kind: str = "facture") -> Consignment:
    """What a message gave rise to, of one kind."""
    with pieces.workshop.store.read() as conn:
        (one,) = (found for found in consignments.of_message(conn, message.id) if found.kind == kind)
    return one


def lot_states(pieces: Bench, message: Message) -> set[str]:
    """The states of a message's lots."""
    with pieces.workshop.store.read() as conn:
        return {lot.state for lot in lots.of_message(conn, message.id)}


@pytest.mark.parametrize("name", ["notice-failed", "notice-envelope"])
def test_a_failure_holds_the_file_and_tells_its_practitioner(pieces: Bench, name: str) -> None:
    """T1, as after a 5xx: by the returned message, or by the envelope id alone."""
    claim = pieces.take(CLAIM, PARC)
    assert lot_states(pieces, claim) == {LotState.DELIVERED}
    told = pieces.take(notice(name, uid_of(pieces.outside.of(BOURG)[0])), "")
    assert (told.origin, told.state) == ("avis", MessageState.PROCESSED)
    failed = sent(pieces, claim)
    assert failed.state == ConsignmentState.FAILED
    assert "550 5.1.1 boite inconnue" in failed.reply
    assert lot_states(pieces, claim) == {LotState.SENT}
    (hold,) = pieces.holds(claim)
    assert (hold.subject, hold.code, hold.consignment_id) == (
        HoldSubject.CONSIGNMENT, "remise-impossible", failed.id,
    )  # fmt: skip
    texts = [letter.content.decode("latin-1") for letter in pieces.outside.of(PARC)]
    assert len(texts) == 2
    assert "n'a pas pu être remis à BOURG EN BRESSE" in texts[1]
    for story in (claim, told):
        assert [event.outcome for event in pieces.events(story, "avis")] == ["echec"]


def test_a_notice_that_overtakes_what_it_is_about_waits_for_it(pieces: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay took it and gave it up before its 250 was written down here, where the database was away for longer
    than a lease: the failure is not lost."""
    monkeypatch.setattr(module, "_SOON_MS", 50)
    store, runner = pieces.workshop.store, pieces.hands.runner
    assert pieces.receive(CLAIM, PARC).code == 250
    assert runner._process_some()
    with store.begin() as conn:
        leaving = consignments.claim_any(conn, "courrier/1", pieces.workshop.clock(), -1, 99)
    (file,) = (one for one in leaving if one.kind == "facture")
    assert pieces.receive(notice("notice-failed", file.message_uid), "").code == 250
    assert runner._process_some()
    with store.read() as conn:
        assert events.of_message(conn, file.message_id)[-1].kind != "avis"
    with closing(Settlement(pieces.workshop)) as settlement:
        settlement.write([Delivery(file, "courrier/1", pieces.workshop.clock(), "250", tls=False)])
        settlement.settle()
    until("it is looked at again", runner._process_some)
    with store.read() as conn:
        failed = consignments.by_id(conn, file.id)
    assert failed is not None
    assert failed.state == ConsignmentState.FAILED


def test_what_failed_leaves_again_with_the_same_bytes_when_a_person_says_so(pieces: Bench) -> None:
    claim = pieces.take(CLAIM, PARC)
    first = pieces.outside.of(BOURG)[0]
    pieces.take(notice("notice-failed", uid_of(first)), "")
    assert len(pieces.outside.of(BOURG)) == 1, "a notice never sends anything again"
    (hold,) = pieces.holds(claim)
    release(pieces.workshop, hold.id, "essai")
    pieces.work()
    assert [letter.raw for letter in pieces.outside.of(BOURG)] == [first.raw, first.raw]
    assert lot_states(pieces, claim) == {LotState.DELIVERED}


@pytest.mark.parametrize(("name", "outcome"), [("notice-delayed", "retarde"), ("notice-delivered", "confirme")])
def test_a_delay_or_a_confirmation_is_an_event_and_no_more(pieces: Bench, name: str, outcome: str) -> None:
    claim = pieces.take(CLAIM, PARC)
    told = pieces.take(notice(name, uid_of(pieces.outside.of(BOURG)[0])), "")
    assert told.state == MessageState.PROCESSED
    assert sent(pieces, claim).state == ConsignmentState.DELIVERED
    assert lot_states(pieces, claim) == {LotState.DELIVERED}
    assert pieces.holds(claim) == pieces.holds(told) == []
    assert [event.outcome for event in pieces.events(claim, "avis")] == [outcome]
    assert len(pieces.outside.of(PARC)) == 1


def test_a_notice_on_nothing_of_ours_is_held_and_neither_answered_nor_forwarded(pieces: Bench) -> None:
    """H7."""
    claim = pieces.take(CLAIM, PARC)
    before = len(pieces.outside.letters)
    told = pieces.take(notice("notice-failed", "<ailleurs.1@essai.example>"), "")
    assert (told.state, told.code) == (MessageState.HELD, "avis-etranger")
    assert len(pieces.outside.letters) == before
    assert sent(pieces, claim).state == ConsignmentState.DELIVERED
    assert [hold.subject for hold in pieces.holds(told)] == [HoldSubject.MESSAGE]


def test_a_notice_that_cannot_be_read_is_held(pieces: Bench) -> None:
    pieces.take(CLAIM, PARC)
    uid = uid_of(pieces.outside.of(BOURG)[0])
    told = pieces.take(notice("notice-failed", uid).replace(b"Action: failed", b"Action: perdu"), "")
    assert (told.state, told.code) == (MessageState.HELD, "avis-action")


def test_a_notice_on_several_recipients_of_which_none_is_ours_is_held(pieces: Bench) -> None:
    pieces.take(CLAIM, PARC)
    raw = notice("notice-failed", uid_of(pieces.outside.of(BOURG)[0])).replace(b"01011@011.01", b"un@autre.01")
    raw = raw.replace(b"01011@011.01.RSS.FR", b"un@autre.01.rss.fr")
    second = b"\r\nFinal-Recipient: rfc822; deux@autre.01.rss.fr\r\nAction: failed\r\n"
    told = pieces.take(raw.replace(b" inconnue\r\n", b" inconnue\r\n" + second), "")
    assert (told.state, told.code) == (MessageState.HELD, "avis-etranger")


def test_the_same_failure_told_twice_counts_once(pieces: Bench) -> None:
    claim = pieces.take(CLAIM, PARC)
    raw = notice("notice-failed", uid_of(pieces.outside.of(BOURG)[0]))
    pieces.take(raw, "")
    again = pieces.take(raw.replace(b"<flux.41@", b"<flux.41bis@"), "")
    assert [event.outcome for event in pieces.events(again, "avis")] == ["sans-effet"]
    assert len(pieces.holds(claim)) == 1
    assert len(pieces.outside.of(PARC)) == 2


def test_a_failure_told_after_the_insurer_has_answered_changes_nothing(pieces: Bench) -> None:
    """A forged notice cannot undo what was acknowledged."""
    claim = pieces.take(CLAIM, PARC)
    answered = [lot.id for lot in _lots(pieces, claim)]
    with pieces.workshop.store.begin() as conn:
        lots.set_state(conn, answered, LotState.ACKNOWLEDGED, "", pieces.workshop.clock())
    pieces.take(notice("notice-failed", uid_of(pieces.outside.of(BOURG)[0])), "")
    assert sent(pieces, claim).state == ConsignmentState.DELIVERED
    assert lot_states(pieces, claim) == {LotState.ACKNOWLEDGED}
    assert pieces.holds(claim) == []


def on_own_mailbox(name: str, uid: str) -> bytes:
    """A golden notice on what went to the practitioner's own mailbox."""
    return notice(name, uid).replace(b"01011@011.01.rss.fr", PARC.encode())


def hosted(pieces: Bench) -> tuple[bool, int]:
    """Whether the hosted mailbox stands in for the practitioner's own, and what it holds."""
    with pieces.workshop.store.read() as conn:
        account = practitioners.by_address(conn, PARC)
        assert account is not None
        return account.diverted, mailboxes.counts(conn, account.id).visible


def test_what_the_server_of_a_practitioner_s_own_mailbox_gave_up_waits_in_the_hosted_one(pieces: Bench) -> None:
    """R5, as after a 5xx: it stands in from then on; nothing goes to the mailbox that fails (H7)."""
    claim = pieces.take(CLAIM, PARC)
    art = pieces.outside.of(PARC)[0]
    told = pieces.take(on_own_mailbox("notice-failed", uid_of(art)), "")
    assert hosted(pieces) == (True, 1)
    assert sent(pieces, claim, "art").state == ConsignmentState.DELIVERED
    assert pieces.holds(claim) == []
    assert [event.outcome for event in pieces.events(claim, "detourne")] == ["boite"]
    assert [event.outcome for event in pieces.events(told, "avis")] == ["echec"]
    pieces.take(CLAIM.replace(b"<claims.2@", b"<claims.2bis@"), PARC)
    assert pieces.outside.of(PARC) == [art]
    again = pieces.take(on_own_mailbox("notice-failed", uid_of(art)).replace(b"<flux.41@", b"<flux.41bis@"), "")
    assert [event.outcome for event in pieces.events(again, "avis")] == ["sans-effet"]


def test_r5_of_two_sendings_of_the_same_bytes_one_waits_in_the_hosted_mailbox(pieces: Bench) -> None:
    """They bear one Message-ID: the notice means either, and what is in both is kept."""
    claim = pieces.take(CLAIM, PARC)
    first = sent(pieces, claim, "art")
    with pieces.workshop.store.begin() as conn:
        copy = {name: getattr(first, name) for name in NewConsignment._fields} | {"kind": "texte", "due_at": 1}
        consignments.insert_many(conn, [NewConsignment(**copy)])
    pieces.work()
    assert len(pieces.outside.of(PARC)) == 2
    pieces.take(on_own_mailbox("notice-failed", first.message_uid), "")
    assert hosted(pieces) == (True, 1)


@pytest.mark.parametrize("name", ["notice-delayed", "notice-delivered"])
def test_a_delay_of_what_goes_to_a_practitioner_s_own_mailbox_replaces_nothing(pieces: Bench, name: str) -> None:
    claim = pieces.take(CLAIM, PARC)
    pieces.take(on_own_mailbox(name, uid_of(pieces.outside.of(PARC)[0])), "")
    assert hosted(pieces) == (False, 0)
    assert sent(pieces, claim, "art").state == ConsignmentState.DELIVERED


def test_what_went_elsewhere_than_to_a_practitioner_s_own_mailbox_waits_for_the_operator(pieces: Bench) -> None:
    """H7: its address was changed since."""
    claim = pieces.take(CLAIM, PARC)
    art = pieces.outside.of(PARC)[0]
    with pieces.workshop.store.begin() as conn:
        account = practitioners.by_address(conn, PARC)
        assert account is not None
        practitioners.set_fields(conn, account.id, address="nouvelle@boite.example")
    pieces.take(on_own_mailbox("notice-failed", uid_of(art)), "")
    assert hosted(pieces) == (False, 0)
    assert sent(pieces, claim, "art").state == ConsignmentState.FAILED
    assert [hold.code for hold in pieces.holds(claim)] == ["remise-impossible"]
    assert pieces.outside.of(PARC) == [art]


def _lots(pieces: Bench, message: Message) -> list[Lot]:
    with pieces.workshop.store.read() as conn:
        return lots.of_message(conn, message.id)
