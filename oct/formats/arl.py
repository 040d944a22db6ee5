"""ARL: an insurer's acknowledgement, positive or negative, of lots or of a whole file.

No public layout exists; what is read is assumption A2, kept in `config/layouts.toml` (`arl_lot`, `arl_status`,
`arl_file`): application `AR`; each record 1 is a lot and is followed by its record 7; without any record 1 the ARL
speaks of a whole file, named in the message zone of the header.

Fails with a FormatError when the body is something else: `arl-application`, `arl-longueur`, `arl-enregistrement`
(neither 1 nor 7, or not in turn), `arl-statut` (neither P nor N), `arl-compteur`, or one of `oct.formats.frame`.
Such an ARL is opaque, not worthless: `read_frame` still says for whom it is, and the caller decides (R1, R2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from oct.errors import FormatError, Place
from oct.formats.frame import FrameFields, ReturnFrame, check_return, read_frame, write_header, write_trailer
from oct.formats.layouts import RECORD, Layouts

APPLICATION = "AR"
POSITIVE, NEGATIVE = "P", "N"


@dataclass(frozen=True, slots=True)
class ArlLot:
    """What is said of one lot: `organism` and `lot_number` of 3 digits, `lot_date` AAMMJJ, `code` of the refusal."""

    ps_number: str
    organism: str
    lot_number: str
    lot_date: str
    positive: bool
    code: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class ArlFile:
    """What is said of a whole file."""

    file_id: str
    positive: bool
    code: str = ""


@dataclass(frozen=True, slots=True)
class Arl:
    """An acknowledgement: of lots, or (`file` is set and `lots` is empty) of a file."""

    frame: ReturnFrame
    lots: tuple[ArlLot, ...]
    file: ArlFile | None


def read_arl(data: bytes, layouts: Layouts) -> Arl:
    """An ARL as A2 lays it out. FormatError: see above."""
    frame = read_frame(data, layouts)
    check_return(frame)
    if frame.application != APPLICATION:
        raise FormatError("arl-application", "Ce retour n'est pas un accusé de réception (AR).", place=Place(1, 48))
    body = bytes(frame.body)
    if len(body) % RECORD:
        raise FormatError("arl-longueur", "La longueur de l'ARL n'est pas un multiple de 128.")
    records = [body[start : start + RECORD] for start in range(0, len(body), RECORD)]
    lots = _read_lots(records, layouts)
    _check_count(frame.trailer, "record_count", len(records) + 2, layouts)
    _check_count(frame.trailer, "lot_count", len(lots), layouts)
    return Arl(frame, lots, None if lots else _read_file(frame.header, layouts))


def write_arl(fields: FrameFields, lots: Sequence[ArlLot], layouts: Layouts) -> bytes:
    """An ARL of lots, as an insurer makes it. The application is AR whatever `fields` says of it."""
    header = layouts["file_header"].patch(write_header(fields, layouts), application=APPLICATION)
    records = b"".join(_write_lot(lot, layouts) for lot in lots)
    trailer = write_trailer(fields, layouts, records=2 + 2 * len(lots), lots=len(lots))
    return header + records + layouts["file_trailer"].patch(trailer, application=APPLICATION)


def write_file_arl(fields: FrameFields, file: ArlFile, layouts: Layouts) -> bytes:
    """An ARL of a whole file: header and trailer alone, what is said standing in the header's message zone."""
    status = POSITIVE if file.positive else NEGATIVE
    empty = write_arl(fields, (), layouts)
    said = layouts["arl_file"].patch(empty[:RECORD], file_id=file.file_id, status=status, code=file.code)
    return said + empty[RECORD:]


def _read_lots(records: Sequence[bytes], layouts: Layouts) -> tuple[ArlLot, ...]:
    opening, closing = layouts["arl_lot"].fields["record_type"], layouts["arl_status"].fields["record_type"]
    for index, record in enumerate(records):
        expected = closing if index % 2 else opening
        if record[expected.slice].decode("latin-1") != expected.const:
            raise _record_error(index)
    if len(records) % 2:
        raise _record_error(len(records))
    return tuple(_read_lot(records[index], records[index + 1], index, layouts) for index in range(0, len(records), 2))


def _read_lot(lot: bytes, status: bytes, index: int, layouts: Layouts) -> ArlLot:
    said, answer = layouts["arl_lot"], layouts["arl_status"]
    for name in ("ps_number", "recipient_organism", "lot_number", "created_on"):
        said.number(lot, name, record_number=index + 2)
    place = Place(index + 3, answer.fields["status"].first)
    return ArlLot(
        ps_number=said.text(lot, "ps_number"),
        organism=said.text(lot, "recipient_organism"),
        lot_number=said.text(lot, "lot_number"),
        lot_date=said.text(lot, "created_on"),
        positive=_positive(answer.text(status, "status"), place),
        code=answer.text(status, "code"),
        label=answer.text(status, "label"),
    )


def _read_file(header: bytes, layouts: Layouts) -> ArlFile:
    said = layouts["arl_file"]
    positive = _positive(said.text(header, "status"), Place(1, said.fields["status"].first))
    return ArlFile(said.text(header, "file_id"), positive, said.text(header, "code"))


def _write_lot(lot: ArlLot, layouts: Layouts) -> bytes:
    opening = layouts["arl_lot"].build(
        ps_number=lot.ps_number,
        recipient_organism=lot.organism,
        lot_number=lot.lot_number,
        created_on=lot.lot_date,
    )
    status = POSITIVE if lot.positive else NEGATIVE
    return opening + layouts["arl_status"].build(status=status, code=lot.code, label=lot.label)


def _positive(status: str, place: Place) -> bool:
    if status not in {POSITIVE, NEGATIVE}:
        raise FormatError("arl-statut", "L'accusé de réception n'est ni positif (P) ni négatif (N).", place=place)
    return status == POSITIVE


def _check_count(trailer: bytes, name: str, counted: int, layouts: Layouts) -> None:
    """A count that the trailer leaves blank or at zero is not a count."""
    layout = layouts["file_trailer"]
    if layout.raw(trailer, name).strip(b" 0") and layout.number(trailer, name) != counted:
        place = Place(None, layout.fields[name].first)
        raise FormatError("arl-compteur", "La fin de l'ARL (999) contredit son contenu.", place=place, rule="L7")


def _record_error(index: int) -> FormatError:
    return FormatError(
        "arl-enregistrement",
        "L'ARL n'est pas une suite d'enregistrements 1 suivis chacun d'un enregistrement 7.",
        place=Place(index + 2, 1),
    )
