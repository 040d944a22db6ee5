"""The check that nothing escapes (L1, L2, C4, C5): what leaves or waits is what was received.

Of a plan: every lot that came in is in exactly one place, order is kept, each 99 invoice has its AMC part. Of the
bytes of each lot, when they are made: a lot only routed is equal byte for byte; a lot altered by contract 99 differs
only where it had to; the AMC flow comes from the same received records and never asks more than was billed. The check
compares records with records and shares nothing with what made them. What fails it is a defect of the program: the
message is held for a person.
"""

from __future__ import annotations

from collections.abc import Iterator

from oct.domain.contract99 import CONTRACT_SPLIT, split_invoices
from oct.domain.model import LotKind
from oct.domain.plan import Parcel, Plan, Planned, SplitContext, Waiting
from oct.errors import ConservationError, FormatError
from oct.formats.b2 import MAX_LOTS, B2File, Invoice, Lot, read_lots
from oct.formats.layouts import RECORD

_Expected = list[tuple[bytes, tuple[slice, ...]]]
"""Records of a lot as received, each with where it may differ."""


def check_conservation(file: B2File, plan: Plan) -> None:
    """Raises ConservationError when the lots of a plan are not those received. Their bytes: `check_content`."""
    _check_places(file, plan)
    _check_order(plan.parcels)
    _check_wholes(file, plan)
    _check_amc_flow(plan)
    if not all(known.lot.history.known for known in plan.known):
        raise _lost("un lot est écarté sans avoir été reçu auparavant")


def _placed(plan: Plan) -> Iterator[Planned]:
    for group in _groups(plan):
        yield from group.lots
    for known in plan.known:
        yield known.lot


def _groups(plan: Plan) -> tuple[Parcel | Waiting, ...]:
    return (*plan.parcels, *plan.waiting)


def _check_places(file: B2File, plan: Plan) -> None:
    """L1: each received lot once. A lot of the AMC flow is not one."""
    sources = [planned.source for planned in _placed(plan) if planned.derived is None]
    sources += [refused.lot for refused in plan.refused]
    if sorted([source.rank for source in sources]) != list(range(len(file.lots))):
        raise _lost("chaque lot reçu doit se trouver une fois et une seule")
    if sources != [file.lots[source.rank] for source in sources]:
        raise _lost("un lot n'est plus celui qui a été reçu")


def _check_order(parcels: tuple[Parcel, ...]) -> None:
    """L2 and L5: within a destination the order of arrival, in files of 999 lots at most."""
    last: dict[tuple[int, bool], int] = {}
    for parcel in parcels:
        if not 0 < len(parcel.lots) <= MAX_LOTS:
            raise _lost("un envoi n'a pas de 1 à 999 lots")
        for planned in parcel.lots:
            flow = (parcel.insurer.id, planned.derived is not None)
            if planned.source.rank <= last.get(flow, -1):
                raise _lost("l'ordre des lots a changé")
            last[flow] = planned.source.rank


def _check_wholes(file: B2File, plan: Plan) -> None:
    """S1: a file passed on whole is the received one, with all its lots, and nothing besides."""
    groups = _groups(plan)
    for group in groups:
        if group.whole is not None and (
            group.whole != file.data or len(groups) > 1 or plan.known or len(group.lots) != len(file.lots)
        ):
            raise _lost("un fichier transmis tel quel a changé")


def check_content(file: B2File, planned: Planned, content: bytes | memoryview, context: SplitContext) -> None:
    """Raises ConservationError when the bytes of a lot are not what was received, or what is derived from it."""
    if planned.derived is not None:
        _check_derived(file, planned, bytes(content), context)
    elif planned.altered:
        _check_amo_lot(file, planned, bytes(content), context)
    elif bytes(content) != file.content(planned.source):  # a comparison of views goes octet by octet
        raise _lost("un lot seulement acheminé a changé")


def _check_amo_lot(file: B2File, planned: Planned, content: bytes, context: SplitContext) -> None:
    """C4: the received records, less the complementary ones of the 99 invoices, with a few fields free to change."""
    lot = planned.source
    free_opening = _blanked("invoice_header", context)
    free_closing = (context.layouts["invoice_total"].at("oct_split"), *_blanked("invoice_total", context))
    expected: _Expected = [(_record(file, lot.start), ())]
    for invoice in lot.invoices:
        records = _records(file, invoice)
        if invoice.contract != CONTRACT_SPLIT:
            expected += [(record, ()) for record in records]
            continue
        opening, *middle, closing = records
        expected.append((opening, free_opening))
        expected += [(record, ()) for record in middle if not _dropped(record, context)]
        expected.append((closing, free_closing))
    free_trailer = (context.layouts["lot_trailer"].at("type2_count"), *_blanked("lot_trailer", context))
    expected.append((_record(file, lot.stop - RECORD), free_trailer))
    _compare(expected, content)
    _reread(file, planned, content, context)


def _dropped(record: bytes, context: SplitContext) -> bool:
    if record[:1] != b"2":
        return False
    return context.layouts["invoice_header"].text(record, "complement") in context.conventions.amo_drops


