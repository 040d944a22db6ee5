"""Brings back what nobody rang for: holds whose reason has gone.

What waited only for a good certificate leaves by itself once there is one (H8, within 60 s). Everything else that a
person must decide is left alone. Failure: a hold that still cannot leave stays, and its reason is not repeated.
"""

from __future__ import annotations

import structlog

from oct.errors import OctError
from oct.steps.release import release
from oct.steps.workshop import Workshop
from oct.store import holds

_log = structlog.get_logger()
_MOST = 200
AUTOMATE = "automate"
"""The actor of what nobody decided."""

_CURED_BY_CERTIFICATE = (
    "certificat-absent",
    "certificat-expire",
    "certificat-pas-encore-valide",
    "certificat-revoque",
    "autorite-inconnue",
    "cle-trop-courte",
    "cle-non-rsa",
    "usage-interdit",
    "liste-de-revocation-absente",
    "liste-de-revocation-perimee",
)


def sweep(workshop: Workshop) -> int:
    """Releases what a new certificate cured; how many holds."""
    with workshop.store.read() as conn:
        waiting = [hold for code in _CURED_BY_CERTIFICATE for hold in holds.list_open(conn, code=code, limit=_MOST)]
    cured = 0
    for hold in waiting:
        try:
            release(workshop, hold.id, AUTOMATE)
        except OctError as still:
            _log.debug("toujours-retenu", retenue=hold.id, code=still.code)
        else:
            cured += 1
    return cured
