"""The file that leaves for an insurer: its 000 record and its frame (L5, C4, assumptions A9 to A11).

A file that is only passed on keeps every byte (S1). One that the concentrator makes names as its sender the
concentrator or, by setting, the practitioner, and carries a file id that was never used before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter

from oct.domain.conventions import FileSender
from oct.domain.model import Insurer, InsurerKind
from oct.domain.plan import Parcel, SplitContext
from oct.formats.b2 import B2File, framed
from oct.formats.layouts import RECORD, Cut, Layouts, Writer, cut_characters


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """A file ready to be sealed, in pieces: joined, a large one would stand twice in memory. `sender_number` also
    stands in the Subject (`exercice`)."""

    pieces: tuple[bytes | memoryview, ...] = field(repr=False)
    file_id: str
    sender_number: str
    invoice_count: int

    @property
    def content(self) -> bytes:
        """The whole of it."""
        return b"".join(self.pieces)


def outgoing_file(
    received: B2File,
    parcel: Parcel,
    contents: Sequence[bytes | memoryview],
    context: SplitContext,
    *,
    file_id: str,
) -> OutgoingFile:
    """The file of a parcel of `received`, around the contents of its lots.

    `file_id` (6 characters) is used only when a new 000 record is made.
    """
    invoices = sum([lot.invoice_count for lot in parcel.lots])
    if parcel.whole is not None:
        return OutgoingFile((parcel.whole,), received.file_id, received.sender_number, invoices)
    layouts = context.layouts
    if parcel.keeps_header:
        first, last = received.data[:RECORD], received.data[-RECORD:]
        pieces = framed(first, contents, layouts, trailer=last)
        return OutgoingFile(pieces, received.file_id, received.sender_number, invoices)
    header = _header(received.data[:RECORD], parcel.insurer, context, file_id)
    sender = layouts["file_header"].text(header, "sender_number")
    return OutgoingFile(framed(header, contents, layouts), file_id, sender, invoices)


def _header(received: bytes, insurer: Insurer, context: SplitContext, file_id: str) -> bytes:
    """A new 000 record: the norm and its version as received, the rest the concentrator's."""
    conventions, (kept, write) = context.conventions, _rewriting(context.layouts)
    sender_type, sender_number, norm, norm_version, sesam_zone = cut_characters(kept, received)
    amo = insurer.kind is InsurerKind.AMO
    if not (amo and conventions.amo_sender is FileSender.PS):
        sender_type, sender_number = "OT", context.oct_number
    return write(
        sender_type,
        sender_number,
        insurer.recipient_type or ("" if amo else conventions.amc_type),
        insurer.recipient_number or insurer.number.zfill(14),
        0,
        conventions.amo_application if amo else conventions.amc_application,
        file_id,
        context.today,
        norm,
        norm_version,
        sesam_zone,
    )


@lru_cache(maxsize=8)
def _rewriting(layouts: Layouts) -> tuple[Cut, Writer]:
    """What is kept of a received 000 record, cut from it, and how a new one is written."""
    layout = layouts["file_header"]
    sender, norm = ("sender_type", "sender_number"), ("norm", "norm_version", "sesam_zone")
    named = ("recipient_type", "recipient_number", "reception_date", "application", "file_id", "created_on")
    return itemgetter(*map(layout.at, (*sender, *norm))), layout.writer(*sender, *named, *norm)
