"""What the largest files cost: the memory of each process of the program, read where the kernel keeps its peak.

Each case is a program of its own, on SQLite: 30 MB of claims come in by SMTP, are opened, split, sealed and sent on.
Without such a test a copy of the file that a change adds stays unseen until it meets another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, cycle
from pathlib import Path

import pytest

from oct.simulators.envelopes import Compression
from oct.simulators.invoices import Kind
from oct.simulators.mail import Shape
from oct.simulators.parties import Caisse
from oct.simulators.practitioner import Wrapping
from oct.simulators.traffic import ClaimFile
from tests.journeys.conftest import Launch
from tests.journeys.outside import text_of
from tests.journeys.practice import AGEN, BOURG, KINE, REIMS, Practice, practice

pytestmark = pytest.mark.xdist_group("memory")

FILE_BYTES = 30_000_000
PEAK_BYTES = 250_000_000
IN_CLEAR = Wrapping(Shape.CLEAR, Compression.NONE)
_INVOICES = 400
_DRAWN = 3
"""Lots that are drawn: those that follow hold the same invoices under other lot numbers."""


@pytest.mark.parametrize(
    ("kind", "wrapping", "caisses"),
    [
        (Kind.FSE, Wrapping(), (AGEN,)),
        (Kind.ENRICHED, Wrapping(), (AGEN, BOURG, REIMS)),
        (Kind.FSE, IN_CLEAR, (AGEN, BOURG)),
    ],
    ids=["ordinary", "contract 99", "in clear, 41 MB on the wire"],
)
def test_no_process_needs_250_mb_for_a_file_of_30_mb(
    launch: Launch, kind: Kind, wrapping: Wrapping, caisses: tuple[Caisse, ...]
) -> None:
    kine = practice(KINE, seed=30)
    file = large_file(kine, kind, caisses)
    with launch(clear="accept = true") as world:
        reply = world.send(kine.address, kine.software.message(file, wrapping))
        world.settle(300)
        assert all(peak(pid) < PEAK_BYTES for pid in family(world.process.pid))
        (art,) = world.outside.letters(kine.address)
    assert reply.code == 250
    amc_lots = 2 * len(file.lots) if kind is Kind.ENRICHED else 0
    told = text_of(art)
    assert (told.count("- lot FSE"), told.count("- flux AMC")) == (len(file.lots), amc_lots)


def large_file(kine: Practice, kind: Kind, caisses: tuple[Caisse, ...]) -> ClaimFile:
    """The single file, its lots in turn for each caisse."""
    claims, sender = kine.claims, kine.sender
    to = [caisse for caisse, _ in zip(cycle(caisses), range(_DRAWN), strict=False)]
    drawn = [[claims.invoice(sender, caisse, kind, acts=2) for _ in range(_INVOICES)] for caisse in to]
    lots, size = [], 0
    for rank in count():
        lots.append(claims.lot(sender, to[rank % _DRAWN], drawn[rank % _DRAWN]))
        size += len(lots[-1].data)
        if size > FILE_BYTES:
            return claims.file(sender, lots)
    raise AssertionError


def family(pid: int) -> Iterator[int]:
    """A process and those that it started, and so on."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            yield from family(int(child))


def peak(pid: int) -> int:
    """Octets that a process had in memory at most (VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024
