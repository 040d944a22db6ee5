"""Hosted mailboxes: chosen, standing in for one that fails, left again; on both databases (R5, H7, P6)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from oct.domain.journey import ConsignmentState, LotState
from oct.domain.model import ReturnMode
from oct.steps.hosting import divert, restore
from oct.steps.release import refuse
from oct.store import consignments, holds, lots, payloads, practitioners
from oct.store.overview import overview
from oct.store.registry import Registry, Snapshot
from oct.store.tables import consignments as sent
from tests.claims import PS, Batch, Claim
from tests.steps.hosting_rig import COLLEAGUE, COLLEAGUE_ADDRESS, LEASE, HostingRig, hosting_rig
from tests.steps.resending_rig import ADDRESS, HOUR, LOIRE, file_of, mail

NEW_ADDRESS = "nouvelle@boite.example"


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[HostingRig]:
    with hosting_rig(tmp_path, database_url) as made:
        yield made


def test_r5_art_and_returns_of_who_chose_it_wait_in_the_hosted_mailbox(pieces: HostingRig) -> None:
    """And the insurer's file goes out as ever; silence is told there too (T1)."""
    pieces.choose(ReturnMode.BOITE)
    answered = pieces.returned(1)
    pieces.claims(2)
    pieces.clock.pass_hours(48)
    pieces.watch()
    assert pieces.letters == []
    assert len(pieces.outside.of(LOIRE)) == 2
    found = pieces.read()
    subjects = [raw.split(b"Subject: ")[1].split(b"/")[0] for raw in found]
    assert subjects == [b"ART", b"SV140700", b"ART", b"ART"]
    sent = pieces.consignment(answered)
    assert (sent.state, sent.size) == (ConsignmentState.DELIVERED, len(found[1]))
    with pieces.workshop.store.read() as conn:
        assert payloads.get(conn, pieces.workshop.vault, sent.payload_id) == found[1]
    assert [event.outcome for event in pieces.story(answered.message_id) if event.kind == "depot"] == ["depose"]


def test_p6_a_deposit_is_written_once_whoever_held_the_lease(pieces: HostingRig) -> None:
    """A worker that lost its lease writes nothing; the one that has it, once, however often it is told."""
    pieces.choose(ReturnMode.BOITE)
    pieces.claims()
    with pieces.workshop.store.begin() as conn:
        consignments.requeue(conn, _first(pieces), pieces.clock())
    before = pieces.uids()
    lost = pieces.claim("mort")
    pieces.clock.now += LEASE + 1
    taken = pieces.claim("vivant")
    assert [one.id for one in taken] == [one.id for one in lost] != []
    pieces.send(lost, "mort")
    assert pieces.uids() == before
    pieces.send(taken, "vivant")
    after = pieces.uids()
    pieces.clock.now += 1
    pieces.send(taken, "vivant")
    assert pieces.uids() == after
    assert (len(after), pieces.counts().visible) == (1, 1)


@pytest.mark.parametrize("code", [550, 554])
def test_r5_a_mailbox_that_refuses_for_good_is_replaced_at_once(pieces: HostingRig, code: int) -> None:
    """What failed is deposited, what waited follows, the operator is alerted, nobody is told by mail (H7)."""
    pieces.outside.temper.refuse(451, 2, address=ADDRESS)
    batch = pieces.claims(1)
    pieces.acknowledge(batch)
    with pieces.workshop.store.read() as conn:
        assert overview(conn, pieces.clock()).deferred == 2
    pieces.outside.temper.behave()
    pieces.outside.temper.refuse(code, 100, address=ADDRESS)
    message = pieces.submit(batch)
    pieces.work()
    assert pieces.letters == []
    assert pieces.counts().unfetched == 4, "the re-sent lot brings a receipt and the stored ARL again"
    assert pieces.account().diverted
    assert [event.outcome for event in pieces.events(message, "detourne")] == ["boite"]
    with pieces.workshop.store.read() as conn:
        seen = overview(conn, pieces.clock())
        assert holds.list_open(conn) == []
    assert ([one.number for one in seen.diverted], seen.deferred) == ([PS], 0)
    assert [one.number for one in seen.locked_out] == [PS], "nobody has a password for it yet"
    pieces.claims(2)
    assert pieces.counts().unfetched == 5


