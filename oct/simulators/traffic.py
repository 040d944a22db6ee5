"""Claim traffic as practitioners' software builds it: invoices, lots and files of the three ways (annex ch. 4).

Everything is drawn from a `random.Random` that is handed in, so a seed gives the same bytes for ever. Persons are
invented: their NIR was born in place 99999, which no INSEE code uses, with the right key so that readers that check
it are content. Amounts balance: a record 5 is the sum of its 4, a record 6 the sum of its 5 (group 1321, layouts of
`config/layouts.toml`). Deliberate faults are in `oct.simulators.faults`.

Establishments (norm CP) carry their invoice number at 30-38, over the place of a record 2's complement, so they are
drawn as ordinary FSE only.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from oct.formats.layouts import RECORD, Layouts
from oct.simulators.invoices import InvoiceRecords, Kind
from oct.simulators.parties import Amc, Caisse, Network, Person, Sender

RELEASE = "140700"
"""The version of the cahier des charges that the simulated software follows."""

_TIERS_PAYANT = 0.5
_ACTS = ("AMI", "AMK", "B", "G", "PH7")


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice's records, one after the other, and what a test wants to know of it. Amounts in centimes."""

    number: str
    kind: Kind
    records: tuple[bytes, ...]
    billed: int
    amo: int
    amc: int


@dataclass(frozen=True, slots=True)
class Lot:
    """A lot as it stands in a file, and where the rules send it."""

    sender: Sender
    number: int
    destination: Caisse | Amc
    invoices: tuple[Invoice, ...]
    data: bytes

    @property
    def sha256(self) -> str:
        """The digest by which a test follows the lot to its insurer (L1)."""
        return hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class ClaimFile:
    """A file as software hands it to its mailer."""

    sender: Sender
    file_id: str
    lots: tuple[Lot, ...]
    data: bytes

    @property
    def invoice_count(self) -> int:
        """Invoices over all lots: the last part of the Subject."""
        return sum(len(lot.invoices) for lot in self.lots)


