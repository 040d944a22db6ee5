"""`oct ps`: the practitioners, their numbers, addresses, certificates, and where they take their returns."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oct.cli import DOES_NOT_HOLD, complain
from oct.cli.hosted import asked_mailbox, login_of, mailbox_fields, open_mailbox, tell_password
from oct.cli.opening import (
    ConfigOption,
    Desk,
    JsonOption,
    at_desk,
    checked_address,
    checked_label,
    checked_number,
    read_given,
)
from oct.cli.printing import print_fields, print_rows
from oct.cli.usage import Noun
from oct.errors import ConfigurationError, FormatError, RuleError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oct.domain.model import Practitioner
    from oct.formats.professions import Professions

app = Noun("Les PS : numéros, type, adresses, certificat, mode de retour.")

Number = Annotated[str, typer.Argument(metavar="NUMERO", help="Un numéro du PS, 9 chiffres.")]
Certificate = Annotated[
    Path | None, typer.Option("--certificate", metavar="FICHIER", help="Son certificat : les retours seront chiffrés.")
]


class Mode(StrEnum):
    """Where returns go: the domain's own values, named here so that help needs no import."""

    SMTP = "smtp"
    BOITE = "boite"


ModeOption = Annotated[
    Mode | None, typer.Option("--return", help="Retours : smtp (sa boîte) ou boite (hébergée ici).", show_default=False)
]
LoginOption = Annotated[
    str | None,
    typer.Option("--mailbox", metavar="LOGIN", help="Ouvre la boîte hébergée, ou lui donne un nouveau mot de passe."),
]
PasswordOption = Annotated[
    str | None,
    typer.Option("--mailbox-password", metavar="-", help="« - » : son mot de passe est lu sur l'entrée standard."),
]


@app.command()
def add(
    number: Number,
    type_: Annotated[str, typer.Option("--type", metavar="XX", help="Type de PS : IF, MK, ER…")],
    name: Annotated[str, typer.Option("--name", metavar="NOM", help="Nom du cabinet ou du PS.")],
    address: Annotated[
        str, typer.Option("--address", metavar="ADRESSE", help="Sa boîte : tout ce qui lui revient y va.")
    ],
    other_numbers: Annotated[
        list[str] | None, typer.Option("--other-number", metavar="NUMERO", help="Autre numéro du même compte.")
    ] = None,
    senders: Annotated[
        list[str] | None, typer.Option("--from", metavar="ADRESSE", help="Autre adresse d'où il écrit.")
    ] = None,
    mode: ModeOption = None,
    mailbox: LoginOption = None,
    mailbox_password: PasswordOption = None,
    certificate: Certificate = None,
    config: ConfigOption = None,
) -> None:
    """Ouvre un compte."""
    from oct.domain.model import ReturnMode
    from oct.store import practitioners

    checked_number(number)
    opened = asked_mailbox(mailbox, mailbox_password, wanted=mode is Mode.BOITE, default=number)
    with at_desk(config) as desk:
        fields = {"type": _checked_type(desk, type_), "name": checked_label(name), "address": checked_address(address)}
        with desk.store.begin() as conn:
            account = practitioners.add(
                conn, number=number, now=desk.now, return_mode=ReturnMode(mode or Mode.SMTP), **fields
            )
            _attach(conn, account, other_numbers, senders)
            open_mailbox(conn, account, opened)
            _note(conn, desk, "ouvert", account, ["type", "nom", "adresse", *(["boite"] if opened else [])])
        _enrol(desk, certificate, fields["address"])
    print(f"PS {number} ajouté.")
    tell_password(opened)


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Liste les comptes."""
    from oct.store import mailboxes, practitioners

    with at_desk(config) as desk, desk.store.read() as conn:
        hosted = {one.practitioner_id: one for one in practitioners.hosted_accounts(conn)}
        held = mailboxes.all_counts(conn)
        rows = [
            {**_fields(account), **mailbox_fields(hosted.get(account.id), held.get(account.id))}
            for account in practitioners.list_all(conn)
        ]
    headings = {
        "numero": "Numéro",
        "type": "Type",
        "nom": "Nom",
        "adresse": "Adresse",
        "retours": "Retours",
        "detourne_depuis": "Détourné depuis",
        "a_relever": "À relever",
        "etat": "État",
    }
    print_rows(rows, headings, as_json=as_json, empty="Aucun PS : « oct ps add » ou « oct ps import ».")


@app.command()
def show(number: Number, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Montre un compte."""
    from oct.clock import utc
    from oct.store import certificates, mailboxes, practitioners

    with at_desk(config) as desk, desk.store.read() as conn:
        account = account_of(conn, number)
        own = [
            f"{one.serial} jusqu'au {utc(one.not_after):%d/%m/%Y}"
            for one in certificates.list_all(conn)
            if one.address == account.address and one.retired_at is None
        ]
        hosted = next((one for one in practitioners.hosted_accounts(conn) if one.practitioner_id == account.id), None)
        returned = mailbox_fields(hosted, mailboxes.counts(conn, account.id))
    print_fields({**_fields(account), **returned, "certificats": own}, as_json=as_json)


