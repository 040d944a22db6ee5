"""Consignments written by hand, couriers that work them off, and what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sqlalchemy import select

from oct.steps.work.couriers import Couriers
from oct.steps.workshop import Workshop
from oct.store import consignments, payloads
from oct.store.consignments import Consignment, NewConsignment
from oct.store.tables import consignments as table
from oct.store.tables import events as told
from tests.adapters.store.arrivals import arrive

SECOND, MINUTE = 1_000, 60_000


def consign(workshop: Workshop, recipients: Sequence[str], number: int = 1, *, first: bytes = b"") -> None:
    """A consignment for each, due in this order, of a message of this number; the `first` may be told."""
    now = workshop.clock()
    contents = [b"Subject: %d\r\n\r\n%d\r\n" % (rank, rank) for rank in range(len(recipients))]
    contents[0] = first or contents[0]
    sealed = [payloads.seal(workshop.vault, content) for content in contents]
    with workshop.store.begin() as conn:
        message_id = arrive(conn, number, due_at=None)
        kept = payloads.insert_many(conn, sealed, now)
        named = enumerate(zip(recipients, kept, sealed, strict=True))
        new = [
            NewConsignment(
                message_id=message_id,
                kind="texte",
                recipient=recipient,
                message_uid=f"<{number}.{rank}@essai>",
                payload_id=payload_id,
                size=one.size,
                sha256=one.sha256,
                created_at=now,
                due_at=now + rank,
            )
            for rank, (recipient, payload_id, one) in named
        ]
        consignments.insert_many(conn, new)


def rows(workshop: Workshop) -> list[Consignment]:
    with workshop.store.read() as conn:
        ids = conn.execute(select(table.c.id).order_by(table.c.id)).scalars().all()
        return [one for row_id in ids if (one := consignments.by_id(conn, row_id)) is not None]


def leased(workshop: Workshop) -> int:
    with workshop.store.read() as conn:
        return len(conn.execute(select(table.c.id).where(table.c.lease_owner.is_not(None))).all())


def outcomes(workshop: Workshop) -> list[str]:
    """What the events of tries say, in the order in which they were written."""
    with workshop.store.read() as conn:
        return list(conn.execute(select(told.c.outcome).where(told.c.kind == "remise").order_by(told.c.id)).scalars())


def work_off(couriers: Couriers) -> None:
    while asyncio.run(couriers.work_off()):
        pass
