"""What the door does against abuse and want of room, by a real process: refusals told, oracles slowed, a full disk."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from itertools import count

import pytest

from oct.store import messages
from oct.store.alerts import refusals_since, slowed_since
from tests.journeys.conftest import Launch
from tests.journeys.practice import GARE, PONT, Practice, practice, sealed
from tests.journeys.waiting import until
from tests.journeys.world import World, commanded

NUMBERS = count(1)
MOST = 3
SETTINGS = {"smtp": 'max_message = "1MiB"', "opening": f"undecipherable = {MOST}"}
FOR_EVER = 10**9


@pytest.fixture(scope="module")
def pont() -> Practice:
    return practice(PONT, 60)


@pytest.fixture(scope="module")
def gare() -> Practice:
    return practice(GARE, 61)


@pytest.fixture(scope="module")
def strict(launch: Launch) -> Iterator[World]:
    """A concentrator that takes little, and slows down soon."""
    with launch(**SETTINGS) as running:
        yield running


def status(world: World) -> str:
    """What the operator reads; the exit code says whether there are alerts."""
    return commanded(world.directory, "status")[1]


def refusals(world: World) -> dict[str, int]:
    with world.store.read() as conn:
        return dict(refusals_since(conn, 0))


def put_off(world: World) -> int:
    with world.store.read() as conn:
        return sum(one.messages for one in slowed_since(conn, 0))


def rubbish(who: Practice) -> bytes:
    return who.message(sealed(b"000", "stranger"), compostage=f"20261120110000{next(NUMBERS):05}")


def test_every_refusal_of_the_door_is_counted(strict: World, pont: Practice) -> None:
    """550, 552 and 554."""
    good = pont.wrap(pont.claims.single_file(PONT))
    assert strict.send(pont.address, good, "x@ailleurs.example").code == 550
    assert strict.send("x@ailleurs.example", pont.message(b"", compostage="1" * 19, number="999000111")).code == 550
    reply = strict.send(pont.address, pont.message(bytes(2 << 20), compostage="2" * 19))
    assert (reply.code, reply.text) == (552, "5.3.4 Message trop volumineux : 1 Mo au plus")
    assert strict.send(pont.address, b"Subject: deux\r\n" + good).code == 554
    refused = {"550": 2, "552": 1, "554": 1}
    until("refusals are told", lambda: refusals(strict) == refused)
    assert "Refus        : 4 aujourd'hui (550 : 2, 552 : 1, 554 : 1)" in status(strict)


def test_h4_who_sends_what_cannot_be_deciphered_is_slowed_down_and_nobody_else(
    strict: World, pont: Practice, gare: Practice
) -> None:
    """The 250 is the same, the answer comes later; a kill forgets nothing; the operator is told."""
    texts = {re.sub(r"(?m)^(Numéro de suivi|Reçu le|Compostage).*", "", strict.play(pont.address, raw).art)
             for raw in (rubbish(pont) for _ in range(MOST))}  # fmt: skip
    assert len(texts) == 1
    strict.kill()
    strict.start()
    before = len(strict.outside.arrivals)
    replies = [strict.send(pont.address, raw) for raw in (rubbish(pont), pont.wrap(pont.claims.single_file(PONT)))]
    assert [reply.code for reply in replies] == [250, 250]
    until("both are put off", lambda: put_off(strict) == 2)
    assert f"PS {PONT.number} : trop de messages indéchiffrables" in status(strict)
    assert strict.send(gare.address, gare.wrap(gare.claims.single_file(GARE))).code == 250
    until("GARE is answered", lambda: bool(strict.outside.letters(gare.address, before)))
    assert strict.outside.letters(pont.address, before) == []


def test_p3_a_disk_that_is_nearly_full_stops_the_door_and_nothing_else(strict: World, gare: Practice) -> None:
    """452 before anything is read; what was taken goes on; the first 250 comes with the room. The last test here."""
    strict.outside.temper.refuse(451, FOR_EVER)
    before, taken = len(strict.outside.arrivals), strict.send(gare.address, gare.wrap(gare.claims.single_file(GARE)))
    assert taken.code == 250
    have_room(strict, least=shutil.disk_usage(strict.directory).total)
    with strict.store.read() as conn:
        count = sum(messages.counts(conn, 0).values())
    later = gare.wrap(gare.claims.single_file(GARE))
    reply = strict.send(gare.address, later)
    assert (reply.code, reply.text) == (452, "4.3.1 Plus de place disque, reessayez plus tard")
    assert "disque de la base presque plein, la porte refuse (452)" in status(strict)
    strict.outside.temper.behave()
    until("what was taken has left", lambda: bool(strict.outside.letters(gare.address, before)))
    with strict.store.read() as conn:
        assert sum(messages.counts(conn, 0).values()) == count
    have_room(strict, least=1)
    before = len(strict.outside.arrivals)
    assert strict.send(gare.address, later).code == 250
    until("it is answered", lambda: bool(strict.outside.letters(gare.address, before)))
    assert strict.terminate() == 0


def have_room(world: World, *, least: int) -> None:
    """From now on the disk is full when less than so many bytes are free."""
    world.configure(**SETTINGS, store=f"min_free = {least}")
    world.reload()
