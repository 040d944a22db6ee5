"""What most commands begin with: their common options, the settings, the database, who is at the keyboard.

The database is opened here and not by the bootstrap, whose door and worker take half a second to import; commands
that need the whole workshop ask the bootstrap for it.
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oct.errors import ConfigurationError, os_reason

if TYPE_CHECKING:
    from oct.settings import Settings
    from oct.steps.workshop import Workshop
    from oct.store.engine import Store

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FICHIER", help="Configuration (sinon OCT_CONFIG, sinon ./oct.toml)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Sortie JSON.")]


@dataclass(frozen=True, slots=True)
class Desk:
    """What a command works on. `now` is the instant it began, in ms; `actor` goes into the trace (K2)."""

    settings: Settings
    store: Store
    now: int
    actor: str


@contextmanager
def at_desk(config: Path | None) -> Iterator[Desk]:
    """The settings and the open database, at the right schema."""
    from oct.clock import system_clock
    from oct.store.engine import open_store
    from oct.store.schema import check_schema

    settings = read_settings(config)
    store = open_store(settings.store.url, pool_size=settings.store.pool_size)
    try:
        check_schema(store.engine)
        yield Desk(settings, store, system_clock(), actor())
    finally:
        store.close()


def note_command(desk: Desk, command: str, *, message_id: int | None = None, **data: object) -> None:
    """Writes down that somebody had traffic shown (J3), before it is printed."""
    from oct.steps.journal.reading import Look, Looked, note_look

    told = Looked(Look.COMMAND, message_id=message_id, data={"commande": command, **data})
    note_look(desk.store, told, actor=desk.actor, now=desk.now)


@contextmanager
def at_work(config: Path | None) -> Iterator[Workshop]:
    """The whole workshop, for what a command has a step do."""
    from oct.bootstrap import open_workshop
    from oct.cli.logs import configure

    configure("")
    workshop = open_workshop(read_settings(config))
    try:
        yield workshop
    finally:
        workshop.store.close()


def read_settings(config: Path | None) -> Settings:
    """The effective settings."""
    from oct.settings import find, load

    return load(find(config, os.environ), os.environ).settings


def actor() -> str:
    """Who decides, as the trace names it."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"cli:{name}"[:64]


def read_given(path: Path) -> bytes:
    """The bytes of a file named on the command line."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError("fichier-illisible", f"{path} : {os_reason(error)}.") from error


def checked_number(number: str) -> str:
    """A PS number of 9 digits."""
    if re.fullmatch("[0-9]{9}", number) is None:
        raise ConfigurationError("numero-incorrect", f"Numéro de PS « {number} » : 9 chiffres attendus.")
    return number


def checked_address(address: str) -> str:
    """An e-mail address, in lower case."""
    from oct.formats.mime_headers import ADDRESS, ADDRESS_LENGTH

    if len(address) > ADDRESS_LENGTH or ADDRESS.fullmatch(address) is None:
        raise ConfigurationError("adresse-incorrecte", f"Adresse « {address} » incorrecte.")
    return address.lower()


def checked_day(text: str) -> int:
    """The instant (ms) at which a day begins in France, written 2026-11-21 or 21/11/2026."""
    from datetime import datetime

    from oct.clock import PARIS

    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            return int(datetime.strptime(text, form).replace(tzinfo=PARIS).timestamp() * 1000)
        except ValueError:
            continue
    raise ConfigurationError("date-incorrecte", f"Date « {text} » : 2026-11-21 ou 21/11/2026 attendu.")


def checked_label(text: str) -> str:
    """A name or a label: something to read, on one line, 80 characters at most."""
    value = " ".join(text.split())
    if not value or len(value) > 80 or not value.isprintable():
        raise ConfigurationError("nom-incorrect", "Nom ou libellé : 1 à 80 caractères sur une ligne.")
    return value
