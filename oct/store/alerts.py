"""Events that belong to no message's story and that an operator counts: refusals at the door, senders slowed down."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, literal_column, select

from oct.store.tables import events

REFUSAL, REFUSED, COUNTED = "refus", "refuse", "autres"
"""The kind of the events of refusals, and the outcomes of an event for one and of an event that counts others."""
SLOWED = "ralenti"

_ALERT = events.c.kind.in_([literal_column(f"'{kind}'") for kind in (REFUSAL, SLOWED)])
"""As the partial index says it."""


@dataclass(frozen=True, slots=True)
class Slowed:
    """A sender with many undecipherable messages (H4): its account, or else its address; how often it was put off."""

    practitioner_id: int | None
    insurer_id: int | None
    peer: str
    messages: int


def refusals_since(conn: Connection, since: int) -> Mapping[str, int]:
    """How many refusals at the door since an instant (ms), by SMTP code."""
    counts: Counter[str] = Counter()
    rows = conn.execute(select(events.c.data).where(_ALERT, events.c.kind == REFUSAL, events.c.at >= since))
    for data in rows.scalars():
        told = json.loads(data)
        counts[str(told["code"])] += int(told.get("nombre", 1))
    return dict(sorted(counts.items()))


def slowed_since(conn: Connection, since: int) -> list[Slowed]:
    """Who was slowed down since an instant (ms), the most often first."""
    known = (events.c.practitioner_id, events.c.insurer_id)
    rows = conn.execute(select(*known, events.c.data).where(_ALERT, events.c.kind == SLOWED, events.c.at >= since))
    counts: Counter[tuple[int | None, int | None, str]] = Counter()
    for practitioner_id, insurer_id, data in rows:
        known_by_peer = practitioner_id is None and insurer_id is None
        counts[practitioner_id, insurer_id, json.loads(data)["pair"] if known_by_peer else ""] += 1
    return [Slowed(*who, times) for who, times in counts.most_common()]
