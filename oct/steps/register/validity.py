"""Looks over every certificate (H8, K1): what cannot be used now, what expires within 30 days.

Takes a snapshot of the register and the concentrator's own pairs; gives findings, the gravest first. A certificate
whose address has another one that is good for longer is only mentioned: renewals overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509

from oct.clock import utc
from oct.crypto.keystore import OwnKey
from oct.crypto.trust import TrustStore
from oct.errors import CertificateError
from oct.store.certificates import CertificateRole, RevocationList, StoredCertificate

SOON = timedelta(days=30)


class Level(StrEnum):
    """How much a finding matters: only the first two need a person."""

    ERROR = "erreur"
    WARNING = "alerte"
    REPLACED = "remplacé"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know. `id` is the stored certificate's, None for an own pair or a list."""

    level: Level
    id: int | None
    what: str
    sentence: str

    @property
    def needs_a_person(self) -> bool:
        """Whether something must be done."""
        return self.level is not Level.REPLACED


def look_over(
    stored: Sequence[StoredCertificate],
    lists: Iterable[RevocationList],
    own: Sequence[OwnKey],
    trust: TrustStore,
    now: int,
) -> list[Finding]:
    """Everything wrong or about to be, at `now` (ms); empty when all is well."""
    at = utc(now)
    used = [one for one in stored if one.retired_at is None]
    entities = [one for one in used if one.role is CertificateRole.ENTITY]
    findings = [*_of_entities(entities, trust, at), *_of_own(own, trust, at)]
    findings += [
        Finding(expiry.level, one.id, one.subject, expiry.sentence)
        for one in used
        if one.role is CertificateRole.AUTHORITY and (expiry := _expiry(utc(one.not_after), at)) is not None
    ]
    findings += [
        Finding(
            Level.WARNING,
            None,
            one.issuer,
            f"Liste de révocation à renouveler depuis le {utc(one.next_update):%d/%m/%Y}.",
        )
        for one in lists
        if one.next_update is not None and one.next_update < now
    ]
    order = list(Level)
    return sorted(findings, key=lambda finding: order.index(finding.level))


@dataclass(frozen=True, slots=True)
class _Fault:
    level: Level
    sentence: str


def _of_entities(entities: Sequence[StoredCertificate], trust: TrustStore, at: datetime) -> Iterator[Finding]:
    judged = [(one, _judge(x509.load_der_x509_certificate(one.der), trust, at)) for one in entities]
    well = {one.address for one, fault in judged if fault is None}
    for one, fault in judged:
        if fault is not None:
            level = Level.REPLACED if one.address in well else fault.level
            yield Finding(level, one.id, one.address, fault.sentence)


def _of_own(own: Sequence[OwnKey], trust: TrustStore, at: datetime) -> Iterator[Finding]:
    """Own pairs only read: an old one may have expired, as long as another one is good."""
    judged = [(pair, _judge(pair.certificate, trust, at)) for pair in own]
    well = any(fault is None for _, fault in judged)
    for pair, fault in judged:
        if fault is not None:
            yield Finding(Level.REPLACED if well else fault.level, None, f"concentrateur ({pair.name})", fault.sentence)
    if not own:
        yield Finding(Level.ERROR, None, "concentrateur", "Le concentrateur n'a pas de certificat : « oct certs add ».")


def _judge(certificate: x509.Certificate, trust: TrustStore, at: datetime) -> _Fault | None:
    try:
        trust.check(certificate, at)
    except CertificateError as error:
        return _Fault(Level.ERROR, error.sentence)
    return _expiry(certificate.not_valid_after_utc, at)


def _expiry(end: datetime, at: datetime) -> _Fault | None:
    if end < at:
        return _Fault(Level.ERROR, f"Expiré le {end:%d/%m/%Y}.")
    if end < at + SOON:
        return _Fault(Level.WARNING, f"Expire le {end:%d/%m/%Y}, dans {(end - at).days} jours.")
    return None
