"""First step: takes a message at the door. 250 only when it is on disk (P1).

Takes a complete SMTP transaction; gives the reply. The message is identified (H6), fingerprinted (D4), encrypted at
rest and inserted, with its event, in one transaction. Messages that arrive together share a commit: one thread
writes, takes all that waits, and each sender gets its 250 only after the commit that holds its message. A commit costs
as much as ten messages, so while several come at a time it waits a moment for more; a lone one never waits. A large
message is hashed and encrypted on a thread beside, one at a time, while the one that writes waits for the disk.

Failure: a malformed header or an unknown sender is 550 or 554, on purpose, and what looks like a return is kept all the
same (`quarantine`); a database that is away, and any surprise, is 451 with a fixed text, and a full one 452. The same
transaction repeated gets the first one's trace number again. What the database refuses to keep is a surprise too, and
harms no neighbour: a group that is refused is written one by one. It is 451 and not 5xx, for the fault is ours, not the
sender's: a 5xx would have him believe that the claims are wrong, while a later version will take them.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from time import sleep
from typing import NamedTuple

import structlog

from oct.domain.admission import Admitted, Origin, Rejected
from oct.domain.journey import MessageState
from oct.errors import FormatError, StoreError, StoreRefusalError, described
from oct.formats.mime_headers import Headers, read_headers
from oct.smtp import replies
from oct.smtp.transaction import Reply, Transaction
from oct.steps.door import quarantine
from oct.steps.door.identity import fingerprint, identify, subject_of
from oct.steps.workshop import Workshop
from oct.store import events, holds, messages, payloads
from oct.store.events import Event
from oct.store.holds import HoldSubject, NewHold
from oct.store.messages import Insertion, NewMessage
from oct.store.numbering import trace_number
from oct.store.payloads import NewPayload
from oct.store.registry import Snapshot

_log = structlog.get_logger()
_GROUP = 50
"""Most messages that share a commit."""
_GROUP_BYTES = 16 << 20
"""A commit takes no more messages once they are so large together."""
_LARGE = 1 << 16
"""Octets from which a message is sealed beside."""
_GATHER_S = 0.003
"""How long a commit waits for more messages, when the one before had several."""
_UNAVAILABLE = Reply(451, "4.3.0 Service momentanement indisponible, reessayez plus tard")


class _Sealed(NamedTuple):
    """What a transaction holds, whose content is sealed and gone: in memory once."""

    headers: Headers
    known_by: bytes
    payload: NewPayload


@dataclass(slots=True)
class _Waiting:
    """A transaction that waits for its commit, what became of its content, and where its answer is awaited."""

    transaction: Transaction
    answer: asyncio.Future[Reply]
    sealed: _Sealed | None = None

    @property
    def size(self) -> int:
        """Octets of the content."""
        return self.sealed.payload.size if self.sealed is not None else len(self.transaction.content)


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A transaction that is ready to be written. `hold` says why a person must look at it first, empty otherwise;
    `refusal` is the answer to one that is kept although it is refused."""

    waiting: _Waiting
    message: NewMessage
    payload: NewPayload
    quarantine: str
    hold: str = ""
    refusal: Reply | None = None