def test_r5_the_end_of_the_delay_is_a_failure_like_a_refusal(tmp_path: Path, database_url: str) -> None:
    with hosting_rig(tmp_path, database_url, retry=(HOUR,), expire=3 * HOUR) as pieces:
        pieces.outside.temper.refuse(451, 100, address=ADDRESS)
        pieces.claims()
        for _ in range(2):
            pieces.clock.pass_hours(1)
            pieces.work()
            assert not pieces.account().diverted
        pieces.clock.pass_hours(1)
        pieces.work()
        assert pieces.account().diverted
        assert pieces.counts().visible == 1
        pieces.outside.temper.behave()
        pieces.outside.temper.refuse(451, 1, address=ADDRESS)
        pieces.restore()
        assert not pieces.account().diverted, "put back into the queue, it has its whole delay again"
        pieces.clock.pass_hours(1)
        pieces.work()
        assert len(pieces.letters) == 1


def test_p4_a_mailbox_that_is_slow_or_away_for_now_is_not_replaced(pieces: HostingRig) -> None:
    pieces.outside.temper.refuse(451, 1, address=ADDRESS)
    pieces.claims()
    assert (pieces.letters, pieces.counts().visible) == ([], 0)
    pieces.clock.pass_hours(1)
    pieces.work()
    assert (len(pieces.letters), pieces.counts().visible) == (1, 0)
    assert not pieces.account().diverted


def test_r5_restored_what_was_never_fetched_goes_to_the_own_mailbox_with_the_same_bytes(pieces: HostingRig) -> None:
    assert (pieces.divert(), pieces.divert()) == (1, 0)
    pieces.returned(1)
    fetched = pieces.read()
    pieces.clock.now += 1000
    pieces.returned(2)
    with pieces.workshop.store.read() as conn:
        waiting = [payloads.get(conn, pieces.workshop.vault, pieces.consignment(pieces.returns()[1]).payload_id)]
    assert pieces.restore() == 1
    assert [letter.raw for letter in pieces.letters[1:]] == waiting
    assert len(pieces.letters) == 2
    assert set(fetched).isdisjoint(letter.raw for letter in pieces.letters)
    assert pieces.read() == fetched, "what was fetched stays"
    assert pieces.restore() == 0
    pieces.returned(3)
    assert len(pieces.letters) == 4


def test_r5_a_whole_domain_is_diverted_and_restored(pieces: HostingRig) -> None:
    """Each keeps its own: nothing of one reaches the other, in either mailbox."""
    assert pieces.divert(PS, COLLEAGUE) == 2
    pieces.returned()
    assert (pieces.counts(PS).visible, pieces.counts(COLLEAGUE).visible) == (2, 0)
    assert pieces.restore(PS, COLLEAGUE) == 2
    assert len(pieces.letters) == 2
    assert pieces.outside.of(COLLEAGUE_ADDRESS) == []


def test_h7_two_accounts_with_one_registered_address_keep_their_mailboxes_apart(pieces: HostingRig) -> None:
    """A provider gave an address to somebody else: only the mailbox of whose the consignment is counts."""
    with pieces.workshop.store.begin() as conn:
        practitioners.remove_address(conn, pieces.account().id, ADDRESS)
        practitioners.set_fields(conn, pieces.account(COLLEAGUE).id, address=ADDRESS)
        practitioners.add_address(conn, pieces.account().id, "cabinet@boite.example")
    pieces.choose(ReturnMode.BOITE, COLLEAGUE)
    pieces.divert(PS)
    pieces.returns()
    with pieces.workshop.store.begin() as conn:
        practitioners.set_fields(conn, pieces.account(COLLEAGUE).id, address=COLLEAGUE_ADDRESS)
        practitioners.remove_address(conn, pieces.account(COLLEAGUE).id, ADDRESS)
        practitioners.add_address(conn, pieces.account().id, ADDRESS)
    pieces.returned()
    assert (pieces.counts(PS).visible, pieces.counts(COLLEAGUE).visible) == (2, 0)


