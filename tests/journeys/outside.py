"""Everything outside the concentrator: the insurers' mailboxes and the practitioners', behind one relay or two servers.

Whatever a relay is sent is kept, to whatever address, so that a test sees what should not have left too; what is said
to a server that is not the recipient's own is noted. Insurers open
their mail with the openssl command where few messages are judged closely, else with the library, which costs less.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from functools import cache

from oct.clock import system_clock
from oct.formats.layouts import Layouts
from oct.settings.data_files import built_in
from oct.simulators.envelopes import Judge
from oct.simulators.insurer import Opened, open_arrival
from oct.simulators.ledger import Arrival
from oct.simulators.mail import Letter
from oct.simulators.reception import Reception
from oct.simulators.temper import Temper
from tests.journeys.golden import key_pairs

LAYOUTS = Layouts.from_toml(built_in("layouts.toml"))


_INSURERS = "rss.fr"


class Outside:
    """An SMTP server that takes mail for all, or, `apart`, all but that for insurers, who have one of their own. They
    have the golden keys."""

    def __init__(self, judge: Judge, *, apart: bool = False) -> None:
        self._judge = judge
        self._apart = apart
        self._keys = {name: key for name, key in key_pairs().items() if "@" in name}
        self._relay = Reception(self, serves=self._is_for_relay)
        self._insurers = Reception(self, serves=self._is_for_insurers)
        self._insurers.temper = self._relay.temper
        self._strays: list[str] = []
        self._arriving: list[Arrival] = []
        self._arrivals: list[Arrival] = []
        self._lock = threading.Lock()
        self._opened = cache(self._open)

    @property
    def port(self) -> int:
        """Where the relay listens."""
        return self._relay.port

    @property
    def delivery(self) -> str:
        """The settings that lead here, lines of the section `delivery`."""
        relay = f'relay = "127.0.0.1:{self.port}"'
        return f'{relay}\nroutes = {{ "{_INSURERS}" = "127.0.0.1:{self._insurers.port}" }}' if self._apart else relay

    @property
    def temper(self) -> Temper:
        """To make it refuse, greylist or cut, for one address or for all."""
        return self._relay.temper

    @property
    def arrivals(self) -> list[Arrival]:
        """All that arrived, in order."""
        with self._lock:
            return list(self._arrivals)

    def is_insurer(self, address: str) -> bool:
        return address in self._keys

    def letters(self, address: str, since: int = 0) -> list[Letter]:
        """What arrived in a practitioner's mailbox after the first `since` arrivals."""
        return [Letter(one.mail_from, one.rcpt_to, one.raw) for one in self.arrivals[since:] if one.rcpt_to == address]

    def opened(self, since: int = 0, address: str | None = None) -> list[Opened]:
        """What insurers got after the first `since` arrivals, deciphered, identical repeats too."""
        return [
            self._opened(one)
            for one in self.arrivals[since:]
            if self.is_insurer(one.rcpt_to) and address in (None, one.rcpt_to)
        ]

    def _open(self, arrival: Arrival) -> Opened:
        return open_arrival(arrival, self._keys[arrival.rcpt_to], LAYOUTS, self._judge)

    def keep(self, mail_from: str, recipients: Iterable[str], raw: bytes) -> None:
        """Called by the reception."""
        known = len(self._arrivals) + len(self._arriving)
        self._arriving += [
            Arrival(known + rank, system_clock(), mail_from, recipient.lower(), raw)
            for rank, recipient in enumerate(recipients, 1)
        ]

    def commit(self) -> None:
        """Called by the reception: shows what arrived."""
        with self._lock:
            self._arrivals += self._arriving
            self._arriving = []

    def start(self) -> None:
        self._relay.start()
        self._insurers.start()

    def stop(self) -> None:
        """Nobody was named to another server than his own."""
        self._relay.stop()
        self._insurers.stop()
        assert not self._strays

    def _is_for_relay(self, address: str) -> bool:
        if self._apart and address.endswith(f".{_INSURERS}"):
            self._strays.append(address)
        return True

    def _is_for_insurers(self, address: str) -> bool:
        if not address.endswith(f".{_INSURERS}"):
            self._strays.append(address)
        return True


def text_of(letter: Letter) -> str:
    """A text as its reader sees it."""
    return letter.content.decode(letter.message.get_content_charset("ascii")).replace("\r\n", "\n")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
