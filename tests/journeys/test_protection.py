"""What the door does against abuse and want of room, by a real process: refusals told, oracles slowed, a full disk."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from oct.store import messages
from oct.store.alerts import refusals_since, slowed_since
from tests.journeys.conftest import Launch
from tests.journeys.practice import GARE, PONT, Practice, practice, sealed
from tests.journeys.waiting import until
from tests.journeys.world import OCT_PROGRAM, World

NUMBERS = count(1)
MOST = 3
ROOM = 256 << 20
"""Bytes by which the disk is more or less than nearly full: more than the other tests write meanwhile."""


@pytest.fixture(scope="module")
def pont() -> Practice:
    return practice(PONT, 60)


@pytest.fixture(scope="module")
def gare() -> Practice:
    return practice(GARE, 61)


@pytest.fixture(scope="module")
def strict(launch: Launch) -> Iterator[World]:
    """A concentrator that takes little, and slows down soon."""
    with launch(smtp='max_message = "1MiB"', opening=f"undecipherable = {MOST}") as running:
        yield running


def status(world: World) -> str:
    """What the operator reads; the exit code says whether there are alerts."""
    command = (str(OCT_PROGRAM), "status")
    return subprocess.run(command, cwd=world.directory, capture_output=True, text=True, check=False).stdout


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
    assert strict.send(pont.address, pont.message(bytes(2 << 20), compostage="2" * 19)).code == 552
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


def test_p3_a_disk_that_is_nearly_full_stops_the_door_and_nothing_else(
    launch: Launch, pont: Practice, tmp_path: Path
) -> None:
    """452 before anything is read; what was taken goes on; the first 250 comes with the room."""
    least = shutil.disk_usage(tmp_path).free - ROOM
    with launch(store=f"min_free = {least}") as world:
        reply = world.send(pont.address, pont.wrap(pont.claims.single_file(PONT)))
        assert reply.code == 250
        taken = reply.text.rpartition(" ")[2]
        ballast = world.directory / "lest"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 2 * ROOM)
        later = pont.wrap(pont.claims.single_file(PONT))
        reply = world.send(pont.address, later)
        assert (reply.code, reply.text) == (452, "4.3.1 Plus de place disque, reessayez plus tard")
        assert "disque de la base presque plein, la porte refuse (452)" in status(world)
        world.settle()
        with world.store.read() as conn:
            message = messages.by_trace(conn, taken)
            assert message is not None
            assert message.state == "processed"
            assert sum(messages.counts(conn, 0).values()) == 1
        assert world.outside.letters(pont.address)
        ballast.unlink()
        assert world.play(pont.address, later).art
        assert world.terminate() == 0
