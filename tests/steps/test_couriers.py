"""P4: whoever does not answer keeps nobody else waiting, whether all leaves through one relay or each goes its way."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Container, Iterator
from dataclasses import replace
from itertools import count
from math import inf
from pathlib import Path
from threading import Event

import pytest

from oct.bootstrap import connector
from oct.domain.journey import ConsignmentState
from oct.errors import DeliveryError
from oct.settings import load
from oct.simulators.reception import Reception
from oct.smtp.client import Connection, Route
from oct.smtp.dialogue import Dialogue
from oct.steps.work import couriers as module
from oct.steps.work.couriers import Couriers, Round
from oct.steps.work.crew import Connect
from oct.steps.work.errands import Errands
from oct.steps.workshop import Workshop
from oct.store import consignments, holds
from tests.journeys.waiting import until
from tests.steps.bench import Bench, Outside, bench
from tests.steps.refusing import refuse, unable_to_tell
from tests.steps.resending_rig import Hand
from tests.steps.sending_rig import MINUTE, SECOND, consign, leased, outcomes, rows, work_off

SILENT = "muette@boite.example"
OTHERS = [f"caisse{rank}@boite.example" for rank in range(8)]
SENDERS = 3


@pytest.fixture
def pieces(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Exchanges without an answer end soon; the couriers' places are taken sooner."""
    monkeypatch.setattr(module, "_QUIET_S", 0.2)
    with bench(tmp_path, database_url, 'timeout = "1500ms"', certified=False) as made:
        yield made


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def connect(tmp_path: Path, pieces: Bench) -> Connect:
    return connector(load(tmp_path / "oct.toml", {}).settings)


def crew(workshop: Workshop, connect: Connect, *, one_relay: bool = True, lease: int = 10 * MINUTE) -> Couriers:
    return Couriers(workshop, connect, Round(SENDERS, 50, 4, lease, look=200, one_relay=one_relay), "essai/")


@pytest.mark.parametrize("one_relay", [True, False])
def test_a_recipient_that_is_silent_holds_up_no_other(
    pieces: Bench, clock: Hand, connect: Connect, one_relay: bool
) -> None:
    """More waits for it than there are couriers, before anything for the others. None is lost, or leaves twice."""
    workshop = replace(pieces.workshop, clock=clock)
    consign(workshop, [*[SILENT] * 10, *OTHERS])
    pieces.outside.temper.black_hole(120, address=SILENT)
    couriers = crew(workshop, connect, one_relay=one_relay)
    clock.now += SECOND
    work_off(couriers)
    assert sorted(letter.rcpt_to for letter in pieces.outside.letters) == OTHERS
    assert outcomes(workshop)[: len(OTHERS)] == ["remis"] * len(OTHERS)
    assert leased(workshop) == 0
    pieces.outside.temper.behave()
    clock.now += 2 * MINUTE
    work_off(couriers)
    assert {one.state for one in rows(workshop)} == {ConsignmentState.DELIVERED}
    assert len(pieces.outside.of(SILENT)) == 10


@pytest.mark.parametrize("one_relay", [True, False])
def test_what_waits_for_who_did_not_answer_shares_the_fate_of_the_first(
    pieces: Bench, clock: Hand, connect: Connect, one_relay: bool
) -> None:
    """One try for all of it, so that a thousand messages for a dead server cost what one costs; each is counted, so
    that the delay of each has an end."""
    workshop = replace(pieces.workshop, clock=clock)
    consign(workshop, [SILENT])
    pieces.outside.temper.black_hole(120, address=SILENT)
    couriers = crew(workshop, connect, one_relay=one_relay)
    work_off(couriers)
    (stalled,) = rows(workshop)
    assert (stalled.reply, stalled.due_at) == ("0 delai depasse", clock.now + MINUTE)
    clock.now += MINUTE
    consign(workshop, [*[SILENT] * 5, *OTHERS], 2)
    clock.now += SECOND
    before = len(outcomes(workshop))
    work_off(couriers)
    assert sorted(letter.rcpt_to for letter in pieces.outside.letters) == OTHERS
    assert outcomes(workshop)[before:] == ["remis"] * len(OTHERS) + ["differe"] * 6
    waiting = [one for one in rows(workshop) if one.state == ConsignmentState.WAITING]
    assert [(one.recipient, one.reply, one.attempts) for one in waiting] == [
        (SILENT, "0 delai depasse", attempts) for attempts in (2, 1, 1, 1, 1, 1)
    ]


