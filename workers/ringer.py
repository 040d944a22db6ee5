"""Tells workers which messages wait, without ever holding whoever rings.

`ring` only puts identifiers into a bounded room and returns; a thread of its own publishes them, by batches. When the
broker is away or slow they are dropped, and nothing is lost: the beat rings again for what is due.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog

from oct.errors import described
from workers.app import PROCESS

_log = structlog.get_logger()
_ROOM = 10_000
"""Identifiers that may wait to be published."""
_LOOK_S = 0.2


class Ringer:
    """`expires_s`: workers ignore what reached them later than that; None: never."""

    def __init__(self, app: Any, batch: int, expires_s: float | None = None) -> None:
        self._app = app
        self._batch = batch
        self._expires_s = expires_s
        self._room: queue.Queue[int] = queue.Queue(_ROOM)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ringer", daemon=True)
        self._is_heard = True

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Gives up what is not published yet."""
        self._stopping.set()
        self._thread.join()

    def ring(self, ids: Sequence[int]) -> None:
        """These messages wait."""
        try:
            for one in ids:
                self._room.put_nowait(one)
        except queue.Full:
            return

    def _run(self) -> None:
        self._try(self._greet)
        while not self._stopping.is_set():
            try:
                ids = [self._room.get(timeout=_LOOK_S)]
            except queue.Empty:
                continue
            while len(ids) < self._batch and not self._room.empty():
                ids.append(self._room.get())
            self._try(partial(self._publish, ids))

    def _greet(self) -> None:
        """Whoever starts without a broker is to know at once."""
        with self._app.connection_for_write() as connection:
            connection.default_channel.client.ping()

    def _publish(self, ids: Sequence[int]) -> None:
        self._app.send_task(PROCESS, args=[ids], expires=self._expires_s, retry=False)

    def _try(self, talk: Callable[[], None]) -> None:
        try:
            talk()
        except Exception as error:  # noqa: BLE001 - whatever a broker and its client raise: the beat rings again
            if self._is_heard:
                _log.warning("file-d-attente-injoignable", conseil="vérifiez [queue] url", **described(error))
            self._is_heard = False
        else:
            if not self._is_heard:
                _log.info("file-d-attente-retrouvee")
            self._is_heard = True
