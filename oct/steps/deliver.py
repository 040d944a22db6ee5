"""Brings a return to its practitioner, or holds it: the way back (R1 to R4, C6).

Takes one message of a registered insurer by lease. It is opened, read as far as its layout is known, and matched with
what was sent; then, in one transaction: the return, one part per practitioner, each in the queue for his registered
mailbox, the lots' new states, the events, and the end of the message. A return for one practitioner leaves byte for
byte (R1). An ARL on lots that the concentrator built is its own: it moves their state and goes no further (C6).

Failure: what cannot be read, or whose addressee is not certain, is held with a reason an operator understands; a
return in the wrong mailbox is the worst failure there is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from oct.domain.arl_parts import split_arl
from oct.domain.journey import MessageState
from oct.domain.model import LotKind
from oct.domain.return_parts import Part, SplitPlan, split_by_practitioner
from oct.domain.returns import CONTRADICTION, Ambiguous, Evidence, decide_recipient
from oct.envelope.opening import Opened
from oct.errors import OctError, RoutingError
from oct.formats.arl import Arl
from oct.formats.noemie import NoemieFile
from oct.steps.custody import attempt
from oct.steps.returns.letters import Letter, cover_of, seal_letter, write_letter
from oct.steps.returns.reading import TOO_LARGE, Facts, ReadReturn, ReturnKind, facts_of, insurers_behind, read_return
from oct.steps.returns.states import Answered, lots_answered, write_states
from oct.steps.workshop import Workshop
from oct.store import events, holds, messages, payloads, returns
from oct.store.events import Event
from oct.store.holds import HoldSubject, NewHold
from oct.store.messages import Message
from oct.store.payloads import NewPayload
from oct.store.registry import Snapshot
from oct.store.returns import NewReturn, ReturnState

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Share:
    """What one practitioner gets of a return: the letter, and the lots it answers. No letter: ours alone (C6)."""

    practitioner_id: int | None
    content: bytes
    evidence: str
    answered: list[Answered]
    letter: Letter | None


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What becomes of a return: shares, or a reason to hold its file."""

    read: ReadReturn | None
    shares: tuple[_Share, ...] = ()
    reason: OctError | None = None
    file: NewPayload | None = None


def deliver(workshop: Workshop, message: Message, owner: str) -> None:
    """Brings one return to its end. StoreError when the database is away."""
    with workshop.store.read() as conn:
        raw = payloads.get(conn, workshop.vault, message.payload_id)
        snapshot = workshop.registry.current(conn)
    judged = attempt(workshop, message, lambda: _settle(workshop, message, raw, snapshot))
    verdict = _Verdict(None, reason=judged) if isinstance(judged, OctError) else judged
    with workshop.store.begin() as conn:
        _write(conn, workshop, message, verdict, owner)


def _settle(workshop: Workshop, message: Message, raw: bytes, snapshot: Snapshot) -> _Verdict:
    opened = workshop.opener.open(raw, accept_clear=True)
    read = read_return(opened, workshop.profiles, workshop.layouts, workshop.entities)
    sender = insurers_behind(message, snapshot)
    with workshop.store.read() as conn:
        facts = facts_of(conn, read, opened, workshop.entities, snapshot, sender)
        own = _own_lots(conn, workshop, read, facts, sender)
        parts = _parts(workshop, read, opened, facts, snapshot) if own is None else ()
        if isinstance(parts, OctError):
            return _Verdict(read, reason=parts, file=payloads.seal(workshop.vault, opened.file))
        answered = [
            lots_answered(conn, read, workshop.entities, facts, sender, part.practitioner_id) for part, _ in parts
        ]
    if own is not None:
        kept = payloads.seal(workshop.vault, opened.file) if _refuses(read) else None
        return _Verdict(read, (_Share(None, opened.file, "", own, None),), file=kept)
    cover = cover_of(opened)
    shares = [
        _Share(
            part.practitioner_id,
            part.content,
            evidence,
            lots,
            seal_letter(workshop, message.id, cover, snapshot.by_id[part.practitioner_id], part.content, snapshot),
        )
        for (part, evidence), lots in zip(parts, answered, strict=True)
    ]
    return _Verdict(read, tuple(shares))


def _own_lots(
    conn: Connection, workshop: Workshop, read: ReadReturn, facts: Facts, sender: Collection[int]
) -> list[Answered] | None:
    """C6: the lots of an ARL when all of them are of the AMC flow, which the concentrator built."""
    if not isinstance(read.parsed, Arl):
        return None
    found = lots_answered(conn, read, workshop.entities, facts, sender, None)
    return found if found and all(one.lot.kind == LotKind.AMC for one in found) else None


def _parts(
    workshop: Workshop, read: ReadReturn, opened: Opened, facts: Facts, snapshot: Snapshot
) -> Sequence[tuple[Part, str]] | OctError:
    """Who gets what, with the evidence; or why the return is held. The header comes first, then the content (R2)."""
    if read.fault is not None:
        code = TOO_LARGE if read.fault.code == TOO_LARGE else "retour-illisible"
        return RoutingError(code, read.fault.sentence, place=read.fault.place, rule=read.fault.rule or "R2")
    plan: SplitPlan | Ambiguous | None = None
    if isinstance(read.parsed, NoemieFile) and facts.candidates.header is None:
        plan = split_by_practitioner(
            read.parsed,
            lambda reference: facts.owners.get(reference, frozenset()),
            lambda practitioner_id: ("TP", snapshot.by_id[practitioner_id].number),
            workshop.layouts,
            workshop.entities,
        )
        if isinstance(plan, SplitPlan) and _agrees(plan, facts):
            return [(part, Evidence.CONTENT) for part in plan.parts]
    if isinstance(read.parsed, Arl) and facts.together:
        cut = split_arl(
            opened.file,
            read.parsed,
            facts.together,
            lambda practitioner_id: ("TP", snapshot.by_id[practitioner_id].number),
            workshop.layouts,
        )
        return [(part, Evidence.CONTENT) for part in cut.parts]
    decision = decide_recipient(facts.candidates)
    if isinstance(decision, Ambiguous):
        why = plan if isinstance(plan, Ambiguous) and decision.reason == CONTRADICTION else decision
        return RoutingError("destinataire-incertain", why.reason, rule="R2")
    return [(Part(decision.practitioner_id, opened.file, unchanged=True), decision.evidence)]


