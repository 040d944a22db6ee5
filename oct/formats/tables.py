"""The tables an operator imports: caisses (`orgdest.csv`), complementary insurers (`amc.csv`), practitioners.

Takes the bytes of a file separated by semicolons, one header line first, in UTF-8 or latin-1 (as a spreadsheet
writes it); gives the rows that can be used and, for each of the others, its line number and the reason in French.
A line that says again what another said is left out in silence; one that contradicts it is refused. Whatever the
bytes, the result is a `Table` or a `FormatError` for the file as a whole.

Source: messages.md (addresses in the field), the official table of recipient organisms.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from oct.errors import FormatError
from oct.formats.mime_headers import ADDRESS, ADDRESS_LENGTH
from oct.formats.professions import Professions

_SEPARATOR = ";"
_LABEL_LENGTH = 80


class TableKind(StrEnum):
    """What a table of insurers holds, told by its columns."""

    AMO = "AMO"
    AMC = "AMC"


@dataclass(frozen=True, slots=True)
class CaisseRow:
    """A line of the official table: (régime, caisse, centre) leads to (régime, organism, computer centre)."""

    regime: str
    caisse: str
    centre: str
    label: str
    organism: str
    computer_centre: str
    address: str
    """Lower case; empty when the table gives none."""

    @property
    def usual_address(self) -> str:
        """Where such an organism receives when nothing else is known."""
        return f"{self.regime}{self.organism}@{self.organism}.{self.regime}.rss.fr"

    @property
    def insurer_key(self) -> tuple[str, str, str]:
        """The insurer it leads to: régime, recipient organism, computer centre."""
        return self.regime, self.organism, self.computer_centre

    @property
    def key(self) -> tuple[str, ...]:
        return self.regime, self.caisse, self.centre


@dataclass(frozen=True, slots=True)
class AmcRow:
    """A complementary insurer; `number` has 10 digits."""

    number: str
    route: str
    host: str
    label: str
    address: str

    @property
    def key(self) -> tuple[str, ...]:
        return (self.number,)


@dataclass(frozen=True, slots=True)
class PractitionerRow:
    """A practitioner; `number` has 9 digits, `type` is one of the professions."""

    number: str
    type: str
    name: str
    address: str

    @property
    def key(self) -> tuple[str, ...]:
        return (self.number,)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that cannot be used. `line` counts from 1, the header line included."""

    line: int
    reason: str


Row = TypeVar("Row", CaisseRow, AmcRow, PractitionerRow)


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """The usable rows with their line numbers, and the refused lines, both in the order of the file."""

    rows: tuple[tuple[int, Row], ...]
    refused: tuple[Refusal, ...]


class _LineError(Exception):
    """Why a line is refused; never leaves this file."""


def insurer_table_kind(data: bytes) -> TableKind:
    """Whether a file is the official table of caisses or the list of AMC. FormatError when it is neither."""
    header = _header(_lines(data))
    if _is_official(header):
        return TableKind.AMO
    if set(_AMC_COLUMNS) <= set(header):
        return TableKind.AMC
    raise FormatError(
        "table-inconnue",
        "Colonnes inconnues : ni la table officielle des organismes destinataires (orgdest.csv), ni "
        f"« {_SEPARATOR.join(_AMC_COLUMNS)} ».",
    )


def read_caisses(data: bytes) -> Table[CaisseRow]:
    """The official table, whose columns are known by their places; a column « adresse électronique » is used."""
    lines = _lines(data)
    header = _header(lines)
    if not _is_official(header):
        raise FormatError("table-inconnue", "Ce n'est pas la table officielle des organismes destinataires.")
    mailbox = next((at for at, name in enumerate(header) if name in _MAILBOX_COLUMNS), None)

    def read(cells: Sequence[str]) -> CaisseRow:
        given = cells[mailbox].strip() if mailbox is not None else ""
        return CaisseRow(
            regime=_regime(cells[0]),
            caisse=_digits(cells[1], 3, "caisse gestionnaire"),
            centre=_digits(cells[2], 4, "centre gestionnaire"),
            label=_label(cells[3], "libellé"),
            organism=_digits(cells[5], 3, "organisme destinataire"),
            computer_centre=_digits(cells[6], 3, "centre informatique"),
            address=_address(given) if given else "",
        )

    return _one_address_each(_read(lines, len(header), read))


def read_amcs(data: bytes) -> Table[AmcRow]:
    """`numero;code_routage;hote;libelle;adresse`, in any order of the columns."""
    lines = _lines(data)
    header = _header(lines)
    at = _places(header, _AMC_COLUMNS)

    def read(cells: Sequence[str]) -> AmcRow:
        return AmcRow(
            number=_amc_number(cells[at["numero"]]),
            route=_code(cells[at["code_routage"]], 2, "code de routage"),
            host=_code(cells[at["hote"]], 3, "hôte"),
            label=_label(cells[at["libelle"]], "libellé"),
            address=_address(cells[at["adresse"]]),
        )

    return _read(lines, len(header), read)


def read_practitioners(data: bytes, professions: Professions) -> Table[PractitionerRow]:
    """`numero;type;nom;adresse`, in any order of the columns."""
    lines = _lines(data)
    header = _header(lines)
    at = _places(header, _PRACTITIONER_COLUMNS)

    def read(cells: Sequence[str]) -> PractitionerRow:
        profession = cells[at["type"]].strip().upper()
        if not professions.known(profession):
            raise _LineError(f"type « {_shown(profession)} » inconnu : {', '.join(sorted(professions.labels))}")
        return PractitionerRow(
            number=_digits(cells[at["numero"]], 9, "numéro"),
            type=profession,
            name=_label(cells[at["nom"]], "nom"),
            address=_address(cells[at["adresse"]]),
        )

    return _read(lines, len(header), read)


