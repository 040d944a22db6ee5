"""Opens a received message: headers, attachment, CMS, compression, inner MIME entity, down to the bare file.

Takes the bytes of a message as SMTP gave them; gives the file and what the envelope said of it. Every failure is a
FormatError (the message's form) or an OpeningError (it cannot be deciphered); limits hold while reading, not after
(H3). Pure CPU: nothing is kept, nothing is written. Sources: annex 7.1, rules M1 to M3.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from oct.crypto.ber import oid
from oct.crypto.cms_compressed import unwrap
from oct.crypto.cms_reader import open_enveloped, undecipherable
from oct.crypto.keystore import KeyRing
from oct.errors import FormatError
from oct.formats.mime_headers import Headers, MessageLimits
from oct.formats.mime_reader import Attachment, attachment_of, inner_file, read_message

_ENVELOPED = (oid("1.2.840.113549.1.7.3"), oid("1.2.840.113549.1.9.16.1.23"))
_LONGEST_PREFIX = 40
"""The content type stands at most this far into a CMS object."""

_SIGNS_OF_NOISE = frozenset({"archive-abimee", "entete-illisible", "entete-caractere"})
_FILE = b"000"
"""Begins every file of the annex: it is in clear whatever its description announces."""
_SAMPLE, _CONTROLS = 256, bytes(set(range(0x20)) - set(b"\t\n\f\r"))
"""How much of a file tells whether it is noise, and the characters by which it does."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A message's file in clear, and its envelope. `serial` is that of our certificate, None when it came in clear."""

    file: bytes = field(repr=False)
    headers: Headers
    description: str
    content_type: str
    serial: int | None


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens messages with the concentrator's own keys. `max_file` caps the inflated file, in bytes."""

    keys: KeyRing
    limits: MessageLimits
    max_file: int

    def open(self, raw: bytes, *, accept_clear: bool, opaque: bool = False) -> Opened:
        """The whole way in. FormatError `non-chiffre` when the attachment is in clear and `accept_clear` is false.

        `opaque`: the file may be anything, a scanned page for one (O2), and control characters are no sign of noise.
        """
        message = read_message(raw, self.limits)
        return self.open_attachment(message.headers, attachment_of(message), accept_clear=accept_clear, opaque=opaque)

    def open_attachment(
        self, headers: Headers, attachment: Attachment, *, accept_clear: bool, opaque: bool = False
    ) -> Opened:
        """The same, from the headers and the attachment of a message that was already read."""
        content, serial = attachment.body, None
        announced = _announces_encryption(attachment.description) and not content.startswith(_FILE)
        if _is_enveloped(content) or announced:
            envelope = open_enveloped(content, self.keys)
            content, serial = envelope.content, envelope.serial
        elif not accept_clear:
            raise FormatError("non-chiffre", "La pièce jointe n'est pas chiffrée : elle doit l'être.", rule="M2")
        return Opened(
            file=self._bare(content) if serial is None else self._deciphered(content, opaque=opaque),
            headers=headers,
            description=attachment.description,
            content_type=attachment.content_type,
            serial=serial,
        )

    def _deciphered(self, content: bytes, *, opaque: bool) -> bytes:
        """The bare file of what was encrypted; what cannot have been deciphered rightly says no more than that (H4).

        Ciphers without integrity, and a stand-in for a key that could not be opened, give noise: noise is told from a
        file that is wrong by its control characters, and answers as any other undecipherable message.
        """
        try:
            bare = self._bare(content)
        except FormatError as error:
            if error.code in _SIGNS_OF_NOISE:
                raise undecipherable() from error
            raise
        sample = bare[:_SAMPLE]
        if not opaque and sample.translate(None, _CONTROLS) != sample:
            raise undecipherable()
        return bare

    def _bare(self, content: bytes) -> bytes:
        """Compression and MIME entity may enclose one another in either order (M2)."""
        inner = inner_file(unwrap(content, self.max_file), self.limits)
        return unwrap(inner, self.max_file)


def _is_enveloped(content: bytes) -> bool:
    start = content[:_LONGEST_PREFIX]
    return start.lstrip().startswith(b"-----BEGIN") or any(kind in start for kind in _ENVELOPED)


def _announces_encryption(description: str) -> bool:
    third = description.upper().rpartition("/")[2].strip()
    return description.count("/") == 2 and third in {"K", "ZK"}
