"""`oct trace pseudonym`: what stands for a patient in the database, and that patient's claims (J4).

The NIR is asked for, or read from the standard input when that is no terminal; never given as an argument, which every
user of the machine could see. It is kept nowhere: who looked, and for which pseudonyms, is an event (J3).
"""

from __future__ import annotations

import re
import sys

import typer

from oct.cli.opening import ConfigOption, JsonOption, at_desk, note_command
from oct.cli.printing import Instant, print_json, print_rows
from oct.errors import ConfigurationError

_MOST = 1000
"""Claims that are listed."""
_NIR = re.compile("([1-8][0-9]{4}[0-9][0-9AB][0-9]{6})(?:[0-9]{2})?")


def pseudonym(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Cherche les factures d'un patient par son NIR.

    Le NIR est demandé (ou lu sur l'entrée standard), jamais donné en argument, et n'est gardé nulle part.
    """
    from oct.crypto.pseudonyms import load_pseudonyms
    from oct.store import lots

    nir = _asked()
    with at_desk(config) as desk:
        found = load_pseudonyms(desk.settings.keys.pseudonyms).every(nir)
        names = [one.hex() for one in reversed(found)]
        with desk.store.read() as conn:
            claims = lots.of_patient(conn, found, _MOST)
        note_command(desk, "trace pseudonym", pseudonymes=names, factures=len(claims))
    rows = [
        {
            "suivi": claim.trace,
            "recu": Instant(claim.received_at),
            "facture": claim.number,
            "ps": claim.ps_number,
            "lot": claim.lot_number,
            "genre": claim.lot_kind,
            "montant": f"{claim.billed / 100:.2f}",
        }
        for claim in claims
    ]
    if as_json:
        print_json({"pseudonymes": names, "factures": rows})
        return
    print("Pseudonymes : " + ", ".join(names))
    headings = {"suivi": "Suivi", "recu": "Reçu", "facture": "Facture", "ps": "PS", "lot": "Lot", "genre": "Genre",
                "montant": "Montant"}  # fmt: skip
    print_rows(rows, headings, as_json=False, empty="Aucune facture.")


def _asked() -> bytes:
    given = typer.prompt("NIR", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline()
    match = _NIR.fullmatch(re.sub(r"\s", "", given).upper())
    if match is None:
        raise ConfigurationError("nir-incorrect", "NIR : 13 caractères attendus, ou 15 avec la clé.")
    return match[1].encode("ascii")
