"""Certificates and revocation lists, as bytes and plain fields: nothing is parsed here, `oct.crypto` judges them (H8).

Two certificates of one address overlap when they are renewed; `usable_for` gives both, the newest first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, RowMapping, or_, select, update

from oct.store.conflicts import inserting
from oct.store.counters import directory_changed
from oct.store.tables import certificates
from oct.store.tables import revocation_lists as lists


class CertificateRole(StrEnum):
    """An authority signs; an entity (insurer or practitioner) is what one encrypts to."""

    AUTHORITY = "autorite"
    ENTITY = "entite"


@dataclass(frozen=True, slots=True)
class NewCertificate:
    """A certificate to keep. `fingerprint` is the SHA-256 of `der` in hexadecimal; `address` is empty for an
    authority; instants are milliseconds."""

    fingerprint: str
    role: CertificateRole
    address: str
    der: bytes
    serial: str
    subject: str
    not_before: int
    not_after: int


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """A certificate that is kept; `retired_at` is when the operator withdrew it."""

    id: int
    fingerprint: str
    role: CertificateRole
    address: str
    der: bytes
    serial: str
    subject: str
    not_before: int
    not_after: int
    added_at: int
    retired_at: int | None


@dataclass(frozen=True, slots=True)
class RevocationList:
    """The last list of an issuer. `next_update` is None when the list does not say."""

    issuer: str
    der: bytes
    next_update: int | None
    added_at: int


def add(conn: Connection, certificate: NewCertificate, now: int) -> int:
    """Keep a certificate; its id. Adding a known one again brings it back when it had been retired."""
    statement = inserting(conn, certificates).values(
        fingerprint=certificate.fingerprint,
        role=certificate.role,
        address=certificate.address.lower(),
        der=certificate.der,
        serial=certificate.serial,
        subject=certificate.subject,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        added_at=now,
    )
    certificate_id = conn.execute(
        statement.on_conflict_do_update(
            index_elements=[certificates.c.fingerprint],
            set_={"role": statement.excluded.role, "address": statement.excluded.address, "retired_at": None},
        ).returning(certificates.c.id)
    ).scalar_one()
    directory_changed(conn)
    return int(certificate_id)


def usable_for(conn: Connection, address: str) -> list[bytes]:
    """DER of the certificates in use for an address, the newest (latest start of validity) first."""
    return list(
        conn.execute(
            select(certificates.c.der)
            .where(
                certificates.c.address == address.lower(),
                certificates.c.role == CertificateRole.ENTITY,
                certificates.c.retired_at.is_(None),
            )
            .order_by(certificates.c.not_before.desc(), certificates.c.id.desc())
        ).scalars()
    )


def authorities(conn: Connection) -> list[bytes]:
    """DER of the authorities in use, roots and intermediates."""
    return list(
        conn.execute(
            select(certificates.c.der)
            .where(certificates.c.role == CertificateRole.AUTHORITY, certificates.c.retired_at.is_(None))
            .order_by(certificates.c.id)
        ).scalars()
    )


def list_all(conn: Connection) -> list[StoredCertificate]:
    """Every certificate, retired ones included, the first to expire first."""
    rows = conn.execute(select(certificates).order_by(certificates.c.not_after, certificates.c.id))
    return [_stored(row) for row in rows.mappings()]


def of_address(conn: Connection, address: str) -> list[StoredCertificate]:
    """All the certificates of an address, retired ones included, the last to end first."""
    chosen = select(certificates).where(certificates.c.address == address.lower())
    rows = conn.execute(chosen.order_by(certificates.c.not_after.desc(), certificates.c.id.desc()))
    return [_stored(row) for row in rows.mappings()]


def ending(conn: Connection, before: int) -> list[StoredCertificate]:
    """Those in use whose validity ends before an instant, the first to end first."""
    in_use = (certificates.c.retired_at.is_(None), certificates.c.not_after < before)
    rows = conn.execute(select(certificates).where(*in_use).order_by(certificates.c.not_after, certificates.c.id))
    return [_stored(row) for row in rows.mappings()]


def ending_with_others(conn: Connection, before: int) -> list[StoredCertificate]:
    """Those in use that end before an instant, and whatever else is in use for their addresses: it may renew them."""
    ours = certificates.alias("ours")
    soon = select(ours.c.address).where(ours.c.retired_at.is_(None), ours.c.not_after < before, ours.c.address != "")
    wanted = or_(certificates.c.not_after < before, certificates.c.address.in_(soon))
    rows = conn.execute(select(certificates).where(certificates.c.retired_at.is_(None), wanted))
    return [_stored(row) for row in rows.mappings()]


def retire(conn: Connection, certificate_id: int, now: int) -> bool:
    """Withdraw a certificate; False when it is unknown or already withdrawn."""
    done = conn.execute(
        update(certificates)
        .where(certificates.c.id == certificate_id, certificates.c.retired_at.is_(None))
        .values(retired_at=now)
    )
    directory_changed(conn)
    return done.rowcount == 1


def put_revocation_list(conn: Connection, issuer: str, der: bytes, next_update: int | None, now: int) -> None:
    """Keep the newest list of an issuer (its distinguished name), in place of the one before."""
    statement = inserting(conn, lists).values(issuer=issuer, der=der, next_update=next_update, added_at=now)
    conn.execute(
        statement.on_conflict_do_update(
            index_elements=[lists.c.issuer],
            set_={field: statement.excluded[field] for field in ("der", "next_update", "added_at")},
        )
    )
    directory_changed(conn)


def revocation_lists(conn: Connection) -> list[RevocationList]:
    """The last list of every issuer."""
    rows = conn.execute(select(lists).order_by(lists.c.issuer))
    return [RevocationList(row.issuer, row.der, row.next_update, row.added_at) for row in rows]


def _stored(row: RowMapping) -> StoredCertificate:
    """The columns of the table are the fields of the value."""
    return StoredCertificate(**{**row, "role": CertificateRole(row["role"])})
