"""What the decisions speak of: practitioners, insurers, and the directory that leads from an invoice to an insurer.

Values only. The store loads them, the steps hand them in, and nothing here knows where they came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class InsurerKind(StrEnum):
    """AMO: a compulsory caisse. AMC: a complementary insurer."""

    AMO = "AMO"
    AMC = "AMC"


class LotKind(StrEnum):
    """FSE goes to an AMO, DRE to an AMC; AMC is the flow that the concentrator derives itself (C5); FLUX a whole file
    that is passed on unread, SCOR or another (O2)."""

    FSE = "FSE"
    DRE = "DRE"
    AMC = "AMC"
    FLUX = "FLX"


class ReturnMode(StrEnum):
    """Where a practitioner takes its returns (R5): its own mailbox, or one hosted here."""

    SMTP = "smtp"
    BOITE = "boite"


@dataclass(frozen=True, slots=True)
class Practitioner:
    """An account: one PS, or a group practice with several numbers (L8)."""

    id: int
    number: str
    """Its main number, 9 digits."""
    numbers: frozenset[str]
    """All its numbers, the main one included."""
    type: str
    """Two letters of the ART table: IF, MK, ER…"""
    name: str
    address: str
    """The registered mailbox: everything for the PS goes there (H7)."""
    addresses: frozenset[str]
    """The From addresses it may write from, lower case."""
    return_mode: ReturnMode = ReturnMode.SMTP
    closed: bool = False
    diverted: bool = False
    """R5: its own mailbox fails, and the hosted one stands in until the operator says otherwise."""

    @property
    def hosted(self) -> bool:
        """Whether what is for it goes into the mailbox hosted here."""
        return self.return_mode is ReturnMode.BOITE or self.diverted


@dataclass(frozen=True, slots=True)
class Insurer:
    """A destination: where files for it go, and in what form it wants them."""

    id: int
    kind: InsurerKind
    label: str
    address: str
    recipient_type: str
    """Two letters of the 000 header: CT, MA… for an AMO, OC or CS for an AMC."""
    recipient_number: str
    """14 characters of the 000 header."""
    regime: str = ""
    organism: str = ""
    """Recipient organism (organisme destinataire), 3 digits; empty for an AMC."""
    centre: str = ""
    """Computer centre (centre informatique), 3 digits; empty for an AMC."""
    number: str = ""
    """Number of the AMC, 10 digits; empty for an AMO."""
    route: str = ""
    host: str = ""
    cipher: str = "aes-256-cbc"
    compression: str = "gzip"
    plaintext_form: str = "file"
    """`file`: the bare file is encrypted; `mime`: a MIME entity that holds it (A4)."""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Directory:
    """The routing directory, loaded whole: a few thousand entries.

    `caisses` leads from (régime, caisse gestionnaire, centre gestionnaire) to an insurer id (L3); `amo` from
    (régime, computer centre, organism), as a recipient number spells it (S1); `amc` from the AMC's number (L4).
    """

    insurers: Mapping[int, Insurer] = field(default_factory=dict)
    caisses: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    amo: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    amc: Mapping[str, int] = field(default_factory=dict)

    def caisse(self, regime: str, caisse: str, centre: str) -> Insurer | None:
        """The AMO of an invoice, or None when the directory does not know it."""
        return self._enabled(self.caisses.get((regime, caisse, centre)))

    def addressed(self, recipient_number: str) -> Insurer | None:
        """The AMO that a file's header names: 6 zeros, régime (2), computer centre (3), organism (3)."""
        regime, centre, organism = recipient_number[6:8], recipient_number[8:11], recipient_number[11:14]
        return self._enabled(self.amo.get((regime, centre, organism)))

    def complementary(self, number: str) -> Insurer | None:
        """The AMC of a number, whatever its zeros on the left."""
        return self._enabled(self.amc.get(number.strip().lstrip("0")))

    def _enabled(self, insurer_id: int | None) -> Insurer | None:
        insurer = self.insurers.get(insurer_id) if insurer_id is not None else None
        return insurer if insurer is not None and insurer.enabled else None
