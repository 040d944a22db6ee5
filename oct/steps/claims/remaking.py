"""Makes a file again for the lots that are left in a hold, after others of it came again and left it (D2).

A finished file that waits for its sealing is read again. A consignment cannot be, it is encrypted to its insurer: each
lot is taken from the message that it came in, and made the way it was the first time. Either way every lot that waits
is in the new file once, in its order, with the very bytes that were to leave (L1, L2), in an envelope that counts them
and bears a number of its own (L5); anything else is a ConservationError. Writes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from oct.domain.contents import content_of
from oct.domain.contract99 import derived_lots, split_invoices
from oct.domain.model import Insurer, LotKind
from oct.domain.outgoing import OutgoingFile, outgoing_file
from oct.domain.plan import Parcel, Planned, SplitContext
from oct.errors import ConservationError
from oct.formats.b2 import B2File, read_file
from oct.steps.workshop import Workshop
from oct.store import messages, payloads
from oct.store.lots import Lot
from oct.store.registry import Snapshot

_Made = tuple[Planned, bytes | memoryview]


def without_others(
    workshop: Workshop, content: bytes, left: Sequence[Lot], insurer: Insurer, snapshot: Snapshot
) -> OutgoingFile:
    """A finished file of which only these lots are left."""
    file = read_file(content, workshop.layouts)
    kinds = {lot.sha256: LotKind(lot.kind) for lot in left}
    made = [
        (Planned(lot, kinds[digest], digest=digest), view)
        for lot in file.lots
        for view in [file.view(lot)]
        if (digest := hashlib.sha256(view).digest()) in kinds
    ]
    return _filed(workshop, file, made, left, insurer, snapshot)


def from_messages(workshop: Workshop, left: Sequence[Lot], insurer: Insurer, snapshot: Snapshot) -> OutgoingFile:
    """The file of a consignment of which only these lots are left. RuleError when a message exists no more (R6)."""
    files = {message_id: _received(workshop, message_id) for message_id in sorted({lot.message_id for lot in left})}
    context = workshop.split_context(snapshot)
    made = [_again(files, lot, context) for lot in left]
    return _filed(workshop, files[left[0].message_id], made, left, insurer, snapshot)


def _filed(
    workshop: Workshop, file: B2File, made: Sequence[_Made], left: Sequence[Lot], insurer: Insurer, snapshot: Snapshot
) -> OutgoingFile:
    contents = [content for _, content in made]
    if sorted(hashlib.sha256(content).digest() for content in contents) != sorted(lot.sha256 for lot in left):
        sentence = "Contrôle de conservation : le reste de ce fichier ne peut être refait à l'identique."
        raise ConservationError("conservation", sentence, rule="L1")
    parcel = Parcel(insurer, tuple(planned for planned, _ in made))
    context = workshop.split_context(snapshot)
    return outgoing_file(file, parcel, contents, context, file_id=workshop.numbering.next_file_id())


def _received(workshop: Workshop, message_id: int) -> B2File:
    with workshop.store.read() as conn:
        message = messages.by_id(conn, message_id)
        raw = payloads.get(conn, workshop.vault, message.payload_id) if message is not None else b""
    return read_file(workshop.opener.open(raw, accept_clear=True).file, workshop.layouts)


def _again(files: Mapping[int, B2File], lot: Lot, context: SplitContext) -> _Made:
    """A lot as it was made: cut out, changed for its AMO (C4), or drawn from it under the number it had (C5)."""
    file, kind = files[lot.message_id], LotKind(lot.kind)
    source = file.lots[lot.rank]
    if kind is not LotKind.AMC:
        planned = [Planned(source, kind, altered=bool(split_invoices(source)), digest=lot.received_sha256)]
    else:
        as_then = replace(context, number_for=lambda _ps, _amc: lot.number, today=lot.lot_date)
        derived = derived_lots(file, source, as_then)
        planned = [Planned(source, kind, derived=one, digest=lot.received_sha256) for one in derived]
    made = [(one, content_of(file, one, context)) for one in planned]
    return next((one for one in made if hashlib.sha256(one[1]).digest() == lot.sha256), made[0])
