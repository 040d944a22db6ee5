"""`oct status`: what is where, how long the queues are, what needs a person (K1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from oct.cli import DOES_NOT_HOLD
from oct.cli.opening import ConfigOption, JsonOption, at_desk
from oct.cli.printing import Instant, instant, print_json
from oct.domain import words

if TYPE_CHECKING:
    from oct.steps.register.validity import Finding
    from oct.store.overview import Overview

_UNANSWERED, _MANUAL = "unanswered", "manual"


def status(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Dit où en est chaque flux.

    Sortie 1 si quelque chose demande une personne.
    """
    from oct.bootstrap import standing_alerts
    from oct.cli.certs import findings_at
    from oct.steps.alerts.door import refusals_of_the_day
    from oct.steps.alerts.traffic import traffic_alerts
    from oct.store.overview import overview

    with at_desk(config) as desk:
        with desk.store.read() as conn:
            seen = overview(conn, desk.now)
            refused = refusals_of_the_day(conn, desk.now)
        findings = [one for one in findings_at(desk) if one.needs_a_person]
        alerts = [*traffic_alerts(seen, desk.now), *(f"{one.what} : {one.sentence}" for one in findings)]
        alerts += standing_alerts(desk.settings, desk.store, desk.now)
    if as_json:
        print_json({**_document(seen, findings, alerts), "refus_du_jour": refused})
    else:
        print(f"Refus        : {_refusals(refused)}")
        _tell(seen, alerts)
    if alerts:
        raise typer.Exit(DOES_NOT_HOLD)


def _refusals(refused: Mapping[str, int]) -> str:
    """Of the door, since midnight."""
    if not refused:
        return "aucun aujourd'hui"
    return f"{sum(refused.values())} aujourd'hui ({', '.join(f'{code} : {count}' for code, count in refused.items())})"


def _tell(seen: Overview, alerts: list[str]) -> None:
    print(f"Messages     : {_counts(seen.messages, words.MESSAGE)}")
    print(f"Lots         : {_counts(seen.lots, words.LOT)}")
    print(f"Envois       : {_counts(seen.consignments, words.CONSIGNMENT)}")
    if seen.deferred:
        print(f"Reportés     : {seen.deferred} envois déjà tentés")
    for queue in seen.backlog:
        print(f"  {queue.recipient} : {queue.waiting} depuis le {Instant(queue.oldest_created_at)}, "
              f"prochain essai le {Instant(queue.next_due_at)}")  # fmt: skip
    print(f"À traiter    : {'rien' if seen.oldest_due is None else f'dès le {Instant(seen.oldest_due)}'}")
    if seen.oldest_gathering is not None:
        print(f"À grouper    : depuis le {Instant(seen.oldest_gathering)}")
    print("Tout va bien." if not alerts else "À voir :")
    for alert in alerts:
        print(f"  {alert}")


def _counts(counts: Mapping[str, int], names: Mapping[str, str]) -> str:
    return ", ".join(f"{count} {words.word(names, state)}" for state, count in counts.items()) or "aucun"


def _document(seen: Overview, findings: list[Finding], alerts: list[str]) -> dict[str, Any]:
    return {
        "messages": seen.messages,
        "lots": seen.lots,
        "envois": seen.consignments,
        "reportes": seen.deferred,
        "retenues": seen.held,
        "plus_ancienne_retenue": instant(seen.oldest_hold),
        "plus_ancien_a_traiter": instant(seen.oldest_due),
        "plus_ancien_a_grouper": instant(seen.oldest_gathering),
        "files": [
            {
                "destinataire": queue.recipient,
                "envois": queue.waiting,
                "depuis": Instant(queue.oldest_created_at),
                "prochain_essai": Instant(queue.next_due_at),
            }
            for queue in seen.backlog
        ],
        "certificats": [
            {"niveau": one.level.value, "id": one.id, "certificat": one.what, "constat": one.sentence}
            for one in findings
        ],
        "lots_sans_reponse": seen.lots.get(_UNANSWERED, 0),
        "lots_en_traitement_manuel": seen.lots.get(_MANUAL, 0),
        "boites_detournees": [
            {"ps": account.number, "adresse": account.address, "depuis": instant(account.diverted_at)}
            for account in seen.diverted
        ],
        "sans_mot_de_passe": [account.number for account in seen.locked_out],
        "alertes": alerts,
    }
