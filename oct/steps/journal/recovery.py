"""Takes up a database that was restored from a backup: says what was lost, and sends nothing twice (T5).

A database is older than it was when a head that was published outside is not its own. It then knows neither what was
accepted since the backup nor what left since. `find` sees it; until `recover` ran, no program starts. That lists
what the logbook outside holds of the lost time, and puts whatever the backup still had to open or to send into holds:
the logbook says of each sending whether it left. Numbers that may have been given since are passed over. The files
outside are set aside, for they prove what was lost; new ones begin.

Failure: RuleError when nothing was lost. A crash before the commit changes nothing; after it, only files are renamed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from oct.clock import utc
from oct.domain.journey import MessageState
from oct.errors import RuleError
from oct.steps.journal.logbook import HANDED_OVER, RECEIVED
from oct.store import events, gatherings, holds, journal, messages, restoring
from oct.store.consignments import Consignment
from oct.store.engine import Store
from oct.store.events import Event
from oct.store.holds import HoldSubject, NewHold
from oct.trace.heads import last_published
from oct.trace.verify import ProofError, TreeHead, read_event

CODE = "restauration"
_UNKNOWN = (
    "La base a été restaurée : rien ne dit si cet envoi est parti depuis la sauvegarde. Voyez avec son destinataire."
)
_TO_OPEN = "La base a été restaurée : ce message a pu être traité depuis la sauvegarde. Voyez ce qui en est parti."


@dataclass(frozen=True, slots=True)
class Gap:
    """Between the backup and the end: the last head of the database (None: none) and the last one published."""

    kept: TreeHead | None
    published: TreeHead

    @property
    def first(self) -> int:
        """The place of the first event that may be lost."""
        return self.kept.size if self.kept is not None else 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that was accepted after the backup: its sender must send it again. `at` in ms; `sha256` in hex."""

    trace: str
    at: int
    practitioner_id: int | None
    peer: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was found and done: messages accepted since and lost; sendings that left since; how much is held now."""

    gap: Gap
    accepted: tuple[Accepted, ...]
    handed_over: int
    held_messages: int
    held_sendings: int


def find(store: Store, heads: Path) -> Gap | None:
    """What is missing of a database, as the published heads tell; None when it is what it was, or no file tells."""
    try:
        published = last_published(heads)
    except (OSError, ProofError):
        return None
    if published is None:
        return None
    with store.read() as conn:
        own, last = journal.head_of(conn, published.size), journal.last_head(conn)
    return None if own is not None and own.root == published.root else Gap(last, published)


def recover(store: Store, heads: Path, logbook: Path, actor: str, now: int) -> Recovery:
    """Lists, holds, passes over numbers, sets the files aside."""
    gap = find(store, heads)
    if gap is None:
        raise RuleError(
            "rien-a-reprendre", "La base n'est pas plus ancienne que ses têtes publiées : rien à reprendre."
        )
    told = list(_since(logbook, gap.first))
    left = {event["consignment"]: event for event in told if (event["kind"], event["outcome"]) == HANDED_OVER}
    with store.begin() as conn:
        accepted = tuple(_lost(conn, told))
        opened = _hold_messages(conn, now)
        sent = _hold_sendings(conn, left, now)
        restoring.pass_over_numbers(conn)
        data = {
            "taille": gap.first,
            "publiee": gap.published.size,
            "racine": gap.published.root.hex(),
            "perdus": len(accepted),
            "messages": opened,
            "envois": sent,
        }
        events.append(conn, [Event(now, CODE, "reprise", actor=actor, data=data)])
    for path in (heads, logbook):
        if path.exists():
            path.rename(path.with_name(f"{path.name}.avant-{utc(now):%Y%m%dT%H%M%S}"))
    return Recovery(gap, accepted, len(left), opened, sent)


def _since(logbook: Path, first: int) -> Iterator[dict[str, Any]]:
    """The events of the logbook from a place on, each once."""
    if not logbook.exists():
        return
    reached = first - 1
    with logbook.open("rb") as lines:
        for line in lines:
            event = read_event(line)
            if type(event.get("seq")) is int and event["seq"] > reached:
                reached = event["seq"]
                yield event


def _lost(conn: Connection, told: list[dict[str, Any]]) -> Iterator[Accepted]:
    for event in told:
        if (event["kind"], event["outcome"]) == RECEIVED and messages.by_trace(conn, event["trace"]) is None:
            data = event["data"]
            yield Accepted(event["trace"], event["at"], event["practitioner"], data["pair"], data["sha256"])


def _hold_messages(conn: Connection, now: int) -> int:
    waiting = restoring.stop_messages(conn, MessageState.HELD, CODE)
    for message_id, insurer_id in waiting:
        new = NewHold(now, HoldSubject.MESSAGE, message_id, CODE, _TO_OPEN, insurer_id=insurer_id)
        holds.open_hold(conn, new)
    return len(waiting)


def _hold_sendings(conn: Connection, left: dict[int, dict[str, Any]], now: int) -> int:
    waiting = restoring.stop_consignments(conn)
    for one in waiting:
        hold = NewHold(
            opened_at=now,
            subject=HoldSubject.CONSIGNMENT,
            message_id=one.message_id,
            code=CODE,
            sentence=_told_of(one, left.get(one.id)),
            consignment_id=one.id,
            insurer_id=one.insurer_id,
        )
        holds.open_hold(conn, hold)
    files = [one for key in gatherings.closed_keys(conn, now) for one in gatherings.of_key(conn, key)]
    for file in files:
        hold = NewHold(
            opened_at=now,
            subject=HoldSubject.FILE,
            message_id=file.message_id,
            code=CODE,
            sentence=_UNKNOWN,
            payload_id=file.payload_id,
            insurer_id=file.insurer_id,
        )
        gatherings.withhold(conn, file.id, holds.open_hold(conn, hold), CODE, now)
    return len(waiting) + len(files)


def _told_of(one: Consignment, event: dict[str, Any] | None) -> str:
    """What the logbook says of a sending: an id may have been given anew, so the bytes must be the same."""
    if event is None or event["data"].get("sha256") != one.sha256.hex():
        return _UNKNOWN
    at = f"{utc(event['at']):%d/%m/%Y %H:%M:%S} UTC"
    return f"Remis le {at} d'après le registre, après la sauvegarde restaurée : le renvoyer ferait un doublon."
