"""The life of one process through its reloads: program after program, on the same sockets (SIGHUP).

A reload reads the settings, the keys and the certificates again and makes a new program of them. What connects from
then on meets the new one; the dialogues that are open end with the one they began with, which works no more beside
them. A reload that cannot be carried out changes nothing and says why on one line of the log: a fault in the settings,
a port that cannot be had, a database that is away, a setting that only a restart can change.

The programs of one process must not take each other's leases for those of a dead one: the first bears the name of the
process, and takes back whatever begins with it; each one after has a name under that (`NAME/r2`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from oct.doors.listening import Sockets
from oct.errors import ConfigurationError, OctError, described
from oct.programs import Program
from oct.settings import Settings

_log = structlog.get_logger()


class Generations:
    """`read` gives the settings as they stand now, `build` makes a program of them that works under a name; both block
    and fail with OctError. On one event loop: `start`, `reload` any number of times, `stop`."""

    def __init__(self, name: str, read: Callable[[], Settings], build: Callable[[Settings, str], Program]) -> None:
        self._name = name
        self._read = read
        self._build = build
        self._rank = 1
        self._sockets = Sockets()
        self._before: dict[asyncio.Task[None], Program] = {}
        self.settings: Settings
        """Those of the present program."""
        self.program: Program
        """The present one."""

    async def start(self, settings: Settings) -> None:
        """Starts the first program. ConfigurationError or StoreError when it cannot be."""
        self.settings = settings
        self.program = await asyncio.to_thread(self._build, settings, self._name)
        await self._open(self.program, self._sockets)

    async def reload(self) -> bool:
        """Whether another program has taken over; otherwise all is as it was."""
        try:
            settings = await asyncio.to_thread(self._read)
            _check_reload(self.settings, settings)
            program = await asyncio.to_thread(self._build, settings, f"{self._name}/r{self._rank + 1}")
            sockets = Sockets(self._sockets)
            await self._open(program, sockets)
        except OctError as error:
            _log.error("recharge-refusee", code=error.code, phrase=error.sentence)
            return False
        except Exception as surprise:  # noqa: BLE001 - what serves must go on serving
            _log.error("recharge-refusee", **described(surprise))
            return False
        self._sockets.close(but=sockets)
        retiring = asyncio.create_task(self.program.retire())
        self._before[retiring] = self.program
        retiring.add_done_callback(self._before.pop)
        self.settings, self.program, self._sockets = settings, program, sockets
        self._rank += 1
        _log.info("recharge", generation=self._rank)
        return True

    async def stop(self) -> None:
        """Ends every program that is left, as one (P5)."""
        self._sockets.close()
        before = dict(self._before)
        for program in before.values():
            program.hurry()
        await asyncio.gather(self.program.stop(), *before)

    async def _open(self, program: Program, sockets: Sockets) -> None:
        try:
            await program.start(sockets)
        except Exception:
            sockets.close(but=self._sockets if sockets is not self._sockets else None)
            raise


def _check_reload(present: Settings, wanted: Settings) -> None:
    """ConfigurationError when the process would have to be another one."""
    if wanted.store.url != present.store.url:
        raise ConfigurationError("redemarrage-necessaire", "[store] url a changé : redémarrez le processus.")
