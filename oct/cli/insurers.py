"""`oct insurers`: the AMO and AMC that files go to, imported from the official tables, and how each wants its files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oct.cli.opening import (
    ConfigOption,
    Desk,
    JsonOption,
    at_desk,
    checked_address,
    checked_label,
    read_given,
)
from oct.cli.printing import print_fields, print_rows
from oct.cli.usage import Noun
from oct.errors import ConfigurationError, FormatError, RuleError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oct.domain.model import Insurer
    from oct.steps.register.imports import Imported

app = Noun("Les assureurs : AMO et AMC, adresses, forme des envois.")

Reference = Annotated[
    str, typer.Argument(metavar="ASSUREUR", help="Identifiant de la liste, adresse, ou numéro d'AMC (8 à 10 chiffres).")
]


class Cipher(StrEnum):
    """The ciphers an envelope may have."""

    AES_128_CBC = "aes-128-cbc"
    AES_256_CBC = "aes-256-cbc"


class Compression(StrEnum):
    """A5."""

    GZIP = "gzip"
    ZLIB = "zlib"
    NONE = "none"


class Form(StrEnum):
    """A4: the bare file, or a MIME entity that holds it."""

    FILE = "file"
    MIME = "mime"


@app.command("import")
def import_(
    table: Annotated[Path, typer.Argument(metavar="FICHIER", help="orgdest.csv (AMO) ou amc.csv (AMC).")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Importe une table officielle, reconnue à ses colonnes.

    Chaque ligne refusée est dite avec sa raison ; les autres sont prises.
    """
    from oct.cli.imported import print_import
    from oct.formats.tables import TableKind, insurer_table_kind

    data = read_given(table)
    with at_desk(config) as desk:
        try:
            kind = insurer_table_kind(data)
        except FormatError as error:
            raise ConfigurationError(error.code, f"{table} : {error.sentence}") from error
        imported = _import_amo(desk, data) if kind is TableKind.AMO else _import_amc(desk, data)
    print_import("Caisses" if kind is TableKind.AMO else "AMC", imported, as_json=as_json)


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Liste les assureurs."""
    from oct.store import insurers

    with at_desk(config) as desk, desk.store.read() as conn:
        rows = [_fields(insurer) for insurer in insurers.list_all(conn)]
    headings = {
        "id": "Id",
        "genre": "Genre",
        "code": "Code",
        "libelle": "Libellé",
        "adresse": "Adresse",
        "actif": "Actif",
    }
    empty = "Aucun assureur : « oct insurers import orgdest.csv », puis « oct insurers import amc.csv »."
    print_rows(rows, headings, as_json=as_json, empty=empty)


@app.command()
def show(reference: Reference, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Montre un assureur et les caisses qui y mènent."""
    from oct.store import insurers

    with at_desk(config) as desk, desk.store.read() as conn:
        insurer = find_insurer(conn, reference)
        directory = insurers.load_directory(conn)
    led = sorted("/".join(key) for key, led_to in directory.caisses.items() if led_to == insurer.id)
    print_fields({**_fields(insurer), "caisses": led}, as_json=as_json)


@app.command("set")
def set_(
    reference: Reference,
    label: Annotated[str | None, typer.Option("--label", metavar="TEXTE", help="Libellé.")] = None,
    address: Annotated[
        str | None, typer.Option("--address", metavar="ADRESSE", help="Où partent ses fichiers.")
    ] = None,
    cipher: Annotated[Cipher | None, typer.Option("--cipher", help="Chiffrement.", show_default=False)] = None,
    compression: Annotated[
        Compression | None, typer.Option("--compression", help="Compression.", show_default=False)
    ] = None,
    form: Annotated[
        Form | None,
        typer.Option("--form", help="Ce qui est chiffré : le fichier seul, ou une entité MIME.", show_default=False),
    ] = None,
    enabled: Annotated[
        bool | None, typer.Option("--enabled/--disabled", help="Reçoit des fichiers, ou plus.", show_default=False)
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Change un assureur : ce qui est donné seulement."""
    from oct.store import events, insurers
    from oct.store.events import Event

    fields: dict[str, Any] = {
        "label": label and checked_label(label),
        "address": address and checked_address(address),
        "cipher": cipher and cipher.value,
        "compression": compression and compression.value,
        "plaintext_form": form and form.value,
        "enabled": enabled,
    }
    with at_desk(config) as desk, desk.store.begin() as conn:
        insurer = find_insurer(conn, reference)
        insurers.set_fields(conn, insurer.id, **fields)
        data = {field: value for field, value in fields.items() if value is not None}
        events.append(
            conn, [Event(desk.now, "assureur", "modifie", insurer_id=insurer.id, actor=desk.actor, data=data)]
        )
    print(f"Assureur {insurer.id} ({insurer.label}) modifié.")


def find_insurer(conn: Connection, reference: str) -> Insurer:
    """The insurer that a person names. RuleError when there is none, or several at that address."""
    from oct.store import insurers

    if "@" in reference:
        found = insurers.by_address(conn, reference)
    elif reference.isascii() and reference.isdigit():
        known = insurers.list_all(conn)
        found = [one for one in known if one.number and one.number.lstrip("0") == reference.lstrip("0")]
        found = found or [one for one in known if one.id == int(reference)]
    else:
        found = []
    if len(found) > 1:
        several = ", ".join(str(one.id) for one in found)
        raise RuleError("assureurs-nombreux", f"Plusieurs assureurs ont cette adresse : donnez l'un de {several}.")
    if not found:
        raise RuleError("assureur-inconnu", f"Aucun assureur ne répond à « {reference} » : « oct insurers list ».")
    return found[0]


def _import_amo(desk: Desk, data: bytes) -> Imported:
    from oct.formats.regimes import Regimes
    from oct.formats.tables import read_caisses
    from oct.settings.data_files import data_file
    from oct.steps.register.imports import import_caisses

    regimes = Regimes.from_toml(data_file(desk.settings.formats.regimes, "regimes.toml"))
    with desk.store.begin() as conn:
        return import_caisses(conn, read_caisses(data), regimes, desk.now, desk.actor)


def _import_amc(desk: Desk, data: bytes) -> Imported:
    from oct.formats.tables import read_amcs
    from oct.steps.register.imports import import_amcs

    with desk.store.begin() as conn:
        return import_amcs(conn, read_amcs(data), desk.now, desk.actor)


def _fields(insurer: Insurer) -> dict[str, Any]:
    return {
        "id": insurer.id,
        "genre": insurer.kind.value,
        "code": insurer.number or f"{insurer.regime}/{insurer.organism}/{insurer.centre}",
        "libelle": insurer.label,
        "adresse": insurer.address,
        "type_destinataire": insurer.recipient_type,
        "numero_destinataire": insurer.recipient_number,
        "routage": insurer.route,
        "hote": insurer.host,
        "chiffrement": insurer.cipher,
        "compression": insurer.compression,
        "forme": insurer.plaintext_form,
        "actif": insurer.enabled,
    }
