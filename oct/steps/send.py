"""Third step: hands what is ready to the other side, the same bytes at every try.

Takes one claimed consignment and the way to its recipient; writes down what became of it. The next message leaves on
the same connection when the 250 of this one is on disk (`deliveries`): a crash repeats at most what was in flight, byte
for byte. A refusal with 4xx, a cut or a silence is tried again at growing intervals; a 5xx, or the end of the delay,
holds the consignment for a person and, when it was a practitioner's file, tells the practitioner (T1). What is for a
practitioner whose mailbox is hosted here is deposited; so is what its own mailbox refuses for good (R5).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog

from oct.smtp.client import Outgoing, Sent
from oct.steps.failures import failure_texts, write_failure, write_loss
from oct.steps.hosting import deposit, due_after, is_hosted, owner_of, stand_in
from oct.steps.tries import Tried, told_of, try_event
from oct.steps.work.deliveries import Deliveries
from oct.steps.work.errands import Errand
from oct.steps.work.settlement import Delivery
from oct.steps.workshop import Rules, Workshop
from oct.store import consignments, events
from oct.store.consignments import Consignment

_log = structlog.get_logger()

Way = Callable[[Outgoing], Awaitable[Sent]]
"""Hands a message over and says what became of it; never raises for what the other side does."""


async def send(workshop: Workshop, errand: Errand, way: Way, deliveries: Deliveries) -> Sent | None:
    """Sends what was claimed and writes down what became of it, which is given; None for what was not to leave.
    StoreError when the database is away."""
    consignment = errand.consignment
    if is_hosted(consignment, errand.snapshot):
        deposit(workshop, consignment, errand.owner)
        return None
    if errand.content is None:
        with workshop.store.begin() as conn:
            write_loss(conn, consignment, errand.owner, workshop.clock())
        return None
    sent = await way(Outgoing(consignment.id, workshop.rules.address, consignment.recipient, errand.content))
    if sent.delivered:
        await deliveries.record(Delivery(consignment, errand.owner, workshop.clock(), _reply(sent), sent.tls))
    else:
        record_failure(workshop, errand, sent)
    return sent


def record_failure(workshop: Workshop, errand: Errand, sent: Sent) -> None:
    """Writes down that a consignment could not be handed over, now or for good. So ends, untried, also what was to
    follow another one to a recipient that did not answer at all. StoreError when the database is away."""
    consignment, now = errand.consignment, workshop.clock()
    due_at = now + _wait(workshop.rules.retry, consignment.attempts)
    if sent.permanent or _expired(workshop.rules, consignment, due_at):
        _record_end(workshop, errand, sent)
        return
    with workshop.store.begin() as conn:
        due_at = due_after(conn, consignment, errand.snapshot, due_at, now)
        stalled_at = now if sent.stalled else None
        if consignments.mark_retry(conn, consignment.id, errand.owner, due_at, _reply(sent), stalled_at):
            events.append(conn, told_of(conn, consignment, Tried.DEFERRED, _reply(sent), tls=sent.tls, now=now))


def _record_end(workshop: Workshop, errand: Errand, sent: Sent) -> None:
    """For good: a practitioner's mailbox is replaced by the hosted one (R5), anything else waits for a person."""
    consignment, now, reply = errand.consignment, workshop.clock(), _reply(sent)
    if owner_of(consignment, errand.snapshot) is not None:
        with workshop.store.begin() as conn:
            if stand_in(conn, workshop, consignment, errand.owner, reply):
                events.append(conn, [try_event(consignment, Tried.FAILED, reply, tls=sent.tls, now=now)])
        return
    texts = failure_texts(workshop, consignment)
    with workshop.store.begin() as conn:
        if not consignments.mark_failed(conn, consignment.id, errand.owner, reply):
            return
        write_failure(conn, consignment, reply, texts, now)
        events.append(conn, told_of(conn, consignment, Tried.FAILED, reply, tls=sent.tls, now=now))
    _log.warning("remise-impossible", consignment=consignment.id, reply=sent.reply_code)


def _reply(sent: Sent) -> str:
    return f"{sent.reply_code} {sent.reply_text}"


def _wait(retry: Sequence[int], attempts: int) -> int:
    """Milliseconds until the next try, after `attempts` of them."""
    return retry[min(attempts, len(retry)) - 1]


def _expired(rules: Rules, consignment: Consignment, due_at: int) -> bool:
    """Whether it was tried for long enough: since it was written, and since it was last put into the queue."""
    waited = sum(_wait(rules.retry, attempt) for attempt in range(1, consignment.attempts + 1))
    return min(due_at - consignment.created_at, waited) > rules.expire
