"""The roles of a concentrator that has a broker: the same programs, with identifiers handed over by Celery."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from oct import openers, programs
from oct.bootstrap import couriers
from oct.programs import Program, Together
from oct.settings import Settings
from oct.steps.work.leavings import Predecessor
from oct.steps.work.runner import Lookout
from oct.steps.workshop import Workshop
from workers.app import make_app
from workers.openers import Openers, take_back
from workers.ringer import Ringer
from workers.schedule import EXPIRES_S, ring_for_due

_DEAD_MS = 5_000
"""How often it is looked whether a process that opens died with a message in hand."""


def front_door(settings: Settings, workshop: Workshop) -> Program:
    """Role smtp: rings for each message."""
    ringer = Ringer(make_app(settings), settings.worker.batch)
    return programs.front_door(settings, workshop, ringer.ring, [ringer])


def worker(settings: Settings, workshop: Workshop, name: str, prepare: Callable[[], None]) -> Program:
    """Role worker: processes that open what is rung for, and couriers here that send. One process more opens what
    nobody rang for, so that a broker that is away costs speed and nothing else."""
    senders = couriers(settings, workshop, name)
    rung = Openers(settings, name, senders.ring, prepare)
    spare = openers.Openers(settings, workshop, name, senders.ring, prepare, processes=1)
    dead = Lookout([partial(take_back, workshop, name)], _DEAD_MS, spare.ring)
    return Program(workshop, work=[Together(Predecessor(workshop, name), senders, rung, spare, dead)])


def beat(settings: Settings, workshop: Workshop) -> Program:
    """Role beat: rings again for what is due."""
    ringer = Ringer(make_app(settings), settings.worker.batch, EXPIRES_S)
    return programs.beat(settings, workshop, [partial(ring_for_due, workshop, ringer.ring)], [ringer])