def test_h7_another_address_that_fails_diverts_nobody_and_waits_for_a_person(pieces: HostingRig) -> None:
    one = pieces.returned()
    pieces.outside.temper.refuse(550, 1, address="ailleurs@essai.example")
    pieces.redeliver(one, address="ailleurs@essai.example")
    assert not pieces.account().diverted
    with pieces.workshop.store.read() as conn:
        (hold,) = holds.list_open(conn)
    assert (hold.code, "ailleurs@essai.example" in hold.sentence) == ("remise-impossible", True)


def test_a_deposit_that_comes_after_a_restoration_leaves_by_smtp(
    pieces: HostingRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing stays where nobody looks any more."""
    pieces.claims()
    pieces.divert()
    with pieces.workshop.store.begin() as conn:
        consignments.requeue(conn, _first(pieces), pieces.clock())
    taken, account = pieces.claim("lent"), pieces.account()
    _after_the_look(monkeypatch, lambda: restore(pieces.workshop, [account], "essai"))
    pieces.send(taken, "lent")
    assert (pieces.counts().visible, len(pieces.letters)) == (0, 1)
    pieces.work()
    assert (pieces.counts().visible, len(pieces.letters)) == (0, 2)


def test_a_try_that_ends_after_the_diversion_is_deposited_without_delay(
    pieces: HostingRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces.outside.temper.refuse(451, 100, address=ADDRESS)
    pieces.claims()
    pieces.clock.pass_hours(1)
    taken, account = pieces.claim("lent"), pieces.account()
    assert [one.recipient for one in taken] == [ADDRESS]
    _after_the_look(monkeypatch, lambda: divert(pieces.workshop, [account], "essai"))
    pieces.send(taken, "lent")
    assert pieces.counts().visible == 0
    pieces.work()
    assert pieces.counts().visible == 1


def test_who_chose_the_hosted_mailbox_is_neither_diverted_nor_sent_to(pieces: HostingRig) -> None:
    pieces.divert()
    pieces.returned()
    pieces.choose(ReturnMode.BOITE)
    before = pieces.uids()
    assert pieces.restore() == 1
    assert (pieces.letters, pieces.uids()) == ([], before)
    assert pieces.divert() == 0


def test_p6_a_reader_at_it_sees_a_deposit_at_his_next_session_and_keeps_what_is_taken_back(pieces: HostingRig) -> None:
    pieces.divert()
    pieces.claims(1)
    door = pieces.hosted()
    maildrop = pieces.opened(door)
    pieces.clock.now += 1000
    pieces.claims(2)
    assert (len(maildrop.items), pieces.counts().visible) == (1, 2)
    assert pieces.restore() == 1
    assert len(pieces.letters) == 2
    assert door.fetch(maildrop.items[0]) == pieces.letters[0].raw, "what he listed he may still read"
    door.fetched(maildrop, [maildrop.items[0].id])
    assert door.close(maildrop, [maildrop.items[0].id])
    assert pieces.counts().visible == 0
    pieces.divert()
    assert pieces.opened(door).items == ()


def test_p6_what_a_reader_has_just_fetched_is_not_taken_back(pieces: HostingRig) -> None:
    """Whichever of the two commits first: read or sent, at least one of them, and never lost."""
    pieces.divert()
    for rank in range(1, 4):
        pieces.clock.now += 1000
        pieces.claims(rank)
    door = pieces.hosted()
    maildrop = pieces.opened(door)
    ids = [item.id for item in maildrop.items]
    start = threading.Barrier(2)

    def fetch() -> None:
        start.wait()
        door.fetched(maildrop, ids)

    reader = threading.Thread(target=fetch)
    reader.start()
    start.wait()
    pieces.restore()
    reader.join()
    assert len(pieces.letters) + pieces.counts().visible == 3


def _first(pieces: HostingRig) -> int:
    """The receipt of the first message."""
    with pieces.workshop.store.read() as conn:
        return next(one.id for one in consignments.of_message(conn, 1) if one.kind == "art")


def _after_the_look(monkeypatch: pytest.MonkeyPatch, decide: Callable[[], object]) -> None:
    """The operator's word, once, between the moment a worker looks at the register and the moment it writes."""
    look, waiting = Registry.current, [decide]

    def looking(registry: Registry, conn: Connection) -> Snapshot:
        seen = look(registry, conn)
        if waiting:
            waiting.pop()()
        return seen

    monkeypatch.setattr(Registry, "current", looking)


def test_r5_what_was_not_fetched_follows_who_leaves_the_hosted_mailbox(pieces: HostingRig) -> None:
    """The same bytes, each once; what was fetched stays."""
    pieces.choose(ReturnMode.BOITE)
    pieces.returned(1)
    fetched = pieces.read()
    pieces.clock.now += 1000
    pieces.returned(2)
    _, _, *waiting = pieces.read_only()
    assert pieces.leave() == 2
    assert [letter.raw for letter in pieces.letters] == waiting
    assert pieces.read_only() == fetched
    assert pieces.leave() == 0
    pieces.returned(3)
    assert len(pieces.letters) == 4


def test_r5_nothing_is_lost_when_the_mailbox_that_it_follows_to_fails_again(pieces: HostingRig) -> None:
    pieces.choose(ReturnMode.BOITE)
    pieces.returned()
    waiting = pieces.read_only()
    pieces.clock.now += 1000
    pieces.outside.temper.refuse(550, 10, address=ADDRESS)
    assert pieces.leave() == 2
    assert (pieces.letters, pieces.account().diverted) == ([], True)
    assert sorted(pieces.read_only()) == sorted(waiting)
    pieces.outside.temper.behave()
    pieces.clock.now += 1000
    pieces.restore()
    assert sorted(letter.raw for letter in pieces.letters) == sorted(waiting)
    assert pieces.read_only() == []


@pytest.mark.parametrize("chosen", [True, False])
def test_r5_what_follows_goes_to_the_address_that_is_registered_by_then(pieces: HostingRig, chosen: bool) -> None:
    """A provider closed: the practitioner has another address, after a diversion or its own choice."""
    if chosen:
        pieces.choose(ReturnMode.BOITE)
    else:
        pieces.divert()
    pieces.returned()
    waiting = pieces.read_only()
    with pieces.workshop.store.begin() as conn:
        practitioners.set_fields(conn, pieces.account().id, address=NEW_ADDRESS)
    if chosen:
        pieces.leave()
    else:
        pieces.restore()
    assert [letter.raw for letter in pieces.outside.of(NEW_ADDRESS)] == waiting
    assert pieces.letters == []


def test_r5_while_its_own_mailbox_fails_nothing_follows(pieces: HostingRig) -> None:
    pieces.divert()
    pieces.returned()
    pieces.choose(ReturnMode.BOITE)
    assert pieces.leave() == 0
    assert pieces.counts().unfetched == 2
    pieces.restore()
    assert len(pieces.letters) == 2


@pytest.mark.parametrize("mode", ReturnMode)
def test_what_was_destroyed_before_it_left_is_held_alone(pieces: HostingRig, mode: ReturnMode) -> None:
    """R6: the others of its batch leave, to insurers and practitioners."""
    pieces.choose(mode)
    for rank in (1, 2):
        assert pieces.receive(mail(file_of([Batch((Claim(rank),), rank)])), ADDRESS).code == 250
    pieces.hands.runner._process_some()
    with pieces.workshop.store.begin() as conn:
        for kind in ("facture", "art"):
            chosen = select(sent.c.payload_id).where(sent.c.kind == kind).order_by(sent.c.id).limit(1)
            payloads.destroy(conn, conn.execute(chosen).scalar_one(), pieces.clock())
    pieces.work()
    assert len(pieces.arrived()) == 1
    assert len(pieces.letters) + pieces.counts().visible == 1
    with pieces.workshop.store.read() as conn:
        lost = holds.list_open(conn)
        assert consignments.backlog(conn) == []
        failed = [consignments.by_id(conn, hold.consignment_id or 0) for hold in lost]
    assert sorted(one.kind for one in failed if one is not None) == ["art", "facture"]
    assert all("sa conservation a pris fin" in hold.sentence for hold in lost)
    for hold in lost:
        assert "detruit" in [event.outcome for event in pieces.story(hold.message_id)]
        refuse(pieces.workshop, hold.id, "essai", "Contenu perdu, renvoyez ce lot.")
    pieces.work()
    with pieces.workshop.store.read() as conn:
        (lot,) = lots.by_invoice(conn, "000000001")
    assert lot.state == LotState.REFUSED_HERE
