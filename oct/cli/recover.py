"""`oct recover`: takes up a database that was restored from a backup (T5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oct.cli.opening import ConfigOption, JsonOption, at_desk
from oct.cli.printing import Instant, print_json, print_rows

if TYPE_CHECKING:
    from oct.cli.opening import Desk
    from oct.steps.journal.recovery import Accepted


def recover(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Reprend une base restaurée d'une sauvegarde : dit ce qui manque, retient ce qui a pu partir.

    Le concentrateur doit être arrêté, tous ses processus aussi.
    """
    from oct.bootstrap import alone
    from oct.steps.journal.recovery import recover as take_up

    with at_desk(config) as desk, alone(desk.settings, "reprise"):
        journal = desk.settings.journal
        done = take_up(desk.store, journal.heads, journal.logbook, desk.actor, desk.now)
        rows = [_row(desk, one) for one in done.accepted]
    if as_json:
        print_json(
            {
                "evenements_gardes": done.gap.first,
                "evenements_publies": done.gap.published.size,
                "messages_perdus": rows,
                "envois_partis_depuis": done.handed_over,
                "messages_retenus": done.held_messages,
                "envois_retenus": done.held_sendings,
            }
        )
        return
    print(f"La base s'arrête à {done.gap.first} événements ; {done.gap.published.size} ont été publiés, "
          f"le dernier le {Instant(done.gap.published.at)}.")  # fmt: skip
    print(f"Envois partis depuis la sauvegarde : {done.handed_over}")
    print(f"Retenus, à décider (« oct held list ») : {done.held_messages} messages, {done.held_sendings} envois")
    print(f"Messages acceptés depuis la sauvegarde et perdus, à redemander : {len(rows)}")
    headings = {"suivi": "Suivi", "recu": "Reçu", "ps": "PS", "de": "Client", "sha256": "SHA-256"}
    print_rows(rows, headings, as_json=False, empty="")


def _row(desk: Desk, one: Accepted) -> dict[str, object]:
    from oct.store import practitioners

    with desk.store.read() as conn:
        account = practitioners.by_id(conn, one.practitioner_id or 0)
    return {
        "suivi": one.trace,
        "recu": Instant(one.at),
        "ps": account.number if account is not None else "",
        "de": one.peer,
        "sha256": one.sha256,
    }