@app.command("set")
def set_(
    number: Number,
    type_: Annotated[str | None, typer.Option("--type", metavar="XX", help="Type de PS.")] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NOM", help="Nom.")] = None,
    address: Annotated[str | None, typer.Option("--address", metavar="ADRESSE", help="Nouvelle boîte.")] = None,
    other_numbers: Annotated[
        list[str] | None, typer.Option("--other-number", metavar="NUMERO", help="Numéro à ajouter au compte.")
    ] = None,
    senders: Annotated[
        list[str] | None, typer.Option("--from", metavar="ADRESSE", help="Adresse d'envoi à ajouter.")
    ] = None,
    not_from: Annotated[
        list[str] | None, typer.Option("--not-from", metavar="ADRESSE", help="Adresse d'envoi à retirer.")
    ] = None,
    mode: ModeOption = None,
    mailbox: LoginOption = None,
    mailbox_password: PasswordOption = None,
    certificate: Certificate = None,
    config: ConfigOption = None,
) -> None:
    """Change un compte : ce qui est donné seulement."""
    from oct.domain.model import ReturnMode
    from oct.steps.hosting import move_out
    from oct.store import consignments, practitioners

    with at_desk(config) as desk:
        with desk.store.read() as conn:
            login = login_of(conn, account_of(conn, number).id)
        wanted = mode is Mode.BOITE and login is None
        opened = asked_mailbox(mailbox, mailbox_password, wanted=wanted, default=login or number)
        fields: dict[str, Any] = {
            "type": type_ and _checked_type(desk, type_),
            "name": name and checked_label(name),
            "address": address and checked_address(address),
            "return_mode": mode and ReturnMode(mode),
        }
        with desk.store.begin() as conn:
            account = account_of(conn, number)
            practitioners.set_fields(conn, account.id, **fields)
            _attach(conn, account.id, other_numbers, senders)
            for gone in not_from or ():
                _detach(conn, account, gone)
            open_mailbox(conn, account.id, opened)
            if mode is Mode.BOITE:
                consignments.hasten(conn, account.id, fields["address"] or account.address, desk.now)
            moved = move_out(conn, account.id, desk.now) if mode is Mode.SMTP else 0
            changed = [field for field, value in fields.items() if value is not None]
            _note(conn, desk, "modifie", account.id, [*changed, *(["boite"] if opened else [])])
        _enrol(desk, certificate, fields["address"] or account.address)
    print(f"PS {account.number} modifié.")
    if moved:
        print(f"Non relevés, ils partent vers sa propre boîte : {moved} messages de la boîte hébergée.")
    tell_password(opened)


@app.command()
def close(number: Number, config: ConfigOption = None) -> None:
    """Ferme un compte.

    Il n'envoie plus ; ses retours lui parviennent encore.
    """
    from oct.store import practitioners

    with at_desk(config) as desk, desk.store.begin() as conn:
        account = account_of(conn, number)
        practitioners.close(conn, account.id, desk.now)
        _note(conn, desk, "ferme", account.id, [])
    print(f"PS {account.number} fermé.")


@app.command("import")
def import_(
    table: Annotated[Path, typer.Argument(metavar="FICHIER", help="CSV « numero;type;nom;adresse ».")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Importe une table de PS.

    Chaque ligne refusée est dite avec sa raison ; les autres sont prises.
    """
    from oct.cli.imported import print_import
    from oct.formats.tables import read_practitioners
    from oct.steps.register.imports import import_practitioners

    data = read_given(table)
    with at_desk(config) as desk:
        try:
            rows = read_practitioners(data, _professions(desk))
        except FormatError as error:
            raise ConfigurationError(error.code, f"{table} : {error.sentence}") from error
        with desk.store.begin() as conn:
            imported = import_practitioners(conn, rows, desk.now, desk.actor)
    print_import("PS", imported, as_json=as_json)


def _professions(desk: Desk) -> Professions:
    from oct.formats.professions import Professions
    from oct.settings.data_files import data_file

    return Professions.from_toml(data_file(desk.settings.formats.professions, "professions.toml"))


def _checked_type(desk: Desk, given: str) -> str:
    professions = _professions(desk)
    code = given.upper()
    if not professions.known(code):
        raise ConfigurationError(
            "type-inconnu", f"Type de PS « {given} » inconnu ; au choix : {', '.join(sorted(professions.labels))}."
        )
    return code


def account_of(conn: Connection, number: str) -> Practitioner:
    """The account that a PS number belongs to. RuleError when nobody has it."""
    from oct.store import practitioners

    account = practitioners.by_number(conn, checked_number(number))
    if account is None:
        raise RuleError("ps-inconnu", f"Aucun PS n'a le numéro {number} : « oct ps list ».")
    return account


def _attach(conn: Connection, account: int, numbers: list[str] | None, senders: list[str] | None) -> None:
    from oct.store import practitioners

    for number in numbers or ():
        practitioners.add_number(conn, account, checked_number(number))
    for sender in senders or ():
        practitioners.add_address(conn, account, checked_address(sender))


def _detach(conn: Connection, account: Practitioner, address: str) -> None:
    from oct.store import practitioners

    if not practitioners.remove_address(conn, account.id, address):
        raise RuleError("adresse-inconnue", f"Le PS {account.number} n'écrit pas depuis {address}.")


def _note(conn: Connection, desk: Desk, outcome: str, account: int, changed: list[str]) -> None:
    from oct.store import events
    from oct.store.events import Event

    data = {"champs": changed}
    events.append(conn, [Event(desk.now, "praticien", outcome, practitioner_id=account, actor=desk.actor, data=data)])


def _enrol(desk: Desk, certificate: Path | None, address: str) -> None:
    from oct.cli.certs import enrol_files

    if certificate is not None and not enrol_files(desk, [certificate], address):
        complain("Le certificat n'a pas été pris.")
        raise typer.Exit(DOES_NOT_HOLD)


def _fields(account: Practitioner) -> dict[str, Any]:
    return {
        "numero": account.number,
        "type": account.type,
        "nom": account.name,
        "adresse": account.address,
        "retours": account.return_mode.value,
        "etat": "fermé" if account.closed else "ouvert",
        "autres_numeros": sorted(account.numbers - {account.number}),
        "adresses_d_envoi": sorted(account.addresses),
    }