def test_a_relay_that_is_away_stalls_no_recipient(pieces: Bench, clock: Hand, tmp_path: Path) -> None:
    """When it is back, all leaves together again, not recipient by recipient."""
    workshop = replace(pieces.workshop, clock=clock)
    consign(workshop, OTHERS)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = load(tmp_path / "oct.toml", {"OCT_DELIVERY__RELAY": f"127.0.0.1:{port}"}).settings
    clock.now += SECOND
    work_off(crew(workshop, connector(settings)))
    assert {one.reply for one in rows(workshop)} == {"0 connexion refusee"}
    clock.now += MINUTE
    with workshop.store.begin() as conn:
        assert len(consignments.claim_any(conn, "autre", clock.now, MINUTE, 50)) == len(OTHERS)


def test_an_exchange_ends_before_its_lease_does(pieces: Bench, clock: Hand, connect: Connect) -> None:
    """P2: else another worker would send the same while it goes on."""
    workshop = replace(pieces.workshop, clock=lambda: clock.now + next(ticking) * 300)
    ticking = count()
    consign(workshop, [SILENT])
    pieces.outside.temper.black_hole(120, address=SILENT)
    clock.now += SECOND
    asyncio.run(crew(workshop, connect, lease=2 * SECOND).work_off())
    (cut,) = rows(workshop)
    assert (cut.reply, cut.attempts, leased(workshop)) == ("0 connexion coupee", 1, 0)


def test_what_was_claimed_is_given_back_when_half_of_its_lease_is_over(pieces: Bench, clock: Hand) -> None:
    """As if it had never been claimed."""
    workshop = replace(pieces.workshop, clock=clock)
    consign(workshop, OTHERS)
    clock.now += SECOND
    with workshop.store.begin() as conn:
        claimed = consignments.claim_any(conn, "lent", clock.now, MINUTE, 50)
    errands = Errands(workshop, claimed, "lent", now=clock.now, lease=MINUTE)
    taken = errands.take()
    assert taken is not None
    clock.now += MINUTE // 2
    assert errands.take() is None
    errands.hand_back()
    assert leased(workshop) == 1
    assert [one.attempts for one in rows(workshop)] == [1, *[0] * (len(OTHERS) - 1)]


