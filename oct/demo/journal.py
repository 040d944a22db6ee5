"""What became of each message, read back from the concentrator's own store: the table that ends the demonstration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from oct.domain import words
from oct.domain.journey import ConsignmentState
from oct.steps.workshop import Workshop
from oct.store import consignments, lots, messages, returns


@dataclass(frozen=True, slots=True)
class Entry:
    """A message's journey in words."""

    trace: str
    lots: tuple[str, ...]
    art: str
    returns: tuple[str, ...]


def journal(workshop: Workshop, traces: Sequence[str]) -> list[Entry]:
    """The journeys of these messages."""
    with workshop.store.read() as conn:
        labels = {
            insurer_id: insurer.label
            for insurer_id, insurer in workshop.registry.current(conn).directory.insurers.items()
        }
        return [_entry(conn, trace, labels) for trace in traces]


def _entry(conn: Connection, trace: str, labels: dict[int, str]) -> Entry:
    message = messages.by_trace(conn, trace)
    if message is None:
        return Entry(trace, (), "-", ())
    own = lots.of_message(conn, message.id)
    arts = [sent for sent in consignments.of_message(conn, message.id) if sent.kind == "art"]
    answers = {answer.id: answer for lot in own for answer in returns.of_lot(conn, lot.id)}
    return Entry(
        trace,
        tuple(_lot(lot, labels) for lot in own) or (f"message {words.word(words.MESSAGE, message.state)}",),
        "remis" if any(art.state == ConsignmentState.DELIVERED for art in arts) else "-",
        tuple(f"{answer.kind} {answer.reference}".strip() for answer in answers.values()),
    )


def _lot(lot: lots.Lot, labels: dict[int, str]) -> str:
    where = f" → {labels[lot.insurer_id]}" if lot.insurer_id in labels else ""
    return f"{lot.kind} {lot.number}{where} : {words.word(words.LOT, lot.state)}"
