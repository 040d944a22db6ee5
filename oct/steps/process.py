"""Second step: what a practitioner's message comes to, in one transaction after pure CPU.

Takes a batch of received messages by lease. Each is opened, read, planned and sealed outside of any transaction
(`claims`); then everything it comes to (its file, lots, consignments, holds, ART and events) is written at once with
its new state. A crash before that commit leaves nothing; the message is taken again and gives the same result.

Failure: a message that was opened `tries` times without an end (it kills the process) is held unopened (H3);
a surprise in the code holds the message too, with its trace number; a database that is away leaves it due.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import structlog
from sqlalchemy import Connection

from oct.domain.journey import MessageState
from oct.domain.receipts import Receipt, compose
from oct.errors import RoutingError, StoreError, described
from oct.steps.claims.dispatch import write_dispatch
from oct.steps.claims.dloi_requests import write_answer
from oct.steps.claims.recognition import Ledger
from oct.steps.claims.settling import Outcome, blank_receipt, known_account, settle_claims
from oct.steps.texts import SealedText, TextKind, seal_text, write_text_row
from oct.steps.workshop import Workshop
from oct.store import consignments, events, files, holds, messages, payloads
from oct.store.events import Event
from oct.store.holds import HoldSubject, NewHold
from oct.store.messages import Message
from oct.store.registry import Snapshot

_log = structlog.get_logger()


_MOST_BYTES = 1 << 20
"""Of messages that are opened together: compressed, they may come to ten times as much. One alone may be larger."""


def process(workshop: Workshop, claimed: Sequence[Message], owner: str) -> None:
    """Brings every claimed message of a practitioner to its outcome. StoreError when the database is away."""
    for some in _by_weight(claimed):
        while some:
            some = _process_some(workshop, some, owner)


def _by_weight(claimed: Sequence[Message]) -> Iterator[list[Message]]:
    """The messages in their order, together as long as they are small: two large ones never share the memory."""
    some: list[Message] = []
    for message in claimed:
        if some and sum(one.size for one in some) + message.size > _MOST_BYTES:
            yield some
            some = []
        some.append(message)
    if some:
        yield some


def _process_some(workshop: Workshop, claimed: Sequence[Message], owner: str) -> list[Message]:
    """Settles and writes messages; gives those that another sending overtook, to be settled again (D2)."""
    with workshop.store.read() as conn:
        snapshot = workshop.registry.current(conn)
        contents = {message.id: payloads.get(conn, workshop.vault, message.payload_id) for message in claimed}
        answered = consignments.with_art(conn, [message.id for message in claimed])
    settled = []
    for message in claimed:
        outcome = _settle(workshop, message, partial(contents.pop, message.id), snapshot)
        settled.append(_Settled(message, outcome, _receipt(workshop, message, outcome, snapshot, answered)))
    overtaken = []
    with workshop.store.begin() as conn:
        ledger = Ledger(conn, [one.outcome.basis for one in settled if one.outcome.basis is not None])
        for one in settled:
            if one.outcome.basis is None or ledger.admits(one.outcome.basis):
                _write(conn, workshop, one, owner)
            else:
                overtaken.append(one.message)
    return overtaken


@dataclass(frozen=True, slots=True)
class _Settled:
    """A message, what it comes to, and the text that says so to the practitioner."""

    message: Message
    outcome: Outcome
    text: SealedText


def _settle(workshop: Workshop, message: Message, take: Callable[[], bytes], snapshot: Snapshot) -> Outcome:
    practitioner = snapshot.by_id[known_account(message)]
    receipt = blank_receipt(workshop, message, practitioner)
    if message.attempts > workshop.rules.tries:
        return _held(receipt, "ouverture-interrompue", "Le traitement de ce message s'est interrompu.")
    try:
        return settle_claims(workshop, message, take, practitioner, snapshot)
    except StoreError:
        raise
    except Exception as surprise:  # noqa: BLE001 - the runner of steps: a defect holds one message, harms no other
        _log.error("traitement-surprise", suivi=message.trace, **described(surprise))
        return _held(receipt, "surprise", "Le traitement de ce message a échoué.")


def _held(receipt: Receipt, code: str, sentence: str) -> Outcome:
    reason = RoutingError(code, f"{sentence} L'opérateur est prévenu.")
    return Outcome(MessageState.HELD, replace(receipt, retention=reason.describe()), reason=reason)


def _receipt(
    workshop: Workshop, message: Message, outcome: Outcome, snapshot: Snapshot, answered: Collection[int]
) -> SealedText:
    """The ART; a later text when the message was held before and has its ART already (T1)."""
    practitioner = snapshot.by_id[known_account(message)]
    kind = TextKind.LATER if message.id in answered else TextKind.ART
    receipt = outcome.receipt
    return seal_text(workshop, kind, message.id, practitioner, compose(receipt), receipt.practitioner_number)


def _write(conn: Connection, workshop: Workshop, settled: _Settled, owner: str) -> None:
    message, outcome, now = settled.message, settled.outcome, workshop.clock()
    if not messages.finish(conn, message.id, owner, outcome.state, outcome.code, now):
        _log.warning("bail-perdu", suivi=message.trace)
        return
    file_row = files.insert_many(conn, [outcome.file])[0] if outcome.file is not None else None
    write_dispatch(conn, workshop, message, file_row, outcome.dispatch)
    if outcome.answer is not None:
        write_answer(conn, message, outcome.answer, now)
    if outcome.state is MessageState.HELD and outcome.reason is not None:
        reason = outcome.reason
        holds.open_hold(conn, NewHold(now, HoldSubject.MESSAGE, message.id, reason.code, reason.describe()))
    art_id = write_text_row(conn, settled.text)
    events.append(conn, [_event(message, outcome, art_id, now)])


def _event(message: Message, outcome: Outcome, art_id: int, now: int) -> Event:
    file = outcome.file
    return Event(
        at=now,
        kind="traite",
        outcome=outcome.state,
        message_id=message.id,
        practitioner_id=message.practitioner_id,
        data={
            "motif": outcome.code,
            "art": art_id,
            "fichier": file.file_id if file is not None else "",
            "sha256_fichier": file.sha256.hex() if file is not None else "",
            "lots": file.lot_count if file is not None else 0,
            "factures": file.invoice_count if file is not None else 0,
            "remises": len(outcome.dispatch.departures),
            "groupages": len(outcome.dispatch.gatherings),
            "retenues": len(outcome.dispatch.detentions),
            "lots_refuses": len(outcome.dispatch.rejections),
            "lots_connus": len(outcome.dispatch.known),
            "arl_renvoyes": len({arl.id for arl in outcome.dispatch.arls.values()}),
            "increments": len(outcome.answer.shipments) if outcome.answer is not None else 0,
        },
    )
