"""A practitioner's software: wraps claim files as the field does, sends them by SMTP, and reads its mailbox.

`PractitionerSoftware` writes every shape of rule M2 with every compression; `Mailbox` is the mailbox where ART and
returns arrive. What the other side answers is given back, never raised: a `Reply` with its code.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from cryptography import x509

from oct.clock import Clock, paris
from oct.simulators.envelopes import Compression, Judge, compress, seal
from oct.simulators.mail import Envelope, Letter, Shape, compose
from oct.simulators.parties import Sender
from oct.simulators.reception import Reception
from oct.simulators.sending import Reply, deliver
from oct.simulators.temper import Temper
from oct.simulators.traffic import RELEASE, ClaimFile


@dataclass(frozen=True, slots=True)
class Wrapping:
    """How a file is wrapped. `mime_inside` seals a MIME entity that holds the file instead of the bare file (M2)."""

    shape: Shape = Shape.EDI
    compression: Compression = Compression.GZIP
    cipher: str = "aes-256-cbc"
    by: Judge = Judge.CRYPTOGRAPHY
    mime_inside: bool = False

    @property
    def description(self) -> str:
        """The Content-Description that goes with it."""
        if self.shape is Shape.CLEAR:
            return "FACTURE/SV"
        return "FACTURE/SV/K" if self.compression is Compression.NONE else "FACTURE/SV/ZK"


class PractitionerSoftware:
    """One practitioner's software. `concentrator` and `certificate` are all that changes to move to another (S5)."""

    def __init__(
        self,
        sender: Sender,
        address: str,
        *,
        concentrator: str,
        certificate: x509.Certificate,
        door: tuple[str, int],
        clock: Clock,
    ) -> None:
        self.sender = sender
        self.address = address
        self._concentrator = concentrator
        self._certificate = certificate
        self._door = door
        self._clock = clock
        self._sent = 0

    def message(self, file: ClaimFile, wrapping: Wrapping | None = None) -> bytes:
        """A new message for a file: called again for the same file, it has another compostage (M5)."""
        how = wrapping or Wrapping()
        self._sent += 1
        now = self._clock()
        compostage = f"{paris(now):%Y%m%d%H%M%S}{self._sent % 100_000:05d}"
        envelope = Envelope(
            sender=self.address,
            recipient=self._concentrator,
            subject=f"SV{RELEASE}/{file.sender.header_number}/{compostage}/{file.invoice_count:05d}",
            sent_at=now,
            message_id=f"<{compostage}@{self.sender.number}.example>",
            description=how.description,
            name="factures.b2",
        )
        return compose(envelope, how.shape, self._content(file.data, how))

    def send(self, message: bytes) -> Reply:
        """Hands one message to the concentrator, in a connection of its own."""
        return deliver(self._door, self.address, self._concentrator, message)

    def submit(self, file: ClaimFile, wrapping: Wrapping | None = None) -> Reply:
        """Wraps and sends."""
        return self.send(self.message(file, wrapping))

    def _content(self, data: bytes, how: Wrapping) -> bytes:
        if how.shape is Shape.CLEAR:
            return data
        content = compress(data, how.compression)
        if how.mime_inside:
            content = _entity(content)
        return seal(content, self._certificate, how.cipher, how.by)


class Mailbox:
    """The mailbox provider of one or several practitioners: an SMTP server that keeps what arrives."""

    def __init__(self, addresses: Iterable[str], *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._addresses = frozenset(address.lower() for address in addresses)
        self._reception = Reception(self, serves=self._addresses.__contains__, host=host, port=port)
        self._arriving: list[Letter] = []
        self._letters: list[Letter] = []
        self._changed = threading.Condition()

    @property
    def temper(self) -> Temper:
        """To make the provider refuse, cut or keep silent."""
        return self._reception.temper

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._reception.host, self._reception.port

    @property
    def letters(self) -> tuple[Letter, ...]:
        """Everything, in order of arrival."""
        with self._changed:
            return tuple(self._letters)

    @property
    def arts(self) -> tuple[Letter, ...]:
        """The concentrator's receipts."""
        return tuple(letter for letter in self.letters if letter.description.startswith("ART/"))

    @property
    def returns(self) -> tuple[Letter, ...]:
        """What insurers answered: all that is no receipt."""
        return tuple(letter for letter in self.letters if not letter.description.startswith("ART/"))

    def wait_for(self, count: int, timeout: float) -> bool:
        """Waits until `count` letters in all have arrived; False when `timeout` seconds were not enough."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._letters) >= count, timeout)

    def keep(self, mail_from: str, recipients: tuple[str, ...], raw: bytes) -> None:
        """Called by the reception."""
        self._arriving += [Letter(mail_from, recipient, raw) for recipient in recipients]

    def commit(self) -> None:
        """Called by the reception: shows what arrived."""
        with self._changed:
            self._letters += self._arriving
            self._arriving = []
            self._changed.notify_all()

    def start(self) -> Self:
        """Listens; `address` is known from then on."""
        self._reception.start()
        return self

    def stop(self) -> None:
        """Closes the door; what arrived stays readable."""
        self._reception.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _entity(content: bytes) -> bytes:
    """A MIME entity around the file."""
    headers = b'Content-Type: Application/EDI-consent; name="factures.b2"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    return headers + base64.encodebytes(content).replace(b"\n", b"\r\n")
