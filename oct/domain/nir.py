"""NIR of patients: where they stand (J4), and their keys, checked only to warn (A14).

What is said names the invoice, never the NIR (T3).
"""

from __future__ import annotations

from oct.formats.b2 import B2File
from oct.formats.b2_lots import Lot
from oct.formats.layouts import Layouts

_CORSICA = {b"2A": b"19", b"2B": b"18"}


def patients(file: B2File, lot: Lot, layouts: Layouts) -> list[bytes]:
    """The NIR of each invoice of a lot, 13 characters without key, in their order; empty where none stands, which is
    everywhere in an establishment's file (see below)."""
    if file.establishment:
        return [b""] * len(lot.invoices)
    at = layouts["invoice_header"].at("insured_nir")
    return [file.data[one.start + at.start : one.start + at.stop].strip() for one in lot.invoices]


def invoices_with_wrong_key(file: B2File, layouts: Layouts) -> list[str]:
    """Numbers of the invoices whose NIR does not go with its key (97 less the NIR modulo 97); blank ones are left.

    An establishment's invoices are opaque: where their NIR stands is not public, so nothing is said of them.
    """
    if file.establishment:
        return []
    header = layouts["invoice_header"]
    nir_at, key_at = header.at("insured_nir"), header.at("insured_nir_key")
    wrong = []
    for lot in file.lots:
        for invoice in lot.invoices:
            head = file.data[invoice.start : invoice.start + nir_at.stop + 2]
            if _contradicts(head[nir_at], head[key_at]):
                wrong.append(invoice.number)
    return wrong


def _contradicts(nir: bytes, key: bytes) -> bool:
    if not nir.isdigit():
        nir = nir[:5] + _CORSICA.get(nir[5:7], nir[5:7]) + nir[7:]
    return nir.isdigit() and key.isdigit() and 97 - int(nir) % 97 != int(key)