def _check_derived(file: B2File, planned: Planned, content: bytes, context: SplitContext) -> None:
    """C5: records of 99 invoices of the source, all of them, with the concentrator's own fields free to change."""
    lot = planned.source
    own = {layout: tuple(map(context.layouts[layout].at, fields)) for layout, fields in _OWN.items()}
    expected: _Expected = [(_record(file, lot.start), own["lot_header"])]
    received = {invoice.start: invoice for invoice in split_invoices(lot)}
    made = planned.derived.invoices if planned.derived is not None else ()
    again = _reread(file, planned, content, context).invoices
    if len(again) != len(made) or len({invoice.start for invoice in made}) != len(made):
        raise _lost("le flux AMC n'a pas les factures qui en ont été tirées")
    for derived, source in zip(again, made, strict=True):
        invoice = received.get(source.start)
        if invoice is None or invoice.number != derived.number:
            raise _lost("le flux AMC contient une facture étrangère")
        if derived.billed > invoice.billed or max(derived.amo, invoice.amo) + derived.amc > invoice.billed:
            raise _lost("le flux AMC demande plus que le total facturé")
        if _asked_by_lines(content[derived.start : derived.stop], context) != derived.amc:
            raise _lost("le flux AMC demande autre chose que la somme de ses actes")
        opening, *middle, closing = _records(file, invoice)
        expected.append((opening, own["invoice_header"]))
        expected += [(record, own["invoice_line"] if record[:1] == b"4" else ()) for record in middle]
        expected.append((closing, own["invoice_total"]))
    expected.append((_record(file, lot.stop - RECORD), own["lot_trailer"]))
    _compare(expected, content)


def _asked_by_lines(content: bytes, context: SplitContext) -> int:
    line = context.layouts["invoice_line"]
    mark, asked = line.at("complement"), line.at("amc_amount")
    records = [content[offset : offset + RECORD] for offset in range(0, len(content), RECORD)]
    acts = [record for record in records if record[:1] == b"4" and record[mark].isspace()]
    return sum(int(record[asked].strip() or b"0") for record in acts)


_OWN = {
    "lot_header": ("lot_number", "created_on", "certification"),
    "invoice_header": ("settlement", "invoice_kind"),
    "invoice_line": ("amc_amount",),
    "invoice_total": ("billed_total", "amo_total", "amc_total", "oct_split", "certification"),
    "lot_trailer": (
        "invoice_count", "line_count", "type2_count", "type5_count", "billed_total", "amo_total", "amc_total",
        "lot_number", "invoice_kind", "certification",
    ),
}  # fmt: skip
"""What the concentrator writes itself in a lot of the AMC flow; every other byte is as received."""


def _check_amc_flow(plan: Plan) -> None:
    """C5, C7: each 99 invoice that leaves for its AMO has its AMC part in the plan, once, or is said to have none."""
    leaving, asked = list[str](), list(plan.without_amc_part)
    for parcel in plan.parcels:
        for planned in parcel.lots:
            splits = split_invoices(planned.source) if planned.kind is LotKind.FSE else ()
            if splits and not planned.altered:
                raise _lost("un lot de contrat 99 part sans avoir été séparé")
            leaving += [invoice.number for invoice in splits]
    for known in plan.known:
        if known.lot.altered:
            leaving += [invoice.number for invoice in split_invoices(known.lot.source)]
    for planned in _placed(plan):
        if planned.derived is not None:
            asked += [invoice.number for invoice in planned.derived.invoices]
    if sorted(leaving) != sorted(asked):
        raise _lost("une facture de contrat 99 n'a pas son flux AMC, ou l'a deux fois")


def _reread(file: B2File, planned: Planned, content: bytes, context: SplitContext) -> Lot:
    """The one lot that the content of a lot made here holds, its counters and totals in agreement."""
    try:
        (lot,) = read_lots(content, context.layouts, establishment=file.establishment)
    except (FormatError, ValueError) as error:  # not a lot, or not one
        raise _lost("un lot constitué ici ne se relit pas") from error
    if planned.derived is not None and [invoice.number for invoice in lot.invoices] != [
        invoice.number for invoice in planned.derived.invoices
    ]:
        raise _lost("un lot du flux AMC n'a pas les factures annoncées")
    return lot


def _blanked(layout: str, context: SplitContext) -> tuple[slice, ...]:
    """A6: where the fields of that layout stand which the operator wants emptied for the AMO."""
    named = [name.split(".") for name in context.conventions.amo_blanks]
    return tuple([context.layouts[of].at(field) for of, field in named if of == layout])


def _compare(expected: _Expected, content: bytes) -> None:
    """Each record as expected, but for the bytes that are free to change."""
    if len(content) != len(expected) * RECORD:
        raise _lost("un lot constitué ici n'a pas les enregistrements reçus")
    for rank, (record, free) in enumerate(expected):
        made: bytes | bytearray = content[rank * RECORD : (rank + 1) * RECORD]
        if made == record:
            continue
        made = bytearray(made)
        for at in free:
            made[at] = record[at]
        if made != record:
            raise _lost("un lot constitué ici diffère de ce qui a été reçu")


def _record(file: B2File, offset: int) -> bytes:
    return file.data[offset : offset + RECORD]


def _records(file: B2File, invoice: Invoice) -> list[bytes]:
    return [_record(file, offset) for offset in range(invoice.start, invoice.stop, RECORD)]


def _lost(what: str) -> ConservationError:
    return ConservationError("conservation", f"Contrôle de conservation : {what}.", rule="L1")