def _agrees(plan: SplitPlan, facts: Facts) -> bool:
    """Whether the message that is answered, when there is one, is of one of these practitioners."""
    answered = facts.candidates.answered
    return not answered or not answered.isdisjoint(part.practitioner_id for part in plan.parts)


def _write(conn: Connection, workshop: Workshop, message: Message, verdict: _Verdict, owner: str) -> None:
    now = workshop.clock()
    state = MessageState.PROCESSED if verdict.reason is None else MessageState.HELD
    code = verdict.reason.code if verdict.reason is not None else ""
    if not messages.finish(conn, message.id, owner, state, code, now):
        _log.warning("bail-perdu", suivi=message.trace)
        return
    if verdict.reason is not None:
        _hold(conn, message, verdict, verdict.reason, now)
    for share in verdict.shares:
        _hand_over(conn, message, verdict, share, now)


def _hold(conn: Connection, message: Message, verdict: _Verdict, reason: OctError, now: int) -> None:
    """A return that was read waits as a return, with its file; anything else waits as a message."""
    return_id = payload_id = None
    subject = HoldSubject.MESSAGE
    if verdict.read is not None and verdict.file is not None:
        subject = HoldSubject.RETURN
        (payload_id,) = payloads.insert_many(conn, [verdict.file], now)
        return_id = returns.insert_return(
            conn, _row(message, verdict.read, None, None, "", verdict.file.sha256, verdict.file.size, ReturnState.HELD)
        )
    hold_id = holds.open_hold(
        conn,
        NewHold(
            opened_at=now,
            subject=subject,
            message_id=message.id,
            code=reason.code,
            sentence=reason.describe(),
            return_id=return_id,
            payload_id=payload_id,
            insurer_id=message.insurer_id,
        ),
    )
    events.append(conn, [_event(message, "retenu", reason.code, now, return_id=return_id, retenue=hold_id)])


def _refuses(read: ReadReturn) -> bool:
    parsed = read.parsed
    if not isinstance(parsed, Arl):
        return False
    return any(not lot.positive for lot in parsed.lots) or (parsed.file is not None and not parsed.file.positive)


def _hold_refusal(conn: Connection, message: Message, return_id: int, file: NewPayload, now: int) -> None:
    """C6: an AMC refuses what was built here, and following it up is the operator's: nobody else is told."""
    (payload_id,) = payloads.insert_many(conn, [file], now)
    hold = NewHold(
        opened_at=now,
        subject=HoldSubject.RETURN,
        message_id=message.id,
        code="lot-amc-refuse",
        sentence="Une AMC refuse des lots du flux AMC, que le concentrateur a construits. [règle C6]",
        return_id=return_id,
        payload_id=payload_id,
        insurer_id=message.insurer_id,
    )
    holds.open_hold(conn, hold)


def _hand_over(conn: Connection, message: Message, verdict: _Verdict, share: _Share, now: int) -> None:
    consignment_id = write_letter(conn, share.letter) if share.letter is not None else None
    state = ReturnState.DELIVERED if share.letter is not None else ReturnState.OWN
    digest = hashlib.sha256(share.content).digest()
    read = verdict.read or ReadReturn(ReturnKind.TEXT, None)
    row = _row(message, read, share.practitioner_id, consignment_id, share.evidence, digest, len(share.content), state)
    return_id = returns.insert_return(conn, row)
    moved = write_states(conn, return_id, share.answered, now)
    if share.letter is None and verdict.file is not None:
        _hold_refusal(conn, message, return_id, verdict.file, now)
    event = _event(
        message,
        "retour",
        state,
        now,
        return_id=return_id,
        consignment_id=consignment_id,
        practitioner_id=share.practitioner_id,
        genre=read.kind,
        reference=read.reference,
        preuve=share.evidence,
        sha256=digest.hex(),
        lots={str(lot_id): str(lot_state) for lot_id, lot_state in moved.items()},
    )
    events.append(conn, [event])


def _row(
    message: Message,
    read: ReadReturn,
    practitioner_id: int | None,
    consignment_id: int | None,
    evidence: str,
    sha256: bytes,
    size: int,
    state: str,
) -> NewReturn:
    return NewReturn(
        message_id=message.id,
        kind=read.kind,
        insurer_id=message.insurer_id,
        practitioner_id=practitioner_id,
        consignment_id=consignment_id,
        reference=read.reference,
        evidence=evidence,
        sha256=sha256,
        size=size,
        received_at=message.received_at,
        state=state,
    )


def _event(
    message: Message,
    kind: str,
    outcome: str,
    now: int,
    *,
    return_id: int | None = None,
    consignment_id: int | None = None,
    practitioner_id: int | None = None,
    **data: object,
) -> Event:
    return Event(
        at=now,
        kind=kind,
        outcome=outcome[:12],
        message_id=message.id,
        consignment_id=consignment_id,
        return_id=return_id,
        practitioner_id=practitioner_id,
        insurer_id=message.insurer_id,
        data=data,
    )
