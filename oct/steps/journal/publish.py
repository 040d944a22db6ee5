"""Lets heads leave the database by other ways than the file: by mail, and to a time stamping authority (T1).

Both take the newest head when the last one that left is old enough; none leaves twice. A head that leaves by mail is
an ordinary consignment of a message of our own, so it is tried again, held and traced like any other. Neither ever
makes sealing wait: they run on a thread of their own. Failure: an authority that is away is asked again by the next
run, and is one line of log; StoreError when the database is away.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from oct.domain.admission import Origin
from oct.domain.journey import MessageState
from oct.formats.mime_writer import write_text
from oct.steps.workshop import Workshop
from oct.store import consignments, counters, events, journal, messages, payloads, stamps
from oct.store.consignments import NewConsignment
from oct.store.events import Event
from oct.store.messages import NewMessage
from oct.store.numbering import trace_number
from oct.trace.stamps import StampError, stamp
from oct.trace.verify import TreeHead

_MAILED = "journal:courrier"
"""The counter that holds the instant of the last head that left by mail."""
_KIND = "tete"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class HeadMail:
    """Sends the newest head to `address`, `every` so many milliseconds at most."""

    workshop: Workshop
    address: str
    every: int

    def run(self) -> int:
        """How many heads left: one or none."""
        workshop, now = self.workshop, self.workshop.clock()
        with workshop.store.begin() as conn:
            last = counters.advance(conn, _MAILED, 0)
            head = journal.last_head(conn)
            if head is None or head.at <= last or now < last + self.every:
                return 0
            counters.advance(conn, _MAILED, head.at - last)
            self._write(conn, head, now)
        return 1

    def _write(self, conn: Connection, head: TreeHead, now: int) -> None:
        workshop = self.workshop
        ours = workshop.rules.address
        subject = f"TETE/{head.size}"
        uid = f"<tete.{head.size}.{head.at}@{ours.rpartition('@')[2]}>"
        content = write_text(
            sender=ours,
            recipient=self.address,
            subject=subject,
            description="TETE/JOURNAL",
            message_id=uid,
            date=workshop.now_in_paris(),
            text=f"{head.line().decode('ascii')}\n",
            filename="tete.txt",
        )
        payload = payloads.seal(workshop.vault, content)
        own = NewMessage(
            trace=trace_number(now, workshop.chance),
            fingerprint=hashlib.sha256(head.line()).digest(),
            received_at=now,
            origin=Origin.JOURNAL,
            peer="",
            mail_from="",
            header_from=ours,
            subject=subject,
            message_id=uid,
            compostage="",
            practitioner_id=None,
            insurer_id=None,
            size=payload.size,
            sha256=payload.sha256,
            state=MessageState.PROCESSED,
            due_at=None,
        )
        message_id = messages.insert(conn, own, payload).id
        (consignment_id,) = consignments.insert_many(
            conn,
            [
                NewConsignment(
                    message_id=message_id,
                    kind=_KIND,
                    recipient=self.address,
                    message_uid=uid,
                    payload_id=messages.payload_of(conn, message_id),
                    size=payload.size,
                    sha256=payload.sha256,
                    created_at=now,
                    due_at=now,
                )
            ],
        )
        data = {"taille": head.size, "racine": head.root.hex(), "destinataire": self.address}
        written = Event(now, _KIND, "courrier", message_id=message_id, consignment_id=consignment_id, data=data)
        events.append(conn, [written])


@dataclass(frozen=True, slots=True)
class HeadStamps:
    """Has the newest head dated by the authority at `url`, `every` so many milliseconds at most."""

    workshop: Workshop
    url: str
    every: int

    def run(self) -> int:
        """How many tokens were kept: one or none."""
        workshop = self.workshop
        with workshop.store.read() as conn:
            head = journal.last_head(conn)
            last_size, last_at = stamps.last(conn)
        if head is None or head.size == last_size or workshop.clock() < last_at + self.every:
            return 0
        try:
            token = stamp(self.url, head)
        except StampError as error:
            _log.warning("horodatage-impossible", motif=error.reason)
            return 0
        with workshop.store.begin() as conn:
            stamps.put(conn, head.size, token, workshop.clock())
        return 1
