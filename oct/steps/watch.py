"""Looks for lots that their insurer does not answer (D1).

A lot delivered `silence` ago and unanswered is shown as such; at `manual` it becomes *traitement manuel*. Both are told
once, to the practitioner by one text for all such lots of a message and to the operator by an event and a line of log;
the answer clears it (`return_states`). The ARL of a lot that the concentrator built is its own (C6): the operator alone
is told. So is nobody of a lot sent again: its first sending was told, and the answer to either clears both.

Takes nothing; looks by an index at what has been in its state too long, so it costs nothing when nothing is silent.
Each message is one transaction: a crash repeats nothing, an answer that comes meanwhile is left to win, and what the
database refuses of one keeps no other waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from oct.clock import paris
from oct.domain import later_texts
from oct.domain.journey import LotState
from oct.domain.later_texts import SilentLot
from oct.domain.model import LotKind
from oct.steps.custody import unless_refused
from oct.steps.texts import SealedText, TextKind, seal_text, write_text_row
from oct.steps.workshop import Workshop
from oct.store import events, lots, messages
from oct.store.events import Event
from oct.store.lots import Lot
from oct.store.registry import Snapshot

_log = structlog.get_logger()
_MOST = 500
"""Lots looked at before their messages are told."""


@dataclass(frozen=True, slots=True)
class _Stage:
    """A delay that has run out: from which state to which, after how long in it, and in all since the delivery (ms)."""

    before: LotState
    after: LotState
    delay: int
    silence: int
    outcome: str
    compose: Callable[[str, str, str, int, Sequence[SilentLot]], str]


def watch(workshop: Workshop) -> int:
    """Tells of every lot whose delay has run out; how many messages had some. StoreError when the database is away."""
    rules = workshop.rules
    stages = (
        _Stage(
            LotState.DELIVERED,
            LotState.UNANSWERED,
            rules.silence,
            rules.silence,
            "sans-reponse",
            later_texts.unanswered,
        ),
        _Stage(
            LotState.UNANSWERED,
            LotState.MANUAL,
            rules.manual - rules.silence,
            rules.manual,
            "manuel",
            later_texts.manual,
        ),
    )
    return sum(_run_out(workshop, stage) for stage in stages)


def _run_out(workshop: Workshop, stage: _Stage) -> int:
    """Every message with lots that a stage concerns now."""
    limit, told = workshop.clock() - stage.delay + 1, 0
    while True:
        with workshop.store.read() as conn:
            silent = lots.unchanged_since(conn, stage.before, limit, _MOST)
        concerned = dict.fromkeys(lot.message_id for lot in silent)
        passed = [unless_refused(partial(_tell, workshop, stage, message_id, limit)) for message_id in concerned]
        told += sum(passed)
        if len(silent) < _MOST or not any(passed):
            return told


def _tell(workshop: Workshop, stage: _Stage, message_id: int, limit: int) -> bool:
    """Moves and tells the silent lots of one message; False when one of them was answered meanwhile."""
    with workshop.store.read() as conn:
        snapshot = workshop.registry.current(conn)
        carried = lots.of_message(conn, message_id)
    silent = [lot for lot in carried if lot.state == stage.before and lot.state_at < limit]
    if not silent:
        return False
    first = [lot for lot in silent if lot.first_lot_id is None]
    text = _text(workshop, stage, message_id, first, snapshot)
    with workshop.store.begin() as conn:
        if not lots.let_time_pass(conn, [lot.id for lot in silent], stage.before, stage.after, stage.delay):
            return False
        if text is not None:
            write_text_row(conn, text)
        if first:
            events.append(conn, [_event(workshop, stage, message_id, first, told=text is not None)])
    if first:
        _log.warning("lots-sans-reponse", etape=stage.outcome, message=message_id, lots=len(first))
    return True


def _text(
    workshop: Workshop, stage: _Stage, message_id: int, silent: Sequence[Lot], snapshot: Snapshot
) -> SealedText | None:
    """What the practitioner reads; None when all these lots were built here."""
    own = [lot for lot in silent if lot.kind != LotKind.AMC]
    if not own:
        return None
    with workshop.store.read() as conn:
        message = messages.by_id(conn, message_id)
    practitioner = snapshot.by_id.get(own[0].practitioner_id or 0)
    if message is None or practitioner is None:
        return None
    told = [_silent_lot(lot, stage, snapshot) for lot in own]
    text = stage.compose(workshop.rules.name, practitioner.number, message.trace, stage.silence, told)
    return seal_text(workshop, TextKind.LATER, message_id, practitioner, text)


def _silent_lot(lot: Lot, stage: _Stage, snapshot: Snapshot) -> SilentLot:
    insurer = snapshot.directory.insurers.get(lot.insurer_id or 0)
    delivered_at = lot.state_at + stage.delay - stage.silence
    name = f"{'fichier' if lot.kind == LotKind.FLUX else 'lot'} {lot.number}"
    return SilentLot(name, insurer.label if insurer is not None else "son assureur", paris(delivered_at))


def _event(workshop: Workshop, stage: _Stage, message_id: int, silent: Sequence[Lot], *, told: bool) -> Event:
    return Event(
        at=workshop.clock(),
        kind="silence",
        outcome=stage.outcome,
        message_id=message_id,
        practitioner_id=silent[0].practitioner_id,
        data={
            "lots": [f"{lot.ps_number}/{lot.number}/{lot.kind}" for lot in silent],
            "assureurs": sorted({lot.insurer_id for lot in silent if lot.insurer_id is not None}),
            "ps_prevenu": told,
        },
    )
