"""What a sending that failed for good leaves behind, however it was learnt: a 5xx, the end of the delay, a notice, a
content that was destroyed before it left.

The consignment waits in a hold for a person, with the same bytes; the practitioner is told when it was its own sending
that could not be handed over (T1), and is not told of its own mailbox's refusals, which only the operator can cure.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy import Connection

from oct.clock import paris
from oct.domain.later_texts import failed_delivery
from oct.errors import StoreRefusalError, described
from oct.steps.concerned import Concerned, concerned_by, stories_of, tell_each
from oct.steps.texts import SealedText, write_text_row
from oct.steps.workshop import Workshop
from oct.store import consignments, events, holds, lots
from oct.store.consignments import Consignment
from oct.store.events import Event
from oct.store.holds import HoldSubject, NewHold

_log = structlog.get_logger()
_LOST = "son contenu n'existe plus, sa conservation a pris fin"
REFUSED = "sa suite n'a pas pu être notée, la base de données l'a refusée ; demander au destinataire s'il l'a reçu"
BROKEN = "son envoi a été interrompu par un défaut du programme ; demander au destinataire s'il l'a reçu"


def failure_texts(workshop: Workshop, consignment: Consignment) -> list[SealedText]:
    """What practitioners read of their own sending, each of its own lots; nothing when it was on its way to one."""
    if consignment.practitioner_id is not None:
        return []
    with workshop.store.read() as conn:
        snapshot = workshop.registry.current(conn)
        carried = lots.of_consignment(conn, consignment.id)
        concerned = concerned_by(conn, consignment.message_id, carried, snapshot)
    insurer = snapshot.directory.insurers.get(consignment.insurer_id or 0)
    label = insurer.label if insurer is not None else consignment.recipient
    ready = paris(consignment.created_at)

    def told(one: Concerned) -> str:
        return failed_delivery(
            workshop.rules.name, one.practitioner.number, one.message.trace, label, one.lot_numbers, ready
        )

    return tell_each(workshop, concerned, told)


def write_failure(conn: Connection, consignment: Consignment, reply: str, texts: Sequence[SealedText], now: int) -> int:
    """Holds a consignment that has just been marked as failed; the id of the hold. `reply` is the other side's word."""
    hold_id = holds.open_hold(
        conn,
        NewHold(
            opened_at=now,
            subject=HoldSubject.CONSIGNMENT,
            message_id=consignment.message_id,
            code="remise-impossible",
            sentence=f"Remise impossible à {consignment.recipient} : {reply}",
            consignment_id=consignment.id,
            insurer_id=consignment.insurer_id,
        ),
    )
    for text in texts:
        write_text_row(conn, text)
    return hold_id


def write_loss(conn: Connection, consignment: Consignment, owner: str, now: int) -> None:
    """Ends a claimed consignment whose content was destroyed before it left: held, for a person to refuse it (R6).

    Nothing is written when the lease was lost. Its practitioner is told by that refusal: nobody will send it again.
    """
    if not consignments.mark_failed(conn, consignment.id, owner, _LOST):
        return
    write_failure(conn, consignment, _LOST, (), now)
    lost = Event(
        at=now,
        kind="remise",
        outcome="detruit",
        message_id=consignment.message_id,
        consignment_id=consignment.id,
        practitioner_id=consignment.practitioner_id,
        insurer_id=consignment.insurer_id,
        data={"genre": consignment.kind, "destinataire": consignment.recipient, "sha256": consignment.sha256.hex()},
    )
    stories = stories_of(consignment.message_id, lots.of_consignment(conn, consignment.id))
    events.append(conn, [lost._replace(message_id=story) for story in stories])
    _log.error("contenu-detruit-avant-envoi", consignment=consignment.id)


def hold_untold(workshop: Workshop, consignment: Consignment, owner: str, why: str) -> None:
    """Holds a consignment of which nobody can tell what became of it, in words of our own alone; without an event, when
    that is what the database refuses. It may have arrived, so it does not leave again by itself. StoreError when the
    database is away; a row that cannot even be held is left to its lease."""
    now = workshop.clock()
    untold = Event(
        at=now, kind="remise", outcome="echec", message_id=consignment.message_id, consignment_id=consignment.id
    )
    for told in ([untold], []):
        try:
            with workshop.store.begin() as conn:
                if consignments.mark_failed(conn, consignment.id, owner, why):
                    write_failure(conn, consignment, why, (), now)
                    events.append(conn, told)
        except StoreRefusalError as refusal:
            _log.error("suite-refusee", consignment=consignment.id, **described(refusal))
        else:
            return
