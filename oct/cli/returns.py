"""`oct returns`: what the insurers answered, sent again, to the PS's own mailbox or to the one hosted here (R5, R6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oct.cli.opening import (
    ConfigOption,
    JsonOption,
    actor,
    at_desk,
    at_work,
    checked_address,
    checked_day,
    note_command,
)
from oct.cli.printing import Instant, print_rows
from oct.cli.usage import Noun
from oct.domain import words
from oct.errors import ConfigurationError, RuleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from oct.domain.model import Practitioner
    from oct.store.returns import KeptReturn, Return

app = Noun("Les retours des assureurs : retrouver, renvoyer, détourner une boîte en panne.")

PsOption = Annotated[str | None, typer.Option("--ps", metavar="NUMERO", help="Ceux d'un PS.")]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="DATE", help="Reçus depuis ce jour : 2026-11-21 ou 21/11/2026.")
]
DomainOption = Annotated[
    str | None, typer.Option("--domain", metavar="DOMAINE", help="Tous les PS dont la boîte est de ce domaine.")
]

_RECENT_MS = 30 * 86_400_000


@app.command("list")
def list_(
    number: PsOption = None,
    since: SinceOption = None,
    to: Annotated[str | None, typer.Option("--to", metavar="ADRESSE", help="Envoyés à cette adresse.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Liste les retours, le plus ancien d'abord.

    Sans --since : ceux des 30 derniers jours.
    """
    from oct.cli.ps import account_of
    from oct.store import returns

    address = to and checked_address(to)
    start = checked_day(since) if since is not None else None
    with at_desk(config) as desk:
        with desk.store.read() as conn:
            owner = account_of(conn, number).id if number is not None else None
            found = returns.listing(
                conn, since=desk.now - _RECENT_MS if start is None else start, practitioner_id=owner, sent_to=address
            )
            rows = _rows(conn, found)
        note_command(desk, "returns list", ps=number or "", depuis=since or "", retours=len(rows))
    headings = {
        "id": "Id",
        "recu": "Reçu",
        "genre": "Genre",
        "ps": "PS",
        "assureur": "Assureur",
        "suivi": "Suivi",
        "etat": "État",
        "adresse": "Adresse",
    }
    print_rows(rows, headings, as_json=as_json, empty="Aucun retour.")


@app.command()
def redeliver(
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Numéros (« oct returns list »).")] = None,
    number: PsOption = None,
    since: SinceOption = None,
    to: Annotated[str | None, typer.Option("--to", metavar="ADRESSE", help="À cette adresse, cette fois.")] = None,
    config: ConfigOption = None,
) -> None:
    """Renvoie des retours : ceux-là, ou tous ceux d'un PS depuis un jour.

    Les mêmes octets, à la boîte du PS ou à l'adresse donnée ; une boîte hébergée les montre à nouveau.
    """
    from oct.steps.redelivery import redeliver as send_again

    if bool(ids) == (number is not None and since is not None) or (number is None) != (since is None):
        raise ConfigurationError("choix-a-dire", "Donnez des numéros de retour, ou --ps NUMERO --since DATE.")
    address = to and checked_address(to)
    start = checked_day(since) if since is not None else 0
    with at_work(config) as workshop:
        with workshop.store.read() as conn:
            chosen = _of_ids(conn, ids) if ids else _of_practitioner(conn, number or "", start)
        done = send_again(workshop, chosen, actor(), address)
    print(f"Retours renvoyés : {done.sent} ; déjà en attente d'envoi : {done.waiting} ; "
          f"n'existant plus, leur conservation ayant pris fin : {done.gone}.")  # fmt: skip


@app.command()
def divert(number: PsOption = None, domain: DomainOption = None, config: ConfigOption = None) -> None:
    """Détourne vers la boîte hébergée : la boîte du PS est en panne.

    Ce qui attend y va aussitôt, ce qui suivra aussi.
    """
    from oct.steps.hosting import divert as move

    with at_work(config) as workshop:
        with workshop.store.read() as conn:
            accounts = _accounts(conn, number, domain)
        moved = move(workshop, accounts, actor())
    print(f"PS concernés : {len(accounts)} ; détournés : {moved}.")


@app.command()
def restore(number: PsOption = None, domain: DomainOption = None, config: ConfigOption = None) -> None:
    """Rétablit l'envoi à la boîte du PS.

    Ce qui n'a pas été relevé dans la boîte hébergée y est envoyé.
    """
    from oct.steps.hosting import restore as move_back

    with at_work(config) as workshop:
        with workshop.store.read() as conn:
            accounts = _accounts(conn, number, domain)
        moved = move_back(workshop, accounts, actor())
    print(f"PS concernés : {len(accounts)} ; rétablis : {moved}.")


def _rows(conn: Connection, found: Sequence[KeptReturn]) -> list[dict[str, Any]]:
    from oct.store import insurers, practitioners

    numbers = {account.id: account.number for account in practitioners.list_all(conn)}
    labels = {insurer.id: insurer.label for insurer in insurers.list_all(conn)}
    return [
        {
            "id": kept.one.id,
            "recu": Instant(kept.one.received_at),
            "genre": kept.one.kind,
            "reference": kept.one.reference,
            "ps": numbers.get(kept.one.practitioner_id or 0, ""),
            "assureur": labels.get(kept.one.insurer_id or 0, ""),
            "suivi": kept.trace,
            "etat": _state(kept),
            "adresse": kept.recipient,
            "taille": kept.one.size,
            "sha256": kept.one.sha256.hex(),
        }
        for kept in found
    ]


def _state(kept: KeptReturn) -> str:
    if kept.fetched_at is not None:
        return f"relevé le {Instant(kept.fetched_at)}"
    if kept.hosted:
        return "en boîte hébergée"
    return words.word(words.CONSIGNMENT, kept.sending) or words.word(words.RETURN, kept.one.state)


def _of_ids(conn: Connection, ids: Sequence[int]) -> list[Return]:
    from oct.store import returns

    chosen = []
    for return_id in dict.fromkeys(ids):
        one = returns.by_id(conn, return_id)
        if one is None:
            raise RuleError("retour-inconnu", f"Aucun retour ne porte le numéro {return_id} : « oct returns list ».")
        if one.consignment_id is None:
            raise RuleError("retour-sans-ps", f"Le retour {return_id} n'a été envoyé à aucun PS.")
        chosen.append(one)
    return chosen


def _of_practitioner(conn: Connection, number: str, since: int) -> list[Return]:
    from oct.cli.ps import account_of
    from oct.store import returns

    return returns.of_practitioner(conn, account_of(conn, number).id, since)


def _accounts(conn: Connection, number: str | None, domain: str | None) -> list[Practitioner]:
    """One account, or those whose registered mailbox is of a domain."""
    from oct.cli.ps import account_of
    from oct.store import practitioners

    if (number is None) == (domain is None):
        raise ConfigurationError("choix-a-dire", "Donnez --ps NUMERO ou --domain DOMAINE.")
    if number is not None:
        return [account_of(conn, number)]
    ending = f"@{(domain or '').lower().lstrip('@')}"
    accounts = [account for account in practitioners.list_all(conn) if account.address.endswith(ending)]
    if not accounts:
        raise RuleError("domaine-inconnu", f"Aucun PS n'a sa boîte à l'adresse …{ending}.")
    return accounts
