"""The invoices of lots as rows: numbers, amounts, and the pseudonym of the patient (J4), never the NIR.

Pseudonyms are made while a file is at hand, one HMAC an invoice, and handed on as bytes: 16 for each invoice of a lot.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from oct.crypto.pseudonyms import LENGTH, NOBODY
from oct.domain.contract99 import CONTRACT_SPLIT
from oct.domain.nir import patients
from oct.domain.plan import DerivedInvoice, Planned
from oct.formats.b2 import B2File
from oct.formats.b2_lots import Invoice
from oct.steps.workshop import Workshop
from oct.store.lots import NewInvoice


def pseudonyms_in(workshop: Workshop, file: B2File) -> dict[int, bytes]:
    """For each lot of a file, by its rank, the pseudonyms of its invoices' patients, one after the other."""
    hide = workshop.pseudonyms.of
    return {lot.rank: b"".join(map(hide, patients(file, lot, workshop.layouts))) for lot in file.lots}


def invoice_rows(planned: Planned, patients: Mapping[int, bytes]) -> list[NewInvoice]:
    """The invoices of a lot, as received or as derived from it; `patients` as `pseudonyms_in` gives them."""
    source, derived = planned.source, planned.derived
    pseudonyms = patients.get(source.rank, b"")
    whose = {one.start: pseudonyms[at : at + LENGTH] for at, one in zip(count(0, LENGTH), source.invoices)}
    received: tuple[Invoice | DerivedInvoice, ...] = source.invoices if derived is None else derived.invoices
    return [
        NewInvoice(
            number=one.number,
            ps_number=source.ps_number,
            billed=one.billed,
            amo=one.amo,
            amc=one.amc,
            split=not isinstance(one, Invoice) or one.contract == CONTRACT_SPLIT,
            pseudonym=None if whose[one.start] in (b"", NOBODY) else whose[one.start],
        )
        for one in received
    ]
