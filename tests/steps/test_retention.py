"""T3: payloads go when all about their message is over, and nothing that somebody still waits for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from oct.domain.model import ReturnMode
from oct.steps.keeping.purge import Limits, purge
from oct.store import consignments, increments, lots, messages, payloads
from oct.store.increments import NewIncrement
from oct.store.messages import Message
from oct.store.tables import events, invoices
from oct.store.tables import payloads as payload_table
from tests.adapters.store.arrivals import new_message
from tests.claims import Batch, Claim
from tests.steps.hosting_rig import HostingRig, hosting_rig
from tests.steps.resending_rig import LOIRE

DAY = 86_400_000
LIMITS = Limits(payloads=90 * DAY, unanswered=400 * DAY, access=365 * DAY, journal=3650 * DAY)


@pytest.fixture
def made(tmp_path: Path, database_url: str) -> Iterator[HostingRig]:
    with hosting_rig(tmp_path / "oct", database_url) as rig:
        yield rig


def run(rig: HostingRig, days: float = 0) -> int:
    """The beat's work, so many days later."""
    rig.clock.pass_hours(24 * days)
    return purge(rig.workshop.store, rig.clock, LIMITS)


def kept(rig: HostingRig, message: Message) -> int:
    """How many payloads of a message can still be read: its own and those of what it gave rise to."""
    with rig.workshop.store.read() as conn:
        found = messages.by_id(conn, message.id)
        assert found is not None
        ids = {found.payload_id, *(one.payload_id for one in consignments.of_message(conn, message.id))}
        return sum(payloads.exists(conn, payload_id) for payload_id in ids)


def test_the_payloads_of_a_message_go_90_days_after_its_arl(made: HostingRig) -> None:
    """Message, sending and ART; the ARL too, whose redelivery is possible until then (R6)."""
    batch = Batch((Claim(1),), 1)
    message = made.submit(batch)
    made.clock.pass_hours(24 * 10)
    made.acknowledge(batch)
    (answer,) = made.returns()
    assert (run(made, 89), kept(made, message)) == (0, 3)
    assert made.redeliver(answer).sent == 1
    assert (run(made, 2), kept(made, message)) == (1, 0)
    assert made.redeliver(answer).sent == 1
    assert run(made, 91) == 1
    assert made.redeliver(answer).gone == 1
    told = [event for event in made.story(message.id) if event.kind == "purge"]
    assert [(event.outcome, event.data["contenus"]) for event in told] == [("contenus", 3)]
    assert run(made, 1000) == 0


def test_a_lot_without_arl_keeps_its_payloads_longer(made: HostingRig) -> None:
    message = made.submit(Batch((Claim(1),), 1))
    assert (run(made, 399), kept(made, message)) == (0, 3)
    assert (run(made, 2), kept(made, message)) == (1, 0)


def test_what_is_held_or_could_not_leave_is_never_destroyed(made: HostingRig) -> None:
    unknown = made.submit(Batch((Claim(1, caisse=("01", "999", "0000")),), 1))
    made.outside.temper.refuse(550, 1, address=LOIRE)
    failed = made.submit(Batch((Claim(2),), 2))
    before = kept(made, unknown), kept(made, failed)
    assert (run(made, 5000), kept(made, unknown), kept(made, failed)) == (0, *before)


def test_what_nobody_fetched_from_a_hosted_mailbox_is_never_destroyed(made: HostingRig) -> None:
    """And once it was fetched, 90 days more; then the mailbox does not show it any longer."""
    made.choose(ReturnMode.BOITE)
    batch = Batch((Claim(1),), 1)
    message = made.submit(batch)
    made.acknowledge(batch)
    assert (run(made, 5000), len(made.uids())) == (0, 2)
    assert len(made.read()) == 2
    assert (run(made, 89), kept(made, message)) == (0, 3)
    assert (run(made, 2), kept(made, message), made.uids()) == (2, 0, [])


