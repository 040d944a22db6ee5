"""What is measured beside: a plain aiosmtpd that writes each message into a file, fsyncs it, and answers 250."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from oct.bench.processes import CONTEXT, launch

Plain = tuple[int, BaseProcess]
"""A server: its port on 127.0.0.1 and its process."""


@contextmanager
def plain(directory: Path) -> Iterator[Plain]:
    """A server that keeps what it takes in `directory`."""
    directory.mkdir()
    hearing, telling = CONTEXT.Pipe(duplex=False)
    with launch(_serve, directory, telling) as process:
        yield hearing.recv(), process


class _Keeper:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._numbers = count()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        content = envelope.content
        assert isinstance(content, bytes)
        with (self._directory / str(next(self._numbers))).open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return "250 OK"


def _serve(directory: Path, telling: Connection) -> None:
    asyncio.run(_serve_for_ever(directory, telling))


async def _serve_for_ever(directory: Path, telling: Connection) -> None:
    loop, keeper = asyncio.get_running_loop(), _Keeper(directory)
    server = await loop.create_server(lambda: SMTP(keeper, loop=loop), "127.0.0.1", 0, backlog=512)
    telling.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()
