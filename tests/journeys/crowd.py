"""Practitioners at the doors of a fleet, and the judgement of what came of what they sent."""

from __future__ import annotations

from tests.journeys.fleet import Fleet
from tests.journeys.judgement import everything_arrived_once
from tests.journeys.practice import GARE, KINE, LABO, PONT
from tests.journeys.traffic import Traffic

PAUSE_S = 0.6
"""What is tried with fleets are processes that come and go, not their speed."""


def crowd(fleet: Fleet, seed: int, *doors: str) -> list[Traffic]:
    """Two practitioners at the first of two doors and two at the second, or all of them at the only one."""
    senders = [(PONT, GARE, KINE, LABO)] if len(doors) == 1 else [(PONT, GARE), (KINE, LABO)]
    traffic = [
        Traffic(fleet.door(door), who, seed + 100 * rank, pause=PAUSE_S)
        for rank, (door, who) in enumerate(zip(doors, senders, strict=True))
    ]
    for one in traffic:
        one.start()
    return traffic


def flows(traffic: list[Traffic], more: int) -> None:
    """Waits until each door has taken so many more messages."""
    for one in traffic:
        one.flows(more)


def stopped(traffic: list[Traffic]) -> Traffic:
    """The end of the traffic, and all of it as one."""
    for one in traffic:
        one.stop()
    first, *others = traffic
    for other in others:
        first = first.with_all_of(other)
    return first


def rung(fleet: Fleet, *workers: str) -> dict[str, int]:
    """How many tasks each worker got from the broker since it was last started."""
    return {name: fleet.log(name).count("Task %(name)s[%(id)s] received") for name in workers}


def judged(fleet: Fleet, traffic: Traffic, since: int = 0) -> None:
    """P1, P2: once nothing is due, everything that was taken has arrived once."""
    fleet.settle()
    assert traffic.refused == []
    everything_arrived_once(fleet.outside, traffic, since)
