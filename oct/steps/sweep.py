"""Brings back what nobody rang for: holds whose reason has gone.

What waited only for a good certificate leaves by itself once there is one (H8, within 60 s). Everything else that a
person must decide is left alone. A sweep opens nothing before its insurer has a good certificate, so that thousands
of holds cost little. Failure: a hold that still cannot leave stays, and its reason is not repeated.
"""

from __future__ import annotations

from collections.abc import Iterator

import structlog
from sqlalchemy import Connection

from oct.clock import utc
from oct.errors import CertificateError, OctError
from oct.steps.release import release
from oct.steps.workshop import Workshop
from oct.store import holds
from oct.store.holds import Hold
from oct.store.registry import Snapshot

_log = structlog.get_logger()
_PAGE = 500
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
        snapshot = workshop.registry.current(conn)
        addressee = {hold.id: hold.insurer_id for hold in _waiting(conn)}
    good = {insurer for insurer in set(addressee.values()) if _has_certificate(snapshot, insurer, workshop.clock())}
    cured = 0
    for hold_id in (hold_id for hold_id, insurer in addressee.items() if insurer in good):
        try:
            release(workshop, hold_id, AUTOMATE)
        except OctError as still:
            _log.debug("toujours-retenu", retenue=hold_id, code=still.code)
        else:
            cured += 1
    return cured


def _waiting(conn: Connection) -> Iterator[Hold]:
    for code in _CURED_BY_CERTIFICATE:
        last = 0
        while page := holds.list_open(conn, code=code, limit=_PAGE, after=last):
            yield from page
            last = page[-1].id


def _has_certificate(snapshot: Snapshot, insurer_id: int | None, now: int) -> bool:
    insurer = snapshot.directory.insurers.get(insurer_id or 0)
    if insurer is None:
        return False
    try:
        snapshot.certificate_for(insurer.address, utc(now))
    except CertificateError:
        return False
    return True
