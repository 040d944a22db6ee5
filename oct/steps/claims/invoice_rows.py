"""The invoices of lots as rows: numbers, amounts, and the pseudonym of the patient (J4), never the NIR.

Pseudonyms are made while a file is at hand, one HMAC an invoice, and handed on as bytes: 16 for each invoice of a lot.
"""

from __future__ import annotations

from collections.abc import Mapping

from oct.crypto.pseudonyms import LENGTH, NOBODY
from oct.domain.contract99 import CONTRACT_SPLIT
from oct.domain.nir import patients
from oct.domain.plan import Planned
from oct.formats.b2 import B2File
from oct.steps.workshop import Workshop
from oct.store.lots import NewInvoice


def pseudonyms_in(workshop: Workshop, file: B2File) -> dict[int, bytes]:
    """For each lot of a file, by its rank, the pseudonyms of its invoices' patients, one after the other."""
    hide = workshop.pseudonyms.of
    return {lot.rank: b"".join(map(hide, patients(file, lot, workshop.layouts))) for lot in file.lots}


def invoice_rows(planned: Planned, patients: Mapping[int, bytes]) -> list[NewInvoice]:
    """The invoices of a lot, as received or as derived from it; `patients` as `pseudonyms_in` gives them."""
    ps_number, received = planned.source.ps_number, planned.source.invoices
    pseudonyms = patients.get(planned.source.rank) or NOBODY * len(received)
    whose = [
        None if (own := pseudonyms[at : at + LENGTH]) == NOBODY else own for at in range(0, len(pseudonyms), LENGTH)
    ]
    if planned.derived is None:
        return [
            NewInvoice._make(
                (one.number, ps_number, one.billed, one.amo, one.amc, one.contract == CONTRACT_SPLIT, patient)
            )
            for one, patient in zip(received, whose, strict=True)
        ]
    by_start = dict(zip((one.start for one in received), whose, strict=True))
    return [
        NewInvoice(one.number, ps_number, one.billed, one.amo, one.amc, split=True, pseudonym=by_start[one.start])
        for one in planned.derived.invoices
    ]
