"""Returns sent again: to the same mailbox or another address, by POP anew, until their retention ends (R6, H7)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oct.domain.model import ReturnMode
from oct.errors import RuleError
from oct.steps.redelivery import Redelivered
from oct.store import holds, payloads, practitioners, returns
from tests.claims import PS
from tests.steps.bench import OCT
from tests.steps.hosting_rig import COLLEAGUE, COLLEAGUE_ADDRESS, HostingRig, hosting_rig
from tests.steps.resending_rig import ADDRESS, BOURG, HOUR

ELSEWHERE = "secretariat@ailleurs.example"


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[HostingRig]:
    with hosting_rig(tmp_path, database_url) as made:
        yield made


def test_r6_a_return_is_sent_again_to_the_same_mailbox_with_the_same_bytes(pieces: HostingRig) -> None:
    one = pieces.returned()
    assert pieces.redeliver(one) == Redelivered(sent=1)
    art, first, again = pieces.letters
    assert (first.raw, first.description) == (again.raw, "ARL/SV")
    assert pieces.redeliver(one, one) == Redelivered(sent=1, waiting=1)
    (decision, *_) = [event for event in pieces.story(one.message_id) if event.kind == "decision"]
    assert (decision.outcome, decision.actor, decision.return_id) == ("renvoye", "essai", one.id)
    assert art.description == "ART/ER"


def test_r6_to_another_address_the_same_bytes_leave_as_often_as_asked(pieces: HostingRig) -> None:
    one = pieces.returned()
    for _ in range(2):
        assert pieces.redeliver(one, address=ELSEWHERE) == Redelivered(sent=1)
    sent = [letter.raw for letter in pieces.outside.of(ELSEWHERE)]
    assert sent == [pieces.letters[1].raw] * 2
    assert len(pieces.letters) == 2


def test_r6_the_returns_since_a_day_and_those_sent_to_an_address_are_chosen(pieces: HostingRig) -> None:
    pieces.returned(1)
    pieces.clock.pass_hours(24)
    late = pieces.returned(2)
    owner = pieces.account().id
    with pieces.workshop.store.read() as conn:
        assert returns.of_practitioner(conn, owner, pieces.clock() - HOUR) == [late]
        assert len(returns.of_practitioner(conn, owner, 0, ADDRESS)) == 2
        assert returns.of_practitioner(conn, owner, 0, ELSEWHERE) == []
    assert pieces.redeliver(*pieces.returns()) == Redelivered(sent=2)
    assert len(pieces.letters) == 6


def test_r6_what_is_past_its_retention_is_counted_and_harms_no_other(pieces: HostingRig) -> None:
    old, new = pieces.returned(1), pieces.returned(2)
    with pieces.workshop.store.begin() as conn:
        payloads.destroy(conn, pieces.consignment(old).payload_id, pieces.clock())
    assert pieces.redeliver(old, new) == Redelivered(sent=1, gone=1)
    assert pieces.redeliver(old, address=ELSEWHERE) == Redelivered(gone=1)
    assert pieces.outside.of(ELSEWHERE) == []


def test_r6_what_was_deleted_by_pop_is_shown_again_under_a_new_uidl(pieces: HostingRig) -> None:
    pieces.choose(ReturnMode.BOITE)
    one = pieces.returned()
    before = set(pieces.uids())
    art, arl = pieces.read(delete=True)
    assert pieces.read() == []
    pieces.clock.now += 1000
    assert pieces.redeliver(one) == Redelivered(sent=1)
    assert before.isdisjoint(pieces.uids())
    assert pieces.read() == [arl]
    assert pieces.letters == []
    assert art != arl


def test_h7_a_new_registered_mailbox_gets_what_went_to_the_old_one(pieces: HostingRig) -> None:
    one = pieces.returned()
    with pieces.workshop.store.begin() as conn:
        practitioners.set_fields(conn, pieces.account().id, address="nouvelle@boite.example")
    assert pieces.redeliver(one) == Redelivered(sent=1)
    assert [letter.raw for letter in pieces.outside.of("nouvelle@boite.example")] == [pieces.letters[1].raw]
    assert len(pieces.letters) == 2


@pytest.mark.parametrize("address", [COLLEAGUE_ADDRESS, "second@boite.example", BOURG, OCT])
def test_h7_nothing_goes_where_somebody_else_reads(pieces: HostingRig, address: str) -> None:
    """Another practitioner's mailbox or address, an insurer's, the concentrator's own."""
    with pieces.workshop.store.begin() as conn:
        practitioners.add_address(conn, pieces.account(COLLEAGUE).id, "second@boite.example")
    one, before = pieces.returned(), len(pieces.outside.letters)
    with pytest.raises(RuleError, match="adresse-d-autrui"):
        pieces.redeliver(one, address=address)
    pieces.work()
    assert len(pieces.outside.letters) == before


def test_what_an_address_refused_is_sent_again_and_waits_for_nobody_any_more(pieces: HostingRig) -> None:
    """K2: the operator's word settles the hold that the failure had opened."""
    one = pieces.returned()
    pieces.outside.temper.refuse(550, 1, address=ELSEWHERE)
    pieces.redeliver(one, address=ELSEWHERE)
    assert pieces.redeliver(one, address=ELSEWHERE) == Redelivered(sent=1)
    with pieces.workshop.store.read() as conn:
        assert holds.list_open(conn) == []
    assert len(pieces.outside.of(ELSEWHERE)) == 1


def test_r5_redelivered_to_a_mailbox_that_still_fails_it_waits_in_the_hosted_one(pieces: HostingRig) -> None:
    one = pieces.returned()
    pieces.outside.temper.refuse(550, 10, address=ADDRESS)
    pieces.redeliver(one)
    assert (pieces.account(PS).diverted, len(pieces.read())) == (True, 1)
