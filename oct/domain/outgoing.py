"""The file that leaves for an insurer: its 000 record and its frame (L5, C4, assumptions A9 to A11).

A file that is only passed on keeps every byte (S1). One that the concentrator makes names as its sender the
concentrator or, by setting, the practitioner, and carries a file id that was never used before.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from oct.domain.model import Insurer, InsurerKind
from oct.domain.splitting import Parcel
from oct.formats.b2 import B2File, write_file
from oct.formats.layouts import RECORD, Layouts


class FileSender(StrEnum):
    """A9: who stands as sender in the files that the concentrator makes for an AMO."""

    OCT = "oct"
    PS = "ps"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the concentrator is in its files, and what it writes there."""

    number: str
    """SIREN, zero-filled to 14 digits."""
    amo_sender: FileSender = FileSender.OCT
    amo_application: str = "TR"
    """A10."""
    amc_application: str = "TA"
    """A11."""


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """A file ready to be sealed. `sender_number` also stands in the Subject (`exercice`)."""

    content: bytes
    file_id: str
    sender_number: str
    invoice_count: int


def outgoing_file(
    received: B2File, parcel: Parcel, identity: Identity, layouts: Layouts, *, file_id: str, today: str
) -> OutgoingFile:
    """The file of a parcel. `today` is AAMMJJ; `file_id` is used only when a new 000 record is made."""
    invoices = sum(
        len(lot.derived.invoices) if lot.derived is not None else len(lot.source.invoices) for lot in parcel.lots
    )
    if parcel.whole is not None:
        return OutgoingFile(parcel.whole, received.file_id, received.sender_number, invoices)
    contents = [lot.content for lot in parcel.lots]
    first = received.data[:RECORD]
    if parcel.keeps_header and all(lot.derived is None for lot in parcel.lots):
        return OutgoingFile(write_file(first, contents, layouts), received.file_id, received.sender_number, invoices)
    header = _header(first, parcel.insurer, identity, layouts, file_id, today)
    sender = layouts["file_header"].text(header, "sender_number")
    return OutgoingFile(write_file(header, contents, layouts), file_id, sender, invoices)


def _header(received: bytes, insurer: Insurer, identity: Identity, layouts: Layouts, file_id: str, today: str) -> bytes:
    """A new 000 record: the norm and its version as received, the rest the concentrator's."""
    layout = layouts["file_header"]
    amo = insurer.kind is InsurerKind.AMO
    as_ps = amo and identity.amo_sender is FileSender.PS
    kept = {name: layout.text(received, name) for name in ("norm", "norm_version", "sesam_zone")}
    return layout.build(
        sender_type=layout.text(received, "sender_type") if as_ps else "OT",
        sender_number=layout.text(received, "sender_number") if as_ps else identity.number,
        recipient_type=insurer.recipient_type,
        recipient_number=insurer.recipient_number,
        reception_date=0,
        application=identity.amo_application if amo else identity.amc_application,
        file_id=file_id,
        created_on=today,
        **kept,
    )
