"""What a restored database must not do by itself (T5): open, send, give numbers that were given."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from oct.domain.journey import ConsignmentState
from oct.store.consignments import Consignment
from oct.store.rows import columns
from oct.store.tables import consignments, messages, sequences

_FILES = 1_000_000
_LOTS = 333
"""Of 999, by which a lot of the AMC flow is told from those of the same days."""


def stop_messages(conn: Connection, state: str, code: str) -> list[tuple[int, int | None]]:
    """Take every message that waits to be opened out of the queue; ids and insurers."""
    due = messages.c.due_at.is_not(None)
    found = conn.execute(select(messages.c.id, messages.c.insurer_id).where(due).order_by(messages.c.id)).all()
    conn.execute(
        update(messages).where(due).values(state=state, code=code, due_at=None, lease_owner=None, lease_until=None)
    )
    return [(row.id, row.insurer_id) for row in found]


def stop_consignments(conn: Connection) -> list[Consignment]:
    """Take every sending that waits out of the queue, as one that failed; what they were."""
    due = (consignments.c.due_at.is_not(None), consignments.c.state == ConsignmentState.WAITING)
    wanted = select(*columns(consignments, Consignment)).where(*due).order_by(consignments.c.id)
    found = [Consignment(*row) for row in conn.execute(wanted)]
    stopped = {"state": ConsignmentState.FAILED, "due_at": None, "lease_owner": None, "lease_until": None}
    conn.execute(update(consignments).where(*due).values(**stopped))
    return found


def pass_over_numbers(conn: Connection) -> None:
    """Leave out the numbers that may have been given since: of files, and of lots of the AMC flow."""
    name, value = sequences.c.name, sequences.c.value
    conn.execute(update(sequences).where(name == "sequence").values(value=value + _FILES))
    conn.execute(update(sequences).where(name.like("lot:%")).values(value=value + _LOTS))