class Claims:
    """Draws claims. `today` dates them; `count_complements` chooses the convention of type2_count (A12)."""

    def __init__(
        self,
        layouts: Layouts,
        rng: random.Random,
        network: Network,
        today: date,
        *,
        count_complements: bool = False,
    ) -> None:
        self.layouts = layouts
        self.rng = rng
        self.network = network
        self._today = today.strftime("%y%m%d")
        self._count_complements = count_complements
        self._invoices = 100_000_000
        self._files = 0
        self._lots: Counter[tuple[str, str]] = Counter()

    def person(self) -> Person:
        """An insured person who cannot exist."""
        draw = self.rng.randrange
        nir = f"{draw(1, 3)}{draw(30, 99):02d}{draw(1, 13):02d}99999{draw(1, 1000):03d}"
        return Person(nir, f"{97 - int(nir) % 97:02d}")

    def invoice(
        self,
        sender: Sender,
        caisse: Caisse,
        kind: Kind = Kind.FSE,
        *,
        amc: Amc | None = None,
        settlement: str | None = None,
        tiers_payant: bool | None = None,
        ps_split: str = "",
        acts: int | None = None,
        number: str | None = None,
        person: Person | None = None,
    ) -> Invoice:
        """One invoice. A DRE or an enriched FSE names an `amc` (drawn when absent).

        `settlement` (a forbidden one is written as it is) and `tiers_payant` on the complementary part are drawn for
        an enriched FSE, 00 and no for the others. `acts` is the number of records 4 (1 to 3 when absent).
        """
        amc = amc or (self.rng.choice(self.network.amcs) if kind is not Kind.FSE else None)
        number = number or self._next_invoice()
        enriched = kind is Kind.ENRICHED
        if settlement is None:
            settlement = self.rng.choice(("00", "05")) if enriched else "00"
        if tiers_payant is None:
            tiers_payant = enriched and self.rng.random() < _TIERS_PAYANT
        drawn = InvoiceRecords(self.layouts, sender, number, person or self.person(), self._today)
        opening = [drawn.header(caisse, kind, amc, settlement, ps_split)]
        if amc is not None:
            opening.append(drawn.complementary(amc))
            if tiers_payant:
                opening.append(drawn.convention())
        prices = [self._price(complementary=amc is not None) for _ in range(acts or self.rng.randrange(1, 4))]
        lines = [drawn.line(self.rng.choice(_ACTS), *price) for price in prices]
        billed, amo, amc_total = (sum(column) for column in zip(*prices, strict=True))
        total = drawn.total(len(lines), billed, amo, amc_total, self._seal())
        return Invoice(number, kind, (*opening, *lines, total), billed, amo, amc_total)

    def lot(
        self, sender: Sender, destination: Caisse | Amc, invoices: Sequence[Invoice], *, organism: str | None = None
    ) -> Lot:
        """Frames invoices as a lot: its number is the next of the sender for that organism (of `destination`)."""
        organism = organism or (destination.organism if isinstance(destination, Caisse) else destination.host)
        sequence = (sender.number, organism)
        self._lots[sequence] = self._lots[sequence] % 999 + 1
        number = self._lots[sequence]
        header = self._lot_header(sender, organism, number)
        records = [record for invoice in invoices for record in invoice.records]
        trailer = self._lot_trailer(sender, number, invoices, records)
        return Lot(sender, number, destination, tuple(invoices), b"".join((header, *records, trailer)))

    def file(self, sender: Sender, lots: Sequence[Lot], recipient: Caisse | Amc | None = None) -> ClaimFile:
        """Frames lots as a file: the single file of annex 4.2, or one addressed to its insurer (4.1)."""
        self._files += 1
        kind, number, application = self._recipient(recipient)
        envelope = {
            "sender_type": "TE" if sender.establishment else "TP",
            "sender_number": sender.header_number,
            "recipient_type": kind,
            "recipient_number": number,
            "application": application,
            "file_id": f"F{self._files:05d}",
        }
        header = self.layouts["file_header"].build(
            **envelope, reception_date=0, created_on=self._today, norm=sender.type, norm_version="B2"
        )
        body = b"".join(lot.data for lot in lots)
        trailer = self.layouts["file_trailer"].build(
            **envelope, record_count=len(body) // RECORD + 2, lot_count=len(lots)
        )
        return ClaimFile(sender, envelope["file_id"], tuple(lots), header + body + trailer)

    def fse_lot(
        self,
        sender: Sender,
        caisse: Caisse | None = None,
        *,
        enriched: bool = False,
        invoices: int | None = None,
        acts: int | None = None,
    ) -> Lot:
        """A lot of FSE for one caisse; `enriched` gives contract 99 to the first, perhaps to others (C1)."""
        caisse = caisse or self.rng.choice(self.network.caisses)
        kinds = [Kind.FSE] * (invoices or self.rng.randrange(1, 5))
        if enriched:
            kinds = [Kind.ENRICHED, *(self.rng.choice((Kind.FSE, Kind.ENRICHED)) for _ in kinds[1:])]
        return self.lot(sender, caisse, [self.invoice(sender, caisse, kind, acts=acts) for kind in kinds])

    def dre_lot(
        self, sender: Sender, amc: Amc | None = None, *, invoices: int | None = None, acts: int | None = None
    ) -> Lot:
        """A lot of DRE for one AMC (L4); its header names the caisse of its insured, as software writes it."""
        amc = amc or self.rng.choice(self.network.amcs)
        caisse = self.rng.choice(self.network.caisses)
        count = invoices or self.rng.randrange(1, 5)
        drawn = [self.invoice(sender, caisse, Kind.DRE, amc=amc, acts=acts) for _ in range(count)]
        return self.lot(sender, amc, drawn, organism=caisse.organism)

    def single_file(
        self,
        sender: Sender,
        *,
        kinds: Sequence[Kind] = (Kind.FSE, Kind.DRE, Kind.ENRICHED),
        lots: int | None = None,
        invoices: int | None = None,
        acts: int | None = None,
    ) -> ClaimFile:
        """A single file of lots of the kinds given, in any order (4.2); an establishment's holds FSE only."""
        if sender.establishment:
            kinds = (Kind.FSE,)
        drawn = [self.rng.choice(kinds) for _ in range(lots or self.rng.randrange(1, 6))]
        return self.file(sender, [self._lot_of(kind, sender, invoices, acts) for kind in drawn])

    def caisse_file(
        self,
        sender: Sender,
        caisse: Caisse | None = None,
        *,
        enriched: bool = False,
        lots: int = 1,
        invoices: int | None = None,
    ) -> ClaimFile:
        """A file split at the source, addressed to its caisse (4.1), or holding contract 99 as well (4.3)."""
        caisse = caisse or self.rng.choice(self.network.caisses)
        drawn = [self.fse_lot(sender, caisse, enriched=enriched, invoices=invoices) for _ in range(lots)]
        return self.file(sender, drawn, caisse)

    def amc_file(
        self, sender: Sender, amc: Amc | None = None, *, lots: int = 1, invoices: int | None = None
    ) -> ClaimFile:
        """A file of DRE split at the source, addressed to its AMC (4.1, A11)."""
        amc = amc or self.rng.choice(self.network.amcs)
        return self.file(sender, [self.dre_lot(sender, amc, invoices=invoices) for _ in range(lots)], amc)

    def _lot_of(self, kind: Kind, sender: Sender, invoices: int | None, acts: int | None) -> Lot:
        if kind is Kind.DRE:
            return self.dre_lot(sender, invoices=invoices, acts=acts)
        return self.fse_lot(sender, enriched=kind is Kind.ENRICHED, invoices=invoices, acts=acts)

    def _recipient(self, recipient: Caisse | Amc | None) -> tuple[str, str, str]:
        match recipient:
            case None:
                return "OT", self.network.concentrator, "TO"
            case Caisse():
                return recipient.type, recipient.recipient_number, "TR"
            case Amc():
                return "OC", recipient.number.rjust(14, "0"), "TA"

    def _lot_header(self, sender: Sender, organism: str, number: int) -> bytes:
        return self.layouts["lot_header"].build(
            ps_number=sender.number,
            recipient_organism=organism,
            lot_number=number,
            ps_name=sender.name,
            norm_used="00",
            created_on=self._today,
            norm_code=sender.type,
            certification="S",
            norm_release=RELEASE,
            currency="E",
        )

    def _lot_trailer(self, sender: Sender, number: int, invoices: Sequence[Invoice], records: list[bytes]) -> bytes:
        starts = Counter(record[:1] for record in records)
        return self.layouts["lot_trailer"].build(
            ps_number=sender.number,
            invoice_count=len(invoices),
            line_count=starts[b"4"],
            type2_count=starts[b"2"] if self._count_complements else len(invoices),
            type5_count=starts[b"5"],
            billed_total=sum(invoice.billed for invoice in invoices),
            amo_total=sum(invoice.amo for invoice in invoices),
            amc_total=sum(invoice.amc for invoice in invoices),
            lot_number=number,
            marking="R",
            invoice_kind="F",
            software_approval="AGREMENT0001",
            certification=self._seal(),
        )

    def _price(self, *, complementary: bool) -> tuple[int, int, int]:
        """Billed, AMO part, AMC part of an act."""
        billed = self.rng.randrange(500, 9000)
        amo = billed * 70 // 100
        return billed, amo, billed - amo if complementary else 0

    def _seal(self) -> str:
        return self.rng.randbytes(16).hex().upper()

    def _next_invoice(self) -> str:
        self._invoices += 1
        return f"{self._invoices:09d}"
