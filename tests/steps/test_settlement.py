"""What was delivered leaves no second time, whatever is in the way when it is to be told: slips that cannot be written,
a database that is away for longer than a lease, a stop, a reload."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from oct.bootstrap import connector
from oct.domain.journey import ConsignmentState
from oct.settings import load
from oct.steps.work import couriers as couriers_module
from oct.steps.work import deliveries as deliveries_module
from oct.steps.work.couriers import Couriers, Round
from oct.steps.work.crew import Connect
from oct.steps.work.settlement import Settlement
from oct.steps.workshop import Workshop
from oct.store.engine import Store
from oct.store.slips import Slip, beside
from tests.journeys.waiting import until
from tests.steps.bench import Bench, bench
from tests.steps.refusing import unable_to_tell
from tests.steps.resending_rig import Hand
from tests.steps.sending_rig import MINUTE, SECOND, consign, leased, outcomes, rows, work_off
from tests.steps.test_couriers import OTHERS
from tests.steps.test_deliveries import leased as lease_some
from tests.steps.test_deliveries import nothing_can_be_written, slips_of

LEASE = 2 * MINUTE


@pytest.fixture
def pieces(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(couriers_module, "_GRACE_S", 0.1)
    with bench(tmp_path, database_url, certified=False) as made:
        yield made


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def workshop(pieces: Bench, clock: Hand) -> Workshop:
    return replace(pieces.workshop, clock=clock)


@pytest.fixture
def connect(tmp_path: Path, pieces: Bench) -> Connect:
    return connector(load(tmp_path / "oct.toml", {}).settings)


def crew(workshop: Workshop, connect: Connect, name: str = "essai/") -> Couriers:
    return Couriers(workshop, connect, Round(3, 50, 4, LEASE, look=50, one_relay=True), name)


def sent_off(couriers: Couriers) -> None:
    """They send what is due, and end."""
    work_off(couriers)
    couriers._settlement.close()


def states(workshop: Workshop) -> list[str]:
    return [one.state for one in rows(workshop)]


def left(store: Store) -> list[Slip]:
    slips = beside(store)
    if slips is None:
        return []
    found = slips.read()
    slips.close()
    return found


def test_what_cannot_be_told_is_not_claimed_again_when_its_lease_is_over(
    pieces: Bench, workshop: Workshop, clock: Hand, connect: Connect
) -> None:
    """P2: an outage sends nothing twice."""
    assert left(workshop.store) == []
    consign(workshop, OTHERS[:1])
    couriers = crew(workshop, connect)
    lane = couriers._lanes[0]
    with nothing_can_be_written(workshop.store):
        couriers.start()
        until("it was taken", lambda: bool(pieces.outside.letters))
        clock.now += 2 * LEASE
        for _ in range(2):
            seen = lane.looked_at
            until("somebody looked for more", lambda: lane.looked_at > seen)  # noqa: B023 - called at once
    until("it is told", lambda: states(workshop) == [ConsignmentState.DELIVERED])
    couriers.stop()
    assert len(pieces.outside.letters) == 1
    assert outcomes(workshop) == ["remis"]


def test_who_is_stopped_tells_what_waited_to_be_told(
    pieces: Bench, workshop: Workshop, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P5: only a kill forgets what the other side has taken."""
    monkeypatch.setattr(deliveries_module, "_PAUSE_S", 60)
    assert left(workshop.store) == []
    consign(workshop, OTHERS[:1])
    couriers = crew(workshop, connect)
    with nothing_can_be_written(workshop.store):
        couriers.start()
        until("it waits", lambda: bool(couriers._deliveries._waiting))
    couriers.stop()
    assert states(workshop) == [ConsignmentState.DELIVERED]


def test_what_a_program_could_not_settle_before_a_reload_the_next_one_settles(
    pieces: Bench, workshop: Workshop, clock: Hand, connect: Connect
) -> None:
    """Its leases end while nobody works under its name any more."""
    if beside(workshop.store) is None:
        return
    consign(workshop, OTHERS)
    before, after = crew(workshop, connect), crew(workshop, connect, "essai/r2/")
    clock.now += SECOND
    with unable_to_tell(workshop.store):
        before.start()
        until("all were taken", lambda: len(pieces.outside.letters) == len(OTHERS))
        before.stop()
    assert len(left(workshop.store)) == len(OTHERS)
    clock.now += 2 * LEASE
    sent_off(after)
    assert len(pieces.outside.letters) == len(OTHERS)
    assert outcomes(workshop) == ["remis"] * len(OTHERS)
    assert left(workshop.store) == []


def test_where_no_slip_can_be_written_the_database_is_told_at_once(workshop: Workshop) -> None:
    """A file that is damaged while we run makes nothing that was delivered look as if it were not."""
    told = lease_some(workshop.store)
    settlement = Settlement(workshop)
    settlement.write(told[:1])
    if settlement._slips is None:
        return
    settlement._slips.close()
    damage(slips_of(workshop.store))
    settlement.write(told[1:])
    assert states(workshop) == [ConsignmentState.WAITING] + [ConsignmentState.DELIVERED] * (len(told) - 1)
    settlement.settle()
    assert states(workshop) == [ConsignmentState.DELIVERED] * len(told)


def damage(path: Path) -> None:
    """Its pages hold nonsense; its first one says what it was."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"Z" * 4096)


def test_a_clean_stop_leaves_no_slip(workshop: Workshop, clock: Hand, connect: Connect) -> None:
    """Else each start would find what was settled, and complain."""
    consign(workshop, OTHERS)
    clock.now += SECOND
    couriers = crew(workshop, connect)
    sent_off(couriers)
    assert left(workshop.store) == []
    assert leased(workshop) == 0
