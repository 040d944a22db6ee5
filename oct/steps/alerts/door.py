"""What an operator must see of the door: refusals of the day, senders slowed down (H4), a disk nearly full (P3).

Takes the store and the settings of its disk; gives counts and French sentences, nothing when all is well. Failure:
StoreError when the database is away, OSError when its disk cannot be asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection

from oct.clock import paris
from oct.store import insurers, practitioners
from oct.store.alerts import Slowed, refusals_since, slowed_since
from oct.store.engine import Store
from oct.store.space import free_bytes

_DAY_MS = 86_400_000
_NAMED = 10
"""How many senders are named one by one."""


def refusals_of_the_day(conn: Connection, now: int) -> Mapping[str, int]:
    """Refusals at the door since midnight in France, by SMTP code."""
    midnight = paris(now).replace(hour=0, minute=0, second=0, microsecond=0)
    return refusals_since(conn, int(midnight.timestamp() * 1000))


def door_alerts(store: Store, url: str, min_free: int, now: int) -> Iterator[str]:
    """What needs a person. `url` is that of the store, `min_free` the least its disk may have free, in bytes."""
    free = free_bytes(url)
    if free is not None and free < min_free:
        room = f"{free >> 20} Mio libres, il en faut {min_free >> 20}"
        yield f"disque de la base presque plein, la porte refuse (452) : {room}"
    with store.read() as conn:
        slowed = slowed_since(conn, now - _DAY_MS)
        for one in slowed[:_NAMED]:
            yield (
                f"{_name(conn, one)} : trop de messages indéchiffrables, les siens sont ouverts plus lentement "
                f"({one.messages} reports en 24 h)"
            )
    if slowed[_NAMED:]:
        yield f"expéditeurs ralentis de même, en plus des précédents : {len(slowed) - _NAMED}"


def _name(conn: Connection, slowed: Slowed) -> str:
    account = practitioners.by_id(conn, slowed.practitioner_id or 0)
    insurer = insurers.by_id(conn, slowed.insurer_id or 0)
    if account is not None:
        return f"PS {account.number}"
    return insurer.label if insurer is not None else f"adresse IP {slowed.peer}"
