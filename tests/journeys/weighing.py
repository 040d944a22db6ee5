"""What a large file costs: the memory of each process of the program, read where the kernel keeps its peak."""

from __future__ import annotations

from itertools import count, cycle
from pathlib import Path

from oct.simulators.invoices import Kind
from oct.simulators.parties import Caisse
from oct.simulators.practitioner import Wrapping
from oct.simulators.traffic import ClaimFile
from tests.journeys.families import descendants
from tests.journeys.outside import text_of
from tests.journeys.practice import KINE, Practice, practice
from tests.journeys.world import World

_INVOICES = 400
_DRAWN = 3
"""Lots that are drawn: those that follow hold the same invoices under other lot numbers."""


def weigh(world: World, kind: Kind, wrapping: Wrapping, caisses: tuple[Caisse, ...], size: int) -> int:
    """Plays a file of so many bytes through a program that did nothing else, and judges its ART; the most octets that
    any of its processes had in memory."""
    kine = practice(KINE, seed=30)
    file = _large_file(kine, kind, caisses, size)
    reply = world.send(kine.address, kine.software.message(file, wrapping))
    assert reply.code == 250
    world.settle(300)
    most = max(_peak(pid) for pid in (world.process.pid, *descendants(world.process.pid)))
    (art,) = world.outside.letters(kine.address)
    amc_lots = 2 * len(file.lots) if kind is Kind.ENRICHED else 0
    told = text_of(art)
    assert (told.count("- lot FSE"), told.count("- flux AMC")) == (len(file.lots), amc_lots)
    return most


def _large_file(kine: Practice, kind: Kind, caisses: tuple[Caisse, ...], size: int) -> ClaimFile:
    """The single file, its lots in turn for each caisse."""
    claims, sender = kine.claims, kine.sender
    to = [caisse for caisse, _ in zip(cycle(caisses), range(_DRAWN), strict=False)]
    drawn = [[claims.invoice(sender, caisse, kind, acts=2) for _ in range(_INVOICES)] for caisse in to]
    lots, total = [], 0
    for rank in count():
        lots.append(claims.lot(sender, to[rank % _DRAWN], drawn[rank % _DRAWN]))
        total += len(lots[-1].data)
        if total > size:
            return claims.file(sender, lots)
    raise AssertionError


def _peak(pid: int) -> int:
    """Octets that a process had in memory at most (VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
