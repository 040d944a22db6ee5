"""Second step: what a practitioner's message comes to, in one transaction after pure CPU.

Takes a batch of received messages by lease. Each is opened, read, planned and sealed outside of any transaction
(`claims`); then everything it comes to (its file, lots, consignments, holds, ART and events) is written at once with
its new state. A crash before that commit leaves nothing; the message is taken again and gives the same result.

Failure: a message that was opened `tries` times without an end (it kills the process) is held unopened (H3);
a surprise in the code holds the message too, with its trace number; a database that is away leaves it due. When it is
there and refuses what a batch comes to, each message is settled and written alone, and which is refused then is held.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Connection

from oct.domain.journey import MessageState
from oct.domain.receipts import Receipt, compose
from oct.errors import RoutingError, StoreError, StoreRefusalError, described
from oct.steps.claims.dloi_requests import write_answer
from oct.steps.claims.recognition import Ledger
from oct.steps.claims.rows import Prepared, prepare
from oct.steps.claims.settling import Outcome, blank_receipt, known_account, settle_claims
from oct.steps.claims.writing import Entry, write_dispatches
from oct.steps.custody import hold_refused
from oct.steps.texts import SealedText, TextKind, seal_text
from oct.steps.work.batches import by_weight
from oct.steps.workshop import Workshop
from oct.store import consignments, events, files, holds, messages, payloads
from oct.store.events import EventRow
from oct.store.holds import HoldSubject, NewHold
from oct.store.messages import Message
from oct.store.registry import Snapshot

_log = structlog.get_logger()


_MOST_BYTES = 1 << 20
"""Of messages that are opened together: compressed, they may come to ten times as much. One alone may be larger."""


def process(workshop: Workshop, claimed: Sequence[Message], owner: str) -> None:
    """Brings every claimed message of a practitioner to its outcome. StoreError when the database is away."""
    for some in by_weight(claimed, _MOST_BYTES):
        left = _process_together(workshop, some, owner, presumed_new=True)
        while left:
            left = _process_together(workshop, left, owner, presumed_new=False)


def _process_together(
    workshop: Workshop, claimed: Sequence[Message], owner: str, *, presumed_new: bool
) -> list[Message]:
    """As `_process_some`; but when the database refuses what they come to, each is brought to its end alone."""
    try:
        return _process_some(workshop, claimed, owner, presumed_new=presumed_new)
    except StoreRefusalError as refusal:
        _log.warning("ecriture-commune-refusee", messages=len(claimed), **described(refusal))
    for message in claimed:
        _process_alone(workshop, message, owner)
    return []


def _process_alone(workshop: Workshop, message: Message, owner: str) -> None:
    """Settles and writes a message; holds it when it is refused: with its ART or, if that is refused too, without."""
    try:
        while _process_some(workshop, [message], owner, presumed_new=False):
            pass
    except StoreRefusalError as refusal:
        _log.error("ecriture-refusee", suivi=message.trace, **described(refusal))
        try:
            _hold_with_art(workshop, message, owner, refusal)
        except StoreRefusalError:
            hold_refused(workshop, message, owner, refusal)


def _hold_with_art(workshop: Workshop, message: Message, owner: str, refusal: StoreRefusalError) -> None:
    with workshop.store.read() as conn:
        snapshot = workshop.registry.current(conn)
        answered = consignments.with_art(conn, [message.id])
    receipt = blank_receipt(workshop, message, snapshot.by_id[known_account(message)])
    outcome = _held(receipt, refusal.code, "Le résultat du traitement de ce message n'a pas pu être enregistré.")
    settled = _prepared(workshop, message, outcome, snapshot, answered)
    with workshop.store.begin() as conn:
        _write(conn, workshop, [settled], owner)


def _process_some(workshop: Workshop, claimed: Sequence[Message], owner: str, *, presumed_new: bool) -> list[Message]:
    """Settles and writes messages; gives those of which there is another sending that was not seen, to be settled
    again (D2)."""
    with workshop.store.read() as conn:
        snapshot = workshop.registry.current(conn)
        contents = payloads.get_many(conn, workshop.vault, [message.payload_id for message in claimed])
        answered = consignments.with_art(conn, [message.id for message in claimed])
    settled = []
    for message in claimed:
        outcome = _settle(workshop, message, partial(contents.pop, message.payload_id), snapshot, presumed_new)
        settled.append(_prepared(workshop, message, outcome, snapshot, answered))
    admitted, overtaken = [], []
    with workshop.store.begin() as conn:
        ledger = Ledger(conn, [one.outcome.basis for one in settled if one.outcome.basis is not None])
        for one in settled:
            if one.outcome.basis is None or ledger.admits(one.outcome.basis):
                admitted.append(one)
            else:
                overtaken.append(one.message)
        _write(conn, workshop, admitted, owner)
    return overtaken


@dataclass(frozen=True, slots=True)
class _Settled:
    """A message, what it comes to, that as rows, and the text that says so to the practitioner."""

    message: Message
    outcome: Outcome
    rows: Prepared
    text: SealedText


def _prepared(
    workshop: Workshop, message: Message, outcome: Outcome, snapshot: Snapshot, answered: Collection[int]
) -> _Settled:
    """All that can be made before the transaction that writes it."""
    text = _receipt(workshop, message, outcome, snapshot, answered)
    return _Settled(message, outcome, prepare(message, outcome.dispatch, workshop.clock()), text)


def _settle(
    workshop: Workshop, message: Message, take: Callable[[], bytes], snapshot: Snapshot, presumed_new: bool
) -> Outcome:
    practitioner = snapshot.by_id[known_account(message)]
    receipt = blank_receipt(workshop, message, practitioner)
    if message.attempts > workshop.rules.tries:
        return _held(receipt, "ouverture-interrompue", "Le traitement de ce message s'est interrompu.")
    try:
        return settle_claims(workshop, message, take, practitioner, snapshot, receipt, presumed_new=presumed_new)
    except StoreError:
        raise
    except Exception as surprise:  # noqa: BLE001 - the runner of steps: a defect holds one message, harms no other
        _log.error("traitement-surprise", suivi=message.trace, **described(surprise))
        return _held(receipt, "surprise", "Le traitement de ce message a échoué.")


def _held(receipt: Receipt, code: str, sentence: str) -> Outcome:
    reason = RoutingError(code, f"{sentence} L'opérateur est prévenu.")
    return Outcome(MessageState.HELD, receipt._replace(retention=reason.describe()), reason=reason)


def _receipt(
    workshop: Workshop, message: Message, outcome: Outcome, snapshot: Snapshot, answered: Collection[int]
) -> SealedText:
    """The ART; a later text when the message was held before and has its ART already (T1)."""
    practitioner = snapshot.by_id[known_account(message)]
    kind = TextKind.LATER if message.id in answered else TextKind.ART
    receipt = outcome.receipt
    return seal_text(workshop, kind, message.id, practitioner, compose(receipt), receipt.practitioner_number)


def _write(conn: Connection, workshop: Workshop, settled: Sequence[_Settled], owner: str) -> None:
    """Writes all that messages come to, those of them whose lease was not lost."""
    now = workshop.clock()
    ended = [(one.message.id, one.outcome.state, one.outcome.code) for one in settled]
    held = messages.finish_all(conn, owner, ended, now) if ended else set()
    for one in settled:
        if one.message.id not in held:
            _log.warning("bail-perdu", suivi=one.message.trace)
    written = [one for one in settled if one.message.id in held]
    if not written:
        return
    rows = iter(files.insert_many(conn, [one.outcome.file for one in written if one.outcome.file is not None]))
    entries = [Entry(one.rows, next(rows) if one.outcome.file is not None else None, one.text) for one in written]
    _, art_ids = write_dispatches(conn, entries, now)
    for one in written:
        _write_rarities(conn, one, now)
    told = [_event(one.message, one.outcome, art_id, now) for one, art_id in zip(written, art_ids, strict=True)]
    events.append_rows(conn, told)


def _write_rarities(conn: Connection, settled: _Settled, now: int) -> None:
    """The answer to a request for increments; the hold of a whole message."""
    message, outcome = settled.message, settled.outcome
    if outcome.answer is not None:
        write_answer(conn, message, outcome.answer, now)
    if outcome.state is MessageState.HELD and outcome.reason is not None:
        reason = outcome.reason
        holds.open_hold(conn, NewHold(now, HoldSubject.MESSAGE, message.id, reason.code, reason.describe()))


def _event(message: Message, outcome: Outcome, art_id: int, now: int) -> EventRow:
    file = outcome.file
    return EventRow(
        at=now,
        kind="traite",
        outcome=outcome.state,
        message_id=message.id,
        practitioner_id=message.practitioner_id,
        data=events.written(
            {
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
            }
        ),
    )
