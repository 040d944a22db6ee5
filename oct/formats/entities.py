"""NOEMIE entities as data: reads `config/noemie.toml` and turns the fields of an entity into values and back.

An entity is a three-digit code, a two-digit level, its fields, and a closing `@`. Positions are 1-based, inclusive,
and count from the entity's first byte. Entities have no fixed length: a field that begins after the end is blank. Bytes
are decoded as latin-1. A code that the file does not name, and 103, 110, 120, have no field here: they stay bytes.

Fails with a ConfigurationError that names the table at fault, or, for a value that is not the number it should be,
with FormatError `noemie-zone-non-numerique`. No error ever carries the content of an entity.

Source: annex 5.3 (NOEMIE references 580, 576, 900); what the counters count is assumption A18.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from oct.errors import ConfigurationError, FormatError, Place
from oct.formats.layouts import characters

HEAD = 5
"""Bytes of the code and the level."""

END = b"@"
NEGATIVE = frozenset({"N", "-"})


class Role(StrEnum):
    """What an entity does in the order of a return; OTHER for headings and for what is not known."""

    SETTLEMENT = "settlement"
    LOT = "lot"
    INVOICE = "invoice"
    AMO = "amo"
    AMC = "amc"
    REJECTION = "rejection"
    DETAIL = "detail"
    CONTROL = "control"
    OTHER = ""


class ControlCount(StrEnum):
    """What the counter of a control may count (A18, explained in `config/noemie.toml`)."""

    BELOW = "below"
    NEXT = "next"
    WITHIN = "within"
    BELOW_CONTROLS = "below-controls"
    WITHIN_CONTROLS = "within-controls"
    WITHIN_CONTROLS_ITSELF = "within-controls-itself"
    INVOICES = "invoices"
    SETTLEMENTS = "settlements"
    UNSET = "unset"


class Total(StrEnum):
    """What a sum of amounts may add up."""

    PAID = "paid"
    AMO = "amo"
    AMC = "amc"
    UNSET = "unset"


class RecordCount(StrEnum):
    """What the record count of the trailer may count."""

    RECORDS = "records"
    ENTITIES_FRAME = "entities-frame"
    ENTITIES = "entities"
    BODY = "body"
    UNSET = "unset"


class LotCount(StrEnum):
    """What the lot count of the trailer may count."""

    LOTS = "lots"
    DISTINCT = "distinct-lots"
    UNSET = "unset"


@dataclass(frozen=True, slots=True)
class KnownConventions:
    """For each counter of a return, the conventions that may be met, the likeliest first; never empty."""

    control_counter: tuple[ControlCount, ...]
    control_sum: tuple[Total, ...]
    trailer_records: tuple[RecordCount, ...]
    trailer_lots: tuple[LotCount, ...]
    trailer_sum: tuple[Total, ...]


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity: `raw` is all its bytes with the closing `@`, `start` its 0-based offset in the stream."""

    code: str
    level: int
    raw: bytes
    start: int


@dataclass(frozen=True, slots=True)
class EntityLayout:
    """What is known of one code: its level when it is always the same, its role, the slices of its fields."""

    code: str
    level: int | None
    role: Role
    shared: bool
    fields: Mapping[str, slice]


_REQUIRED: Mapping[Role, frozenset[str]] = {
    Role.SETTLEMENT: frozenset({"number"}),
    Role.LOT: frozenset({"lot_date", "lot_number"}),
    Role.INVOICE: frozenset({"invoice_number"}),
    Role.AMO: frozenset({"asked", "state", "paid", "sign"}),
    Role.AMC: frozenset({"asked", "state", "paid", "sign"}),
    Role.REJECTION: frozenset({"code", "label"}),
    Role.CONTROL: frozenset({"closed", "counter", "sum", "sign"}),
}
"""The fields without which an entity of that role cannot be used."""

UNKNOWN = EntityLayout("", None, Role.OTHER, False, {})


