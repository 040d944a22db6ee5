"""Writes the messages that leave: bytes templates, one flat entity, base64.

Takes values, gives the whole message: ASCII, CRLF, no line above 998 octets, each header once. Every value is checked
against a strict pattern before it stands in a header (H1, H5): one that does not fit is a `FormatError`, never mended,
except that a Subject or a Content-Description outside ASCII is written as encoded words (RFC 2047).

Same values, same bytes. Sources: annex 7.1 and 7.2, RFC 5322, RFC 2045, assumption A4.
"""

from __future__ import annotations

import binascii
import re
import struct
from datetime import datetime
from functools import lru_cache

from oct.errors import FormatError
from oct.formats.mime_headers import ADDRESS, ADDRESS_LENGTH, MESSAGE_ID

_LINE = 76
_PIECE = 57 * 16 * 64
"""Octets that are encoded at a time: 57 make a line."""
_VALUE_LENGTH = 900
"""With the name of its field, below the 998 octets of a line (RFC 5322 2.1.1)."""
_ENCODED_CHARACTERS = 12
"""Characters of an encoded word: at most 48 octets of UTF-8, 64 of base64, so within the 75 of RFC 2047."""

_PRINTABLE = re.compile(r"[ -~]+")
_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MEDIA = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_SPELLED = str.maketrans(
    {
        "œ": "oe",
        "Œ": "OE",
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
        "–": "-",
        "—": "-",
        "…": "...",
        "€": "EUR",
        "\u202f": " ",
    }
)
"""What latin-1 lacks, in its letters."""


def write_facture(
    *,
    sender: str,
    recipient: str,
    subject: str,
    description: str,
    message_id: str,
    date: datetime,
    cms: bytes,
    filename: str,
) -> bytes:
    """A file for an insurer: flat Application/EDI-consent whose body is the CMS object (shape (c)). `date` is aware."""
    head = _head(sender, recipient, subject, message_id, date)
    return _message(head, f'Application/EDI-consent; name="{_file_name(filename)}"', description, cms, filename)


def write_text(
    *,
    sender: str,
    recipient: str,
    subject: str,
    description: str,
    message_id: str,
    date: datetime,
    text: str,
    filename: str,
) -> bytes:
    """A text for a PS (ART). `filename` ends in `.txt`; it is given as `name` and as Content-Disposition.

    The text goes as ISO-8859-1, which is that of the B2 files PS software already shows: a reader that ignores the
    charset parameter, as many do, still shows the accents. What it lacks (œ, €, ’) is spelled in its letters.
    """
    if not filename.endswith(".txt"):
        raise FormatError("nom-de-fichier", "Le nom de fichier d'un texte doit finir par .txt.")
    head = _head(sender, recipient, subject, message_id, date)
    content_type = f'Application/EDI-consent; charset=iso-8859-1; name="{_file_name(filename)}"'
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    return _message(head, content_type, description, _latin(lines), filename)


def write_return(
    *,
    sender: str,
    recipient: str,
    subject: str,
    description: str,
    content_type: str,
    message_id: str,
    date: datetime,
    body: bytes,
) -> bytes:
    """An insurer's file for a PS (R1): Subject, Content-Description and Content-Type are those it came with.

    A Content-Type that cannot name these bytes (multipart, or pkcs7-mime for a file that is now in clear) becomes
    Application/EDI-consent. An absent Subject or Content-Description stays absent.
    """
    head = _head(sender, recipient, subject, message_id, date)
    return _message(head, _kept_content_type(content_type, body), description, body, "")


def wrap_entity(content: bytes, filename: str) -> bytes:
    """A file as a MIME entity: the other form of the plaintext of a CMS object (A4)."""
    head = (
        f'Content-Type: Application/EDI-consent; name="{_file_name(filename)}"\r\n'
        "Content-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment; filename="{filename}"\r\n\r\n'
    )
    return head.encode("ascii") + _base64(content)


def _head(sender: str, recipient: str, subject: str, message_id: str, date: datetime) -> str:
    if not MESSAGE_ID.fullmatch(message_id):
        raise _refused("Message-ID")
    return (
        f"{_parties(sender, recipient)}"
        f"{_optional('Subject', subject)}"
        f"Date: {_date(date)}\r\n"
        f"Message-ID: {message_id}\r\n"
        "MIME-Version: 1.0\r\n"
    )


