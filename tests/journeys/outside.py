"""Everything outside the concentrator, behind one relay: the insurers' mailboxes and the practitioners'.

Whatever it is sent is kept, to whatever address, so that a test sees what should not have left too. Insurers open
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


class Outside:
    """An SMTP server that takes mail for all; the insurers have the golden keys."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._keys = {name: key for name, key in key_pairs().items() if "@" in name}
        self._reception = Reception(self, serves=lambda _: True)
        self._arriving: list[Arrival] = []
        self._arrivals: list[Arrival] = []
        self._lock = threading.Lock()
        self._opened = cache(self._open)

    @property
    def port(self) -> int:
        return self._reception.port

    @property
    def temper(self) -> Temper:
        """To make it refuse, greylist or cut, for one address or for all."""
        return self._reception.temper

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
        self._reception.start()

    def stop(self) -> None:
        self._reception.stop()


def text_of(letter: Letter) -> str:
    """A text as its reader sees it."""
    return letter.content.decode(letter.message.get_content_charset("ascii")).replace("\r\n", "\n")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
