"""A thread for each call that blocks, so that whoever waits for a name server keeps nobody else waiting (P4), and no
process from ending (P5).

asyncio has a few threads for such calls (`to_thread`, the look-up of a host's address); it waits for them before its
loop ends, and Python does once more before the process does.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Thread
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class ThreadEach(ThreadPoolExecutor):
    """To be the default executor of a loop; has no pool, and nothing to wait for at its end."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Calls it in a thread of its own."""
        future: Future[_T] = Future()
        future.set_running_or_notify_cancel()

        def call() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - handed to who waits
                future.set_exception(error)

        Thread(target=call, daemon=True).start()
        return future
