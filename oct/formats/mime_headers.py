"""Header fields of an e-mail message: cut, unfolded, decoded and checked, within limits set before any parsing.

Takes bytes, gives names in lower case and values as text. The grammar is an allow-list narrower than RFC 5322: what
a practitioner's software or an insurer writes. A header block that breaks a limit or the grammar is a `FormatError`;
its sentence never quotes what was received. Cost is linear in the bytes read, and those are capped (H3).

Sources: RFC 5322 (fields, folding, addresses), RFC 2045 (Content-Type), RFC 2047 (encoded words, simple charsets only).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from oct.errors import FormatError


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """What a message may hold. `header_bytes` and `header_count` bound each header block, that of a part included."""

    header_bytes: int = 65_536
    header_count: int = 200
    parameters: int = 32
    boundary: int = 70
    """Characters of a multipart boundary; RFC 2046 allows no more."""
    parts: int = 20
    """Entities in all: leaves, multiparts and repeated header blocks."""
    depth: int = 3


Fields = Mapping[str, tuple[str, ...]]
"""Values by lower-case name, in the order of the message: unfolded, tabs as spaces, each byte a latin-1 character."""

ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
"""An addr-spec (RFC 5321 dot-atom and host names): no quoting, no comment, no address literal."""
ADDRESS_LENGTH = 254

MESSAGE_ID = re.compile(r"<[!-;=?-~]{3,250}>")

_BLANK_LINE = re.compile(rb"\n\r?\n")
_FOLD = re.compile(r"\n +")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_FIELD = re.compile(r"^([!-9;-~]+) *: *(.*)$", re.MULTILINE)
_PHRASE = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^"<>,;])*')

_MEDIA = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+")
_PARAMETER = re.compile(r'; *([^\s=;"]+) *= *(?:"((?:[^"\\]|\\.)*)"|([^;"]*))')
_ESCAPED = re.compile(r"\\(.)")

_ENCODED_WORD = re.compile(r"=\?([A-Za-z0-9-]+)\?([BbQq])\?([!->@-~]*)\?=")
_BETWEEN_WORDS = re.compile(r"\?= +=\?")
_CHARSETS = {
    "us-ascii": "ascii",
    "utf-8": "utf-8",
    "iso-8859-1": "latin-1",
    "iso-8859-15": "iso8859-15",
    "windows-1252": "cp1252",
}


@dataclass(frozen=True, slots=True)
class Headers:
    """The message's own header fields, checked. A field that is absent, or not what it should be, is the empty string.

    `sender` is the addr-spec of From as written. `message_id`, `in_reply_to` and `references` keep their angle
    brackets. `date` is as written. `fields` holds all the fields.
    """

    sender: str
    subject: str
    message_id: str
    in_reply_to: str
    references: tuple[str, ...]
    description: str
    date: str
    fields: Fields = field(repr=False)


def read_headers(raw: bytes, limits: MessageLimits) -> Headers:
    """The headers of a message, or of its beginning: nothing after the first blank line is looked at.

    FormatError: too long or unreadable, no From or an odd one (`expediteur-…`), two From or two
    Subject (`entete-double`, H5).
    """
    fields, _ = cut_headers(raw, 0, len(raw), limits)
    return message_headers(fields)


def message_headers(fields: Fields) -> Headers:
    """The checked values out of a message's fields. Errors as `read_headers`."""
    for name in ("from", "subject"):
        if len(fields.get(name, ())) > 1:
            raise FormatError("entete-double", f"Le message porte deux en-têtes {name.capitalize()}.", rule="H5")
    replied = MESSAGE_ID.findall(last(fields, "in-reply-to"))
    message_id = last(fields, "message-id")
    return Headers(
        sender=_address(last(fields, "from")),
        subject=decode_text(last(fields, "subject")),
        message_id=message_id if MESSAGE_ID.fullmatch(message_id) else "",
        in_reply_to=replied[0] if replied else "",
        references=tuple(MESSAGE_ID.findall(last(fields, "references"))),
        description=decode_text(last(fields, "content-description")),
        date=last(fields, "date"),
        fields=fields,
    )


