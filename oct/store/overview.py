"""Where everything stands, in a handful of counts: what `oct status` and the home board show (K1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Column, Connection, Table, func, select

from oct.store import consignments as queue
from oct.store import messages as received
from oct.store.consignments import Backlog
from oct.store.practitioners import HostedAccount, hosted_accounts
from oct.store.tables import consignments, holds, lots, messages


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts by state, over all that is kept. Instants are milliseconds; None when nothing waits."""

    messages: Mapping[str, int]
    lots: Mapping[str, int]
    consignments: Mapping[str, int]
    held: Mapping[str, int]
    """Open holds by code."""
    oldest_hold: int | None
    oldest_due: int | None
    """When the message that has waited longest to be processed became due."""
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


def overview(conn: Connection) -> Overview:
    """One look at the whole database."""
    is_open = holds.c.closed_at.is_(None)
    held = conn.execute(select(holds.c.code, func.count()).where(is_open).group_by(holds.c.code)).all()
    deferred = select(func.count()).where(
        consignments.c.due_at.is_not(None), consignments.c.attempts > 0, consignments.c.reply != ""
    )
    return Overview(
        messages=_counts(conn, messages, messages.c.state),
        lots=_counts(conn, lots, lots.c.state),
        consignments=_counts(conn, consignments, consignments.c.state),
        held={code: count for code, count in held},  # noqa: C416 - rows are like tuples, dict() wants tuples
        oldest_hold=conn.execute(select(func.min(holds.c.opened_at)).where(is_open)).scalar_one(),
        oldest_due=received.oldest_due(conn),
        backlog=tuple(queue.backlog(conn)),
        deferred=conn.execute(deferred).scalar_one(),
        hosted=tuple(hosted_accounts(conn)),
    )


def _counts(conn: Connection, table: Table, state: Column[str]) -> Mapping[str, int]:
    rows = conn.execute(select(state, func.count()).select_from(table).group_by(state).order_by(state))
    return {name: count for name, count in rows}  # noqa: C416 - as above
