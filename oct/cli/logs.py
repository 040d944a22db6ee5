"""The program's log: JSON lines on the standard error output, at the level of OCT_LOG or `--log`.

The log of the libraries (SQLAlchemy, asyncio, Alembic, uvicorn) joins it by its fixed texts only, from warnings on:
never their arguments, an exception's text or a second line, where a payload, an address or a query could stand.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping

import structlog

from oct.errors import ConfigurationError, described

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_CHATTY = ("sqlalchemy", "asyncio", "alembic", "uvicorn")
_TEXT = 120
"""Characters of a library's text that are kept."""


def configure(given: str, default: str = "warning") -> None:
    """Sets the log up at level `given`, else OCT_LOG, else `default`. ConfigurationError for an unknown level."""
    name = (given or os.environ.get("OCT_LOG", "") or default).lower()
    if name not in _LEVELS:
        raise ConfigurationError("niveau-inconnu", f"Niveau de journal inconnu ; au choix : {', '.join(_LEVELS)}.")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[name]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    root = logging.getLogger()
    root.handlers = [_Libraries()]
    root.setLevel(_LEVELS[name])
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(max(logging.WARNING, _LEVELS[name]))


def log_surprise(fields: Mapping[str, object]) -> None:
    """An exception that nobody declared, by its type and place."""
    structlog.get_logger().error("surprise", **fields)


class _Libraries(logging.Handler):
    """Passes on what a library logs."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = str(record.msg).splitlines() or [""]
        cause = record.exc_info[1] if record.exc_info else None
        fields = described(cause) if cause is not None else {}
        structlog.get_logger().log(record.levelno, "bibliotheque", source=record.name, text=lines[0][:_TEXT], **fields)
