"""`oct held`: what waits for a person, and what may be decided of it: release, route elsewhere, refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oct.cli.opening import ConfigOption, JsonOption, actor, at_desk, at_work, note_command
from oct.cli.printing import Instant, instant, print_fields, print_rows
from oct.cli.usage import Noun
from oct.domain import words
from oct.errors import ConfigurationError, RuleError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from oct.store.holds import Hold

app = Noun("Ce qui attend une décision : libérer, réacheminer, refuser.")

HoldId = Annotated[int, typer.Argument(metavar="ID", help="Numéro de la retenue (« oct held list »).")]

_PAGE = 500


@app.command("list")
def list_(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Liste les retenues ouvertes, la plus ancienne d'abord."""
    with at_desk(config) as desk:
        with desk.store.read() as conn:
            rows = [_row(conn, hold) for hold in _open_holds(conn)]
        note_command(desk, "held list")
    headings = {
        "id": "Id",
        "depuis": "Depuis",
        "objet": "Objet",
        "suivi": "Suivi",
        "ps": "PS",
        "lots": "Lots",
        "motif": "Motif",
    }
    print_rows(rows, headings, as_json=as_json, empty="Rien n'attend de décision.")


@app.command()
def show(hold_id: HoldId, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Montre une retenue."""
    from oct.store import holds

    with at_desk(config) as desk:
        with desk.store.read() as conn:
            hold = holds.by_id(conn, hold_id)
            if hold is None:
                raise RuleError("retenue-inconnue", f"Aucune retenue ne porte le numéro {hold_id}.")
            fields = _row(conn, hold)
        note_command(desk, "held show", message_id=hold.message_id, retenue=hold_id)
    print_fields(fields, as_json=as_json)


@app.command()
def release(hold_id: HoldId, config: ConfigOption = None) -> None:
    """Laisse partir ce qui attend, si ce qui l'empêchait est réglé."""
    from oct.steps.release import release as let_go

    with at_work(config) as workshop:
        let_go(workshop, hold_id, actor())
    print(f"Retenue {hold_id} libérée.")


@app.command()
def route(
    hold_id: HoldId,
    to: Annotated[
        str | None, typer.Option("--to", metavar="ASSUREUR", help="Identifiant, adresse ou numéro d'AMC.")
    ] = None,
    number: Annotated[
        str | None, typer.Option("--ps", metavar="NUMERO", help="Pour un retour : le PS à qui il revient.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Envoie ce qui attend à un assureur désigné, ou un retour à un PS."""
    from oct.cli.insurers import find_insurer
    from oct.cli.ps import account_of
    from oct.steps.attribution import give
    from oct.steps.release import release as let_go

    if (to is None) == (number is None):
        raise ConfigurationError("destinataire-a-dire", "Donnez --to ASSUREUR, ou --ps NUMERO pour un retour.")
    with at_work(config) as workshop:
        if number is not None:
            with workshop.store.read() as conn:
                account = account_of(conn, number)
            give(workshop, hold_id, actor(), account)
            print(f"Retenue {hold_id} envoyée au PS {account.number}.")
            return
        with workshop.store.read() as conn:
            insurer = find_insurer(conn, to or "")
        let_go(workshop, hold_id, actor(), insurer)
    print(f"Retenue {hold_id} envoyée à {insurer.label}.")


@app.command()
def refuse(
    hold_id: HoldId,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXTE", help="Raison, dite au PS telle quelle.")],
    config: ConfigOption = None,
) -> None:
    """Refuse ce qui attend.

    Il ne partira jamais ; le PS apprend pourquoi (sauf d'un retour, dont on ne sait à qui il est).
    """
    from oct.steps.release import refuse as turn_down

    with at_work(config) as workshop:
        turn_down(workshop, hold_id, actor(), reason)
    print(f"Retenue {hold_id} refusée.")


def _open_holds(conn: Connection) -> Iterator[Hold]:
    from oct.store import holds

    last = 0
    while page := holds.list_open(conn, limit=_PAGE, after=last):
        yield from page
        last = page[-1].id


def _row(conn: Connection, hold: Hold) -> dict[str, Any]:
    from oct.store import insurers, lots, messages, practitioners

    message = messages.by_id(conn, hold.message_id)
    carried = lots.of_hold(conn, hold.id, hold.consignment_id)
    waiting = [lot for lot in carried if lot.code != lots.REPLACED]
    owners = {lot.practitioner_id for lot in waiting} or {message.practitioner_id if message is not None else None}
    accounts = [practitioners.by_id(conn, owner) for owner in sorted(filter(None, owners))]
    insurer = insurers.by_id(conn, hold.insurer_id or 0)
    return {
        "id": hold.id,
        "depuis": Instant(hold.opened_at),
        "objet": words.word(words.SUBJECT, hold.subject),
        "suivi": message.trace if message is not None else "",
        "ps": ", ".join(account.number for account in accounts if account is not None),
        "lots": [f"{lot.ps_number}/{lot.number}/{lot.lot_date}" for lot in waiting],
        "assureur": insurer.label if insurer is not None else "",
        "code": hold.code,
        "motif": hold.sentence,
        "decision": hold.decision,
        "close": instant(hold.closed_at),
    }