class Receiver:
    """The step. `accept` is called on the event loop; one thread of its own writes. `ring` is handed the identifiers of
    messages that are on disk and due, after their 250: it must neither wait nor fail."""

    def __init__(self, workshop: Workshop, ring: Callable[[Sequence[int]], None] = lambda _: None) -> None:
        self._workshop = workshop
        self._ring = ring
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="receive", daemon=True)
        self._beside = ThreadPoolExecutor(1, "seal")

    def start(self) -> None:
        """Starts the writing thread."""
        self._thread.start()

    def stop(self) -> None:
        """Writes what waits, then ends the threads."""
        self._beside.shutdown()
        self._queue.put(None)
        self._thread.join()

    async def accept(self, transaction: Transaction) -> Reply:
        """The reply to a transaction, once its fate is on disk."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(transaction, loop.create_future())
        if waiting.size >= _LARGE:
            await loop.run_in_executor(self._beside, self._seal_beside, waiting)
        if not waiting.answer.done():
            self._queue.put(waiting)
        return await waiting.answer

    def _run(self) -> None:
        several, goes_on = False, True
        while goes_on and (first := self._queue.get()) is not None:
            group = [first]
            goes_on = self._fill(group)
            if several and goes_on and _has_room(group):
                sleep(_GATHER_S)
                goes_on = self._fill(group)
            self._serve(group)
            several = len(group) > 1

    def _fill(self, group: list[_Waiting]) -> bool:
        """Adds what waits to a group, as far as it has room; False when nothing comes any more."""
        while _has_room(group) and not self._queue.empty():
            following = self._queue.get()
            if following is None:
                return False
            group.append(following)
        return True

    def _serve(self, group: Sequence[_Waiting]) -> None:
        with self._excused(group):
            with self._workshop.store.read() as conn:
                snapshot = self._workshop.registry.current(conn)
            arrivals = []
            for waiting in group:
                with self._excused([waiting]):
                    arrival = self._admit(waiting, snapshot)
                    arrivals += [arrival] if arrival is not None else []
            for kept in (
                [arrival for arrival in arrivals if arrival.refusal is None],
                [arrival for arrival in arrivals if arrival.refusal is not None],
            ):
                if kept:
                    self._write_all(kept)

    @contextmanager
    def _excused(self, group: Sequence[_Waiting]) -> Iterator[None]:
        """Answers for a group to which something happens: nobody is told 250, and they send again."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the door: whatever happens, nobody is told 250 and nothing is lost
            _log.error("reception-impossible", messages=len(group), **described(error))
            full = isinstance(error, StoreError) and error.code == "base-pleine"
            _tell([(waiting, replies.NO_ROOM if full else _UNAVAILABLE) for waiting in group])

    def _seal_beside(self, waiting: _Waiting) -> None:
        with self._excused([waiting]):
            waiting.sealed = self._seal(waiting)

    def _seal(self, waiting: _Waiting) -> _Sealed | None:
        """What takes as long as the content is large; None when it was answered with a refusal."""
        transaction = waiting.transaction
        try:
            headers = read_headers(transaction.content, self._workshop.opener.limits)
        except FormatError as error:
            _tell([(waiting, Reply(554, f"5.6.0 {ascii_text(error.sentence)}"))])
            return None
        known_by = fingerprint(transaction.content, headers)
        payload = payloads.seal(self._workshop.vault, transaction.content)
        transaction.content = b""
        return _Sealed(headers, known_by, payload)

    def _admit(self, waiting: _Waiting, snapshot: Snapshot) -> _Arrival | None:
        """What is to be written of a transaction; None when it was answered with a refusal."""
        transaction = waiting.transaction
        sealed = waiting.sealed or self._seal(waiting)
        if sealed is None:
            return None
        verdict = identify(
            self._workshop,
            snapshot,
            sealed.headers,
            transaction.mail_from,
            transaction.peer,
            trusted=transaction.authenticated_as is not None,
        )
        if isinstance(verdict, Rejected):
            return self._refuse(waiting, sealed, verdict)
        message = self._message(transaction, sealed, sealed.known_by, verdict)
        return _Arrival(
            waiting, message, sealed.payload, verdict.quarantine, quarantine.UNBOUND if verdict.quarantine else ""
        )

    def _refuse(self, waiting: _Waiting, sealed: _Sealed, rejected: Rejected) -> _Arrival | None:
        """Answers with a refusal; what looks like a return is answered when it is kept."""
        transaction, headers = waiting.transaction, sealed.headers
        _log.info("message-refuse", peer=transaction.peer, reason=rejected.sentence)
        refusal = Reply(550, f"5.7.1 {rejected.sentence}")
        known_by = quarantine.kept_under(
            self._workshop, headers, sealed.known_by, sealed.payload.size, transaction.peer
        )
        if known_by is None:
            _tell([(waiting, refusal)])
            return None
        verdict = Admitted(Origin.UNKNOWN, quarantine=quarantine.CODE)
        message = self._message(transaction, sealed, known_by, verdict)
        why = quarantine.sentence(rejected, headers.sender, transaction.mail_from, transaction.peer)
        return _Arrival(waiting, message, sealed.payload, quarantine.CODE, why, refusal)

    def _message(self, transaction: Transaction, sealed: _Sealed, known_by: bytes, verdict: Admitted) -> NewMessage:
        headers, payload = sealed.headers, sealed.payload
        now, subject = self._workshop.clock(), subject_of(headers)
        quarantined = bool(verdict.quarantine)
        return NewMessage(
            trace=trace_number(now, self._workshop.chance),
            fingerprint=known_by,
            received_at=now,
            origin=verdict.origin,
            peer=transaction.peer,
            mail_from=transaction.mail_from,
            header_from=headers.sender,
            subject=headers.subject[:255],
            message_id=headers.message_id[:255],
            compostage=subject.compostage if subject is not None else "",
            practitioner_id=verdict.practitioner_id,
            insurer_id=verdict.insurer_id,
            size=payload.size,
            sha256=payload.sha256,
            state=MessageState.HELD if quarantined else MessageState.RECEIVED,
            due_at=None if quarantined else now,
        )

    def _write_all(self, arrivals: Sequence[_Arrival]) -> None:
        """In one commit; when that is refused, each in its own, and the one that is at fault is excused alone."""
        try:
            self._write(arrivals)
        except StoreRefusalError as refusal:
            _log.warning("ecriture-commune-refusee", messages=len(arrivals), **described(refusal))
            for arrival in arrivals:
                with self._excused([arrival.waiting]):
                    self._write([arrival])

    def _write(self, arrivals: Sequence[_Arrival]) -> None:
        with self._workshop.store.begin() as conn:
            inserted = messages.insert_many(conn, [(arrival.message, arrival.payload) for arrival in arrivals])
            for arrival, insertion in zip(arrivals, inserted, strict=True):
                if arrival.quarantine and insertion.is_new:
                    holds.open_hold(conn, _quarantine(arrival, insertion))
            events.append(conn, [_event(*pair) for pair in zip(arrivals, inserted, strict=True)])
        _tell([(arrival.waiting, _answer(arrival, end)) for arrival, end in zip(arrivals, inserted, strict=True)])
        self._ring([insertion.id for insertion in inserted if insertion.is_new])