@dataclass(frozen=True, slots=True)
class Entities:
    """All layouts by code, and the conventions of the counters (A18)."""

    by_code: Mapping[str, EntityLayout]
    conventions: KnownConventions

    def layout(self, entity: Entity) -> EntityLayout:
        """What is known of this entity's code; `UNKNOWN`, without any field, when nothing is."""
        return self.by_code.get(entity.code, UNKNOWN)

    def role(self, entity: Entity) -> Role:
        """The role of this entity's code."""
        return self.layout(entity).role

    def opens_a_stream(self, head: bytes) -> bool:
        """Whether these five bytes are the code and level of a known entity of level 01: the plain form begins so."""
        layout = self.by_code.get(head[:3].decode("latin-1"))
        return layout is not None and layout.level == 1 and head[3:] == b"01"

    def text(self, entity: Entity, field: str) -> str:
        """A field without the spaces around it; blank when the entity is too short to hold it, or does not have it."""
        where = self.layout(entity).fields.get(field)
        return "" if where is None else characters(entity.raw[: -len(END)][where])

    def number(self, entity: Entity, field: str) -> int:
        """A field as a number, 0 when it is blank. FormatError, with its position, when it is anything else."""
        text = self.text(entity, field)
        if text and not (text.isascii() and text.isdigit()):
            where = self.layout(entity).fields[field]
            sentence = f"La zone {where.start + 1}-{where.stop} d'une entité {entity.code} doit être numérique."
            raise FormatError("noemie-zone-non-numerique", sentence, place=Place(None, where.start + 1))
        return int(text or 0)

    def signed(self, entity: Entity, field: str) -> int:
        """An amount in centimes with the sign that the entity's `sign` field gives it (N or - : negative)."""
        amount = self.number(entity, field)
        return -amount if self.text(entity, "sign") in NEGATIVE else amount

    def build(self, code: str, level: int, /, **values: str | int) -> bytes:
        """A new entity up to its last named field: numbers right-aligned with zeros, text left-aligned with spaces."""
        length = max((where.stop for where in self.by_code[code].fields.values()), default=HEAD)
        return self.patch(f"{code}{level:02}".encode().ljust(length) + END, **values)

    def patch(self, raw: bytes, /, **values: str | int) -> bytes:
        """The entity with some fields replaced, every other byte as it was. FormatError when a value does not fit."""
        layout = self.by_code[raw[:3].decode("latin-1")]
        changed = bytearray(raw[: -len(END)])
        for name, value in values.items():
            where = layout.fields[name]
            width = where.stop - where.start
            text = str(value).zfill(width) if isinstance(value, int) else value.ljust(width)
            if len(text) > width:
                sentence = (
                    f"La zone {where.start + 1}-{where.stop} de l'entité {layout.code} n'a que {width} positions."
                )
                raise FormatError("champ-trop-long", sentence)
            changed.extend(b" " * (where.stop - len(changed)))
            changed[where] = text.encode("latin-1", "replace")
        return bytes(changed) + END

    @classmethod
    def from_toml(cls, text: str) -> Entities:
        """Reads the text of an entities file. ConfigurationError names the table at fault."""
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(
                "entites-illisibles", f"Le fichier des entités n'est pas du TOML : {error}"
            ) from error
        by_code = {code: _layout(code, table) for code, table in tables.get("entity", {}).items()}
        return cls(by_code, _conventions(tables.get("conventions", {})))


def _layout(code: str, table: Mapping[str, Any]) -> EntityLayout:
    try:
        given = dict(table)
        level, role, shared = given.pop("level", None), Role(given.pop("role", "")), bool(given.pop("shared", False))
        fields = {name: slice(first - 1, last) for name, (first, last) in given.items()}
        valid = len(code) == 3 and code.isdigit() and (level is None or 0 < level <= 99)
        valid = valid and all(HEAD <= where.start < where.stop for where in fields.values())
        valid = valid and _REQUIRED.get(role, frozenset()) <= fields.keys()
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise ConfigurationError(
            "entite-invalide",
            f"Entités, table {code} : level de 1 à 99, role connu et ses zones, zone = [première, dernière] dès 6.",
        )
    return EntityLayout(code, level, role, shared, fields)


def _conventions(table: Mapping[str, Any]) -> KnownConventions:
    try:
        known = KnownConventions(
            control_counter=tuple(map(ControlCount, table["control_counter"])),
            control_sum=tuple(map(Total, table["control_sum"])),
            trailer_records=tuple(map(RecordCount, table["trailer_records"])),
            trailer_lots=tuple(map(LotCount, table["trailer_lots"])),
            trailer_sum=tuple(map(Total, table["trailer_sum"])),
        )
        valid = all(
            (known.control_counter, known.control_sum, known.trailer_records, known.trailer_lots, known.trailer_sum)
        )
    except (KeyError, TypeError, ValueError):
        valid = False
    if not valid:
        raise ConfigurationError(
            "conventions-invalides", "Entités, [conventions] : cinq listes non vides de noms connus (voir le modèle)."
        )
    return known