def test_an_arl_that_went_out_again_is_kept_for_both_messages(made: HostingRig) -> None:
    """D2: the same bytes answer a lot that was sent again."""
    batch = Batch((Claim(1),), 1)
    made.submit(batch)
    made.acknowledge(batch)
    made.clock.pass_hours(24 * 60)
    made.submit(batch)
    (answer,) = made.returns()
    run(made, 40)
    assert made.redeliver(answer).sent == 1


def test_increments_that_practitioners_may_ask_for_stay(made: HostingRig) -> None:
    """O1. Their message goes, not what was kept of it."""
    vault, now = made.workshop.vault, made.clock()
    with made.workshop.store.begin() as conn:
        own = new_message(1, state="processed", due_at=None, received_at=now)
        message = messages.insert(conn, own, payloads.seal(vault, b"message"))
        new = NewIncrement(1, bytes(32), now, message.id, "", "", "")
        increments.keep(conn, new, payloads.seal(vault, b"liste"))
    assert run(made, 5000) == 1
    with made.workshop.store.read() as conn:
        one = increments.by_number(conn, 1)
        assert one is not None
        assert payloads.get(conn, vault, one.payload_id) == b"liste"


def test_a_destroyed_key_stays_in_no_file_of_the_database(tmp_path: Path, sqlite_url: str) -> None:
    """T3: neither in SQLite's file nor in its write-ahead log, which later traffic might not overwrite for long."""
    with hosting_rig(tmp_path / "oct", sqlite_url) as made:
        batch = Batch((Claim(1),), 1)
        message = made.submit(batch)
        made.acknowledge(batch)
        with made.workshop.store.read() as conn:
            key: bytes = conn.execute(
                select(payload_table.c.wrapped_key).where(payload_table.c.id == message.payload_id)
            ).scalar_one()
        files = [Path(sqlite_url.removeprefix("sqlite:///") + suffix) for suffix in ("", "-wal")]
        assert any(key in file.read_bytes() for file in files)
        assert run(made, 91) == 2
        assert not any(key in file.read_bytes() for file in files)


def bills(rig: HostingRig, message: Message) -> int:
    """How many invoices of a message are kept."""
    with rig.workshop.store.read() as conn:
        return sum(len(lots.invoices_of(conn, lot.id)) for lot in lots.of_message(conn, message.id))


def test_invoices_go_with_the_events_of_their_time_and_their_lots_stay(made: HostingRig) -> None:
    """T3: what tells of a patient, by a pseudonym, does not outlive the log."""
    older = made.submit(Batch((Claim(1), Claim(2)), 1))
    made.clock.pass_hours(24 * 3649)
    newer = made.submit(Batch((Claim(3),), 2))
    run(made)
    assert (bills(made, older), bills(made, newer)) == (2, 1)
    run(made, 2)
    assert (bills(made, older), bills(made, newer)) == (0, 1)
    with made.workshop.store.read() as conn:
        assert len(lots.of_message(conn, older.id)) == 1
        declared = conn.execute(select(events.c.data).where(events.c.outcome == "factures")).scalars().all()
        pseudonyms = conn.execute(select(func.count(invoices.c.pseudonym))).scalar_one()
    assert [json.loads(data)["nombre"] for data in declared] == [2]
    assert pseudonyms == 1


def test_invoices_of_what_is_not_over_wait_for_its_end(made: HostingRig) -> None:
    """T3: they go with its payloads then, though those of its time went long ago."""
    made.choose(ReturnMode.BOITE)
    batch = Batch((Claim(1),), 1)
    message = made.submit(batch)
    made.acknowledge(batch)
    run(made, 5000)
    assert bills(made, message) == 1
    made.read()
    run(made, 91)
    assert bills(made, message) == 0
    assert [event.data.get("factures") for event in made.story(message.id) if event.kind == "purge"] == [1]
