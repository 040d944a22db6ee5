"""RSP: the payment and rejection returns of the insurers, a stream of NOEMIE entities between a 000 and a 999.

Two physical forms are in use and both are read and written: the plain stream, and blocks of 128 bytes that are one
flag byte (`1` on the last block) and 127 bytes of stream. `read_noemie` then `write_noemie` gives the same bytes.
Only codes, levels and the few fields of `config/noemie.toml` are ever looked at; the rest travels as it came.

Fails with a FormatError: `noemie-sans-entite`, `noemie-entite-illisible`, `noemie-entite-ouverte` (no closing `@`),
`noemie-blocs` (not whole blocks, or flags that do not end with the last block), `noemie-controle` and `noemie-fin`
(counters that contradict the content), `noemie-zone-non-numerique`, or one of `oct.formats.frame`. A return that
fails may still name its practitioner in its header (`read_frame`): what becomes of it is the caller's decision.

Source: annex 5.3; returns.md of the specification; assumption A18.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from oct.errors import FormatError, Place
from oct.formats.entities import END, HEAD, Entities, Entity
from oct.formats.frame import FrameFields, ReturnFrame, check_return, read_frame, write_header, write_trailer
from oct.formats.layouts import RECORD, Layouts
from oct.formats.noemie_counts import Conventions, Whole, preferred, recognise, recount, recount_trailer

PAYLOAD = RECORD - 1
"""Bytes of stream in a block."""

LAST = b"1"
NOT_LAST = b"0"
PADDING = b" \0"


class Form(StrEnum):
    """The two physical forms."""

    STREAM = "stream"
    BLOCKS = "blocks"


@dataclass(frozen=True, slots=True)
class Shape:
    """How the stream is laid down: its form, the flag of the blocks that are not the last, the byte that fills up.

    `fill` empty: the stream ends with its last `@` (only in the plain form).
    """

    form: Form
    flag: bytes = NOT_LAST
    fill: bytes = b""


@dataclass(frozen=True, slots=True)
class NoemieFile:
    """A return as read: every entity in its place, the bytes after the last one, the conventions of its counters."""

    frame: ReturnFrame
    shape: Shape
    entities: tuple[Entity, ...]
    padding: bytes
    conventions: Conventions

    @property
    def form(self) -> Form:
        """The physical form it came in."""
        return self.shape.form


def read_noemie(data: bytes, layouts: Layouts, rules: Entities) -> NoemieFile:
    """A whole return file, checked against its own counters. FormatError: see above."""
    frame = read_frame(data, layouts)
    check_return(frame)
    form = Form.STREAM if rules.opens_a_stream(bytes(frame.body[:HEAD])) else Form.BLOCKS
    stream, flag = (bytes(frame.body), NOT_LAST) if form is Form.STREAM else _unblock(frame.body)
    entities, padding = _parse(stream)
    conventions = recognise(Whole(entities, len(frame.body)), frame.trailer, rules, layouts)
    return NoemieFile(frame, Shape(form, flag, padding[:1]), entities, padding, conventions)


def write_noemie(file: NoemieFile) -> bytes:
    """The file's bytes, in its own form: those that were read."""
    stream = b"".join(entity.raw for entity in file.entities) + file.padding
    body = stream if file.form is Form.STREAM else _block(stream, file.shape)
    return file.frame.header + body + file.frame.trailer


def build_noemie(fields: FrameFields, raws: Sequence[bytes], shape: Shape, layouts: Layouts, rules: Entities) -> bytes:
    """A new return of these entities; its controls and its trailer are counted by the preferred conventions."""
    header, trailer = write_header(fields, layouts), write_trailer(fields, layouts, records=0, lots=0)
    return _assemble(header, trailer, _located(raws), shape, preferred(rules), layouts, rules)


def select_entities(
    file: NoemieFile, ranks: Collection[int], recipient: tuple[str, str], layouts: Layouts, rules: Entities
) -> bytes:
    """A return of these entities of another one, in their order, for another recipient (type, 9-digit number).

    What changes: the recipient in header and trailer; in each control its counter, sum and sign; in the trailer the
    counts, the sum and its sign; the filling. The entities, the controls' other fields, and every other byte of the
    header and trailer (file_id, dates, reference of the exchange) stay as received.
    """
    kept = _located([file.entities[rank].raw for rank in sorted(ranks)])
    kind, number = recipient[0], recipient[1].zfill(14)
    header = layouts["file_header"].patch(file.frame.header, recipient_type=kind, recipient_number=number)
    trailer = layouts["file_trailer"].patch(file.frame.trailer, recipient_type=kind, recipient_number=number)
    return _assemble(header, trailer, kept, file.shape, file.conventions, layouts, rules)


def _assemble(
    header: bytes,
    trailer: bytes,
    entities: Sequence[Entity],
    shape: Shape,
    conventions: Conventions,
    layouts: Layouts,
    rules: Entities,
) -> bytes:
    stream = b"".join(recount(entities, conventions, rules))
    if shape.form is Form.BLOCKS:
        body = _block(stream + (shape.fill or b" ") * (-len(stream) % PAYLOAD), shape)
    else:
        body = stream + shape.fill * (-len(stream) % RECORD)
    return header + body + recount_trailer(trailer, Whole(entities, len(body)), conventions, rules, layouts)


def _located(raws: Sequence[bytes]) -> tuple[Entity, ...]:
    return _parse(b"".join(raws))[0]


def _parse(stream: bytes) -> tuple[tuple[Entity, ...], bytes]:
    """The entities of a stream, and the filling after the last `@`."""
    *pieces, padding = stream.split(END)
    if padding.strip(PADDING[:1]) and padding.strip(PADDING[1:]):
        raise FormatError("noemie-entite-ouverte", "La dernière entité du retour n'est pas fermée par @.")
    if not pieces:
        raise FormatError("noemie-sans-entite", "Le retour ne contient aucune entité.")
    entities, start = [], 0
    for rank, piece in enumerate(pieces, start=1):
        head = piece[:HEAD]
        if len(head) < HEAD or not head.isdigit():
            raise FormatError(
                "noemie-entite-illisible",
                f"L'entité de rang {rank} du retour ne commence pas par un code et un niveau.",
                place=Place(None, 1),
            )
        entities.append(Entity(head[:3].decode(), int(head[3:]), piece + END, start))
        start += len(piece) + len(END)
    return tuple(entities), padding


def _unblock(body: memoryview) -> tuple[bytes, bytes]:
    """The stream inside blocks, and the flag of those that are not the last."""
    data = bytes(body)
    flags = data[::RECORD]
    flag = flags[:1] if len(flags) > 1 else NOT_LAST
    if not data or len(data) % RECORD or flags[-1:] != LAST or flag == LAST or flags[:-1].strip(flag):
        raise FormatError("noemie-blocs", "Le corps du retour n'est ni une suite d'entités ni une suite de blocs.")
    return b"".join(data[start + 1 : start + RECORD] for start in range(0, len(data), RECORD)), flag


def _block(stream: bytes, shape: Shape) -> bytes:
    """The stream, a multiple of 127 bytes, cut into flagged blocks."""
    starts = range(0, len(stream), PAYLOAD)
    last = len(starts) - 1
    return b"".join(
        (LAST if index == last else shape.flag) + stream[start : start + PAYLOAD] for index, start in enumerate(starts)
    )