@lru_cache(maxsize=1024)
def _parties(sender: str, recipient: str) -> str:
    return f"From: {_address('From', sender)}\r\nTo: {_address('To', recipient)}\r\n"


def _message(head: str, content_type: str, description: str, body: bytes, filename: str) -> bytes:
    return f"{head}{_body_fields(content_type, description, filename)}\r\n".encode("ascii") + _base64(body)


@lru_cache(maxsize=64)
def _body_fields(content_type: str, description: str, filename: str) -> str:
    described = _optional("Content-Description", description)
    disposed = f'Content-Disposition: attachment; filename="{filename}"\r\n' if filename else ""
    return f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: base64\r\n{disposed}{described}"


def _base64(content: bytes) -> bytes:
    """Lines of 76 characters, CRLF after each. A piece at a time: the lines of a large file weigh twice its size."""
    if len(content) <= _PIECE:
        return _lines(content)
    return b"".join(_lines(content[at : at + _PIECE]) for at in range(0, len(content), _PIECE))


def _lines(piece: bytes) -> bytes:
    """All lines are cut at once: three times as fast as one by one."""
    encoded = binascii.b2a_base64(piece, newline=False)
    whole, rest = divmod(len(encoded), _LINE)
    last = (encoded[-rest:], b"") if rest else (b"",)
    return b"\r\n".join((*_cut(whole).unpack_from(encoded), *last))


@lru_cache(maxsize=_PIECE // 57 + 1)
def _cut(lines: int) -> struct.Struct:
    """Cuts whole lines."""
    return struct.Struct(f"{_LINE}s" * lines)


def _kept_content_type(value: str, body: bytes) -> str:
    media = value.partition(";")[0].strip()
    kept = value.encode("ascii", "replace").decode("ascii")
    if len(kept) > _VALUE_LENGTH or not _PRINTABLE.fullmatch(kept) or not _MEDIA.fullmatch(media):
        raise _refused("Content-Type")
    in_clear = not body.startswith(b"\x30") or body.startswith(b"000")
    misnamed = media.lower().startswith(("multipart/", "message/")) or (in_clear and "pkcs7" in media.lower())
    return "Application/EDI-consent" if misnamed else kept


def _address(name: str, value: str) -> str:
    if len(value) > ADDRESS_LENGTH or not ADDRESS.fullmatch(value):
        raise _refused(name)
    return value


def _file_name(value: str) -> str:
    if not _FILE_NAME.fullmatch(value):
        raise _refused("Content-Disposition")
    return value


def _optional(name: str, value: str) -> str:
    """A header line, or nothing when there is no value."""
    return f"{name}: {_text(name, value)}\r\n" if value else ""


def _text(name: str, value: str) -> str:
    """A free value: printable ASCII as it is, other text as encoded words folded one a line."""
    if len(value) > _VALUE_LENGTH or not _TEXT.fullmatch(value):
        raise _refused(name)
    if value.isascii():
        return value
    pieces = (value[at : at + _ENCODED_CHARACTERS] for at in range(0, len(value), _ENCODED_CHARACTERS))
    return "\r\n ".join(f"=?utf-8?B?{_word(piece)}?=" for piece in pieces)


def _word(piece: str) -> str:
    return binascii.b2a_base64(piece.encode("utf-8"), newline=False).decode("ascii")


def _latin(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.translate(_SPELLED).encode("latin-1", "replace")


def _date(date: datetime) -> str:
    """RFC 5322 3.3, in English whatever the locale."""
    if date.tzinfo is None:
        raise _refused("Date")
    iso = date.isoformat(" ", "seconds")
    zone = iso[19:].replace(":", "")
    return f"{_DAYS[date.weekday()]}, {iso[8:10]} {_MONTHS[date.month - 1]} {iso[:4]} {iso[11:19]} {zone}"


def _refused(name: str) -> FormatError:
    return FormatError("entete-refuse", f"La valeur de l'en-tête {name} ne peut pas être envoyée.", rule="H5")
