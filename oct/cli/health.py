"""`oct health`: whether a process of `oct run` on this machine does its work, for whoever restarts or routes to it.

A door is asked for its greeting; a process without one is known by its name, which it holds on the database.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import typer

from oct.cli import DOES_NOT_HOLD
from oct.cli.opening import ConfigOption, read_settings
from oct.cli.run import NameOption, Role, RoleOption, check_database, process_name

if TYPE_CHECKING:
    from oct.settings import Settings

_PATIENCE_S = 4.0
_HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - where to knock when a door listens everywhere


def health(role: RoleOption = Role.ALL, config: ConfigOption = None, name: NameOption = "") -> None:
    """Dit si un processus « oct run » répond (sortie 0) ou non (sortie 1)."""
    settings = read_settings(config)
    if not _is_well(settings, role, name):
        print(f"Le processus {role} ne répond pas.")
        raise typer.Exit(DOES_NOT_HOLD)
    print(f"Le processus {role} répond.")


def _is_well(settings: Settings, role: Role, name: str) -> bool:
    check_database(settings, role)
    if role is Role.POP:
        return _greets(settings.pop.listen, b"+OK")
    if role is Role.WEB:
        return _greets(settings.web.listen, b"HTTP/1.1 200", asked=_HEALTH)
    if role in (Role.ALL, Role.SMTP):
        return _greets(settings.smtp.listen, b"220")
    from oct.store.names import is_held

    return is_held(settings.store.url, process_name(role, name))


def _greets(listen: tuple[str, ...], greeting: bytes, *, asked: bytes = b"") -> bool:
    """Whether every address of a door answers as it should, by itself or when it is asked."""
    try:
        return bool(listen) and all(_first_bytes(one, asked).startswith(greeting) for one in listen)
    except OSError:
        return False


def _first_bytes(listener: str, asked: bytes) -> bytes:
    scheme, _, place = listener.rpartition("://")
    host, _, port = place.rpartition(":")
    where = (_EVERYWHERE.get(host, host).strip("[]"), int(port))
    with socket.create_connection(where, timeout=_PATIENCE_S) as connection:
        if not scheme:
            connection.sendall(asked)
            return connection.recv(64)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = (
            False,
            ssl.CERT_NONE,
        )  # it is asked whether it lives, not who it is
        with context.wrap_socket(connection) as secured:
            secured.sendall(asked)
            return secured.recv(64)
