"""Third step: hands what is ready to the other side, the same bytes at every try.

Takes a batch of due consignments by lease, for one recipient, or for any when everything leaves through one relay,
and sends them over one connection. A message leaves when the 250 of the one before is on disk (`deliveries`): a crash
repeats at most what was in flight, byte for byte. A refusal with 4xx, a cut or a silence is tried again at growing
intervals; a 5xx, or the end of the delay, holds the consignment for a person and, when it was a practitioner's file,
tells the practitioner (T1). What is for a practitioner whose mailbox is hosted here is deposited; so is what its own
mailbox refuses for good (R5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import structlog
from sqlalchemy import Connection as Database

from oct.smtp.client import Connection, Outgoing, Sent
from oct.steps.concerned import stories_of
from oct.steps.failures import failure_texts, write_failure, write_loss
from oct.steps.hosting import deposit, due_after, is_hosted, owner_of, stand_in
from oct.steps.work.batches import by_weight
from oct.steps.work.deliveries import Deliveries, Delivery
from oct.steps.workshop import Rules, Workshop
from oct.store import consignments, events, lots, payloads
from oct.store.consignments import GROUPED, Consignment
from oct.store.events import Event
from oct.store.registry import Snapshot

_log = structlog.get_logger()
_MOST_BYTES = 1 << 20
"""Of messages that are read from the database together."""

Connect = Callable[[str], Connection]
"""Opens, lazily, the way to a recipient's address."""


def send(
    workshop: Workshop, claimed: Sequence[Consignment], owner: str, connect: Connect, deliveries: Deliveries
) -> None:
    """Sends claimed consignments in order and writes down what became of each. StoreError when the database is away."""
    with workshop.store.read() as conn:
        snapshot = workshop.registry.current(conn)
    leaving = []
    for consignment in claimed:
        if is_hosted(consignment, snapshot):
            deposit(workshop, consignment, owner)
        else:
            leaving.append(consignment)
    if leaving:
        with connect(leaving[0].recipient) as connection:
            for together in by_weight(leaving, _MOST_BYTES):
                for consignment, sent in _sent(workshop, together, owner, connection):
                    _record(workshop, consignment, sent, owner, snapshot, deliveries)


def _sent(
    workshop: Workshop, together: Sequence[Consignment], owner: str, connection: Connection
) -> Iterator[tuple[Consignment, Sent]]:
    """What became of each, as it is sent. One whose content was destroyed (R6) is ended here; the others leave."""
    with workshop.store.read() as conn:
        contents = payloads.get_many(conn, workshop.vault, [one.payload_id for one in together])
    for one in together:
        content = contents.get(one.payload_id)  # an ARL that goes out again shares its payload with the first
        if content is None:
            with workshop.store.begin() as conn:
                write_loss(conn, one, owner, workshop.clock())
        else:
            yield one, connection.send(Outgoing(one.id, workshop.rules.address, one.recipient, content))


def _record(
    workshop: Workshop,
    consignment: Consignment,
    sent: Sent,
    owner: str,
    snapshot: Snapshot,
    deliveries: Deliveries,
) -> None:
    reply, now = f"{sent.reply_code} {sent.reply_text}", workshop.clock()
    if sent.delivered:
        told = partial(_told, consignment=consignment, sent=sent, outcome="remis", now=now)
        deliveries.record(Delivery(consignment.id, owner, reply, told))
        return
    due_at = now + _wait(workshop.rules.retry, consignment.attempts)
    if sent.permanent or _expired(workshop.rules, consignment, due_at):
        _record_failure(workshop, consignment, sent, owner, reply, snapshot)
        return
    with workshop.store.begin() as conn:
        due_at = due_after(conn, consignment, snapshot, due_at, now)
        if consignments.mark_retry(conn, consignment.id, owner, due_at, reply):
            events.append(conn, _told(conn, consignment, sent, "differe", now))


def _record_failure(
    workshop: Workshop, consignment: Consignment, sent: Sent, owner: str, reply: str, snapshot: Snapshot
) -> None:
    """For good: a practitioner's mailbox is replaced by the hosted one (R5), anything else waits for a person."""
    now = workshop.clock()
    if owner_of(consignment, snapshot) is not None:
        with workshop.store.begin() as conn:
            if stand_in(conn, workshop, consignment, owner, reply):
                events.append(conn, [_event(consignment, sent, "echec", now)])
        return
    texts = failure_texts(workshop, consignment)
    with workshop.store.begin() as conn:
        if not consignments.mark_failed(conn, consignment.id, owner, reply):
            return
        write_failure(conn, consignment, reply, texts, now)
        events.append(conn, _told(conn, consignment, sent, "echec", now))
    _log.warning("remise-impossible", consignment=consignment.id, reply=sent.reply_code)


def _wait(retry: Sequence[int], attempts: int) -> int:
    """Milliseconds until the next try, after `attempts` of them."""
    return retry[min(attempts, len(retry)) - 1]


def _expired(rules: Rules, consignment: Consignment, due_at: int) -> bool:
    """Whether it was tried for long enough: since it was written, and since it was last put into the queue."""
    waited = sum(_wait(rules.retry, attempt) for attempt in range(1, consignment.attempts + 1))
    return min(due_at - consignment.created_at, waited) > rules.expire


def _told(conn: Database, consignment: Consignment, sent: Sent, outcome: str, now: int) -> list[Event]:
    """The event of a try, in the story of its message; of files that were grouped (A15), in those of all of them."""
    event = _event(consignment, sent, outcome, now)
    if consignment.kind != GROUPED:
        return [event]
    carried = lots.of_consignment(conn, consignment.id)
    return [replace(event, message_id=story) for story in stories_of(consignment.message_id, carried)]


def _event(consignment: Consignment, sent: Sent, outcome: str, now: int) -> Event:
    return Event(
        at=now,
        kind="remise",
        outcome=outcome,
        message_id=consignment.message_id,
        consignment_id=consignment.id,
        practitioner_id=consignment.practitioner_id,
        insurer_id=consignment.insurer_id,
        data={
            "genre": consignment.kind,
            "destinataire": consignment.recipient,
            "essai": consignment.attempts,
            "reponse": f"{sent.reply_code} {sent.reply_text}",
            "tls": sent.tls,
            "sha256": consignment.sha256.hex(),
        },
    )
