"""The golden practitioners' software, drawing claims for the golden insurers."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date

from oct.clock import system_clock
from oct.simulators.envelopes import Judge, seal
from oct.simulators.mail import Envelope, Shape, compose
from oct.simulators.parties import Amc, Caisse, Network, Sender
from oct.simulators.practitioner import PractitionerSoftware
from oct.simulators.traffic import ClaimFile, Claims
from tests.journeys.golden import OCT, key_pairs
from tests.journeys.outside import LAYOUTS

REIMS, BOURG = Caisse("01", "511", "0000", "511", "086"), Caisse("01", "011", "0000", "011", "016")
AGEN = Caisse("02", "475", "0000", "471", "470", "MA")
ALPHA, BETA = Amc("0099999991", "MA", "349"), Amc("0088888882", "MB", "512")
NETWORK = Network("00000552100554", (REIMS, BOURG, AGEN), (ALPHA, BETA))
MAILBOX = {REIMS: "01511@511.01.rss.fr", BOURG: "01011@011.01.rss.fr", AGEN: "02471@471.02.rss.fr"}
ALPHA_MAILBOX = "ma349@349.ma.rss.fr"

PONT = Sender("421234567", "ER", "CABINET MEDICAL DU PONT")
GARE = Sender("512223334", "PH", "PHARMACIE DE LA GARE")
KINE = Sender("472000111", "MK", "KINE AGENAIS")
LABO = Sender("750009998", "LB", "LABO BIO CENTRE")
ADDRESS = {
    PONT: "pont@boite.example",
    GARE: "gare@boite.example",
    KINE: "kine@boite.example",
    LABO: "labo@boite.example",
}
OWN = key_pairs()
NOWHERE = ("127.0.0.1", 0)


@dataclass(frozen=True, slots=True)
class Practice:
    """One practitioner: draws claims, wraps them. Numbers of lots and invoices never repeat for a seed."""

    sender: Sender
    claims: Claims
    software: PractitionerSoftware

    @property
    def address(self) -> str:
        return ADDRESS[self.sender]

    def wrap(self, file: ClaimFile) -> bytes:
        """A new message for a file."""
        return self.software.message(file)

    def message(
        self,
        content: bytes,
        *,
        compostage: str,
        sender: str | None = None,
        number: str | None = None,
        description: str = "FACTURE/SV/ZK",
        invoices: int = 1,
    ) -> bytes:
        """A message whose attachment is `content` as it is, under headers of one's choice."""
        sender = sender or self.address
        number = number or self.sender.number
        envelope = Envelope(
            sender=sender,
            recipient=OCT,
            subject=f"SV140700/{number:0>14}/{compostage}/{invoices:05}",
            sent_at=system_clock(),
            message_id=f"<{compostage}@essai.example>",
            description=description,
            name="factures.b2",
        )
        return compose(envelope, Shape.EDI, content)


def practice(sender: Sender, seed: int) -> Practice:
    """The practice of a golden practitioner."""
    claims = Claims(LAYOUTS, random.Random(seed), NETWORK, date(2026, 11, 20))
    software = PractitionerSoftware(
        sender,
        ADDRESS[sender],
        concentrator=OCT,
        certificate=OWN["oct"].certificate,
        door=NOWHERE,
        clock=system_clock,
    )
    return Practice(sender, claims, software)


def sealed(content: bytes, to: str = "oct") -> bytes:
    """An envelope for a golden pair, by the openssl command."""
    return seal(content, OWN[to].certificate, by=Judge.OPENSSL)
