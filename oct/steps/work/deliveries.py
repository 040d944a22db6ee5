"""Couriers that have something to tell share a commit: that the other side said 250, in the database or on slips.

Each courier waits until its own is on disk before it sends another message, so a crash repeats at most one message for
each courier, byte for byte (P2). The commit is made when every courier at work has told, or a moment after the first
did: it blocks the event loop, on which nobody could send meanwhile anyway.

While nothing can be written, all who have something to tell wait: only they know what the other side has taken.
Failure: StoreRefusalError for the one of which the database refuses what is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from oct.errors import StoreError, StoreRefusalError
from oct.steps.work.settlement import Delivery
from oct.store.leases import LeaseLostError

_log = structlog.get_logger()
_LINGER_S = 0.002
"""How long the first to tell waits for others."""
_PAUSE_S = 0.5
"""Before it is tried again when nothing could be written."""

_Told = tuple[Delivery, asyncio.Future[None]]
"""A delivery, and who waits until it is on disk."""


class Deliveries:
    """Shared by the couriers of an event loop. `write` puts deliveries on disk, all or none (`settlement`); `busy` says
    how many couriers are at work."""

    def __init__(self, write: Callable[[Sequence[Delivery]], None], busy: Callable[[], int]) -> None:
        self._write_down = write
        self._busy = busy
        self._waiting: list[_Told] = []
        self._timer: asyncio.TimerHandle | None = None

    async def record(self, delivery: Delivery) -> None:
        """Returns when it is on disk, or when there is nothing to write because the lease was lost."""
        loop = asyncio.get_running_loop()
        written = loop.create_future()
        self._waiting.append((delivery, written))
        if len(self._waiting) >= self._busy():
            self._write()
        else:
            self._write_in(_LINGER_S)
        await written

    def write(self) -> None:
        """Puts on disk at once what waits for others, if it can be."""
        if self._waiting:
            self._write()

    def _write_in(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._write)

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        together, self._waiting = self._waiting, []
        self._write_those(together)

    def _write_those(self, together: Sequence[_Told]) -> None:
        try:
            self._write_down([delivery for delivery, _ in together])
        except (LeaseLostError, StoreRefusalError) as error:  # of one of them
            if len(together) > 1:
                for alone in together:
                    self._write_those([alone])
            else:
                _tell(together, error if isinstance(error, StoreRefusalError) else None)
        except StoreError as error:
            _log.warning("remise-a-noter", code=error.code, count=len(together))
            self._waiting += together
            self._write_in(_PAUSE_S)
        except Exception as error:  # noqa: BLE001 - handed to those who wait, who know what to do
            _tell(together, error)
        else:
            _tell(together, None)


def _tell(those: Sequence[_Told], failure: Exception | None) -> None:
    """Those who wait for their delivery go on, or hear why not."""
    for _, one in those:
        if one.done():
            continue
        if failure is None:
            one.set_result(None)
        else:
            one.set_exception(failure)
