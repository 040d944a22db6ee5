"""A claim file as an insurer's front end reads it: its lots and invoices, and what it would complain of.

Reads by its own means, so that a wrong counter of the concentrator's cannot be hidden by the concentrator's reader.
Never fails: a file that is no B2 file has no lots, and `faults` says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from oct.formats.layouts import RECORD, Layout, Layouts


@dataclass(frozen=True, slots=True)
class ReceivedInvoice:
    """One invoice. Amounts in centimes; `kind` F or D, `settlement` and `oct_split` as written."""

    number: str
    kind: str
    settlement: str
    oct_split: str
    billed: int
    amo: int
    amc: int


@dataclass(frozen=True, slots=True)
class ReceivedLot:
    """One lot, with the digest of its bytes (L1). `created_on` is AAMMJJ."""

    ps_number: str
    organism: str
    number: str
    created_on: str
    sha256: str
    invoices: tuple[ReceivedInvoice, ...]


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file. `faults` is empty when an insurer has nothing to say against it."""

    data: bytes
    sender_type: str
    sender_number: str
    recipient_type: str
    recipient_number: str
    file_id: str
    lots: tuple[ReceivedLot, ...]
    faults: tuple[str, ...]


def read_received(data: bytes, layouts: Layouts) -> ReceivedFile:
    """What is in a file, and what is wrong with it."""
    header = layouts["file_header"]
    first = data[:RECORD]
    lots, faults = _Reader(layouts, establishment=header.text(first, "norm") == "CP").read(data)
    return ReceivedFile(
        data=data,
        sender_type=header.text(first, "sender_type"),
        sender_number=header.text(first, "sender_number"),
        recipient_type=header.text(first, "recipient_type"),
        recipient_number=header.text(first, "recipient_number"),
        file_id=header.text(first, "file_id"),
        lots=lots,
        faults=faults,
    )


class _Reader:
    def __init__(self, layouts: Layouts, *, establishment: bool) -> None:
        self._layouts = layouts
        self._numbered = layouts["cp_invoice_header" if establishment else "invoice_header"]

    def read(self, data: bytes) -> tuple[tuple[ReceivedLot, ...], tuple[str, ...]]:
        records = [data[start : start + RECORD] for start in range(0, len(data), RECORD)]
        if len(data) % RECORD or len(records) < 2 or records[0][:3] != b"000" or records[-1][:3] != b"999":
            return (), ("ce n'est pas un fichier B2",)
        faults: list[str] = []
        lots = [self._lot(lot, faults) for lot in _groups(records[1:-1], b"6")]
        counters = {"record_count": len(records), "lot_count": len(lots)}
        self._compare("file_trailer", records[-1], counters, faults)
        return tuple(lots), tuple(faults)

    def _lot(self, records: list[bytes], faults: list[str]) -> ReceivedLot:
        header, last = self._layouts["lot_header"], records[-1]
        invoices = [self._invoice(invoice) for invoice in _groups(records[1:-1], b"5")]
        starts = b"".join(record[:1] for record in records)
        counters = {
            "invoice_count": len(invoices),
            "type5_count": starts.count(b"5"),
            "line_count": starts.count(b"4"),
            "billed_total": sum(invoice.billed for invoice in invoices),
            "amo_total": sum(invoice.amo for invoice in invoices),
            "amc_total": sum(invoice.amc for invoice in invoices),
            "lot_number": _number(header, records[0], "lot_number"),
            "ps_number": _number(header, records[0], "ps_number"),
        }
        self._compare("lot_trailer", last, counters, faults)
        twos = _number(self._layouts["lot_trailer"], last, "type2_count")
        if twos not in (len(invoices), starts.count(b"2")):
            faults.append("lot_trailer.type2_count")
        return ReceivedLot(
            ps_number=header.text(records[0], "ps_number"),
            organism=header.text(records[0], "recipient_organism"),
            number=header.text(records[0], "lot_number"),
            created_on=header.text(records[0], "created_on"),
            sha256=hashlib.sha256(b"".join(records)).hexdigest(),
            invoices=tuple(invoices),
        )

    def _invoice(self, records: list[bytes]) -> ReceivedInvoice:
        header, total = self._layouts["invoice_header"], self._layouts["invoice_total"]
        return ReceivedInvoice(
            number=self._numbered.text(records[0], "invoice_number"),
            kind=header.text(records[0], "invoice_kind"),
            settlement=header.text(records[0], "settlement"),
            oct_split=total.text(records[-1], "oct_split"),
            billed=_number(total, records[-1], "billed_total"),
            amo=_number(total, records[-1], "amo_total"),
            amc=_number(total, records[-1], "amc_total"),
        )

    def _compare(self, name: str, record: bytes, expected: dict[str, int], faults: list[str]) -> None:
        layout = self._layouts[name]
        faults += [f"{name}.{field}" for field, value in expected.items() if _number(layout, record, field) != value]


def _groups(records: list[bytes], end: bytes) -> Iterator[list[bytes]]:
    """Cuts after each record of type `end`; what follows the last one is a group too, which its counters betray."""
    group: list[bytes] = []
    for record in records:
        group.append(record)
        if record[:1] == end:
            yield group
            group = []
    if group:
        yield group


def _number(layout: Layout, record: bytes, field: str) -> int:
    """The field as a number, -1 when it is none: it then agrees with nothing."""
    raw = layout.raw(record, field)
    return int(raw) if raw.isdigit() else -1
