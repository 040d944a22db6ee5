"""Messages of the benchmark, built beforehand.

A file is drawn once and sent by every practitioner under its own number, so that thousands of different messages cost
a compression and a sealing each. No two messages hold the same lot: none is taken for a re-sending (D2).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cryptography import x509

from oct.bench.load import Shipment
from oct.bench.parties import CAISSES, CONCENTRATOR, NETWORK, SENDERS, mailbox_of
from oct.clock import paris, system_clock
from oct.formats.layouts import Layouts
from oct.settings.data_files import built_in
from oct.simulators.envelopes import Compression
from oct.simulators.parties import Sender
from oct.simulators.practitioner import PractitionerSoftware, Wrapping
from oct.simulators.traffic import ClaimFile, Claims

_SEED = 20261122


@dataclass(frozen=True, slots=True)
class Shape:
    """What a message holds: its name to an operator, invoices, and for how many insurers."""

    label: str
    invoices: int
    destinations: int
    wrapping: Wrapping

    @property
    def leaving(self) -> int:
        """Messages that one of these gives rise to: a file for each insurer, and the ART."""
        return self.destinations + 1


FOUR = Shape("25 factures, 4 destinataires", 25, 4, Wrapping())
ONE = Shape("25 factures, 1 destinataire", 25, 1, Wrapping())
THIRTY = Shape("30 factures, 30 destinataires", 30, 30, Wrapping())
LARGE = Shape("262 Ko, 4 destinataires", 374, 4, Wrapping(compression=Compression.NONE))
SHAPES = (FOUR, ONE, THIRTY, LARGE)


class Traffic:
    """Draws messages that only the holder of the concentrator's `certificate` can open."""

    def __init__(self, certificate: x509.Certificate) -> None:
        layouts = Layouts.from_toml(built_in("layouts.toml"))
        self._claims = Claims(layouts, random.Random(_SEED), NETWORK, paris(system_clock()).date())
        self._software = [_software(sender, certificate) for sender in SENDERS]

    def draw(self, shape: Shape, count: int) -> list[Shipment]:
        """So many messages that were never drawn before."""
        drawn: list[Shipment] = []
        while len(drawn) < count:
            drawn += self._from_everybody(shape, count - len(drawn))
        return drawn

    def file(self, shape: Shape, times: int = 1) -> ClaimFile:
        """A file of the first practitioner, which holds its lots so many times."""
        claims, first = self._claims, SENDERS[0]
        caisses = CAISSES[: shape.destinations]
        lots = [
            claims.fse_lot(first, caisse, invoices=_share(shape, rank), acts=2) for rank, caisse in enumerate(caisses)
        ]
        return claims.file(first, lots * times)

    def message(self, file: ClaimFile, shape: Shape) -> bytes:
        """The message that carries a file of the first practitioner."""
        return self._software[0].message(file, shape.wrapping)

    def _from_everybody(self, shape: Shape, count: int) -> Iterator[Shipment]:
        drawn = self.file(shape)
        for software in self._software[:count]:
            own = replace(drawn, sender=software.sender, data=_renumbered(drawn, software.sender))
            message = software.message(own, shape.wrapping)
            yield Shipment(mailbox_of(software.sender), CONCENTRATOR, message + b".\r\n")


def _share(shape: Shape, rank: int) -> int:
    """Invoices for the insurer of a rank: as many as for the others, or one more."""
    each, more = divmod(shape.invoices, shape.destinations)
    return each + (rank < more)


def _renumbered(file: ClaimFile, sender: Sender) -> bytes:
    return file.data.replace(file.sender.number.encode(), sender.number.encode())


def _software(sender: Sender, certificate: x509.Certificate) -> PractitionerSoftware:
    return PractitionerSoftware(
        sender,
        mailbox_of(sender),
        concentrator=CONCENTRATOR,
        certificate=certificate,
        door=("127.0.0.1", 0),
        clock=system_clock,
    )
