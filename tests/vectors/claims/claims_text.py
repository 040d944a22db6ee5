"""Records of the golden claims, written position by position: shares nothing with the project on purpose.

Positions are 1-based, from the public tables of the B2 norm. Every person is invented: their NIR was born in place
99999, which does not exist. Amounts in centimes.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

DAY = "261120"
OCT = "00000552100554"
RNG = random.Random(20261120)
ACTS = ["AMI", "AMK", "B", "G", "PH7"]


@dataclass(frozen=True)
class Ps:
    """A practitioner: 9 digits, type, name, mailbox."""

    number: str
    type: str
    name: str
    mailbox: str


@dataclass(frozen=True)
class Caisse:
    """Régime, caisse gestionnaire, centre gestionnaire, label, organism, computer centre, kind in the 000 header."""

    regime: str
    caisse: str
    centre: str
    label: str
    organism: str
    computer: str
    kind: str = "CT"

    @property
    def address(self) -> str:
        """Mailbox by the rule of the field."""
        return f"{self.regime}{self.organism}@{self.organism}.{self.regime}.rss.fr"


@dataclass(frozen=True)
class Amc:
    """Number, route, host, label."""

    number: str
    route: str
    host: str
    label: str

    @property
    def address(self) -> str:
        """Mailbox by the rule of the field."""
        return f"{self.route.lower()}{self.host}@{self.host}.{self.route.lower()}.rss.fr"


@dataclass(frozen=True)
class Invoice:
    """Records 2, 2M, 2P, 4…, 5 with their totals; `tp`: tiers payant was asked on the complementary part."""

    number: str
    records: list[bytes]
    billed: int
    amo: int
    amc: int
    contract99: bool = False
    tp: bool = False


@dataclass(frozen=True)
class Lot:
    """A lot, and the mailbox that the rules lead it to (empty: nowhere)."""

    number: int
    to: str
    data: bytes
    invoices: list[Invoice] = field(default_factory=list)
    for_amo: bytes = b""
    """What the AMO gets when contract 99 changed it (C4)."""


def place(parts: dict[int, str]) -> bytes:
    """A record: each text at its 1-based position, spaces elsewhere; an overlap is an error."""
    record, end = "", 1
    for position, text in parts.items():
        assert position >= end, position
        record = record.ljust(position - 1) + text
        end = position + len(text)
    assert len(record) <= 128
    return record.ljust(128).encode("latin-1")


_last = {"invoice": 200000000, "lot": 0, "file": 0}


def following(what: str) -> int:
    """Next number of a sequence."""
    _last[what] += 1
    return _last[what]


def person() -> str:
    """NIR and key, 15 digits, of nobody."""
    nir = f"{RNG.randint(1, 2)}{RNG.randint(30, 98):02}{RNG.randint(1, 12):02}99999{RNG.randint(1, 999):03}"
    return f"{nir}{97 - int(nir) % 97:02}"


def seal() -> str:
    """32 hexadecimal digits."""
    return f"{RNG.getrandbits(128):032X}"


def invoice(
    ps: Ps,
    caisse: Caisse,
    *,
    kind: str = "F",
    amc: Amc | None = None,
    contract: str = "00",
    settlement: str = "00",
    tp: bool = False,
    split: str = " ",
    number: str = "",
    who: str = "",
) -> Invoice:
    """One invoice. `amc` writes record 2M, `tp` record 2P. Establishments write the number at 30-38."""
    number = number or f"{following('invoice'):09}"
    start = {2: ps.number, 12: who or person(), (30 if ps.type == "CP" else 27): number}
    header = {39: "1", 40: DAY, 46: split, 47: kind, 49: caisse.regime, 51: caisse.caisse, 54: caisse.centre}
    rights = {58: "1", 59: ps.number, 68: DAY, 77: "10", 79: "0", 96: "700101", 102: "1"}
    member = {105: "ADH00042", 115: settlement + contract, 119: amc.number} if amc else {115: settlement + contract}
    records = [place({1: "2", **start, **header, **rights, **member})]
    if amc:
        host = {36: "M", 37: amc.number, 47: amc.route, 49: amc.host, 72: "000000000000042"}
        records.append(place({1: "2", **start, **host, 105: "RSS.FR", 127: "98"}))
    if tp:
        records.append(place({1: "2", **start, 36: "P", 37: "OPERATEUR1", 47: "TIERS PAYANT COMPLEMENTAIRE"}))
    prices = [RNG.randint(500, 9000) for _ in range(RNG.randint(1, 3))]
    parts = [(price, price * 7 // 10, price - price * 7 // 10 if amc else 0) for price in prices]
    lines = [_line(ps, start, *part) for part in parts]
    billed, amo, amc_total = (sum(column) for column in zip(*parts, strict=True))
    totals = {58: f"{billed:08}", 66: f"{amo:08}", 74: f"{billed - amo:08}", 82: f"{amc_total:08}", 97: seal()}
    records += [*lines, place({1: "5", **start, 39: f"{len(lines):03}", **totals})]
    return Invoice(number, records, billed, amo, amc_total, contract == "99", tp)


def _line(ps: Ps, start: dict[int, str], price: int, amo: int, amc: int) -> bytes:
    act = {55: ps.number, 68: DAY, 74: RNG.choice(ACTS), 79: "01", 81: "000100", 89: f"{price:07}", 96: f"{price:07}"}
    amounts = {103: "070", 106: f"{amo:07}", 113: f"{price:07}", 122: f"{amc:07}"}
    return place({1: "4", **start, **act, **amounts})


def lot(ps: Ps, organism: str, invoices: list[Invoice], to: str, *, all_twos: bool = False) -> Lot:
    """A lot; `all_twos`: its type2_count counts the complements too (A12)."""
    number = following("lot")
    header = {17: organism, 20: f"{number:03}", 30: ps.name, 70: "00" + DAY, 79: ps.type, 81: "S140700E"}
    opening = place({1: "1", 2: ps.number, **header})
    stamp = seal()
    received = _framed(ps, number, opening, [i.records for i in invoices], invoices, stamp, all_twos=all_twos)
    made = Lot(number, to, received, invoices)
    if any(i.contract99 for i in invoices):
        changed = [_for_amo(i) for i in invoices]
        made = replace(made, for_amo=_framed(ps, number, opening, changed, invoices, stamp, all_twos=all_twos))
    return made


def _for_amo(i: Invoice) -> list[bytes]:
    """Contract 99 toward the AMO: no 2M, no 2P, `A` at position 90 of the 5 (C4, A6)."""
    if not i.contract99:
        return i.records
    kept = [r for r in i.records if not (r[:1] == b"2" and r[35:36] in b"MP")]
    return [*kept[:-1], kept[-1][:89] + b"A" + kept[-1][90:]]


def _framed(
    ps: Ps,
    number: int,
    opening: bytes,
    bodies: list[list[bytes]],
    invoices: list[Invoice],
    stamp: str,
    *,
    all_twos: bool,
) -> bytes:
    records = [r for body in bodies for r in body]
    fours = sum(r[:1] == b"4" for r in records)
    twos = [r for r in records if r[:1] == b"2"] if all_twos else invoices
    counts = {11: f"{len(invoices):03}{fours:04}{len(twos):04}{len(invoices):03}"}
    sums = {
        25: "".join(f"{sum(column):09}" for column in zip(*((i.billed, i.amo, i.amc) for i in invoices), strict=True))
    }
    end = {52: f"{number:03}", 55: "RF", 61: "AGREMENT0001", 97: stamp}
    return b"".join([opening, *records, place({1: "6", 2: ps.number, **counts, **sums, **end})])


def b2(ps: Ps, lots: list[Lot], to: Caisse | Amc | None = None) -> bytes:
    """A file: single (no `to`), or addressed to its caisse or its AMC."""
    kind, number, application = "OT", OCT, "TO"
    if isinstance(to, Caisse):
        kind, number, application = to.kind, f"000000{to.regime}{to.computer}{to.organism}", "TR"
    elif isinstance(to, Amc):
        kind, number, application = "OC", to.number.rjust(14, "0"), "TA"
    sender = "TE" if ps.type == "CP" else "TP"
    who = {4: sender, 6: ps.number.rjust(14, "0"), 26: kind, 28: number}
    name = f"V{following('file'):05}"
    header = place({1: "000", **who, 42: "000000", 48: application + name, 56: DAY, 62: ps.type, 66: "B2", 83: "128"})
    body = b"".join(a_lot.data for a_lot in lots)
    counts = {56: f"{len(body) // 128 + 2:08}", 83: f"{len(lots):03}"}
    return header + body + place({1: "999", **who, 48: application + name, **counts})
