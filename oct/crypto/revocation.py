"""Revocation lists: whether a certificate was withdrawn by the authority that issued it.

Takes lists already fetched (nothing is fetched here), a policy and a grace; gives the instant until which an answer
holds. A list counts only when the issuer's key signed it; of several the latest counts. Delta and indirect lists,
which say nothing by themselves about a certificate of the issuer, are left out.

Fails with `CertificateError` "certificat-revoque", "liste-de-revocation-perimee" or "liste-de-revocation-absente".
Source: RFC 5280 §5 and §6.3; H8.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from oct.crypto.certificates import extension
from oct.errors import CertificateError

FOREVER = datetime.max.replace(tzinfo=UTC)


class RevocationPolicy(StrEnum):
    """What is asked of the lists; the values are those of the settings.

    OFF looks at none; SOFT accepts a certificate whose issuer gave no list; HARD wants a list from every issuer.
    """

    OFF = "off"
    SOFT = "soft"
    HARD = "hard"


class RevocationLists:
    """The lists of every issuer. Immutable; `grace` is how long a list still serves after its nextUpdate."""

    def __init__(
        self,
        lists: Iterable[x509.CertificateRevocationList],
        policy: RevocationPolicy = RevocationPolicy.SOFT,
        grace: timedelta = timedelta(0),
    ) -> None:
        self._policy = policy
        self._grace = grace
        self._by_issuer: dict[x509.Name, list[x509.CertificateRevocationList]] = {}
        for crl in filter(_is_complete, lists):
            self._by_issuer.setdefault(crl.issuer, []).append(crl)

    def check(self, certificate: x509.Certificate, issuer: x509.Certificate, at: datetime) -> datetime:
        """Raise CertificateError when `certificate` is revoked, or when nothing current says that it is not.

        `at` is aware. Gives the instant until which the answer needs no second look.
        """
        if self._policy is RevocationPolicy.OFF:
            return FOREVER
        crl = self._latest(issuer)
        if crl is None:
            if self._policy is RevocationPolicy.HARD:
                raise CertificateError(
                    "liste-de-revocation-absente",
                    "La liste de révocation de l'autorité du certificat n'a pas été obtenue.",
                    rule="H8",
                )
            return FOREVER
        if crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None:
            raise CertificateError("certificat-revoque", "Le certificat a été révoqué par son autorité.", rule="H8")
        fresh_until = crl.next_update_utc or crl.last_update_utc
        if at - self._grace > fresh_until:
            raise CertificateError(
                "liste-de-revocation-perimee",
                "La liste de révocation de l'autorité du certificat est trop ancienne.",
                rule="H8",
            )
        return max(fresh_until, at)

    def _latest(self, issuer: x509.Certificate) -> x509.CertificateRevocationList | None:
        usage = extension(issuer, x509.KeyUsage)
        if usage is not None and not usage.crl_sign:
            return None
        key = issuer.public_key()
        if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey):
            return None
        signed = [crl for crl in self._by_issuer.get(issuer.subject, ()) if crl.is_signature_valid(key)]
        return max(signed, key=lambda crl: crl.last_update_utc, default=None)


def _is_complete(crl: x509.CertificateRevocationList) -> bool:
    point = extension(crl, x509.IssuingDistributionPoint)
    partial = point is not None and (point.indirect_crl or point.only_some_reasons is not None)
    return not partial and extension(crl, x509.DeltaCRLIndicator) is None
