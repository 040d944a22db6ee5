"""Who is who and who is where, loaded whole and kept in memory until the operator changes something.

A few tens of thousands of practitioners, a few thousand insurers, their certificates: every message needs them, so a
process loads them once. Each change bumps a counter in the database; `Registry.current` looks at that counter and
loads again when it moved, so all processes follow within a batch.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from sqlalchemy import Connection

from oct.crypto.revocation import RevocationPolicy
from oct.crypto.trust import TrustStore
from oct.domain.model import Directory, Insurer, Practitioner
from oct.errors import CertificateError
from oct.store import certificates, counters, insurers, practitioners


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The register at one version. Addresses are lower case."""

    version: int
    by_id: Mapping[int, Practitioner]
    by_number: Mapping[str, Practitioner]
    by_address: Mapping[str, Practitioner]
    directory: Directory
    insurers_by_address: Mapping[str, Insurer]
    certificates: Mapping[str, tuple[x509.Certificate, ...]]
    """Newest first."""
    trust: TrustStore

    def certificate_for(self, address: str, at: datetime) -> x509.Certificate:
        """The newest certificate of an address that is good at `at`; CertificateError with the newest one's fault."""
        fault: CertificateError | None = None
        for certificate in self.certificates.get(address.lower(), ()):
            try:
                self.trust.check(certificate, at)
            except CertificateError as error:
                fault = fault or error
            else:
                return certificate
        raise fault or CertificateError(
            "certificat-absent", f"Aucun certificat n'est enregistré pour {address}.", rule="L6"
        )


class Registry:
    """Gives the present snapshot. One per process, used from any thread."""

    def __init__(self, policy: RevocationPolicy, grace: timedelta) -> None:
        self._policy = policy
        self._grace = grace
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None

    def current(self, conn: Connection) -> Snapshot:
        """The register as this transaction sees it: one query when nothing changed."""
        version = counters.directory_version(conn)
        with self._lock:
            if self._snapshot is None or self._snapshot.version != version:
                self._snapshot = self._load(conn, version)
            return self._snapshot

    def _load(self, conn: Connection, version: int) -> Snapshot:
        accounts = practitioners.list_all(conn)
        directory = insurers.load_directory(conn)
        return Snapshot(
            version=version,
            by_id={account.id: account for account in accounts},
            by_number={number: account for account in accounts for number in account.numbers},
            by_address={address: account for account in accounts for address in account.addresses},
            directory=directory,
            insurers_by_address={insurer.address.lower(): insurer for insurer in directory.insurers.values()},
            certificates=_certificates(conn),
            trust=self._trust(conn),
        )

    def _trust(self, conn: Connection) -> TrustStore:
        return TrustStore(
            [x509.load_der_x509_certificate(der) for der in certificates.authorities(conn)],
            [x509.load_der_x509_crl(stored.der) for stored in certificates.revocation_lists(conn)],
            self._policy,
            self._grace,
        )


def _certificates(conn: Connection) -> dict[str, tuple[x509.Certificate, ...]]:
    found: dict[str, list[x509.Certificate]] = {}
    for stored in certificates.list_all(conn):
        if stored.role is certificates.CertificateRole.ENTITY and stored.retired_at is None:
            found.setdefault(stored.address, []).append(x509.load_der_x509_certificate(stored.der))
    return {
        address: tuple(sorted(own, key=lambda one: one.not_valid_before_utc, reverse=True))
        for address, own in found.items()
    }
