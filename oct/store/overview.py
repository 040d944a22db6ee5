"""Where everything stands, in a handful of counts: what `oct status` and the home board show (K1).

Cheap whatever is kept: what is unfinished is counted whole, by indexes that hold nothing else, and what is finished
over the last day only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from oct.domain.journey import ConsignmentState, LotState
from oct.store import consignments as queue
from oct.store import gatherings
from oct.store import messages as received
from oct.store.consignments import Backlog
from oct.store.practitioners import HostedAccount, hosted_accounts
from oct.store.tables import UNFINISHED, consignments, holds, lots, messages

DAY_MS = 86_400_000
HOUR_MS = 3_600_000

_FINISHED = (
    LotState.REFUSED_HERE, LotState.DUPLICATE, LotState.ACKNOWLEDGED, LotState.REFUSED, LotState.PAID,
    LotState.PART_PAID, LotState.REJECTED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refusing:
    """A recipient that did not take what was tried: how much waits, since when (ms), its last words."""

    recipient: str
    waiting: int
    since: int
    reply: str


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts by state. Instants are milliseconds; None when nothing waits."""

    messages: Mapping[str, int]
    """Those received in the last day."""
    lots: Mapping[str, int]
    """All that wait for somebody, and those that came to an end in the last day."""
    consignments: Mapping[str, int]
    """All that wait, and those made of the last day's messages."""
    held: Mapping[str, int]
    """Open holds by code."""
    oldest_hold: int | None
    oldest_due: int | None
    """When the message that has waited longest to be processed became due."""
    oldest_gathering: int | None
    """Since when the file that has waited longest for others of its destination waits (A15)."""
    backlog: tuple[Backlog, ...]
    deferred: int
    """Consignments that wait although they were tried already."""
    hosted: tuple[HostedAccount, ...]
    """The accounts that have a hosted mailbox, or need one."""

    @property
    def diverted(self) -> list[HostedAccount]:
        """Those whose own mailbox fails (R5)."""
        return [account for account in self.hosted if account.diverted_at is not None]

    @property
    def locked_out(self) -> list[HostedAccount]:
        """Those whose returns wait where they cannot read them, for want of a password."""
        return [account for account in self.hosted if account.locked_out]


_TRIED = (consignments.c.due_at.is_not(None), consignments.c.attempts > 0, consignments.c.reply != "")


def overview(conn: Connection, now: int) -> Overview:
    """One look at the whole database."""
    is_open = holds.c.closed_at.is_(None)
    held = conn.execute(select(holds.c.code, func.count()).where(is_open).group_by(holds.c.code)).all()
    since = now - DAY_MS
    return Overview(
        messages=received.counts(conn, since),
        lots=_lots(conn, since),
        consignments=_consignments(conn, since),
        held={code: count for code, count in held},  # noqa: C416 - rows are like tuples, dict() wants tuples
        oldest_hold=conn.execute(select(func.min(holds.c.opened_at)).where(is_open)).scalar_one(),
        oldest_due=received.oldest_due(conn),
        oldest_gathering=gatherings.oldest(conn),
        backlog=tuple(queue.backlog(conn)),
        deferred=conn.execute(select(func.count()).where(*_TRIED)).scalar_one(),
        hosted=tuple(hosted_accounts(conn)),
    )


def unfinished_by_insurer(conn: Connection) -> dict[int | None, dict[str, int]]:
    """Lots that wait for somebody, by insurer (None: unknown) and state."""
    rows = conn.execute(
        select(lots.c.insurer_id, lots.c.state, func.count())
        .where(UNFINISHED)
        .group_by(lots.c.insurer_id, lots.c.state)
    )
    found: dict[int | None, dict[str, int]] = {}
    for insurer_id, state, count in rows:
        found.setdefault(insurer_id, {})[state] = count
    return found


def unfinished_of(
    conn: Connection, *, insurer_id: int | None = None, practitioner_id: int | None = None
) -> dict[str, int]:
    """Those of one insurer or one practitioner, by state."""
    whose = lots.c.practitioner_id == practitioner_id if insurer_id is None else lots.c.insurer_id == insurer_id
    chosen = select(lots.c.state, func.count()).where(UNFINISHED, whose)
    return {state: count for state, count in conn.execute(chosen.group_by(lots.c.state))}  # noqa: C416 - as above


def refusing(conn: Connection) -> list[Refusing]:
    """Recipients that something waits for although it was tried, the longest wait first."""
    oldest = func.min(consignments.c.created_at)
    rows = conn.execute(
        select(consignments.c.recipient, func.count(), oldest, func.max(consignments.c.reply))
        .where(*_TRIED)
        .group_by(consignments.c.recipient)
        .order_by(oldest)
    )
    return [Refusing(*row) for row in rows]


def arrivals(conn: Connection, since: int, step: int) -> dict[str, Counter[int]]:
    """Messages received since an instant, by origin and by the period of `step` ms that they came in (its number)."""
    period = messages.c.received_at // step
    rows = conn.execute(
        select(messages.c.origin, period, func.count())
        .where(messages.c.received_at >= since)
        .group_by(messages.c.origin, period)
    )
    found: dict[str, Counter[int]] = {}
    for origin, number, count in rows:
        found.setdefault(origin, Counter())[int(number)] = count
    return found


def _lots(conn: Connection, since: int) -> dict[str, int]:
    by_state = select(lots.c.state, func.count()).group_by(lots.c.state)
    waiting = conn.execute(by_state.where(UNFINISHED)).all()
    ended = conn.execute(by_state.where(lots.c.state.in_(_FINISHED), lots.c.state_at >= since)).all()
    return {state: count for state, count in (*waiting, *ended)}  # noqa: C416 - as above


def _consignments(conn: Connection, since: int) -> dict[str, int]:
    made = (
        select(consignments.c.state, func.count())
        .join(messages, messages.c.id == consignments.c.message_id)
        .where(messages.c.received_at >= since, consignments.c.due_at.is_(None), consignments.c.gathering_key.is_(None))
        .group_by(consignments.c.state)
    )
    counted = {state: count for state, count in conn.execute(made)}  # noqa: C416 - as above
    waiting = conn.execute(select(func.count()).where(consignments.c.due_at.is_not(None))).scalar_one()
    if waiting:
        counted[ConsignmentState.WAITING] = waiting
    if gathering := gatherings.count(conn):
        counted[ConsignmentState.GATHERING] = gathering
    return counted