def test_who_is_stopped_ends_what_is_open_and_gives_back_the_rest(
    pieces: Bench, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P5: within its time, whatever the others do."""
    monkeypatch.setattr(module, "_GRACE_S", 0.1)
    workshop = pieces.workshop
    pieces.outside.temper.black_hole(120)
    consign(workshop, [SILENT, *OTHERS])
    couriers = crew(workshop, connect)
    couriers.start()
    until("all are out", lambda: sum(one.since < inf for one in couriers._crew) == SENDERS)
    couriers.stop()
    assert leased(workshop) == SENDERS
    assert [one.attempts for one in rows(workshop)] == [1] * SENDERS + [0] * (1 + len(OTHERS) - SENDERS)


def test_who_is_stopped_gives_back_what_was_to_follow_to_who_is_silent(
    pieces: Bench, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P5: the next program need not wait until the lease ends."""
    monkeypatch.setattr(module, "_GRACE_S", 0.1)
    pieces.outside.temper.black_hole(120)
    consign(pieces.workshop, [SILENT] * 5)
    couriers = crew(pieces.workshop, connect, one_relay=False)
    couriers.start()
    until("one is out", lambda: any(one.since < inf for one in couriers._crew))
    couriers.stop()
    assert [one.attempts for one in rows(pieces.workshop)] == [1, 0, 0, 0, 0]
    assert leased(pieces.workshop) == 1


def test_who_is_stopped_waits_for_no_name_server(pieces: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """P5: what looks a name up cannot be interrupted."""
    monkeypatch.setattr(module, "_GRACE_S", 0.1)
    asked, answered = Event(), Event()

    async def look_up(recipient: str, avoided: Container[Route]) -> Connection:
        asked.set()
        await asyncio.to_thread(answered.wait, 60)
        raise AssertionError(recipient, avoided)

    consign(pieces.workshop, OTHERS)
    couriers = crew(pieces.workshop, look_up, one_relay=False)
    couriers.start()
    assert asked.wait(60)
    couriers.stop()
    assert not answered.is_set()
    answered.set()


def test_name_servers_that_are_silent_hold_up_no_other(
    pieces: Bench, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P4: however many they are, as long as somebody may still go."""
    monkeypatch.setattr(module, "_PATROL_S", 0.05)
    monkeypatch.setattr(module, "_QUIET_S", 0.05)
    answered = Event()
    dead = [f"caisse@muette{rank}.example" for rank in range(module._MOST_QUIET * SENDERS)]

    async def look_up(recipient: str, avoided: Container[Route]) -> Connection:
        await asyncio.to_thread(answered.wait, 60 if recipient in dead else 0)
        return await connect(recipient, avoided)

    consign(pieces.workshop, [*dead, *OTHERS])
    couriers = crew(pieces.workshop, look_up, one_relay=False)
    couriers.start()
    until("the others have theirs", lambda: len(pieces.outside.letters) >= len(OTHERS))
    assert sorted(letter.rcpt_to for letter in pieces.outside.letters) == OTHERS
    assert not answered.is_set()
    answered.set()
    couriers.stop()


@pytest.mark.parametrize("one_relay", [True, False])
def test_what_cannot_be_sent_by_our_own_fault_takes_nobody_with_it(
    pieces: Bench, clock: Hand, connect: Connect, one_relay: bool
) -> None:
    """P4: it is held for a person; what follows to the same recipient leaves."""
    workshop = replace(pieces.workshop, clock=clock)
    consign(workshop, [OTHERS[0]] * 3, first=b"Subject: LF\n\n")
    clock.now += SECOND
    work_off(crew(workshop, connect, one_relay=one_relay))
    assert [one.state for one in rows(workshop)] == ["failed", "delivered", "delivered"]
    with workshop.store.read() as conn:
        (hold,) = holds.list_open(conn)
    assert "un défaut du programme" in hold.sentence


def test_a_surprise_does_not_end_the_thread(pieces: Bench, connect: Connect) -> None:
    """Whatever it is: nobody else would send."""
    times = count()

    def late() -> int:
        if next(times) < 3:
            raise ValueError
        return pieces.workshop.clock()

    consign(pieces.workshop, OTHERS)
    couriers = crew(replace(pieces.workshop, clock=late), connect)
    couriers.start()
    until("all left", lambda: len(pieces.outside.letters) == len(OTHERS))
    couriers.stop()


def test_what_is_put_aside_is_not_kept_in_memory(
    pieces: Bench, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recipient over whom the relay is silent may have thousands of messages waiting."""
    monkeypatch.setattr(module, "_GRACE_S", 0.1)
    pieces.outside.temper.black_hole(120)
    consign(pieces.workshop, [SILENT] * 10)
    couriers = crew(pieces.workshop, connect)
    couriers.start()
    (lane, _) = couriers._lanes
    until("some are put aside", lambda: bool(lane.aside))
    assert {errand.content for errand in list(lane.aside[SILENT])} == {None}
    couriers.stop()


def test_a_bell_brings_them_out(pieces: Bench, connect: Connect) -> None:
    """Nobody waits for the next look, which is hours away here."""
    couriers = Couriers(
        pieces.workshop, connect, Round(SENDERS, 50, 4, 10 * MINUTE, look=100 * MINUTE, one_relay=True), "essai/"
    )
    couriers.start()
    for number, recipient in enumerate(OTHERS, 1):
        consign(pieces.workshop, [recipient], number)
        couriers.ring()
        until("it left", lambda: bool(pieces.outside.of(recipient)))  # noqa: B023 - called at once
    couriers.stop()
    assert {one.state for one in rows(pieces.workshop)} == {ConsignmentState.DELIVERED}


@pytest.mark.parametrize("senders", [1, SENDERS])
def test_each_message_goes_to_the_server_of_its_own_recipient(pieces: Bench, tmp_path: Path, senders: int) -> None:
    """A courier goes on from one recipient to the next: their servers may differ, and the first takes anything."""
    insurers = Outside()
    addresses = [f"caisse{rank}@{rank}.rss.fr" for rank in range(5)]
    everybody = [*OTHERS, *addresses]
    everybody[::2], everybody[1::2] = everybody[:7], everybody[7:]
    with Reception(insurers, serves=lambda _: True) as reception:
        file = tmp_path / "oct.toml"
        file.write_text(f'{file.read_text()}routes = {{ "rss.fr" = "127.0.0.1:{reception.port}" }}\n')
        pace = Round(senders, 50, 4, 10 * MINUTE, look=200, one_relay=False)
        consign(pieces.workshop, everybody)
        couriers = Couriers(pieces.workshop, connector(load(file, {}).settings), pace, "essai/")
        couriers.start()
        until("all left", lambda: len(pieces.outside.letters) + len(insurers.letters) == len(everybody))
        couriers.stop()
    assert sorted(letter.rcpt_to for letter in insurers.letters) == addresses
    assert sorted(letter.rcpt_to for letter in pieces.outside.letters) == OTHERS
    assert {one.state for one in rows(pieces.workshop)} == {ConsignmentState.DELIVERED}


def test_recipients_of_one_server_share_a_connection(
    pieces: Bench, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hundreds of caisses may lie behind one address."""
    opened = count()
    open_one = Dialogue.open

    async def counted(host: str, port: int, *, helo: str, reply_seconds: float) -> Dialogue:
        next(opened)
        return await open_one(host, port, helo=helo, reply_seconds=reply_seconds)

    monkeypatch.setattr(Dialogue, "open", counted)
    consign(pieces.workshop, OTHERS)
    pace = Round(1, 50, 4, 10 * MINUTE, look=200, one_relay=False)
    work_off(Couriers(pieces.workshop, connect, pace, "essai/"))
    assert sorted(letter.rcpt_to for letter in pieces.outside.letters) == OTHERS
    assert next(opened) == 1


def test_a_server_that_is_found_too_late_is_not_told_anything(pieces: Bench, clock: Hand, connect: Connect) -> None:
    """The lease may be somebody else's by then."""
    workshop = replace(pieces.workshop, clock=clock)
    consign(workshop, [SILENT, SILENT])
    clock.now += SECOND

    async def slow(recipient: str, avoided: Container[Route]) -> Connection:
        clock.now += 10 * MINUTE
        return await connect(recipient, avoided)

    asyncio.run(crew(workshop, slow, one_relay=False).work_off())
    assert not pieces.outside.letters
    assert {one.state for one in rows(workshop)} == {ConsignmentState.WAITING}
    assert leased(workshop) == 0


def test_a_domain_without_a_server_is_tried_again_like_a_server_that_is_away(pieces: Bench, clock: Hand) -> None:
    """And one that takes no mail (RFC 7505) is a failure for good."""
    workshop = replace(pieces.workshop, clock=clock)
    consign(workshop, [SILENT, OTHERS[0]])
    clock.now += SECOND

    async def nowhere(recipient: str, _avoided: Container[Route]) -> Connection:
        raise DeliveryError("essai", "Aucun serveur.", permanent=recipient == SILENT)

    work_off(crew(workshop, nowhere, one_relay=False))
    final, waiting = rows(workshop)
    assert (final.state, final.reply) == (ConsignmentState.FAILED, "0 Aucun serveur.")
    assert (waiting.state, waiting.reply, waiting.attempts) == (ConsignmentState.WAITING, "0 Aucun serveur.", 1)


@pytest.mark.parametrize("refused", ["NEW.kind = 'remise' AND NEW.outcome = 'remis'", "NEW.kind = 'remise'"])
def test_what_the_database_refuses_of_one_is_held_and_takes_nobody_with_it(
    pieces: Bench, clock: Hand, connect: Connect, refused: str
) -> None:
    """It may have arrived: it does not leave again by itself, and the others are told as ever."""
    workshop = replace(pieces.workshop, clock=clock)
    consign(workshop, OTHERS[:3])
    (first, *_) = rows(workshop)
    refuse(workshop.store, "events", f"{refused} AND NEW.consignment_id = {first.id}")
    clock.now += SECOND
    work_off(crew(workshop, connect))
    assert [one.state for one in rows(workshop)] == ["failed", "delivered", "delivered"]
    with workshop.store.read() as conn:
        (hold,) = holds.list_open(conn)
    assert (hold.code, hold.consignment_id) == ("remise-impossible", first.id)
    assert "n'a pas pu être notée" in hold.sentence
    assert len(pieces.outside.letters) == 3


def test_what_was_taken_while_the_database_was_away_is_written_down_when_it_is_back(
    pieces: Bench, connect: Connect
) -> None:
    """P2: only what is killed forgets that the other side said 250."""
    workshop = pieces.workshop
    consign(workshop, OTHERS)
    couriers = crew(workshop, connect)
    with unable_to_tell(workshop.store):
        couriers.start()
        until("each has sent one", lambda: len(pieces.outside.letters) >= SENDERS)
    until("all is told", lambda: {one.state for one in rows(workshop)} == {ConsignmentState.DELIVERED})
    couriers.stop()
    assert sorted(letter.rcpt_to for letter in pieces.outside.letters) == OTHERS
    assert {one.attempts for one in rows(workshop)} == {1}


def test_what_is_on_its_way_is_not_given_back_when_the_database_was_away_for_another(
    pieces: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P2: else somebody would send it at the same time."""
    monkeypatch.setattr(module, "_GRACE_S", 0.1)
    connect = connector(load(tmp_path / "oct.toml", {"OCT_DELIVERY__TIMEOUT": "10m"}).settings)
    workshop = pieces.workshop
    consign(workshop, [SILENT, OTHERS[0]])
    pieces.outside.temper.black_hole(120, address=SILENT)
    pieces.outside.temper.refuse(451, 99, address=OTHERS[0])
    couriers = crew(workshop, connect)
    with unable_to_tell(workshop.store):
        couriers.start()
        until("the other one was given back", lambda: rows(workshop)[1].attempts > 1)
    couriers.stop()
    assert rows(workshop)[0].attempts == 1


def test_a_lease_that_is_over_before_anything_left_does_not_spin(pieces: Bench, clock: Hand, connect: Connect) -> None:
    """A clock that is put forward, a database that takes longer than the lease."""
    ticking = count()
    workshop = replace(pieces.workshop, clock=lambda: clock.now + next(ticking) * 100)
    consign(workshop, OTHERS)
    clock.now += SECOND
    asyncio.run(crew(workshop, connect, lease=100).work_off())
    assert [(one.state, one.attempts) for one in rows(workshop)] == [("waiting", 0)] * len(OTHERS)
    assert leased(workshop) == 0
