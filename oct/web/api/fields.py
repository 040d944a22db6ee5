"""What the documents of the API are made of: closed objects, and the kinds of values that many of them share.

Each kind says what it is, in which unit, and gives an example: the description of the API is made of them
(`oct.web.api.description`). Documents are built of plain values (instants in milliseconds, digests as bytes) and write
them as JSON wants them.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from oct.clock import utc
from oct.store.browse.paging import Page
from oct.store.registry import Snapshot

T = TypeVar("T")


class Document(BaseModel):
    """An object that holds these fields and no other."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def told(description: str, example: object, **limits: Any) -> Any:
    """A field: what it is, in French, and an example."""
    return Field(description=description, examples=[example], **limits)


def _iso(ms: int) -> str:
    return utc(ms).isoformat(timespec="milliseconds")


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("signe interdit")
    return text


Instant = Annotated[
    int,
    PlainSerializer(_iso, return_type=str),
    WithJsonSchema({
        "type": "string", "format": "date-time", "description": "Instant UTC (RFC 3339), à la milliseconde.",
        "examples": ["2026-11-22T08:15:00.125+00:00"],
    }),
]  # fmt: skip
Digest = Annotated[
    bytes,
    PlainSerializer(bytes.hex, return_type=str),
    WithJsonSchema({
        "type": "string", "pattern": "^[0-9a-f]{64}$", "description": "Empreinte SHA-256, en hexadécimal.",
        "examples": ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    }),
]  # fmt: skip
Signature = Annotated[
    bytes,
    PlainSerializer(bytes.hex, return_type=str),
    WithJsonSchema({
        "type": "string", "pattern": "^[0-9a-f]{128}$", "description": "Signature Ed25519, en hexadécimal.",
        "examples": ["5d" * 64],
    }),
]  # fmt: skip
Trace = Annotated[str, told("Numéro de suivi du message.", "26KP3X-7Q2M9V4T")]
Centimes = Annotated[int, told("Montant, en centimes d'euro.", 2650)]
Octets = Annotated[int, told("Taille, en octets.", 4821)]
RowId = Annotated[int, told("Numéro interne, stable.", 12)]
Number = Annotated[str, told("Numéro du praticien, sur 9 chiffres.", "991234567")]
Label = Annotated[str, told("Libellé de l'assureur ; vide quand il n'est pas connu.", "CPAM inventée")]
Line = Annotated[str, AfterValidator(_printable)]
"""A text that somebody gives, on one line."""

Day = Annotated[
    str, told("Jour, AAAA-MM-JJ, à l'heure de Paris.", "2026-11-22", pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
]
Given = Annotated[int, Path(ge=1, lt=2**63, description="Numéro interne.", examples=[12])]
"""The number of a row, in an address."""


class Filters(Document):
    """What a list may be asked: from where to go on."""

    suite: str | None = Field(
        None,
        description="Où reprendre la liste : la valeur `suite` de la page d'avant, telle quelle.",
        pattern=r"^[0-9]{1,19}(\.[0-9]{1,19})?$",
    )


class Listing(Document, Generic[T]):
    """One page of a list: fifty at most."""

    elements: list[T] = Field(description="Cinquante éléments au plus.")
    suite: str | None = Field(
        description="À redonner pour la page d'après ; nul après la dernière.", examples=["1024"]
    )  # fmt: skip


def listing(elements: list[T], page: Page[Any]) -> Listing[T]:
    """A page whose rows became these documents."""
    return Listing[T](elements=elements, suite=page.next or None)


def number_of(register: Snapshot, practitioner_id: int | None) -> str:
    """The number of an account; empty for none."""
    account = register.by_id.get(practitioner_id or 0)
    return "" if account is None else account.number


def label_of(register: Snapshot, insurer_id: int | None) -> str:
    """How an insurer is called; empty for none."""
    insurer = register.directory.insurers.get(insurer_id or 0)
    return "" if insurer is None else insurer.label
