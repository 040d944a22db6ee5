"""What a Celery worker does when it cannot acknowledge a task.

Celery logs it and goes on, and the task keeps its place among those in hand: once all places are taken so, the worker
asks for no more, does not notice that its broker is gone, and sleeps for ever. Such a worker ends instead, after the
messages in hand, and its parent starts another.
"""

from __future__ import annotations

import os
import signal
import threading

import structlog
from celery.worker.request import Request

from oct.errors import described

_log = structlog.get_logger()
_LONGEST_END_S = 30.0


class EndingRequest(Request):  # type: ignore[misc]
    """A task in hand."""

    acknowledged: bool

    def acknowledge(self) -> None:
        """Called by Celery when the task has ended."""
        if self.acknowledged:
            return
        self.acknowledged = True
        try:
            self.message.ack()
        except Exception as error:  # noqa: BLE001 - whatever a broker's client raises, the cure is the same
            _log.warning("courtier-perdu", **described(error))
            os.kill(os.getpid(), signal.SIGTERM)
            last_resort = threading.Timer(_LONGEST_END_S, os._exit, [1])
            last_resort.daemon = True
            last_resort.start()
