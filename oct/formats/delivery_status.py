"""Reads a delivery status notice (RFC 3464): what another server says became of a message that we sent.

Takes the bytes of a multipart/report; gives, for each recipient that it names, the action, the status and the
diagnostic, and every Message-ID by which the message it speaks of can be found again: that of the returned message or
headers (third part), the original envelope id, and those that the notice itself answers. Whether the notice tells the
truth cannot be known: anybody can write one, so the caller may only believe it where believing wrongly does no harm.

Any bytes give a value or a FormatError: `avis-sans-statut`, `avis-action`, `avis-destinataire`, or one of those of the
readers of messages. A returned part that cannot be read is only one trace less.

Sources: RFC 3461 (ORCPT, ENVID), 3462, 3464.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from oct.errors import FormatError
from oct.formats.mime_headers import MESSAGE_ID, Fields, Headers, MessageLimits, cut_headers, last
from oct.formats.mime_reader import MailMessage, read_message

_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_RETURNED_TYPES = ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global")
_BLANK_LINES = re.compile(rb"[\r\n]*")
_MOST_RECIPIENTS = 100
_DIAGNOSTIC = 200


class Action(StrEnum):
    """What the reporting server did (RFC 3464 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@dataclass(frozen=True, slots=True)
class RecipientStatus:
    """One recipient: its addresses in lower case (final, then original when told), a status `5.1.1`, a diagnostic.

    `diagnostic` is the other side's own text, without control characters, 200 at most; empty when absent.
    """

    addresses: tuple[str, ...]
    action: Action
    status: str
    diagnostic: str


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """A notice: at least one recipient, and the Message-IDs, in angle brackets, that it may speak of."""

    recipients: tuple[RecipientStatus, ...]
    message_ids: tuple[str, ...]

    def of(self, address: str) -> RecipientStatus | None:
        """What is said of an address, or of the only recipient when it is named otherwise (an alias); else None."""
        named = (one for one in self.recipients if address.lower() in one.addresses)
        return next(named, self.recipients[0] if len(self.recipients) == 1 else None)


def read_delivery_status(raw: bytes, limits: MessageLimits) -> DeliveryStatus:
    """The notice in a message. FormatError: see above."""
    message = read_message(raw, limits)
    part = next((one for one in message.parts if one.content_type in _STATUS_TYPES), None)
    if part is None:
        raise FormatError("avis-sans-statut", "L'avis de remise ne contient aucun statut lisible.")
    whole, *groups = list(_groups(part.decode(), limits)) or [{}]
    if not groups:
        raise FormatError("avis-sans-statut", "L'avis de remise ne nomme aucun destinataire.")
    ids = (*_envelope_id(whole), *_returned_ids(message, limits), *_answered_ids(message.headers))
    return DeliveryStatus(tuple(_recipient(group) for group in groups), tuple(dict.fromkeys(ids)))


def _groups(body: bytes, limits: MessageLimits) -> Iterator[Fields]:
    """The groups of fields, separated by blank lines: one for the message, one for each recipient."""
    start, count = _past_blank_lines(body, 0), 0
    while start < len(body):
        if count > _MOST_RECIPIENTS:
            raise FormatError("avis-sans-statut", "L'avis de remise nomme trop de destinataires.", rule="H3")
        fields, start = cut_headers(body, start, len(body), limits)
        yield fields
        start, count = _past_blank_lines(body, start), count + 1


def _past_blank_lines(body: bytes, start: int) -> int:
    blank = _BLANK_LINES.match(body, start)
    return start if blank is None else blank.end()


def _recipient(fields: Fields) -> RecipientStatus:
    word = last(fields, "action").partition("(")[0].strip().lower()
    if word not in set(Action):
        raise FormatError("avis-action", "L'avis de remise ne dit pas ce qui a été fait.")
    named = (_typed(last(fields, name)).strip("<>").lower() for name in ("final-recipient", "original-recipient"))
    addresses = tuple(dict.fromkeys(address for address in named if address))
    if not addresses:
        raise FormatError("avis-destinataire", "L'avis de remise ne dit pas de quel destinataire il parle.")
    status = last(fields, "status").partition("(")[0].strip()[:11]
    return RecipientStatus(addresses, Action(word), status, _typed(last(fields, "diagnostic-code"))[:_DIAGNOSTIC])


def _typed(value: str) -> str:
    """What follows the type of an address or of a diagnostic: `rfc822; a@b`, `smtp; 550 5.1.1 …`."""
    kind, separator, rest = value.partition(";")
    return (rest if separator else kind).strip()


def _envelope_id(fields: Fields) -> Iterator[str]:
    """The ENVID of a sending, when it has the form of a Message-ID, with its angle brackets or without."""
    bracketed = f"<{last(fields, 'original-envelope-id').strip('<>')}>"
    if MESSAGE_ID.fullmatch(bracketed):
        yield bracketed


def _returned_ids(message: MailMessage, limits: MessageLimits) -> Iterator[str]:
    """The Message-ID of what came back with the notice: a whole message, or its headers, perhaps cut short."""
    for part in message.parts:
        if part.content_type in _RETURNED_TYPES:
            try:
                content = part.decode()
                fields, _ = cut_headers(content, 0, len(content), limits)
            except FormatError:
                continue
            yield from MESSAGE_ID.findall(last(fields, "message-id"))


def _answered_ids(headers: Headers) -> Iterator[str]:
    if headers.in_reply_to:
        yield headers.in_reply_to
    yield from headers.references
