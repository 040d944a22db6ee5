"""What a process must find around it before it works: places it may read and write, a clock that is right.

Every fault is a ConfigurationError of one line that says what to do. A clock that is wrong by minutes would date events
wrongly, believe in certificates that have ended, and send retries at the wrong time. PostgreSQL's clock is compared
with this machine's, and more than five minutes between them stop the start. SQLite has no other clock: an own
certificate that has not begun yet, or an event or signed head of the future, is a warning in the log and no more, since
after a clock that once ran ahead nothing could start for as long.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import structlog

from oct.clock import paris, utc
from oct.errors import ConfigurationError
from oct.settings import Settings
from oct.steps.workshop import Workshop
from oct.store.engine import check_url
from oct.store.instants import newest_known, server_clock

_log = structlog.get_logger()
_SQLITE = "sqlite:///"
_MOST_MS = 5 * 60_000
"""What clocks may differ by."""
_SOCKET_PATH = 107
"""The longest path of a socket (unix(7))."""
_SOCKET_NAME = len("/pymp-xxxxxxxx/listener-xxxxxxxx")
"""What multiprocessing puts behind the folder of temporary files."""


def check_places(settings: Settings) -> None:
    """The address of the database, the folder and files of an SQLite one, the folders of the keys, that of temporary
    files."""
    check_url(settings.store.url)
    if settings.store.url.startswith(_SQLITE):
        _check_database(Path(settings.store.url.removeprefix(_SQLITE)))
    _check_temporary()
    keys = settings.keys
    for folder in (keys.directory, keys.master, keys.pseudonyms, settings.journal.keys):
        if folder.is_dir() and not _allowed(folder, os.R_OK | os.X_OK):
            raise ConfigurationError(
                "cles-inaccessibles", f"Le répertoire de clés {folder} ne peut pas être lu : donnez-en le droit."
            )


def check_clock(workshop: Workshop) -> None:
    """The clock of this machine against what else is known of the time. StoreError when the database is away."""
    now = workshop.clock()
    with workshop.store.read() as conn:
        if workshop.store.dialect == "postgresql":
            _check_against_server(now, server_clock(conn))
            return
        known = newest_known(conn)
    if known > now + _MOST_MS:
        _log.warning("horloge-douteuse", heure=_told(now), plus_recent=_told(known), compare="journal")
    begins = min(key.certificate.not_valid_before_utc for key in workshop.opener.keys.keys)
    if begins > utc(now + _MOST_MS):
        _log.warning("horloge-douteuse", heure=_told(now), plus_recent=f"{begins:%d/%m/%Y %H:%M}", compare="certificat")


def _check_database(path: Path) -> None:
    if not path.parent.is_dir():
        raise ConfigurationError(
            "base-introuvable", f"Le répertoire {path.parent} n'existe pas : créez-le, ou corrigez [store] url."
        )
    folder, file = os.W_OK | os.X_OK, os.R_OK | os.W_OK
    for one in (path, path.with_suffix(".slips")):
        if not _allowed(path.parent, folder) or (one.exists() and not _allowed(one, file)):
            raise ConfigurationError(
                "base-inaccessible",
                f"Le fichier {one} et son répertoire doivent pouvoir être lus et écrits : leurs droits ?",
            )


def _check_temporary() -> None:
    """Processes that open messages are reached by a socket in the folder of temporary files."""
    folder = tempfile.gettempdir()
    if len(os.fsencode(folder)) + _SOCKET_NAME > _SOCKET_PATH:
        raise ConfigurationError(
            "tmpdir-trop-long",
            f"Le chemin des fichiers temporaires (TMPDIR) a plus de {_SOCKET_PATH - _SOCKET_NAME} octets : "
            "donnez-en un plus court.",
        )


def _allowed(path: Path, what: int) -> bool:
    return os.access(path, what, effective_ids=True)


def _check_against_server(now: int, server: int) -> None:
    minutes = abs(now - server) // 60_000
    if abs(now - server) > _MOST_MS:
        raise ConfigurationError(
            "horloge",
            f"L'horloge de cette machine ({_told(now)}) et celle de la base ({_told(server)}) diffèrent de {minutes} "
            "minutes : réglez l'heure (NTP), puis relancez.",
        )


def _told(at: int) -> str:
    return f"{paris(at):%d/%m/%Y %H:%M}"
