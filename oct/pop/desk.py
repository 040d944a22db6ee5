"""What the sessions of one POP door share: limits, counters, threads, and the answer to a surprise.

Blocking work runs in threads: logins in few of their own, because checking a password takes a tenth of a second of
processor and 64 MiB, everything else in others, so that a flood of logins holds nobody up.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import ParamSpec, TypeVar

import structlog

from oct.doors.admission import Admission
from oct.errors import OctError, described
from oct.pop.mailboxes import Mailboxes
from oct.pop.throttle import Slowness, Throttle

_log = structlog.get_logger()
_P = ParamSpec("_P")
_T = TypeVar("_T")
_LOGIN_THREADS = 2
_WORK_THREADS = 8

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class PopLimits:
    """What one door gives to its peers; durations in seconds.

    `idle_seconds` is RFC 1939's autologout (at least ten minutes, section 3), `login_seconds` what a peer has for a
    successful login, `stall_seconds` how long it may not read, `logins` the failed logins and `bad_commands` the
    refused commands that end a session, `transfers` the messages in memory at once, `renew_seconds` the pace at which
    locks are kept: a third of their duration or less.
    """

    connections: int = 1000
    connections_per_address: int = 20
    logins: int = 3
    bad_commands: int = 20
    transfers: int = 16
    login_seconds: float = 180
    idle_seconds: float = 600
    stall_seconds: float = 60
    renew_seconds: float = 20
    slowness: Slowness = field(default_factory=Slowness)


class Desk:
    """Made by the server, used by its sessions, on one event loop."""

    def __init__(
        self,
        *,
        hostname: str,
        limits: PopLimits,
        mailboxes: Mailboxes,
        tls: ssl.SSLContext | None,
        clear_networks: tuple[Network, ...],
    ) -> None:
        self.hostname = hostname
        self.limits = limits
        self.mailboxes = mailboxes
        self.tls = tls
        self._clear_networks = clear_networks
        self.admission = Admission(connections=limits.connections, per_address=limits.connections_per_address)
        self.throttle = Throttle(limits.slowness)
        self.transfers = asyncio.Semaphore(limits.transfers)
        self._logins = ThreadPoolExecutor(_LOGIN_THREADS, "pop-login")
        self._work = ThreadPoolExecutor(_WORK_THREADS, "pop")

    def allows_clear(self, peer: str) -> bool:
        """Whether the operator lets this address give its password in clear (H9)."""
        address = ip_address(peer)
        return any(address in network for network in self._clear_networks)

    async def check_login(self, login: str, password: str) -> int | None:
        """The account, or None, as `Mailboxes.authenticate` says."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._logins, self.mailboxes.authenticate, login, password)

    async def run(self, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Blocking work, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._work, lambda: work(*args, **kwargs))

    def tell(self, surprise: BaseException) -> None:
        """Log a failure: its code when it is declared, else its type and where; never its text."""
        if isinstance(surprise, OctError):
            _log.warning("pop-interrompu", code=surprise.code)
        else:
            _log.error("pop-surprise", **described(surprise))

    def close(self) -> None:
        """Wait for the threads to end what they do."""
        self._logins.shutdown(cancel_futures=True)
        self._work.shutdown(cancel_futures=True)
