"""`oct run`: the whole concentrator in this process, or one role of it, until SIGTERM or SIGINT; SIGHUP reloads it."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from oct.cli.opening import ConfigOption, read_settings
from oct.errors import ConfigurationError

if TYPE_CHECKING:
    from oct.programs import Program
    from oct.settings import Settings
    from oct.steps.workshop import Workshop


class Role(StrEnum):
    """What this process does."""

    ALL = "all"
    SMTP = "smtp"
    WORKER = "worker"
    POP = "pop"
    WEB = "web"
    BEAT = "beat"


RoleOption = Annotated[
    Role,
    typer.Option(
        "--role",
        help="Rôle du processus : all, tout en un ; ou, sur un PostgreSQL commun, smtp (porte SMTP), worker "
        "(traitement et envois), pop (boîtes hébergées), web (console et API), beat (veille).",
    ),
]
NameOption = Annotated[
    str,
    typer.Option(
        "--name",
        metavar="NOM",
        envvar="OCT_NAME",
        show_envvar=False,
        help="Nom du processus, unique dans son rôle (sinon OCT_NAME, sinon celui de la machine).",
        show_default=False,
    ),
]
_NAME = r"[A-Za-z0-9._-]{1,32}"


def run(
    role: RoleOption = Role.ALL,
    config: ConfigOption = None,
    name: NameOption = "",
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

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what is not read yet needs no reload
    prepare = partial(configure, log, "info")
    prepare()
    asyncio.run(_serve(partial(read_settings, config), role, name, prepare))


async def _serve(read: Callable[[], Settings], role: Role, given: str, prepare: Callable[[], None]) -> None:
    from oct.bootstrap import alone
    from oct.generations import Generations
    from oct.openers import pass_over_what_is_there
    from oct.surroundings import check_places

    settings = read()
    check_places(settings)
    check_database(settings, role)
    name = process_name(role, given)
    with alone(settings, name):
        calls = _Calls()
        process = Generations(name, read, partial(_build, role=role, prepare=prepare))
        await process.start(settings)
        pass_over_what_is_there()
        print(f"Prêt : {_opened(settings, role, process.program)}", flush=True)
        while await calls.reload():
            if await process.reload():
                print(f"Rechargé : {_opened(process.settings, role, process.program)}", flush=True)
        await process.stop()
    print("Arrêté.", flush=True)


def check_database(settings: Settings, role: Role) -> None:
    """ConfigurationError when the database cannot be shared by processes."""
    if role is not Role.ALL and settings.store.url.startswith("sqlite"):
        raise ConfigurationError(
            "role-sans-postgresql",
            f"Le rôle {role} demande PostgreSQL ([store] url) ; sur SQLite, « oct run » seul fait tout.",
        )


def process_name(role: Role, given: str) -> str:
    """How leases and locks name this process."""
    from oct.programs import EMBEDDED

    if role is Role.ALL:
        return EMBEDDED
    name = given or re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:32]
    if re.fullmatch(_NAME, name) is None:
        raise ConfigurationError(
            "nom-incorrect", "Nom du processus (--name) : 1 à 32 lettres sans accent, chiffres, points ou tirets."
        )
    return f"{role}-{name}"


def _build(settings: Settings, name: str, *, role: Role, prepare: Callable[[], None]) -> Program:
    """A program from the files as they stand, under a name of its own."""
    from oct.bootstrap import check_not_restored, open_workshop
    from oct.surroundings import check_clock

    workshop = open_workshop(settings)
    try:
        check_clock(workshop)
        check_not_restored(settings, workshop.store)
        return _program(settings, workshop, role, name, prepare)
    except Exception:
        workshop.store.close()
        raise


def _program(settings: Settings, workshop: Workshop, role: Role, name: str, prepare: Callable[[], None]) -> Program:
    from oct import programs

    if role is Role.ALL:
        return programs.embedded(settings, workshop, prepare, name)
    if role is Role.POP:
        return programs.hosted_mailboxes(settings, workshop, name)
    if role is Role.WEB:
        return programs.console(settings, workshop)
    if settings.queue.url:
        return _program_with_broker(settings, workshop, role, name, prepare)
    if role is Role.SMTP:
        return programs.front_door(settings, workshop, lambda _: None, [])
    if role is Role.WORKER:
        return programs.worker(settings, workshop, name, prepare)
    return programs.beat(settings, workshop, [], [])


def _program_with_broker(
    settings: Settings, workshop: Workshop, role: Role, name: str, prepare: Callable[[], None]
) -> Program:
    from workers import programs

    if role is Role.SMTP:
        return programs.front_door(settings, workshop)
    if role is Role.WORKER:
        return programs.worker(settings, workshop, name, prepare)
    return programs.beat(settings, workshop)


def _opened(settings: Settings, role: Role, program: Program) -> str:
    """What this process does: its doors with their addresses, or its role."""
    if role is Role.POP:
        return f"POP3 {_addresses(settings.pop.listen, program.pop_ports)}"
    if role is Role.WEB:
        return _console(settings, program)
    if role not in (Role.ALL, Role.SMTP):
        return str(role)
    doors = [f"SMTP {_addresses(settings.smtp.listen, program.ports)}"]
    return ", ".join([*doors, _console(settings, program)] if program.web_ports else doors)


def _console(settings: Settings, program: Program) -> str:
    return f"console {_addresses(settings.web.listen, program.web_ports)}"


def _addresses(listen: tuple[str, ...], ports: list[int]) -> str:
    hosts = (one.rpartition(":")[0] for one in listen)
    return ", ".join(f"{host}:{port}" for host, port in zip(hosts, ports, strict=True))


class _Calls:
    """What signals ask of the process, from now on: SIGHUP to reload; SIGTERM or SIGINT to stop, after which all three
    are ignored to the very end of the process."""

    def __init__(self) -> None:
        self._stopping = False
        self._called = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        signal.signal(signal.SIGHUP, self._call)

    async def reload(self) -> bool:
        """Waits for the next call: True to reload, once however often it was asked for meanwhile; False to stop."""
        await self._called.wait()
        self._called.clear()
        return not self._stopping

    def _stop(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._stopping = True
        self._call()

    def _call(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._called.set)
