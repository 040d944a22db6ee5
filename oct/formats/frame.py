"""The 000 header and the 999 trailer that hold every return file: ARL, RSP, increments of the opposition list.

Takes the bytes of a file and gives a `ReturnFrame`: who sends, to whom, which file, and the bytes in between as a
view, untouched. What stands in between is read elsewhere (`noemie`, `arl`, `dloi`); its length need not be a
multiple of 128. Writes a frame as well, for the simulators and for the parts of a return that is split.

Fails with a FormatError whose code says what is wrong: `cadre-trop-court`, `cadre-sans-000`, `cadre-sans-999`,
`cadre-contradictoire` (header and trailer name different files or parties), `cadre-emetteur` and
`cadre-destinataire` (`check_return`). A trailer field left blank contradicts nothing.

Source: annex 5 (returns), tables of the B2 norm; layouts `file_header`, `file_trailer`.
"""

from __future__ import annotations

from dataclasses import dataclass

from oct.errors import FormatError, Place
from oct.formats.layouts import RECORD, Layouts

AMO_TYPES = frozenset(
    {"CT", "MA", "SR", "CF", "RP", "EN", "RM", "CM", "CE", "CI", "AN", "SE", "PB", "CC", "SM", "CP", "CR"}
)
AMC_TYPES = frozenset({"OC", "CS"})
INSURER_TYPES = AMO_TYPES | AMC_TYPES
PRACTITIONER_TYPES = frozenset({"TP", "TE", "SI"})
CONCENTRATOR_TYPE = "OT"

PS_NUMBER = 9
"""Digits of a practitioner's number: the right part of the 14 of a header, of the 15 of an entity 040."""

_REPEATED = ("sender_type", "sender_number", "recipient_type", "recipient_number", "application", "file_id")
"""What the trailer says again of the header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameFields:
    """What a header says, decoded as latin-1 and stripped. `created_on` is AAMMJJ, `flow` blank or R, T, D."""

    sender_type: str
    sender_number: str
    recipient_type: str
    recipient_number: str
    application: str
    file_id: str
    created_on: str
    norm: str = ""
    norm_version: str = "B2"
    currency: str = ""
    flow: str = ""
    message_zone: str = ""

    @property
    def recipient_ps_number(self) -> str | None:
        """The nine digits of the practitioner that the header names; None when it names none (concentrator, zeros)."""
        return ps_number(self.recipient_number) if self.recipient_type in PRACTITIONER_TYPES else None

    @property
    def sender_ps_number(self) -> str | None:
        """The nine digits of the practitioner who sends (a request of dLOI); None when the sender is not one."""
        return ps_number(self.sender_number) if self.sender_type in PRACTITIONER_TYPES else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnFrame(FrameFields):
    """A framed file: the two records of 128 bytes, and the view of all that stands between them."""

    header: bytes
    trailer: bytes
    body: memoryview


def ps_number(digits: str) -> str | None:
    """A practitioner's number, the nine digits on the right; None when they are blank, zeros, or no digits."""
    right = digits.strip()[-PS_NUMBER:]
    return right.zfill(PS_NUMBER) if right.isascii() and right.isdigit() and int(right) else None


def read_frame(data: bytes, layouts: Layouts) -> ReturnFrame:
    """Cuts a file into header, body and trailer, the trailer being its last 128 bytes. FormatError: see above."""
    if len(data) < 2 * RECORD:
        raise FormatError("cadre-trop-court", "Le fichier est plus court que son entête et sa fin réunis.")
    header, trailer = bytes(data[:RECORD]), bytes(data[-RECORD:])
    if not header.startswith(b"000"):
        raise FormatError("cadre-sans-000", "Le fichier ne commence pas par un entête 000.", place=Place(1, 1))
    if not trailer.startswith(b"999"):
        raise FormatError("cadre-sans-999", "Le fichier ne se termine pas par un enregistrement 999.")
    _check_repeated(header, trailer, layouts)
    layout = layouts["file_header"]
    zone = layout.raw(header, "sesam_zone").replace(b"\0", b" ").decode("latin-1")
    return ReturnFrame(
        sender_type=layout.text(header, "sender_type"),
        sender_number=layout.text(header, "sender_number"),
        recipient_type=layout.text(header, "recipient_type"),
        recipient_number=layout.text(header, "recipient_number"),
        application=layout.text(header, "application"),
        file_id=layout.text(header, "file_id"),
        created_on=layout.text(header, "created_on"),
        norm=layout.text(header, "norm"),
        norm_version=layout.text(header, "norm_version"),
        currency=zone[:1].strip(),
        flow=zone[1:2].strip(),
        message_zone=layout.text(header, "message_zone"),
        header=header,
        trailer=trailer,
        body=memoryview(data)[RECORD:-RECORD],
    )


def check_return(frame: ReturnFrame) -> None:
    """FormatError unless the frame goes from an insurer to a practitioner or to the concentrator."""
    if frame.sender_type not in INSURER_TYPES:
        raise FormatError("cadre-emetteur", "L'émetteur de ce retour n'est pas un assureur.", place=Place(1, 4))
    if frame.recipient_type not in PRACTITIONER_TYPES | {CONCENTRATOR_TYPE}:
        raise FormatError(
            "cadre-destinataire",
            "Le destinataire de ce retour n'est ni un professionnel de santé ni le concentrateur.",
            place=Place(1, 26),
        )


def write_header(fields: FrameFields, layouts: Layouts) -> bytes:
    """The 000 record of a file, 128 bytes. FormatError when a value is too long for its field."""
    return layouts["file_header"].build(
        sender_type=fields.sender_type,
        sender_number=fields.sender_number,
        recipient_type=fields.recipient_type,
        recipient_number=fields.recipient_number,
        reception_date=0,
        application=fields.application,
        file_id=fields.file_id,
        created_on=fields.created_on,
        norm=fields.norm,
        norm_version=fields.norm_version,
        sesam_zone=f"{fields.currency:1}{fields.flow:1}",
        message_zone=fields.message_zone,
    )


def write_trailer(fields: FrameFields, layouts: Layouts, *, records: int, lots: int) -> bytes:
    """The 999 record that closes what `write_header` opened. `records` counts 000 and 999."""
    return layouts["file_trailer"].build(
        sender_type=fields.sender_type,
        sender_number=fields.sender_number,
        recipient_type=fields.recipient_type,
        recipient_number=fields.recipient_number,
        application=fields.application,
        file_id=fields.file_id,
        record_count=records,
        lot_count=lots,
    )


def _check_repeated(header: bytes, trailer: bytes, layouts: Layouts) -> None:
    opening, closing = layouts["file_header"], layouts["file_trailer"]
    for name in _REPEATED:
        said = closing.text(trailer, name).lstrip("0")
        if said and said != opening.text(header, name).lstrip("0"):
            raise FormatError(
                "cadre-contradictoire",
                f"La fin du fichier contredit son entête (zone {name}).",
                place=Place(None, closing.fields[name].first),
            )