_AMC_COLUMNS = ("numero", "code_routage", "hote", "libelle", "adresse")
_PRACTITIONER_COLUMNS = ("numero", "type", "nom", "adresse")
_MAILBOX_COLUMNS = frozenset({"adresse_electronique", "adresse_mail", "courriel", "e_mail", "email", "mail"})
_OFFICIAL_WORDS: Mapping[int, str] = {
    0: "regime",
    1: "caisse",
    2: "centre",
    3: "libelle",
    5: "organisme",
    6: "centre",
}
"""What the first columns of the official table speak of; their exact wording changed over the years."""


def _lines(data: bytes) -> list[str]:
    for encoding in ("utf-8-sig", "cp1252"):  # Windows' latin-1
        try:
            return data.decode(encoding).split("\n")
        except UnicodeDecodeError:
            continue
    raise FormatError("table-illisible", "Ce fichier n'est pas un texte en UTF-8 ou latin-1.")


def _header(lines: Sequence[str]) -> list[str]:
    try:
        return [_plain(cell) for cell in _cells(lines[0])]
    except _LineError as error:
        raise FormatError("table-illisible", f"Ligne 1 : {error}.") from None


def _plain(name: str) -> str:
    """A column's name without case, accents or punctuation: `code_regime`."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "_".join("".join(letter if letter.isalnum() else " " for letter in letters).split())


def _is_official(header: Sequence[str]) -> bool:
    return len(header) > max(_OFFICIAL_WORDS) and all(word in header[at] for at, word in _OFFICIAL_WORDS.items())


def _places(header: Sequence[str], wanted: Sequence[str]) -> Mapping[str, int]:
    missing = [name for name in wanted if name not in header]
    if missing:
        raise FormatError(
            "table-inconnue",
            f"Première ligne attendue : « {_SEPARATOR.join(wanted)} » ; il manque {', '.join(missing)}.",
        )
    return {name: header.index(name) for name in wanted}


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r")], delimiter=_SEPARATOR, strict=True), [])
    except csv.Error:
        raise _LineError("guillemets mal placés ou ligne trop longue") from None


def _read(lines: Sequence[str], width: int, read: Callable[[Sequence[str]], Row]) -> Table[Row]:
    rows: list[tuple[int, Row]] = []
    refused: list[Refusal] = []
    known: dict[tuple[str, ...], tuple[int, Row]] = {}
    for number, line in _content(lines):
        try:
            row = read(_whole(_cells(line), width))
            first, same = known.setdefault(row.key, (number, row))
            if same != row:
                raise _LineError(f"déjà donné à la ligne {first} avec d'autres valeurs")
        except _LineError as error:
            refused.append(Refusal(number, str(error)))
            continue
        if first == number:
            rows.append((number, row))
    return Table(tuple(rows), tuple(refused))


def _content(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The lines under the header that hold something."""
    return ((number, line) for number, line in enumerate(lines[1:], start=2) if line.strip(f'{_SEPARATOR}" \r\t'))


def _whole(cells: list[str], width: int) -> list[str]:
    """A row that spreadsheets cut after its last filled cell is completed."""
    if len(cells) > width:
        raise _LineError(f"{len(cells)} colonnes au lieu de {width}")
    return cells + [""] * (width - len(cells))


def _one_address_each(table: Table[CaisseRow]) -> Table[CaisseRow]:
    """Several caisses lead to one insurer, which has one address: a line that gives it another is refused."""
    rows: list[tuple[int, CaisseRow]] = []
    refused = list(table.refused)
    known: dict[tuple[str, str, str], tuple[int, str]] = {}
    for number, row in table.rows:
        first, address = known.setdefault(row.insurer_key, (number, row.address)) if row.address else (number, "")
        if address == row.address:
            rows.append((number, row))
        else:
            refused.append(Refusal(number, f"autre adresse qu'à la ligne {first} pour le même organisme destinataire"))
    return Table(tuple(rows), tuple(sorted(refused, key=lambda one: one.line)))


def _digits(text: str, length: int, what: str) -> str:
    value = text.strip()
    if len(value) != length or not (value.isascii() and value.isdigit()):
        raise _LineError(f"{what} « {_shown(value)} » : {length} chiffres attendus")
    return value


def _regime(text: str) -> str:
    value = _digits(text, 2, "régime")
    if value == "00":
        raise _LineError("régime « 00 » : ce régime n'existe pas")
    return value


def _amc_number(text: str) -> str:
    value = text.strip()
    if not (value.isascii() and value.isdigit()) or len(value) > 10 or not value.strip("0"):
        raise _LineError(f"numéro « {_shown(value)} » : 10 chiffres au plus attendus")
    return value.zfill(10)


def _code(text: str, longest: int, what: str) -> str:
    """Capitals and digits, or nothing."""
    value = text.strip().upper()
    if len(value) > longest or (value and not (value.isascii() and value.isalnum())):
        raise _LineError(f"{what} « {_shown(value)} » : {longest} lettres ou chiffres au plus")
    return value


def _label(text: str, what: str) -> str:
    value = " ".join(text.split())[:_LABEL_LENGTH]
    if not value:
        raise _LineError(f"{what} absent")
    if not value.isprintable():
        raise _LineError(f"{what} : caractère interdit")
    return value


def _address(text: str) -> str:
    value = text.strip().lower()
    if not value:
        raise _LineError("adresse absente")
    if len(value) > ADDRESS_LENGTH or not ADDRESS.fullmatch(value):
        raise _LineError(f"adresse « {_shown(value)} » incorrecte")
    return value


def _shown(value: str) -> str:
    """A faulty value as a line of text may quote it."""
    return "".join(letter if letter.isprintable() else "?" for letter in value[:40])
