"""The files that a simulated insurer answers with: ARL by lot or by file, RSP of one or several practitioners.

Pure: values in, bytes out. Persons are invented. Source: assumption A2 for the ARL, A18 for the counters of a RSP.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oct.formats.arl import ArlFile, ArlLot, write_arl, write_file_arl
from oct.formats.entities import Entities
from oct.formats.frame import FrameFields
from oct.formats.layouts import Layouts
from oct.formats.noemie import Form, Shape, build_noemie

FORMS = {Form.STREAM: Shape(Form.STREAM), Form.BLOCKS: Shape(Form.BLOCKS, fill=b" ")}


@dataclass(frozen=True, slots=True)
class AnsweredPart:
    """One insurer's part of an invoice, in centimes; `state` P paid, R rejected, D deferred, blank."""

    asked: int
    paid: int
    state: str = "P"


@dataclass(frozen=True, slots=True)
class AnsweredInvoice:
    """An invoice (9 digits) as the insurer settles it; a code of rejection adds an entity 294."""

    number: str
    amo: AnsweredPart | None = None
    amc: AnsweredPart | None = None
    rejection: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class AnsweredLot:
    """A lot: its number (3 digits), its date (AAMMJJ), its invoices."""

    number: str
    date: str
    invoices: tuple[AnsweredInvoice, ...]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is settled to one practitioner (9 digits)."""

    ps_number: str
    lots: tuple[AnsweredLot, ...]


def rsp(fields: FrameFields, settlements: Sequence[Settlement], form: Form, layouts: Layouts, rules: Entities) -> bytes:
    """A NOEMIE return of these settlements; `fields.norm` is its reference (580, 576, 900)."""
    raws = [
        rules.build("010", 1, number=fields.sender_number[-7:], key="0"),
        *(raw for settlement in settlements for raw in _settlement(settlement, fields.created_on, rules)),
        _control(1, "", rules),
    ]
    return build_noemie(fields, raws, FORMS[form], layouts, rules)


def arl(fields: FrameFields, answer: Sequence[ArlLot] | ArlFile, layouts: Layouts) -> bytes:
    """An ARL of lots or of a whole file, positive or negative."""
    if isinstance(answer, ArlFile):
        return write_file_arl(fields, answer, layouts)
    return write_arl(fields, answer, layouts)


def _settlement(settlement: Settlement, date: str, rules: Entities) -> Iterator[bytes]:
    yield rules.build("040", 2, number=settlement.ps_number.zfill(15))
    yield rules.build("070", 2, date=date)
    yield rules.build("071", 2, date=date, label=f"VIREMENT {settlement.ps_number}")
    yield rules.build("081", 2, kind="01")
    for lot in settlement.lots:
        yield rules.build("080", 3, lot_date=lot.date, lot_number=lot.number)
        for invoice in lot.invoices:
            yield from _invoice(invoice, lot, rules)
    yield _control(2, settlement.ps_number.zfill(15), rules)


def _invoice(invoice: AnsweredInvoice, lot: AnsweredLot, rules: Entities) -> Iterator[bytes]:
    yield rules.build("100", 4, invoice_number=invoice.number)
    yield rules.build(
        "102",
        4,
        invoice_number=invoice.number,
        lot_number=lot.number,
        lot_date=lot.date,
        kind="F",
        invoiced_on=lot.date,
    )
    yield b"10304ASSURE D'ESSAI@"
    for code, part in (("198", invoice.amo), ("199", invoice.amc)):
        if part is not None:
            sign = "N" if part.paid < 0 else "P"
            yield rules.build(code, 5, asked=part.asked, state=part.state, paid=abs(part.paid), sign=sign)
    if invoice.rejection:
        yield rules.build("294", 5, code=invoice.rejection, label=invoice.label, scope="F", part="O")


def _control(level: int, identifier: str, rules: Entities) -> bytes:
    return rules.build("990", 99, closed=f"{level:02}{identifier}")
