"""Whether a certificate may be encrypted to (H8): validity, key, usage, path to a known authority, revocation.

A `TrustStore` is built once from the authorities and revocation lists on record and is replaced when they change. It
asks, in this order: an RSA key of 2048 bits at least; the validity dates; a key usage that allows keyEncipherment; a
path of at most three levels to a self-signed authority on record; no revocation along that path. The first thing
wrong is a `CertificateError` with its own code and a sentence for the operator.

The path is the library's (RFC 5280 profile of `cryptography.x509.verification`) with extension policies of our own:
its default one is for web servers and refuses certificates made for encrypting mail.

Source: RFC 5280 §4.2.1.3, §4.2.1.9, §6.1; annex 4 (three levels).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store, VerificationError

from oct.crypto.certificates import extension, is_authority
from oct.crypto.remembered import Remembered
from oct.crypto.revocation import RevocationLists, RevocationPolicy
from oct.errors import CertificateError

SHORTEST_RSA_KEY = 2048
_MOST_INTERMEDIATES = 1  # root, intermediate, end entity


class TrustStore:
    """The authorities that are believed. What was found good is remembered until the first date that may change it."""

    def __init__(
        self,
        authorities: Iterable[x509.Certificate],
        revocation_lists: Iterable[x509.CertificateRevocationList] = (),
        policy: RevocationPolicy = RevocationPolicy.SOFT,
        grace: timedelta = timedelta(0),
    ) -> None:
        """`authorities`: self-signed ones are anchors, the others intermediates, what is no authority is left out."""
        known = [certificate for certificate in authorities if is_authority(certificate)]
        anchors = [certificate for certificate in known if _is_self_signed(certificate)]
        self._intermediates = [certificate for certificate in known if certificate not in anchors]
        self._anchors = Store(anchors) if anchors else None
        self._revocation = RevocationLists(revocation_lists, policy, grace)
        self._good: Remembered[tuple[datetime, datetime]] = Remembered()

    def check(self, certificate: x509.Certificate, at: datetime) -> None:
        """Raise CertificateError when nothing may be encrypted to `certificate` at the aware instant `at`."""
        good = self._good.get(certificate)
        if good is not None and good[0] <= at <= good[1]:
            return
        _check_key(certificate)
        _check_dates(certificate, at)
        _check_usage(certificate)
        chain = self._path(certificate, at)
        until = min(link.not_valid_after_utc for link in chain)
        for link, issuer in pairwise(chain):
            until = min(until, self._revocation.check(link, issuer, at))
        self._good.keep(certificate, (at, until))

    def _path(self, certificate: x509.Certificate, at: datetime) -> list[x509.Certificate]:
        """The certificate, its issuers, and the anchor last."""
        if self._anchors is None:
            raise _unknown_authority()
        verifier = (
            PolicyBuilder()
            .store(self._anchors)
            .time(at)
            .max_chain_depth(_MOST_INTERMEDIATES)
            .extension_policies(ca_policy=_AUTHORITY_POLICY, ee_policy=ExtensionPolicy.permit_all())
            .build_client_verifier()
        )
        try:
            return verifier.verify(certificate, self._intermediates).chain
        except VerificationError as cause:
            raise _unknown_authority() from cause


def _authority_may_sign(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("keyUsage without keyCertSign")


_AUTHORITY_POLICY = (
    ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _authority_may_sign)
)


def _check_key(certificate: x509.Certificate) -> None:
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise CertificateError("cle-non-rsa", "La clé du certificat n'est pas une clé RSA.", rule="H8")
    if key.key_size < SHORTEST_RSA_KEY:
        raise CertificateError(
            "cle-trop-courte", f"La clé du certificat est trop courte : {SHORTEST_RSA_KEY} bits au moins.", rule="H8"
        )


def _check_dates(certificate: x509.Certificate, at: datetime) -> None:
    if at < certificate.not_valid_before_utc:
        raise CertificateError(
            "certificat-pas-encore-valide",
            f"Le certificat n'est valide qu'à partir du {certificate.not_valid_before_utc:%d/%m/%Y}.",
            rule="H8",
        )
    if at > certificate.not_valid_after_utc:
        raise CertificateError(
            "certificat-expire", f"Le certificat a expiré le {certificate.not_valid_after_utc:%d/%m/%Y}.", rule="H8"
        )


def _check_usage(certificate: x509.Certificate) -> None:
    usage = extension(certificate, x509.KeyUsage)
    if is_authority(certificate) or (usage is not None and not usage.key_encipherment):
        raise CertificateError(
            "usage-interdit", "Le certificat n'est pas fait pour chiffrer (usage « keyEncipherment »).", rule="H8"
        )


def _unknown_authority() -> CertificateError:
    return CertificateError(
        "autorite-inconnue", "Le certificat ne remonte à aucune autorité reconnue et valide à ce jour.", rule="H8"
    )


def _is_self_signed(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
