"""Reads an e-mail message down to its one attachment: an allow-list reader, limits first.

Takes the bytes of a message, gives its checked headers and its leaf parts; a part is a place in the message, decoded
only when asked, so a large message costs its own bytes, a work copy and the result. The three shapes of the field are
read alike (M2): (a) multipart with one pkcs7-mime part, (b) flat pkcs7-mime, (c) flat EDI-consent; EDI-consent headers
repeated above a body are accepted in the same header block (the last of a name counts) and at the top of the body.

Any bytes give a value or a `FormatError` (H10); its sentence never quotes the message. An extra text part, a signature
or a picture is ignored; two attachments are refused. RFC 3464 reports are read like anything else: `MailMessage.part`
gives their `message/delivery-status`, and message/* parts are left closed.

Sources: RFC 2045 and 2046 (entities), annex 7.1, rules M1, M2, H1, H3, H5.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from io import BytesIO

from oct.errors import FormatError
from oct.formats.mime_headers import (
    ContentType,
    Fields,
    Headers,
    MessageLimits,
    cut_headers,
    decode_text,
    last,
    message_headers,
    read_content_type,
    read_parameters,
)

CONSENT = "application/edi-consent"
PKCS7 = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_PAYLOADS = PKCS7 | {CONSENT, "application/octet-stream"}
_SIGNATURES = frozenset({"application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"})

_CR = 0x0D
_PIECE = 1 << 20
"""Octets of base64 that are decoded at a time."""
_IDENTITY = frozenset({"", "7bit", "8bit", "binary"})
_BOUNDARY = re.compile(r"[ -~]*[!-~]")
_DELIMITER_END = re.compile(rb"(--)?[ \t]*(?:\r?\n|\Z)")
_LINE_ENDS = re.compile(rb"[\r\n]*")
_HEADER_LINE = re.compile(rb"[A-Za-z][A-Za-z0-9-]{0,75}[ \t]{0,8}:")
_ENTITY_EVIDENCE = re.compile(rb"(?:\A|\n)(?:content-|mime-version)", re.IGNORECASE)
_NO_FINAL_LINE_END = re.compile(rb"000|0[\x80-\xff]")
_NOT_IN_A_FILE_NAME = re.compile(r"[^\w .-]")


class Shape(StrEnum):
    """How the attachment was carried (M2)."""

    MULTIPART = "a"
    FLAT_PKCS7 = "b"
    FLAT_CONSENT = "c"
    FLAT_OTHER = "autre"


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf: `raw[start:end]` is its body, still encoded. `content_type` is lower case, `content_type_raw` as written.

    `filename` is data, never a path: its last component, without control or special characters, 100 at most.
    `enclosed`: it stands in a multipart.
    """

    raw: bytes = field(repr=False)
    start: int
    end: int
    content_type: str
    content_type_raw: str = field(repr=False)
    parameters: Mapping[str, str] = field(repr=False)
    description: str
    disposition: str
    filename: str = field(repr=False)
    encoding: str
    enclosed: bool

    @property
    def body(self) -> memoryview:
        """The body as received, without a copy."""
        return memoryview(self.raw)[self.start : self.end]

    def decode(self) -> bytes:
        """The body without its transfer encoding. FormatError on bad base64 or an unknown encoding."""
        if self.encoding == "base64":
            return _base64(self.body)
        if self.encoding == "quoted-printable":
            return binascii.a2b_qp(self.body)
        if self.encoding in _IDENTITY:
            return self.raw[self.start : self.end]
        raise FormatError("encodage-inconnu", "Le Content-Transfer-Encoding du message n'est pas connu.", rule="M1")


@dataclass(frozen=True, slots=True)
class MailMessage:
    """Checked headers, the media type of the whole in lower case, and the leaves in order."""

    headers: Headers
    content_type: str
    parts: tuple[Part, ...]

    def part(self, content_type: str) -> Part | None:
        """The first leaf of a (lower-case) media type."""
        return next((part for part in self.parts if part.content_type == content_type), None)


@dataclass(frozen=True, slots=True)
class Attachment:
    """The one payload, transfer-decoded: CMS or a file in clear. `content_type` as written, for what is passed on."""

    body: bytes = field(repr=False)
    description: str
    shape: Shape
    content_type: str = field(repr=False)
    filename: str = field(repr=False)


