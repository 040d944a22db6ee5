"""Record layouts as data: reads `config/layouts.toml` and turns fields of 128-byte records into values and back.

Positions are those of the norm's own tables, 1-based and inclusive. A `Layout` only slices: it never decides
whether a value makes sense, which is the parser's business (`oct.formats.b2`). Bytes are decoded as latin-1,
the only encoding in which every byte of a received record has a character.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import index
from typing import Any

from oct.errors import ConfigurationError, FormatError, Place

RECORD = 128
"""Length of a record, in bytes."""

Cut = Callable[[Any], tuple[Any, ...]]
"""Cuts some fields, two at least, out of a record: an itemgetter of their slices, for bytes or for text."""

Writer = Callable[..., bytes]
"""Makes a record of the values of some fields."""

_RECORDS = {
    "file_header": "de l'entête du fichier (000)",
    "file_trailer": "de la fin du fichier (999)",
    "lot_header": "de l'entête du lot (1)",
    "lot_trailer": "de la fin du lot (6)",
    "invoice_header": "de la facture (2)",
    "invoice_amc": "de la facture (2M)",
    "invoice_convention": "de la facture (2P)",
    "invoice_line": "de l'acte (4)",
    "invoice_total": "de la facture (5)",
    "noemie_trailer": "de la fin du retour (999)",
    "arl_lot": "d'un lot de l'ARL (1)",
    "arl_status": "de la réponse sur un lot de l'ARL (7)",
    "arl_file": "de l'entête de l'ARL (000)",
    "dloi_request": "de l'entête de la demande de dLOI (000)",
}
"""How a sentence names a record, by the name of its table; another one is named by that alone."""


def characters(raw: bytes) -> str:
    """A field decoded, without the spaces around it. A NUL is a space: mainframes leave it where nothing was written,
    and PostgreSQL keeps none in a text."""
    return raw.replace(b"\0", b" ").decode("latin-1").strip()


def cut_characters(cut: Cut, record: bytes) -> tuple[str, ...]:
    """Several fields of a record, each as `characters` gives it: they are decoded together, and then cut."""
    return tuple(map(str.strip, cut(record.replace(b"\0", b" ").decode("latin-1"))))


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its 1-based position and length in bytes, its place in the record, its format (N or A)."""

    record: str
    name: str
    first: int
    width: int
    slice: slice
    numeric: bool
    const: str | None

    @property
    def in_french(self) -> str:
        """The field as a sentence names it: by its positions, which those of the norm's tables are."""
        positions = f"{self.first}-{self.first + self.width - 1}" if self.width > 1 else f"{self.first}"
        return f"La zone {positions} {_RECORDS.get(self.record, f'de « {self.record} »')}"

    def encode(self, value: str | int) -> bytes:
        """The field's bytes: N to the right, zeros before; A to the left, spaces after. FormatError if too long."""
        text = str(value)
        raw = text.encode("latin-1", "replace")
        if len(raw) > self.width:
            raise FormatError("champ-trop-long", f"{self.in_french} n'a que {self.width} positions.")
        if self.numeric:
            return raw.rjust(self.width, b"0")
        return raw.ljust(self.width, b" ")

    def form(self, place: int) -> str:
        """The same for str.format: where the value of this place stands, and how it is filled up."""
        return f"{{{place}!s:{'0>' if self.numeric else '<'}{self.width}}}"


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of one kind of record."""

    name: str
    fields: Mapping[str, Field]
    blank: bytes = field(init=False, repr=False)
    """A record of its constants and spaces."""
    _writers: dict[tuple[str, ...], Writer] = field(init=False, repr=False, compare=False, default_factory=dict)
    """By the names of the fields that are given."""

    def __post_init__(self) -> None:
        record = bytearray(b" " * RECORD)
        for known in self.fields.values():
            if known.const is not None:
                record[known.slice] = known.encode(known.const)
        object.__setattr__(self, "blank", bytes(record))

    def at(self, field: str) -> slice:
        """Where a field stands in its record, as a slice: hot paths keep it and cut by themselves."""
        return self.fields[field].slice

    def raw(self, record: bytes, field: str) -> bytes:
        """The field's bytes, untouched."""
        return record[self.fields[field].slice]

    def text(self, record: bytes, field: str) -> str:
        """The field decoded, without the spaces around it."""
        return characters(record[self.fields[field].slice])

    def number(self, record: bytes, field: str, *, record_number: int | None = None, rule: str = "L7") -> int:
        """The field as a number. FormatError, with its place, when it holds anything but digits."""
        known = self.fields[field]
        raw = record[known.slice]
        if not raw.isdigit():
            raise FormatError(
                "zone-non-numerique",
                f"{known.in_french} doit être numérique.",
                place=Place(record_number, known.first),
                rule=rule,
            )
        return int(raw)

    def build(self, **values: str | int) -> bytes:
        """A whole record: constants, the given values, spaces elsewhere."""
        names = tuple(values)
        write = self._writers.get(names) or self._writers.setdefault(names, self.writer(*names))
        return write(*values.values())

    def writer(self, *names: str) -> Writer:
        """`build` for these fields, their values given in this order: hot paths keep it."""
        form = self._form(names).format

        def write(*values: str | int) -> bytes:
            record = form(*values).encode("latin-1", "replace")
            if len(record) == RECORD:
                return record
            return self.patch(self.blank, **dict(zip(names, values, strict=True)))  # which tells what is too long

        return write

    def _form(self, names: Sequence[str]) -> str:
        """The record as a text to be filled in.

        Every field is filled up to its width: a record comes out longer only when a value is, or fields overlap."""
        pieces, end = list[str](), 0
        for place, known in sorted(enumerate(map(self.fields.__getitem__, names)), key=lambda one: one[1].first):
            pieces += [_literal(self.blank[end : known.first - 1]), known.form(place)]
            end = known.slice.stop
        return "".join([*pieces, _literal(self.blank[end:])])

    def patch(self, record: bytes, **values: str | int) -> bytes:
        """The record with some fields replaced, every other byte as it was."""
        changed = bytearray(record)
        for name, value in values.items():
            field = self.fields[name]
            changed[field.slice] = field.encode(value)
        return bytes(changed)


