"""Sends off what was built for one destination from several messages, in one file (A15).

Takes nothing; looks for groups whose window is closed: the first of their files has waited `[grouping] window`. Their
lots leave in one file, byte-identical and in order of arrival, in as few files as 999 lots each allow. It is made and
sealed outside of any transaction; then the sealed message, the lots that it now carries, the end of the files that
waited and the events of both directions are written at once. A crash before that leaves the files waiting; a second
process that made the same finds them gone, and writes nothing.

Failure: without a good certificate (H8), when the file does not hold what was received (L1), cannot be made or is
refused by the database, each file waits in a hold of its own, as it would have after processing, and its practitioner
is told; `oct.steps.release` lets it leave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Connection

from oct.domain.grouping import bunches, check_group, group
from oct.domain.later_texts import withheld
from oct.domain.model import Insurer
from oct.domain.outgoing import OutgoingFile
from oct.envelope.sealing import Sealed
from oct.errors import OctError, RoutingError, StoreRefusalError
from oct.formats.subject import version_in
from oct.steps.claims.dispatch import seal_outgoing
from oct.steps.concerned import Concerned, concerned_by, tell_each
from oct.steps.custody import attempt, unless_refused
from oct.steps.texts import write_text_row
from oct.steps.workshop import Workshop
from oct.store import consignments, events, gatherings, holds, lots, messages, payloads
from oct.store.consignments import GROUPED, NewConsignment
from oct.store.events import Event
from oct.store.gatherings import Gathering
from oct.store.holds import HoldSubject, NewHold
from oct.store.lots import Lot
from oct.store.payloads import NewPayload
from oct.store.registry import Snapshot

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Bunch:
    """Files that leave as one, the lots of each, and where to."""

    waiting: Sequence[Gathering]
    carried: dict[int, list[Lot]]
    insurer: Insurer | None

    @property
    def ids(self) -> list[int]:
        return [one.id for one in self.waiting]


@dataclass(frozen=True, slots=True)
class _Ready:
    """The one file, sealed, and its message encrypted at rest."""

    insurer: Insurer
    file: OutgoingFile
    sealed: Sealed
    payload: NewPayload


def gather(workshop: Workshop) -> int:
    """Sends off every group whose window is closed; how many left or are held. StoreError: no database."""
    with workshop.store.read() as conn:
        keys = gatherings.closed_keys(conn, workshop.clock() - workshop.rules.grouping)
        snapshot = workshop.registry.current(conn) if keys else None
    if snapshot is None:
        return 0
    return sum(unless_refused(partial(_send_off, workshop, key, snapshot)) for key in keys)


def _send_off(workshop: Workshop, key: str, snapshot: Snapshot) -> int:
    with workshop.store.read() as conn:
        waiting = gatherings.of_key(conn, key)
    return sum(_together(workshop, bunch, snapshot) for bunch in bunches(waiting))


def _together(workshop: Workshop, waiting: Sequence[Gathering], snapshot: Snapshot) -> int:
    with workshop.store.read() as conn:
        carried = {one.id: lots.of_consignment(conn, one.id) for one in waiting}
        first = messages.by_id(conn, waiting[0].message_id)
    if first is None:
        raise ValueError("a file that waits came of no message")
    bunch = _Bunch(waiting, carried, snapshot.directory.insurers.get(waiting[0].insurer_id))
    ready = attempt(workshop, first, lambda: _made(workshop, bunch, version_in(first.subject), snapshot))
    if isinstance(ready, OctError):
        return _withhold(workshop, bunch, ready, snapshot)
    try:
        with workshop.store.begin() as conn:
            if not gatherings.still_waiting(conn, bunch.ids):
                return 0
            _write(conn, bunch, ready, workshop.clock())
    except StoreRefusalError as refusal:
        return _withhold(workshop, bunch, refusal, snapshot)
    return 1


def _made(workshop: Workshop, bunch: _Bunch, version: str, snapshot: Snapshot) -> _Ready:
    """The one file of a bunch. OctError when it may not leave."""
    if bunch.insurer is None:
        raise RoutingError("destinataire-inconnu", "Le destinataire n'est plus dans l'annuaire.", rule="L6")
    with workshop.store.read() as conn:
        contents = [payloads.get(conn, workshop.vault, one.payload_id) for one in bunch.waiting]
    layouts, file_id = workshop.layouts, workshop.numbering.next_file_id()
    file = group(contents, file_id=file_id, today=workshop.today(), layouts=layouts)
    digests = [lot.sha256 for one in bunch.waiting for lot in bunch.carried[one.id]]
    check_group(file.content, contents, digests, layouts)
    sealed = seal_outgoing(workshop, file, bunch.insurer, snapshot, version)
    if not isinstance(sealed, Sealed):
        raise sealed
    return _Ready(bunch.insurer, file, sealed, payloads.seal(workshop.vault, sealed.content))


def _write(conn: Connection, bunch: _Bunch, ready: _Ready, now: int) -> None:
    (payload_id,) = payloads.insert_many(conn, [ready.payload], now)
    new = NewConsignment(
        message_id=bunch.waiting[0].message_id,
        kind=GROUPED,
        recipient=ready.insurer.address,
        message_uid=ready.sealed.message_id,
        payload_id=payload_id,
        size=ready.payload.size,
        sha256=ready.payload.sha256,
        created_at=now,
        due_at=now,
        insurer_id=ready.insurer.id,
        compostage=ready.sealed.compostage,
        file_id=ready.file.file_id,
    )
    (consignment_id,) = consignments.insert_many(conn, [new])
    gatherings.send_off(conn, bunch.ids, consignment_id)
    for one in bunch.waiting:
        payloads.destroy(conn, one.payload_id, now)
    events.append(conn, [_sealed_event(one, bunch, ready, consignment_id, now) for one in bunch.waiting])


def _withhold(workshop: Workshop, bunch: _Bunch, reason: OctError, snapshot: Snapshot) -> int:
    """Each file waits by itself: who is concerned, and what is decided of it, are then those of one message."""
    label = bunch.insurer.label if bunch.insurer is not None else "son assureur"

    def told(one: Concerned) -> str:
        sentence = reason.describe()
        return withheld(
            workshop.rules.name, one.practitioner.number, one.message.trace, label, sentence, one.lot_numbers
        )

    with workshop.store.read() as conn:
        every = [lot for carried in bunch.carried.values() for lot in carried]
        concerned = concerned_by(conn, bunch.waiting[0].message_id, every, snapshot)
    texts = tell_each(workshop, concerned, told)
    now = workshop.clock()
    with workshop.store.begin() as conn:
        if not gatherings.still_waiting(conn, bunch.ids):
            return 0
        for one in bunch.waiting:
            _hold(conn, one, bunch, reason, now)
        for text in texts:
            write_text_row(conn, text)
    _log.warning("groupage-retenu", motif=reason.code, fichiers=len(bunch.waiting))
    return len(bunch.waiting)


def _hold(conn: Connection, one: Gathering, bunch: _Bunch, reason: OctError, now: int) -> None:
    hold = NewHold(
        opened_at=now,
        subject=HoldSubject.FILE,
        message_id=one.message_id,
        code=reason.code,
        sentence=reason.describe(),
        payload_id=one.payload_id,
        insurer_id=one.insurer_id,
    )
    hold_id = holds.open_hold(conn, hold)
    gatherings.withhold(conn, one.id, hold_id, reason.code, now)
    event = Event(
        at=now,
        kind="retenu",
        outcome=reason.code[:12],
        message_id=one.message_id,
        consignment_id=one.id,
        insurer_id=one.insurer_id,
        data={"retenue": hold_id, "motif": reason.code, "lots": _names(bunch.carried[one.id])},
    )
    events.append(conn, [event])


def _sealed_event(one: Gathering, bunch: _Bunch, ready: _Ready, consignment_id: int, now: int) -> Event:
    """In the story of each message, of its own lots: in which sending they leave, and out of which file."""
    return Event(
        at=now,
        kind="groupage",
        outcome="pret",
        message_id=one.message_id,
        consignment_id=consignment_id,
        insurer_id=ready.insurer.id,
        data={
            "destinataire": ready.insurer.address,
            "fichier": ready.file.file_id,
            "compostage": ready.sealed.compostage,
            "remplace": one.id,
            "messages": len({other.message_id for other in bunch.waiting}),
            "lots": _names(bunch.carried[one.id]),
            "sha256_fichier": ready.sealed.file_sha256.hex(),
            "sha256_message": ready.payload.sha256.hex(),
            "taille": ready.payload.size,
        },
    )


def _names(carried: Sequence[Lot]) -> list[str]:
    return [f"{lot.ps_number}/{lot.number}/{lot.kind}" for lot in carried]
