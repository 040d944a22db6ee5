"""Whose lots a sending carries: what several practitioners are told, each of its own lots alone (A15, T1).

A sending carries the lots of one message, or, when files were grouped, of several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from oct.domain.model import LotKind, Practitioner
from oct.steps.texts import SealedText, TextKind, seal_text
from oct.steps.workshop import Workshop
from oct.store import lots, messages
from oct.store.lots import Lot
from oct.store.messages import Message
from oct.store.registry import Snapshot


@dataclass(frozen=True, slots=True)
class Concerned:
    """A message with some of its lots, named as the practitioner knows them."""

    message: Message
    practitioner: Practitioner
    lot_numbers: list[str]


def concerned_by(conn: Connection, message_id: int, carried: Sequence[Lot], snapshot: Snapshot) -> list[Concerned]:
    """The messages behind a sending: its own, and those that its lots came in. One that no practitioner sent, or whose
    account is gone, is left out."""
    found = []
    for story in stories_of(message_id, carried):
        message = messages.by_id(conn, story)
        practitioner = snapshot.by_id.get(message.practitioner_id or 0) if message is not None else None
        if message is not None and practitioner is not None:
            own = [lot for lot in carried if lot.message_id == story]
            found.append(Concerned(message, practitioner, as_received(conn, own)))
    return found


def stories_of(message_id: int, carried: Sequence[Lot]) -> list[int]:
    """The ids of the messages whose story tells of a sending, in order of arrival."""
    return sorted({message_id, *(lot.message_id for lot in carried)})


def as_received(conn: Connection, some: Sequence[Lot]) -> list[str]:
    """The numbers of lots of one message; one of the AMC flow has that of the lot it was drawn from."""
    if not any(lot.kind == LotKind.AMC for lot in some):
        return [lot.number for lot in some]
    whole = lots.of_message(conn, some[0].message_id)
    received = {lot.rank: lot.number for lot in whole if lot.kind != LotKind.AMC}
    return [received.get(lot.rank, lot.number) if lot.kind == LotKind.AMC else lot.number for lot in some]


def tell_each(
    workshop: Workshop, concerned: Sequence[Concerned], compose: Callable[[Concerned], str]
) -> list[SealedText]:
    """A later text for each."""
    return [seal_text(workshop, TextKind.LATER, one.message.id, one.practitioner, compose(one)) for one in concerned]
