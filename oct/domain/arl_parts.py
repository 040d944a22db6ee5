"""An ARL of a file in which lots of several practitioners left together (A15), cut so that each gets what is his.

Each part of an ARL of lots holds that practitioner's pairs of records 1 and 7, byte for byte; the counts of the 999 are
made again and the recipient is the practitioner, as in a return that is split (R3). An ARL of a whole file says one
thing of all of it and names nobody: it goes to each as it came. Pure; raises nothing of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from oct.domain.return_parts import Part, RecipientOf, SplitPlan
from oct.formats.arl import Arl
from oct.formats.layouts import RECORD, Layouts

_PAIR = 2 * RECORD


def split_arl(data: bytes, arl: Arl, owners: Sequence[int], recipient_of: RecipientOf, layouts: Layouts) -> SplitPlan:
    """The parts of an ARL, the bytes of which are `data`: `owners` are the practitioners of its lots, one each and in
    order, or those of all the lots of the file that it answers."""
    everyone = list(dict.fromkeys(owners))
    if arl.file is not None:
        return SplitPlan(tuple(Part(one, data, unchanged=True) for one in everyone))
    parts = []
    for one in everyone:
        pairs = [_pair(arl, rank) for rank, owner in enumerate(owners) if owner == one]
        parts.append(Part(one, _of_pairs(arl, pairs, recipient_of(one), layouts), unchanged=False))
    return SplitPlan(tuple(parts))


def _pair(arl: Arl, rank: int) -> bytes:
    return bytes(arl.frame.body[rank * _PAIR : (rank + 1) * _PAIR])


def _of_pairs(arl: Arl, pairs: Sequence[bytes], recipient: tuple[str, str], layouts: Layouts) -> bytes:
    kind, number = recipient[0], recipient[1].zfill(14)
    opening, closing = layouts["file_header"], layouts["file_trailer"]
    header = opening.patch(arl.frame.header, recipient_type=kind, recipient_number=number)
    counted = {"record_count": 2 * len(pairs) + 2, "lot_count": len(pairs)}
    told = {name: count for name, count in counted.items() if closing.raw(arl.frame.trailer, name).strip(b" 0")}
    trailer = closing.patch(arl.frame.trailer, recipient_type=kind, recipient_number=number, **told)
    return b"".join([header, *pairs, trailer])
