"""`oct run`: the whole concentrator in this process, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from oct.cli.opening import ConfigOption, read_settings

if TYPE_CHECKING:
    from oct.settings import Settings


class Role(StrEnum):
    """What this process does; each other role comes with production."""

    ALL = "all"


def run(
    role: Annotated[Role, typer.Option("--role", help="Rôle de ce processus : all, tout en un.")] = Role.ALL,  # noqa: ARG001 - one role so far
    config: ConfigOption = None,
    log: Annotated[
        str,
        typer.Option(
            "--log",
            metavar="NIVEAU",
            help="debug, info, warning ou error (sinon OCT_LOG, sinon info).",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Lance le concentrateur."""
    from oct.cli.logs import configure

    configure(log, "info")
    asyncio.run(_serve(read_settings(config)))


async def _serve(settings: Settings) -> None:
    from oct.bootstrap import Program, alone, open_workshop

    with alone(settings):
        program = Program(settings, open_workshop(settings))
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        _on_first_signal(lambda: loop.call_soon_threadsafe(stopping.set))
        await program.start()
        hosts = (listen.rpartition(":")[0] for listen in settings.smtp.listen)
        doors = ", ".join(f"{host}:{port}" for host, port in zip(hosts, program.ports, strict=True))
        print(f"Prêt : SMTP {doors}", flush=True)
        await stopping.wait()
        await program.stop()
    print("Arrêté.", flush=True)


def _on_first_signal(stop: Callable[[], object]) -> None:
    """Calls `stop` at the first SIGTERM or SIGINT; from then on both are ignored, to the very end of the process."""
    numbers = (signal.SIGTERM, signal.SIGINT)

    def stop_once(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        stop()

    for number in numbers:
        signal.signal(number, stop_once)
