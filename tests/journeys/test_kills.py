"""Killed again and again under traffic, stopped, killed by what it opens: the concentrator loses nothing (P2, P5)."""

from __future__ import annotations

import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

from oct.store import holds
from tests.journeys import slicing
from tests.journeys.conftest import Launch
from tests.journeys.outside import sha256, text_of
from tests.journeys.practice import ADDRESS, GARE, KINE, LABO, PONT, practice
from tests.journeys.traffic import Traffic
from tests.journeys.waiting import until
from tests.journeys.world import World

KILLS = 20
SEED = 20_261_120
SENDERS = (PONT, GARE, KINE, LABO)
_ART = re.compile(r"^Numéro de suivi : (\S+)$", re.MULTILINE)


def test_killed_twenty_times_under_traffic_nothing_is_lost(launch: Launch) -> None:
    """P1, P2, T1, D4: every 250 reaches each of its insurers, repeats are byte-identical, exactly one ART each."""
    chance = random.Random(SEED)
    with launch() as world:
        traffic = Traffic(world.door, SENDERS, SEED)
        traffic.start()
        try:
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.1, 1.8))  # the moment of the kill is what is drawn: nothing is awaited
                world.kill()
                world.launch()
        finally:
            traffic.stop()
        world.settle()
        assert traffic.refused == []
        assert sum(one.tries for one in traffic.accepted) > len(traffic.accepted) > KILLS
        everything_arrived_once(world, traffic)
        assert held(world) == []


def test_a_stop_under_traffic_answers_everybody_and_loses_nothing(launch: Launch) -> None:
    """P5: SIGTERM ends within 10 s with exit code 0."""
    with launch() as world:
        traffic = Traffic(world.door, SENDERS, SEED + 100)
        traffic.start()
        try:
            until("traffic flows", lambda: len(traffic.accepted) >= 20)
            start = time.monotonic()
            code = world.terminate()
            assert (code, time.monotonic() - start < 10) == (0, True)
            world.start()
        finally:
            traffic.stop()
        world.settle()
        assert traffic.refused == []
        everything_arrived_once(world, traffic)
        assert len({one.arrival.raw for one in world.outside.opened()}) == len(world.outside.opened())


def test_a_message_that_kills_the_process_is_held_and_its_neighbours_go_on(launch: Launch, tmp_path: Path) -> None:
    """H3: opened three times in all, then held unopened; whatever was open beside it is delivered."""
    openings = tmp_path / "openings"
    with launch((sys.executable, "-m", "tests.journeys.deadly", openings, "run")) as world:
        traffic = Traffic(world.door, SENDERS, SEED + 200)
        traffic.start()
        try:
            until("traffic flows", lambda: len(traffic.accepted) >= 8)
            deadly = practice(PONT, SEED + 300)
            message = deadly.wrap(deadly.claims.single_file(PONT)).replace(b"Message-ID: <", b"Message-ID: <mortel.")
            world.send(deadly.address, message)
            for _ in range(3):
                until("it dies", lambda: world.process.poll() is not None)
                assert world.process.returncode == 9
                world.launch()
            until("it is held", lambda: held(world) != [])
        finally:
            traffic.stop()
        world.settle()
        reply = world.send(deadly.address, message)
        assert openings.read_text(encoding="ascii").count("<mortel.") == 3
        assert held(world) == ["ouverture-interrompue"]
        assert traffic.refused == []
        trace = _trace(reply.text)
        assert arts_of(world, deadly.address).count(trace) == 1
        everything_arrived_once(world, traffic, besides=1)


def held(world: World) -> list[str]:
    """Why what waits for a person waits."""
    with world.store.read() as conn:
        return [hold.code for hold in holds.list_open(conn)]


def everything_arrived_once(world: World, traffic: Traffic, besides: int = 0) -> None:
    """The ledger of the 250 against what the insurers deciphered and what the mailboxes got, `besides` ART apart."""
    opened = world.outside.opened()
    by_message = {one.letter.message["Message-ID"]: sha256(one.arrival.raw) for one in opened}
    assert all(by_message[one.letter.message["Message-ID"]] == sha256(one.arrival.raw) for one in opened)
    distinct = {one.arrival.raw: one for one in opened}.values()
    arrived = Counter(sha256(b"".join(lot)) for one in distinct for lot in slicing.lots(one.file.data))
    assert arrived == Counter(lot.sha256 for one in traffic.accepted for lot in one.lots)
    traces = [_trace(one.reply.text) for one in traffic.accepted]
    arts = {address: Counter(arts_of(world, address)) for address in (ADDRESS[sender] for sender in SENDERS)}
    assert len(set(traces)) == len(traces)
    for one, trace in zip(traffic.accepted, traces, strict=True):
        assert arts[one.address][trace] == 1
    assert sum(sum(counted.values()) for counted in arts.values()) == len(traces) + besides


def arts_of(world: World, address: str) -> list[str]:
    """The trace numbers of the different ART in a mailbox: an identical repeat is one."""
    distinct = {letter.raw: letter for letter in world.outside.letters(address)}.values()
    found = [_ART.search(text_of(letter)) for letter in distinct]
    return [match[1] for match in found if match is not None]


def _trace(reply: str) -> str:
    return reply.rpartition("suivi ")[2]
