"""Claim files for the tests, written out position by position: no layout engine, no simulator, nothing shared with
the code under test, so that a mistake there is not repeated here. Every person and number is invented.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from oct.domain.contents import content_of
from oct.domain.conventions import Conventions
from oct.domain.model import Directory, Insurer, InsurerKind, Practitioner
from oct.domain.outgoing import OutgoingFile, outgoing_file
from oct.domain.plan import Parcel, SplitContext
from oct.formats.b2 import B2File
from oct.formats.layouts import Layouts

LAYOUTS = Layouts.from_toml((Path(__file__).parents[1] / "config" / "layouts.toml").read_text("utf-8"))

PS, OTHER_PS, STRANGER = "421234567", "421234575", "750000001"
OCT_NUMBER = "00000552100554"
ALPHA, BETA, NOBODY = "0099999991", "0088888882", "0012345678"


def record(*pieces: tuple[int, str | bytes]) -> bytes:
    """128 bytes: spaces, and each piece from its 1-based position on."""
    made = bytearray(b" " * 128)
    for position, text in pieces:
        raw = text if isinstance(text, bytes) else text.encode("latin-1")
        made[position - 1 : position - 1 + len(raw)] = raw
    assert len(made) == 128
    return bytes(made)


def put(content: bytes, position: int, text: str | bytes) -> bytes:
    """The record or file with other bytes at a 1-based position."""
    raw = text if isinstance(text, bytes) else text.encode("latin-1")
    return content[: position - 1] + raw + content[position - 1 + len(raw) :]


@dataclass(frozen=True)
class Act:
    """A record 4, amounts in centimes."""

    spent: int = 2500
    amo: int = 1750
    amc: int = 0
    complement: str = " "


@dataclass(frozen=True)
class Claim:
    """An invoice to write."""

    number: int = 1
    caisse: tuple[str, str, str] = ("01", "422", "0000")
    kind: str = "F"
    contract: str = "00"
    settlement: str = "00"
    ps_split: str = " "
    amc: str = ""
    """Number in record 2M, without which there is none."""
    amc_in_header: str = ""
    tiers_payant: str | None = None
    """Operator in record 2P; None: no such record."""
    acts: Sequence[Act] = (Act(),)
    patient: int | None = None
    others: str = ""
    """Marks of further complements of record 2."""
    nir: str = "1850578006048"

    def totals(self) -> tuple[int, int, int]:
        """Billed, AMO and AMC."""
        return sum(a.spent for a in self.acts), sum(a.amo for a in self.acts), sum(a.amc for a in self.acts)

    def twos(self) -> int:
        """Complements of record 2."""
        return len(self.others) + bool(self.amc) + (self.tiers_payant is not None)

    def records(self, ps: str) -> list[bytes]:
        """2, 2x, 4 and 5."""
        number = f"{self.number:09d}"
        same = [(2, ps), (12, self.nir), (25, "42"), (27, number)]
        regime, caisse, centre = self.caisse
        billed, amo, amc = self.totals()
        patient = billed - amo if self.patient is None else self.patient
        made = [
            record(
                (1, "2"), *same, (39, "1"), (40, "261120"), (46, self.ps_split), (47, self.kind), (49, regime),
                (51, caisse), (54, centre), (77, "10"), (96, "850512"), (102, "1"), (105, "ADH00042"),
                (115, self.settlement), (117, self.contract), (119, self.amc_in_header),
            )
        ]  # fmt: skip
        made += [record((1, "2"), *same, (36, mark), (37, "X" * 60)) for mark in self.others]
        if self.amc:
            made.append(record((1, "2"), *same, (36, "M"), (37, self.amc), (47, "MA349"), (125, "98")))
        if self.tiers_payant is not None:
            made.append(record((1, "2"), *same, (36, "P"), (37, self.tiers_payant)))
        for act in self.acts:
            made.append(
                record(
                    (1, "4"), *same, (36, act.complement), (55, ps), (68, "261120"), (74, "AMI"), (79, "01"),
                    (96, f"{act.spent:07d}"), (103, "070"), (106, f"{act.amo:07d}"), (113, f"{act.spent:07d}"),
                    (122, f"{act.amc:07d}"),
                )
            )  # fmt: skip
        made.append(
            record(
                (1, "5"), *same, (39, f"{len(self.acts):03d}"), (58, f"{billed:08d}"), (66, f"{amo:08d}"),
                (74, f"{patient:08d}"), (82, f"{amc:08d}"), (97, f"SCEAU{self.number:027d}"),
            )
        )  # fmt: skip
        return made


@dataclass(frozen=True)
class Batch:
    """A lot to write."""

    claims: Sequence[Claim] = (Claim(),)
    number: int = 1
    ps: str = PS
    organism: str = "422"
    counts_all: bool = False
    """A12: whether type2_count counts the complements."""
    mark: str = "F"

    def records(self) -> list[bytes]:
        """1 to 6."""
        made = [
            record(
                (1, "1"), (2, self.ps), (17, self.organism), (20, f"{self.number:03d}"), (30, "CABINET INVENTE"),
                (72, "261120"), (79, "IF"), (81, "S"), (82, "140700"), (88, "E"),
            )
        ]  # fmt: skip
        for claim in self.claims:
            made += claim.records(self.ps)
        twos = len(self.claims) + (sum(c.twos() for c in self.claims) if self.counts_all else 0)
        billed, amo, amc = (sum(claim.totals()[i] for claim in self.claims) for i in range(3))
        made.append(
            record(
                (1, "6"), (2, self.ps), (11, f"{len(self.claims):03d}"),
                (14, f"{sum(len(c.acts) for c in self.claims):04d}"), (18, f"{twos:04d}"),
                (22, f"{len(self.claims):03d}"), (25, f"{billed:09d}"), (34, f"{amo:09d}"), (43, f"{amc:09d}"),
                (52, f"{self.number:03d}"), (55, "R"), (56, self.mark), (61, "AGREMENT0001"),
                (97, f"LOT{self.number:029d}"),
            )
        )  # fmt: skip
        return made

    def content(self) -> bytes:
        """Its bytes."""
        return b"".join(self.records())


CT_422 = ("CT", "00000001422422")
"""Recipient of a file split at the source for the caisse 422."""


def claim_file(
    *batches: Batch,
    recipient: tuple[str, str] = ("OT", OCT_NUMBER),
    norm: str = "IF",
    file_id: str = "F00001",
) -> bytes:
    """A whole file: the single file for the concentrator unless another recipient is given."""
    kind, number = recipient
    application = "TO" if kind == "OT" else "TR"
    lots = [batch.content() for batch in batches]
    same: list[tuple[int, str]] = [(4, "TP"), (6, f"{PS:0>14}"), (26, kind), (28, number), (48, application)]
    same.append((50, file_id))
    opening = record((1, "000"), *same, (42, "000000"), (56, "261120"), (62, norm), (66, "B2"), (83, "128"))
    count = sum(map(len, lots)) // 128 + 2
    closing = record((1, "999"), *same, (56, f"{count:08d}"), (83, f"{len(lots):03d}"), (100, "QUEUE"))
    return b"".join([opening, *lots, closing])


def records_of(content: bytes) -> list[bytes]:
    """Its records."""
    return [content[start : start + 128] for start in range(0, len(content), 128)]


def differing(before: bytes, after: bytes) -> list[int]:
    """1-based positions where two records differ."""
    assert len(before) == len(after)
    return [rank + 1 for rank, (one, two) in enumerate(zip(before, after, strict=True)) if one != two]


def amo(identity: int, regime: str, organism: str, centre: str | None = None, kind: str = "CT") -> Insurer:
    """A compulsory caisse."""
    centre = organism if centre is None else centre
    return Insurer(
        identity, InsurerKind.AMO, f"CAISSE {organism}", f"{regime}{organism}@{organism}.{regime}.rss.fr", kind,
        f"000000{regime}{centre}{organism}", regime=regime, organism=organism, centre=centre,
    )  # fmt: skip


def amc(identity: int, number: str, label: str) -> Insurer:
    """A complementary insurer."""
    return Insurer(identity, InsurerKind.AMC, label, f"amc{identity}@amc.rss.fr", "OC", f"0000{number}", number=number)


INSURERS = (
    amo(1, "01", "422"),
    amo(2, "01", "011", "016"),
    amo(3, "02", "471", kind="MA"),
    amc(11, ALPHA, "MUTUELLE ALPHA"),
    amc(12, BETA, "MUTUELLE BETA"),
)
DIRECTORY = Directory(
    insurers={insurer.id: insurer for insurer in INSURERS},
    caisses={("01", "422", "0000"): 1, ("01", "423", "0000"): 1, ("01", "011", "0000"): 2, ("02", "475", "0000"): 3},
    amo={("01", "422", "422"): 1, ("01", "016", "011"): 2, ("02", "471", "471"): 3},
    amc={ALPHA.lstrip("0"): 11, BETA.lstrip("0"): 12},
)
CAISSE_OF = {1: ("01", "422", "0000"), 2: ("01", "011", "0000"), 3: ("02", "475", "0000")}
ORGANISM_OF = {1: "422", 2: "011", 3: "471"}

ACCOUNT = Practitioner(
    1, PS, frozenset({PS, OTHER_PS}), "IF", "CABINET INVENTE", "cabinet@boite.example",
    frozenset({"cabinet@boite.example"}),
)  # fmt: skip


def numbering() -> Callable[[str, str], str]:
    """Numbers new lots 501, 502… for each PS and AMC."""
    used: dict[tuple[str, str], int] = {}

    def number_for(ps: str, amc_number: str) -> str:
        used[ps, amc_number] = used.get((ps, amc_number), 500) + 1
        return f"{used[ps, amc_number] % 1000:03d}"

    return number_for


def context(layouts: Layouts = LAYOUTS, directory: Directory = DIRECTORY, **conventions: Any) -> SplitContext:
    """A context with some conventions changed."""
    return SplitContext(layouts, directory, numbering(), "261121", OCT_NUMBER, Conventions(**conventions))


def without(directory: Directory, *identities: int) -> Directory:
    """The directory with some insurers switched off."""
    known: Mapping[int, Insurer] = directory.insurers
    return replace(directory, insurers={one: replace(known[one], enabled=one not in identities) for one in known})


def enriched(number: int = 1, **changes: Any) -> Claim:
    """A contract-99 invoice for Alpha, with both complements and a part for the AMC."""
    usual: dict[str, Any] = {
        "contract": "99", "settlement": "05", "amc": ALPHA, "amc_in_header": ALPHA, "tiers_payant": "OPERATEUR1",
        "acts": (Act(2500, 1750, 750), Act(1000, 700, 300)),
    }  # fmt: skip
    return Claim(number, **(usual | changes))


def dre(number: int = 1, amc_number: str = ALPHA, **changes: Any) -> Claim:
    """A DRE of the PS."""
    return Claim(number, kind="D", amc=amc_number, acts=(Act(2500, 1750, 750),), **changes)


def lots_in(batches: Iterable[Batch]) -> list[bytes]:
    """Their bytes, in order."""
    return [batch.content() for batch in batches]


def outgoing(file: B2File, parcel: Parcel, rules: SplitContext, file_id: str = "C00001") -> OutgoingFile:
    """The file of a parcel, its lots made and checked."""
    contents = [content_of(file, lot, rules) for lot in parcel.lots]
    return outgoing_file(file, parcel, contents, rules, file_id=file_id)


def establishment_file() -> bytes:
    """Norm CP: the invoice number at 30, records 3, and nothing known of the rest."""
    lines = records_of(claim_file(Batch((Claim(), Claim(), Claim())), norm="CP"))
    for rank, line in enumerate(lines[2:-2]):
        invoice = rank // 3 + 7
        if line[:1] in (b"2", b"5"):
            lines[rank + 2] = put(put(line, 27, "   "), 30, f"{invoice:09d}")
    lines[2] = put(lines[2], 115, "9999")
    lines[4] = put(lines[4], 39, b"?" * 60)
    three = put(lines[3], 1, "3")
    opaque = put(put(lines[3], 1, "2"), 27, "ZZZZZZZZZ")
    lines[3:4] = [opaque, three, lines[3], three]
    lines[-1] = put(lines[-1], 56, f"{len(lines):08d}")
    lines[-2] = put(lines[-2], 18, "0004")
    return b"".join(lines)
