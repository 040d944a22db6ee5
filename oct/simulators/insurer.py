"""An insurer's front end, AMO or AMC: an SMTP server that keeps, durably if asked, the files sent to its mailboxes.

One server holds any number of mailboxes, each with its key. Nothing is opened while mail arrives, so that it keeps up
with what it measures; `open` deciphers afterwards, with the library or with the openssl command as the judge. What
cannot be opened raises `EnvelopeError`. It misbehaves on demand by its `temper`; it answers by `answers`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from oct.clock import Clock
from oct.crypto.keystore import OwnKey
from oct.formats.layouts import Layouts
from oct.simulators.envelopes import Judge, unseal, unwrap
from oct.simulators.ledger import Arrival, Ledger
from oct.simulators.mail import Letter
from oct.simulators.received import ReceivedFile, read_received
from oct.simulators.reception import Reception
from oct.simulators.temper import Temper


@dataclass(frozen=True, slots=True)
class Opened:
    """A message that the insurer opened: how it arrived, its envelope, the file that it held."""

    arrival: Arrival
    letter: Letter
    file: ReceivedFile


def open_arrival(arrival: Arrival, key: OwnKey, layouts: Layouts, judge: Judge = Judge.CRYPTOGRAPHY) -> Opened:
    """Deciphers and reads one message. EnvelopeError when its addressee cannot open it."""
    letter = Letter(arrival.mail_from, arrival.rcpt_to, arrival.raw)
    return Opened(arrival, letter, read_received(unwrap(unseal(letter.content, key, judge)), layouts))


class Insurer:
    """The mailboxes of `keys` (address to key). `directory` makes what arrives durable before its 250."""

    def __init__(
        self,
        keys: Mapping[str, OwnKey],
        *,
        layouts: Layouts,
        clock: Clock,
        directory: Path | None = None,
        judge: Judge = Judge.CRYPTOGRAPHY,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._keys = {address.lower(): key for address, key in keys.items()}
        self._layouts = layouts
        self._clock = clock
        self._judge = judge
        self.arrivals = Ledger(directory)
        self._reception = Reception(self, serves=self._keys.__contains__, host=host, port=port)

    @property
    def temper(self) -> Temper:
        """To make it refuse, greylist, cut or keep silent, for one mailbox or for all."""
        return self._reception.temper

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._reception.host, self._reception.port

    def wait_for(self, count: int, timeout: float) -> bool:
        """Waits until `count` messages in all have arrived; False when `timeout` seconds were not enough."""
        return self.arrivals.wait_for(count, timeout)

    def open(self, arrival: Arrival, judge: Judge | None = None) -> Opened:
        """Deciphers and reads one message. EnvelopeError when it cannot."""
        return open_arrival(arrival, self._keys[arrival.rcpt_to.lower()], self._layouts, judge or self._judge)

    def opened(self, address: str | None = None) -> tuple[Opened, ...]:
        """Every message, in order of arrival, or those of one mailbox. EnvelopeError when one cannot be opened."""
        return tuple(self.open(arrival) for arrival in self.arrivals if address in (None, arrival.rcpt_to))

    def lots(self) -> dict[str, list[str]]:
        """For each mailbox that received something, the SHA-256 of each lot, in order of arrival (L1, L2)."""
        received: dict[str, list[str]] = {}
        for one in self.opened():
            received.setdefault(one.arrival.rcpt_to, []).extend(lot.sha256 for lot in one.file.lots)
        return received

    def keep(self, mail_from: str, recipients: Iterable[str], raw: bytes) -> None:
        """Called by the reception."""
        for recipient in recipients:
            self.arrivals.append(self._clock(), mail_from, recipient.lower(), raw)

    def commit(self) -> None:
        """Called by the reception: what arrived is on disk, then shown."""
        self.arrivals.commit()

    def start(self) -> Self:
        """Listens; `address` is known from then on."""
        self._reception.start()
        return self

    def stop(self) -> None:
        """Closes the door; what arrived stays readable until `close`."""
        self._reception.stop()

    def close(self) -> None:
        """Gives the ledger's file back."""
        self.arrivals.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.close()