def cut_headers(raw: bytes, start: int, end: int, limits: MessageLimits) -> tuple[Fields, int]:
    """The fields of the block that begins at `start`, and where the body begins (`end` when there is none)."""
    block, body = _block(raw, start, end, limits)
    text = _FOLD.sub(" ", block.decode("latin-1").replace("\r\n", "\n").replace("\t", " "))
    if not text.replace("\n", "").isprintable() and _CONTROL.search(text):
        raise FormatError("entete-caractere", "Un en-tête du message contient un caractère interdit.", rule="H1")
    if text.count("\n") >= limits.header_count:
        raise FormatError("entetes-trop-nombreux", f"Le message a plus de {limits.header_count} en-têtes.", rule="H3")
    found = _FIELD.findall(text)
    if len(found) != text.count("\n") + bool(text):
        raise FormatError("entete-illisible", "Une ligne d'en-tête du message est illisible.")
    fields: dict[str, tuple[str, ...]] = {}
    for written, value in found:
        name = written.lower()
        fields[name] = (*fields.get(name, ()), value.rstrip(" "))
    return fields, body


def _block(raw: bytes, start: int, end: int, limits: MessageLimits) -> tuple[bytes, int]:
    if raw.startswith((b"\n", b"\r\n"), start, end):
        return b"", raw.index(b"\n", start) + 1
    blank = _BLANK_LINE.search(raw, start, min(end, start + limits.header_bytes))
    if blank is not None:
        return raw[start : blank.start()].removesuffix(b"\r"), blank.end()
    if end - start > limits.header_bytes:
        raise FormatError("entetes-trop-longs", f"Les en-têtes dépassent {limits.header_bytes} octets.", rule="H3")
    return raw[start:end].removesuffix(b"\n").removesuffix(b"\r"), end


def last(fields: Fields, name: str) -> str:
    """The last value of a field, the one that stands nearest the body; empty when absent."""
    values = fields.get(name)
    return values[-1] if values else ""


def _address(value: str) -> str:
    """The addr-spec of a From: `address`, `Name <address>` or `address (Name)`; one only."""
    if not value:
        raise FormatError("expediteur-absent", "Le message n'a pas d'expéditeur (en-tête From).", rule="H5")
    if value.endswith(")"):
        value = value.rpartition("(")[0].rstrip()
    address = value
    if value.endswith(">"):
        phrase, _, address = value[:-1].rpartition("<")
        if not _PHRASE.fullmatch(phrase):
            address = ""
    if len(address) > ADDRESS_LENGTH or not ADDRESS.fullmatch(address):
        raise FormatError("expediteur-illisible", "L'adresse de l'expéditeur (en-tête From) est illisible.", rule="H5")
    return address


@dataclass(frozen=True, slots=True)
class ContentType:
    """`media` in lower case (`text/plain` when absent or odd, RFC 2045 5.2), `raw` as written.

    `parameters` by lower-case name.
    """

    media: str
    parameters: Mapping[str, str]
    raw: str


def read_content_type(value: str, limits: MessageLimits) -> ContentType:
    """Reads a Content-Type. FormatError when it has too many parameters (H3)."""
    media, parameters = read_parameters(value, limits)
    return ContentType(media if _MEDIA.fullmatch(media) else "text/plain", parameters, value)


def read_parameters(value: str, limits: MessageLimits) -> tuple[str, dict[str, str]]:
    """A lower-case value and its parameters (Content-Type, Content-Disposition); the first of each counts."""
    if value.count(";") > limits.parameters:
        raise FormatError("parametres-trop-nombreux", "Un en-tête du message a trop de paramètres.", rule="H3")
    parameters: dict[str, str] = {}
    for found in _PARAMETER.finditer(value):
        name, quoted, bare = found.groups()
        parameters.setdefault(name.lower(), bare.strip() if quoted is None else _ESCAPED.sub(r"\1", quoted))
    return value.partition(";")[0].strip().lower(), parameters


def decode_text(value: str) -> str:
    """A value as text: encoded words in a simple charset and raw 8-bit bytes are decoded.

    What cannot be decoded, or would hold a control character, is left as it is.
    """
    if "=?" in value:
        decoded = _ENCODED_WORD.sub(_decode_word, _BETWEEN_WORDS.sub("?==?", value))
        return value if _CONTROL.search(decoded) or "\n" in decoded else decoded
    if value.isascii():
        return value
    for charset in ("utf-8", "cp1252"):
        try:
            return value.encode("latin-1").decode(charset)
        except UnicodeDecodeError:
            continue
    return value


def _decode_word(word: re.Match[str]) -> str:
    charset, encoding, text = word.groups()
    try:
        raw = binascii.a2b_base64(text) if encoding in "Bb" else binascii.a2b_qp(text, header=True)
        return raw.decode(_CHARSETS[charset.lower()])
    except (KeyError, ValueError):
        return word[0]
