"""Who a message is from, decided before it is accepted (rules H5, H6 and H7 of the promises).

A practitioner is named by the PS number in the Subject and by the From address; an insurer by its registered
address; the issuer of the opposition list by the address of the settings (O1); a delivery report by its empty sender.
What cannot be told is refused with 550, or quarantined when a known number writes from an address that nobody has
bound to it yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from oct.domain.model import Insurer, Practitioner


class Origin(StrEnum):
    """Whose message it is."""

    PS = "ps"
    INSURER = "assureur"
    ISSUER = "emetteur"
    REPORT = "avis"
    UNKNOWN = "inconnu"
    """Nobody that may write: refused, and kept for the operator because it looks like a return."""
    JOURNAL = "journal"
    """Ours: a head of the journal that leaves by mail. Never at the door."""


class Refusal(StrEnum):
    """Why a message is refused, where that changes what an operator can do about it."""

    NETWORK = "hors-reseau"
    BORROWED_NAME = "nom-emprunte"
    SENDER = "expediteur"


@dataclass(frozen=True, slots=True)
class Admitted:
    """The message is taken. `quarantine` is the reason why a person must look at it first, empty otherwise."""

    origin: Origin
    practitioner_id: int | None = None
    insurer_id: int | None = None
    quarantine: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The message is refused at the door, with a sentence for its sender."""

    sentence: str
    reason: Refusal = Refusal.SENDER


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a message says of its sender. `number` is the 9-digit PS number of the Subject, None without a valid one."""

    header_from: str
    mail_from: str
    number: str | None
    is_report: bool
    """Whether its form is that of a delivery report (RFC 3464)."""
    trusted: bool
    """Whether the door knows the client otherwise: AUTH, client certificate, network."""
    institutional: bool = True
    """Whether an insurer may write from where the client is: true unless the settings name the insurers' networks."""


@dataclass(frozen=True, slots=True)
class Register:
    """Look-ups by number and by lower-case address; the issuer's own address, lower case, empty when there is none."""

    by_number: Callable[[str], Practitioner | None]
    by_address: Callable[[str], Practitioner | None]
    insurer: Callable[[str], Insurer | None]
    issuer: str = ""


def admit(claimed: Claimed, register: Register) -> Admitted | Rejected:
    """H6, in the order in which the evidence is looked at."""
    sender = claimed.header_from.lower()
    if not claimed.mail_from:
        return _admit_report(claimed)
    institution = _institution(sender, register)
    if institution is not None:
        if not (claimed.institutional or claimed.trusted):
            return Rejected("Les assureurs n'ecrivent pas de ce reseau", Refusal.NETWORK)
        if register.by_address(claimed.mail_from.lower()) is not None:
            return Rejected("Un praticien n'ecrit pas au nom d'un assureur", Refusal.BORROWED_NAME)
        return institution
    writer, envelope = register.by_address(sender), register.by_address(claimed.mail_from.lower())
    if not _same_account(writer, envelope):
        return Rejected("L'adresse d'envoi et l'adresse From appartiennent a deux comptes differents")
    if claimed.number is None:
        if writer is None or writer.closed:
            return Rejected("Expediteur inconnu")
        return Admitted(Origin.PS, practitioner_id=writer.id)
    owner = register.by_number(claimed.number)
    if owner is None or owner.closed:
        return Rejected("Ce numero de PS n'est pas enregistre ici")
    if not _same_account(writer or envelope, owner):
        return Rejected("Cette adresse d'envoi appartient a un autre compte")
    unknown = writer is None and not claimed.trusted
    return Admitted(Origin.PS, practitioner_id=owner.id, quarantine="expediteur-inconnu" if unknown else "")


def _institution(sender: str, register: Register) -> Admitted | None:
    """The issuer of the opposition list or an insurer; None for anybody else."""
    if register.issuer and sender == register.issuer:
        return Admitted(Origin.ISSUER)
    insurer = register.insurer(sender)
    return Admitted(Origin.INSURER, insurer_id=insurer.id) if insurer is not None else None


def _admit_report(claimed: Claimed) -> Admitted | Rejected:
    if claimed.is_report:
        return Admitted(Origin.REPORT)
    return Rejected("Un message sans expediteur doit etre un avis de remise")


def _same_account(one: Practitioner | None, other: Practitioner | None) -> bool:
    return one is None or other is None or one.id == other.id