def _has_room(group: Sequence[_Waiting]) -> bool:
    return len(group) < _GROUP and sum(waiting.size for waiting in group) < _GROUP_BYTES


def _tell(answers: Sequence[tuple[_Waiting, Reply]]) -> None:
    """Gives answers to the event loop that awaits them, which wakes up once for all of them."""
    first, _ = answers[0]
    first.answer.get_loop().call_soon_threadsafe(_resolve, answers)


def _resolve(answers: Sequence[tuple[_Waiting, Reply]]) -> None:
    for waiting, reply in answers:
        if not waiting.answer.done():
            waiting.answer.set_result(reply)


def _answer(arrival: _Arrival, insertion: Insertion) -> Reply:
    what = "recu" if insertion.is_new else "deja recu"
    return arrival.refusal or Reply(250, f"2.0.0 Message {what}, suivi {insertion.trace}")


def ascii_text(sentence: str) -> str:
    """A French sentence as an SMTP reply may hold it: without its accents, one line of 200 characters at most."""
    plain = unicodedata.normalize("NFKD", sentence.replace("’", "'").replace("œ", "oe"))
    return " ".join(plain.encode("ascii", "ignore").decode("ascii").split())[:200]


def _quarantine(arrival: _Arrival, insertion: Insertion) -> NewHold:
    return NewHold(arrival.message.received_at, HoldSubject.MESSAGE, insertion.id, arrival.quarantine, arrival.hold)


def _event(arrival: _Arrival, insertion: Insertion) -> Event:
    message = arrival.message
    return Event(
        at=message.received_at,
        kind="recu",
        outcome="nouveau" if insertion.is_new else "repete",
        message_id=insertion.id,
        practitioner_id=message.practitioner_id,
        insurer_id=message.insurer_id,
        data={
            "suivi": insertion.trace,
            "origine": message.origin,
            "pair": message.peer,
            "taille": message.size,
            "sha256": message.sha256.hex(),
            "quarantaine": arrival.quarantine,
        },
    )
