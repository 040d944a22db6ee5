"""What becomes of the lots of a message, as values: which go where, which wait, which are refused.

`oct.domain.splitting` makes a `Plan`, `oct.domain.conservation` checks it, the steps seal and keep what it names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from oct.domain.conventions import Conventions
from oct.domain.duplicates import NEW, Judgement
from oct.domain.model import Directory, Insurer, LotKind
from oct.errors import RoutingError, RuleError
from oct.formats.b2 import Lot
from oct.formats.layouts import Layouts


class Shape(StrEnum):
    """How the practitioner sent: one file for all (4.2), or a file already addressed to its insurer (4.1)."""

    UNIQUE = "unique"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class SplitContext:
    """What planning needs besides the file."""

    layouts: Layouts
    directory: Directory
    number_for: Callable[[str, str], str]
    """Gives the 3 digits of a new lot of the AMC flow, from the PS number and the AMC's number."""
    today: str
    """AAMMJJ."""
    oct_number: str
    """The concentrator's number, 14 digits: sender of the files it makes."""
    conventions: Conventions = field(default_factory=Conventions)


@dataclass(frozen=True, slots=True)
class DerivedInvoice:
    """An invoice of the AMC flow: how many records it has and what they add up to, in centimes."""

    number: str
    start: int
    """Offset of the received invoice in its file."""
    billed: int
    amo: int
    amc: int
    lines: int
    complements: int


@dataclass(frozen=True, slots=True)
class DerivedLot:
    """What the concentrator puts in a lot that it builds for one AMC (C5). It manages its ARL itself (C6)."""

    amc_number: str
    number: str
    created_on: str
    invoices: tuple[DerivedInvoice, ...]


@dataclass(frozen=True, slots=True)
class Made:
    """What is kept of bytes that the concentrator made: `sha256` and `size`."""

    sha256: bytes
    size: int


class Planned(NamedTuple):
    """A lot of the plan. `source` is the received lot; its bytes are made when they leave (`oct.domain.contents`)."""

    source: Lot
    kind: LotKind
    digest: bytes
    """By which a re-sending is recognised (D2): SHA-256 of the lot as received, with its AMC for the AMC flow."""
    altered: bool = False
    """Whether contract 99 changes its bytes (C4)."""
    derived: DerivedLot | None = None
    """Set for a lot of the AMC flow (C5)."""
    history: Judgement = NEW
    """What it is beside its earlier sendings."""
    made: Made | None = None
    """Set once the bytes of an altered or derived lot were made; any other leaves as it came."""

    @property
    def invoice_count(self) -> int:
        """How many invoices it holds."""
        return len(self.source.invoices if self.derived is None else self.derived.invoices)


class Parcel(NamedTuple):
    """What goes to one insurer in one file. `whole` is the received file itself, unchanged (S1)."""

    insurer: Insurer
    lots: tuple[Planned, ...]
    whole: bytes | None = None
    keeps_header: bool = False
    """A per-caisse file with contract 99 keeps the practitioner's own 000 and 999 records (C4)."""

    @property
    def built(self) -> bool:
        """Whether its file is the concentrator's own, with a 000 made here (L5)."""
        return self.whole is None and not self.keeps_header


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is held (L6, L8, C7): lots for one reason, or a whole file. Never dropped, never blocks the others."""

    reason: RoutingError
    lots: tuple[Planned, ...]
    whole: bytes | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A lot that was received before and does not leave again (D2). `insurer` is None when it is not known now."""

    lot: Planned
    insurer: Insurer | None


@dataclass(frozen=True, slots=True)
class Refused:
    """A lot that breaks a rule: nothing of it leaves."""

    reason: RuleError
    lot: Lot


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of every lot of a file."""

    shape: Shape
    parcels: tuple[Parcel, ...]
    waiting: tuple[Waiting, ...] = ()
    refused: tuple[Refused, ...] = ()
    without_amc_part: tuple[str, ...] = ()
    """Numbers of the contract-99 invoices whose complementary part is nil: they have no AMC flow."""
    known: tuple[Known, ...] = ()