def read_message(raw: bytes, limits: MessageLimits) -> MailMessage:
    """Reads a whole message (CRLF or LF). FormatError when it breaks a limit, the grammar or H5.

    No part is decoded yet.
    """
    fields, start = cut_headers(raw, 0, len(raw), limits)
    headers = message_headers(fields)
    content_type, parts = _Entities(raw, limits).read(fields, start)
    return MailMessage(headers, content_type, parts)


def attachment_of(message: MailMessage) -> Attachment:
    """The one attachment of a message. FormatError: `aucune-piece-jointe`, `deux-pieces-jointes`, `fichier-vide`."""
    part = _payload(message.parts)
    if part is None:
        raise FormatError("aucune-piece-jointe", "Le message ne contient aucun fichier de factures.", rule="M2")
    described = (message.headers.description, part.description)
    description = next((text for text in described if "/" in text), described[0] or described[1])
    return Attachment(_file(part), description, _shape(part), part.content_type_raw, part.filename)


def inner_file(content: bytes, limits: MessageLimits) -> bytes:
    """The bare file out of what was decrypted: itself, or the file that the MIME entity it is holds (M2).

    An entity is told by its first bytes: a header line, in a block that names a Content- field. B2 and NOEMIE files
    begin with 000; gzip, zlib and CMS begin with what no header line begins with. FormatError on a bad or empty entity.
    """
    if not _opens_with_headers(content, 0, len(content), limits):
        return content
    fields, start = cut_headers(content, 0, len(content), limits)
    _, parts = _Entities(content, limits).read(fields, start)
    part = parts[0] if len(parts) == 1 else _payload(parts)
    if part is None:
        raise FormatError("aucune-piece-jointe", "Le contenu déchiffré ne contient aucun fichier.", rule="M2")
    return _file(part)


class _Entities:
    """Walks the entities of one message, counting them against the limits."""

    def __init__(self, raw: bytes, limits: MessageLimits) -> None:
        self._raw = raw
        self._limits = limits
        self._count = 1
        self._leaves: list[Part] = []

    def read(self, fields: Fields, start: int) -> tuple[str, tuple[Part, ...]]:
        """The media type and the leaves of the entity whose body begins at `start` and ends with the bytes."""
        whole = read_content_type(last(fields, "content-type"), self._limits)
        self._body(fields, whole, start, len(self._raw), depth=0, enclosed=False)
        return whole.media, tuple(self._leaves)

    def _entity(self, fields: Fields, start: int, end: int, *, depth: int, enclosed: bool) -> None:
        self._count += 1
        if depth > self._limits.depth or self._count > self._limits.parts:
            raise _too_many_parts()
        content_type = read_content_type(last(fields, "content-type"), self._limits)
        self._body(fields, content_type, start, end, depth=depth, enclosed=enclosed)

    def _body(
        self, fields: Fields, content_type: ContentType, start: int, end: int, *, depth: int, enclosed: bool
    ) -> None:
        if content_type.media.startswith("multipart/"):
            self._multipart(content_type.parameters.get("boundary", ""), start, end, depth)
            return
        top = _LINE_ENDS.match(self._raw, start, end)
        above = start if top is None else top.end()
        repeatable = content_type.media in _PAYLOADS or not (enclosed or content_type.media.startswith("message/"))
        if repeatable and _opens_with_headers(self._raw, above, end, self._limits):
            repeated, below = cut_headers(self._raw, above, end, self._limits)
            self._entity({**fields, **repeated}, below, end, depth=depth + 1, enclosed=enclosed)
            return
        disposition, named = read_parameters(last(fields, "content-disposition"), self._limits)
        filename = named.get("filename") or content_type.parameters.get("name", "")
        part = Part(
            raw=self._raw,
            start=start,
            end=end,
            content_type=content_type.media,
            content_type_raw=content_type.raw,
            parameters=content_type.parameters,
            description=decode_text(last(fields, "content-description")),
            disposition=disposition,
            filename=_file_name(filename),
            encoding=last(fields, "content-transfer-encoding").partition(" ")[0].partition(";")[0].lower(),
            enclosed=enclosed,
        )
        self._leaves.append(part)

    def _multipart(self, boundary: str, start: int, end: int, depth: int) -> None:
        if len(boundary) > self._limits.boundary or not _BOUNDARY.fullmatch(boundary):
            raise FormatError(
                "separateur-invalide", "Le séparateur des parties du message est absent ou trop long.", rule="H3"
            )
        for first, after in self._spans(start, end, b"--" + boundary.encode("ascii")):
            fields, body = cut_headers(self._raw, first, after, self._limits)
            self._entity(fields, body, after, depth=depth + 1, enclosed=True)

    def _spans(self, start: int, end: int, delimiter: bytes) -> Iterator[tuple[int, int]]:
        """Where each part of a multipart stands (RFC 2046 5.1.1); a last delimiter that is missing is tolerated."""
        raw, opened = self._raw, -1
        at = start - 1  # a body follows a line end, so every delimiter does; that line end belongs to the delimiter
        for _ in range(self._limits.parts * 4):
            at = raw.find(b"\n" + delimiter, at, end)
            if at == -1:
                if opened >= 0:
                    yield opened, end
                return
            line = _DELIMITER_END.match(raw, at + 1 + len(delimiter), end)
            if line is None:
                at += 1
                continue
            if opened >= 0:
                yield opened, max(opened, at - 1 if raw[at - 1] == _CR else at)
            if line[1]:
                return
            opened = line.end()
            at = opened - 1
        raise _too_many_parts()


