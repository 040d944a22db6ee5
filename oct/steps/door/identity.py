"""Whose message it is, from what the door knows of it: its headers, its envelope, its peer (H6), and what it is known
by when it comes again (D4).

Asked when a message arrives, and again when a person releases one that was refused then. Failure: `read_headers` has
raised its FormatError before; nothing here fails.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from ipaddress import ip_address

from oct.domain.admission import Admitted, Claimed, Register, Rejected, admit
from oct.errors import FormatError
from oct.formats.mime_headers import Headers, last
from oct.formats.subject import FactureSubject, ps_number, read_subject
from oct.steps.workshop import Network, Workshop
from oct.store.registry import Snapshot


def identify(
    workshop: Workshop, snapshot: Snapshot, headers: Headers, mail_from: str, peer: str, *, trusted: bool
) -> Admitted | Rejected:
    """H6: who writes, by the register and the settings as they are now. `peer` is an IP address."""
    rules = workshop.rules
    claimed = Claimed(
        header_from=headers.sender,
        mail_from=mail_from,
        number=_number(subject_of(headers)),
        is_report=is_report(headers),
        trusted=trusted,
        institutional=_institutional(peer, rules.insurer_networks),
    )
    return admit(
        claimed,
        Register(snapshot.by_number.get, snapshot.by_address.get, snapshot.insurers_by_address.get, rules.dloi_issuer),
    )


def subject_of(headers: Headers) -> FactureSubject | None:
    """The Subject of a claim; None when it is something else."""
    try:
        return read_subject(headers.subject)
    except FormatError:
        return None


def is_report(headers: Headers) -> bool:
    """Whether the message has the form of a delivery report (RFC 3464)."""
    return last(headers.fields, "content-type").lower().startswith("multipart/report")


def fingerprint(content: bytes, headers: Headers) -> bytes:
    """D4: what stays the same when a client that lost our 250 sends again, whatever relays add on top of it."""
    headers_end = content.find(b"\r\n\r\n")
    digest = hashlib.sha256()
    for value in (headers.sender.lower(), headers.subject, headers.message_id, headers.description):
        digest.update(value.encode("utf-8", "replace") + b"\0")
    if headers_end >= 0:
        digest.update(memoryview(content)[headers_end + 4 :])
    return digest.digest()


def _institutional(peer: str, networks: Sequence[Network]) -> bool:
    address = ip_address(peer.partition("%")[0])
    return not networks or any(address in network for network in networks)


def _number(subject: FactureSubject | None) -> str | None:
    if subject is None:
        return None
    try:
        return ps_number(subject.sender)
    except FormatError:
        return subject.sender