@dataclass(frozen=True, slots=True, eq=False)
class Layouts:
    """All layouts by name. Equal only to itself, so that what is prepared from it can be remembered."""

    by_name: Mapping[str, Layout]

    def __getitem__(self, name: str) -> Layout:
        return self.by_name[name]

    @classmethod
    def from_toml(cls, text: str) -> Layouts:
        """Reads the text of a layouts file. ConfigurationError names the table and the field at fault."""
        try:
            tables = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(
                "format-illisible", f"Le fichier des formats n'est pas du TOML : {error}"
            ) from error
        return cls({name: Layout(name, _fields(name, table)) for name, table in tables.items()})

    def check_complete(self, model: Layouts) -> None:
        """Raises a ConfigurationError that names every table, and every field of one, that `model` has and this has
        not: whatever the program reads or writes must have its place."""
        missing = []
        for name, layout in model.by_name.items():
            if name not in self.by_name:
                missing.append(f"la table {name}")
            else:
                absent = [field for field in layout.fields if field not in self.by_name[name].fields]
                missing += [f"la zone {field} de la table {name}" for field in absent]
        if missing:
            raise ConfigurationError("format-incomplet", f"Le fichier des formats n'a pas {', ni '.join(missing)}.")


def _literal(octets: bytes) -> str:
    """What str.format leaves as it is."""
    return octets.decode("latin-1").replace("{", "{{").replace("}", "}}")


def _fields(layout: str, table: Any) -> dict[str, Field]:
    if not isinstance(table, dict):
        raise ConfigurationError("format-invalide", f"Formats : {layout} doit être une table de zones.")
    return {name: _field(layout, name, given) for name, given in table.items()}


def _field(layout: str, name: str, given: Any) -> Field:
    try:
        first, last = map(index, given["at"])
        fmt, const = given["fmt"], given.get("const")
        valid = 1 <= first <= last <= RECORD and fmt in {"A", "N"} and (const is None or len(const) <= last - first + 1)
    except (KeyError, TypeError, ValueError, AttributeError):
        valid = False
    if not valid:
        raise ConfigurationError(
            "format-invalide",
            f'Formats, table {layout}, zone {name} : at = [première, dernière] entre 1 et {RECORD}, fmt = "A" ou "N".',
        )
    return Field(layout, name, first, last - first + 1, slice(first - 1, last), fmt == "N", const)