def _too_many_parts() -> FormatError:
    return FormatError("trop-de-parties", "Le message a trop de parties, ou trop imbriquées.", rule="H3")


def _opens_with_headers(raw: bytes, start: int, end: int, limits: MessageLimits) -> bool:
    """Whether a header block stands there: a header line first, a Content- or MIME-Version field, and a blank line."""
    if not _HEADER_LINE.match(raw, start, end):
        return False
    head = raw[start : min(end, start + limits.header_bytes)].replace(b"\r\n", b"\n")
    block, blank, _ = head.partition(b"\n\n")
    return bool(blank) and _ENTITY_EVIDENCE.search(block) is not None


def _payload(parts: tuple[Part, ...]) -> Part | None:
    """The part that carries the file: by its media type, else by what marks it as an attachment."""
    candidates = [part for part in parts if part.content_type in _PAYLOADS] or [part for part in parts if _marked(part)]
    if len(candidates) > 1:
        raise FormatError(
            "deux-pieces-jointes", "Le message contient plusieurs fichiers, un seul est permis.", rule="M2"
        )
    return candidates[0] if candidates else None


def _marked(part: Part) -> bool:
    announced = part.disposition == "attachment" or bool(part.description)
    return (
        announced and part.content_type.startswith(("text/", "application/")) and part.content_type not in _SIGNATURES
    )


def _file(part: Part) -> bytes:
    """The decoded body. Flat and not base64, it ends with the line end SMTP asks for: none of a B2 file or of CMS."""
    body = part.decode()
    if not part.enclosed and part.encoding != "base64" and _NO_FINAL_LINE_END.match(body):
        body = body.removesuffix(b"\n").removesuffix(b"\r")
    if not body or body.isspace():
        raise FormatError("fichier-vide", "Le fichier joint au message est vide.", rule="M2")
    return body


def _shape(part: Part) -> Shape:
    if part.enclosed:
        return Shape.MULTIPART
    if part.content_type in PKCS7:
        return Shape.FLAT_PKCS7
    return Shape.FLAT_CONSENT if part.content_type == CONSENT else Shape.FLAT_OTHER


def _base64(encoded: memoryview) -> bytes:
    """Base64 with any blanks inside, and nothing else. A piece at a time: a large body does not stand three times in
    memory."""
    decoded, rest = BytesIO(), b""
    try:
        for at in range(0, len(encoded), _PIECE):
            rest += bytes(encoded[at : at + _PIECE]).translate(None, b"\r\n\t ")
            whole = 0 if b"=" in rest else len(rest) // 4 * 4
            decoded.write(binascii.a2b_base64(rest[:whole], strict_mode=True))
            rest = rest[whole:]
        decoded.write(binascii.a2b_base64(rest, strict_mode=True))
        return decoded.getvalue()
    except binascii.Error as error:
        raise FormatError("base64-invalide", "La pièce jointe n'est pas en base64 correct.", rule="M1") from error


def _file_name(name: str) -> str:
    last_component = decode_text(name).replace("\\", "/").rpartition("/")[2]
    return _NOT_IN_A_FILE_NAME.sub("_", last_component)[:100].strip(" .")
