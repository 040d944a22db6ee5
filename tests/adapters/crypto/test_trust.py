"""H8: which certificates may be encrypted to, each fault under its own code."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from oct.crypto.authority import TestAuthority
from oct.crypto.certificates import read_revocation_lists
from oct.crypto.keystore import OwnKey, encipherment_only, private_pem
from oct.crypto.revocation import RevocationPolicy
from oct.crypto.trust import TrustStore
from oct.errors import CertificateError, FormatError

ADDRESS = "01422@422.01.rss.fr"
DAY = timedelta(days=1)


def assert_refused(trust: TrustStore, certificate: x509.Certificate, at: datetime, code: str) -> None:
    with pytest.raises(CertificateError) as refused:
        trust.check(certificate, at)
    assert refused.value.code == code
    assert refused.value.rule == "H8"


def certificate(
    issuer: OwnKey,
    key: CertificatePublicKeyTypes,
    now: datetime,
    *extensions: x509.ExtensionType,
    name: str = ADDRESS,
) -> x509.Certificate:
    """A certificate with exactly these extensions, valid ten days from `now`."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        issuer.certificate.subject, subject, key, x509.random_serial_number(), now, now + 10 * DAY
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(issuer.private_key, hashes.SHA256())


def revocation_list(
    issuer: OwnKey,
    at: datetime,
    *revoked: x509.Certificate,
    lasting: timedelta = 7 * DAY,
    extension: x509.ExtensionType | None = None,
) -> x509.CertificateRevocationList:
    """A list of `issuer`, from `at`."""
    builder = x509.CertificateRevocationListBuilder(issuer.certificate.subject, at, at + lasting)
    for bad in revoked:
        entry = x509.RevokedCertificateBuilder(bad.serial_number, at).build()
        builder = builder.add_revoked_certificate(entry)
    if extension is not None:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(issuer.private_key, hashes.SHA256())


@pytest.fixture(scope="module")
def trust(authority: TestAuthority) -> TrustStore:
    """The session's authority, no revocation list."""
    return TrustStore(authority.certificates)


@pytest.fixture(scope="module")
def insurer(authority: TestAuthority, own: OwnKey) -> x509.Certificate:
    """A good certificate."""
    return authority.certify(ADDRESS, own.private_key.public_key())


def test_h8_a_certificate_of_three_levels_is_good_until_its_last_instant(
    trust: TrustStore, insurer: x509.Certificate
) -> None:
    trust.check(insurer, insurer.not_valid_before_utc)
    trust.check(insurer, insurer.not_valid_after_utc)


def test_h8_dates_are_judged_at_the_instant_given_even_after_a_good_answer(
    trust: TrustStore, insurer: x509.Certificate, now: datetime
) -> None:
    trust.check(insurer, now + DAY)
    assert_refused(trust, insurer, insurer.not_valid_after_utc + DAY, "certificat-expire")
    assert_refused(trust, insurer, now - DAY, "certificat-pas-encore-valide")
    trust.check(insurer, now + DAY)


def test_h8_a_short_key_is_refused(trust: TrustStore, authority: TestAuthority, now: datetime) -> None:
    short = rsa.generate_private_key(65537, 1024)
    assert_refused(trust, authority.certify(ADDRESS, short.public_key()), now, "cle-trop-courte")


def test_h8_a_key_that_is_not_rsa_is_refused(trust: TrustStore, authority: TestAuthority, now: datetime) -> None:
    elliptic = ec.generate_private_key(ec.SECP256R1())
    assert_refused(trust, certificate(authority.issuing, elliptic.public_key(), now), now, "cle-non-rsa")


def test_h8_a_certificate_for_signing_or_an_authority_is_not_for_encrypting(
    trust: TrustStore, authority: TestAuthority, own: OwnKey, now: datetime
) -> None:
    signing = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    made = certificate(authority.issuing, own.private_key.public_key(), now, signing)
    assert_refused(trust, made, now, "usage-interdit")
    assert_refused(trust, authority.issuing.certificate, now, "usage-interdit")
    both = x509.BasicConstraints(True, None), encipherment_only()
    made = certificate(authority.issuing, own.private_key.public_key(), now, *both)
    assert_refused(trust, made, now, "usage-interdit")


def test_h8_a_certificate_without_key_usage_may_be_used(
    trust: TrustStore, authority: TestAuthority, own: OwnKey, now: datetime
) -> None:
    trust.check(certificate(authority.issuing, own.private_key.public_key(), now), now)


def test_h8_a_certificate_made_for_mail_is_accepted(
    trust: TrustStore, authority: TestAuthority, own: OwnKey, now: datetime
) -> None:
    mail = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
    trust.check(certificate(authority.issuing, own.private_key.public_key(), now, encipherment_only(), mail), now)


def test_h8_an_unknown_authority_is_refused(
    trust: TrustStore, authority: TestAuthority, own: OwnKey, insurer: x509.Certificate, now: datetime
) -> None:
    impostor = OwnKey("imposteur", own.private_key, authority.issuing.certificate)
    forged = certificate(impostor, own.private_key.public_key(), now)
    assert_refused(trust, forged, now, "autorite-inconnue")
    self_signed = OwnKey("soi", own.private_key, insurer)
    assert_refused(trust, certificate(self_signed, own.private_key.public_key(), now), now, "autorite-inconnue")


def test_h8_a_path_needs_its_intermediate_and_its_root(
    authority: TestAuthority, insurer: x509.Certificate, now: datetime
) -> None:
    for known in ([], [authority.root.certificate], [authority.issuing.certificate], [insurer]):
        assert_refused(TrustStore(known), insurer, now, "autorite-inconnue")


def test_h8_a_mailbox_cannot_issue_certificates(authority: TestAuthority, own: OwnKey, now: datetime) -> None:
    """Even when its certificate is on record among the authorities."""
    child = certificate(own, own.private_key.public_key(), now)
    assert_refused(TrustStore([*authority.certificates, own.certificate]), child, now, "autorite-inconnue")


@pytest.mark.parametrize(
    "extensions",
    [
        (x509.BasicConstraints(True, None), x509.KeyUsage(True, False, True, False, False, False, True, False, False)),
        (),
    ],
    ids=["no keyCertSign", "no basicConstraints"],
)
def test_h8_an_authority_that_may_not_sign_certificates_is_not_one(
    authority: TestAuthority, own: OwnKey, now: datetime, extensions: tuple[x509.ExtensionType, ...]
) -> None:
    middle = certificate(authority.root, own.private_key.public_key(), now, *extensions, name="AC FAUTIVE")
    leaf = certificate(OwnKey("", own.private_key, middle), own.private_key.public_key(), now)
    assert_refused(TrustStore([authority.root.certificate, middle]), leaf, now, "autorite-inconnue")


def test_h8_the_path_has_three_levels_at_most(authority: TestAuthority, own: OwnKey, now: datetime) -> None:
    key = own.private_key.public_key()
    fourth = certificate(authority.issuing, key, now, x509.BasicConstraints(True, None), name="AC DE TROP")
    leaf = certificate(OwnKey("", own.private_key, fourth), key, now)
    assert_refused(TrustStore([*authority.certificates, fourth]), leaf, now, "autorite-inconnue")


def test_h8_an_expired_intermediate_leads_nowhere(authority: TestAuthority, own: OwnKey, now: datetime) -> None:
    key = own.private_key.public_key()
    middle = certificate(authority.root, key, now - 9 * DAY, x509.BasicConstraints(True, None), name="AC BREVE")
    leaf = certificate(OwnKey("", own.private_key, middle), key, now)
    trust = TrustStore([authority.root.certificate, middle])
    trust.check(leaf, now)
    assert_refused(trust, leaf, now + 2 * DAY, "autorite-inconnue")


def test_h8_a_revoked_certificate_is_refused_and_its_neighbour_is_not(
    authority: TestAuthority, own: OwnKey, insurer: x509.Certificate, now: datetime
) -> None:
    trust = TrustStore(authority.certificates, [revocation_list(authority.issuing, now, insurer)])
    assert_refused(trust, insurer, now, "certificat-revoque")
    trust.check(own.certificate, now)


def test_h8_a_list_made_by_openssl_is_read(
    openssl: Callable[..., bytes], pki: Path, authority: TestAuthority, insurer: x509.Certificate, now: datetime
) -> None:
    (pki / "ca.pem").write_bytes(authority.issuing.certificate.public_bytes(Encoding.PEM))
    (pki / "ca.key").write_bytes(private_pem(authority.issuing.private_key))
    (pki / "bad.pem").write_bytes(insurer.public_bytes(Encoding.PEM))
    (pki / "index.txt").touch()
    (pki / "ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=30\n")
    signer = ["-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key"]
    openssl("ca", *signer, "-revoke", "bad.pem")
    pem = openssl("ca", *signer, "-gencrl", "-crl_lastupdate", "20261120080000Z", "-crl_nextupdate", "20261127080000Z")
    for data in (pem, openssl("crl", "-outform", "DER", stdin=pem)):
        trust = TrustStore(authority.certificates, read_revocation_lists(data))
        assert_refused(trust, insurer, now, "certificat-revoque")


@pytest.mark.filterwarnings("ignore:Attribute's length")
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_h10_a_mutated_list_gives_an_answer_or_the_declared_error(
    authority: TestAuthority, insurer: x509.Certificate, now: datetime, data: st.DataObject
) -> None:
    number = x509.CRLNumber(1)
    blob = bytearray(revocation_list(authority.issuing, now, insurer, extension=number).public_bytes(Encoding.DER))
    for _ in range(data.draw(st.integers(1, 4))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    with suppress(FormatError, CertificateError):
        TrustStore(authority.certificates, read_revocation_lists(bytes(blob))).check(insurer, now)


def test_h8_a_revoked_intermediate_takes_its_certificates_with_it(
    authority: TestAuthority, insurer: x509.Certificate, now: datetime
) -> None:
    lists = [revocation_list(authority.root, now, authority.issuing.certificate)]
    assert_refused(TrustStore(authority.certificates, lists), insurer, now, "certificat-revoque")


def test_h8_a_list_serves_until_its_next_update_and_a_grace(
    authority: TestAuthority, insurer: x509.Certificate, now: datetime
) -> None:
    trust = TrustStore(authority.certificates, [revocation_list(authority.issuing, now)], grace=2 * DAY)
    for days in (0, 7, 8, 9):
        trust.check(insurer, now + days * DAY)
    assert_refused(trust, insurer, now + 9.1 * DAY, "liste-de-revocation-perimee")


def test_h8_the_latest_list_of_an_authority_counts(
    authority: TestAuthority, insurer: x509.Certificate, now: datetime
) -> None:
    stale = revocation_list(authority.issuing, now - 30 * DAY)
    fresh = revocation_list(authority.issuing, now, insurer)
    assert_refused(TrustStore(authority.certificates, [fresh, stale]), insurer, now, "certificat-revoque")


def test_h8_the_policy_says_what_an_absent_list_means(
    authority: TestAuthority, insurer: x509.Certificate, now: datetime
) -> None:
    of_issuing, of_root = revocation_list(authority.issuing, now), revocation_list(authority.root, now)
    TrustStore(authority.certificates, [], RevocationPolicy.SOFT).check(insurer, now)
    hard = TrustStore(authority.certificates, [of_issuing], RevocationPolicy.HARD)
    assert_refused(hard, insurer, now, "liste-de-revocation-absente")
    TrustStore(authority.certificates, [of_issuing, of_root], RevocationPolicy.HARD).check(insurer, now)
    revoking = revocation_list(authority.issuing, now, insurer)
    TrustStore(authority.certificates, [revoking], RevocationPolicy.OFF).check(insurer, now)


def test_h8_a_list_that_the_authority_did_not_sign_or_not_for_all_is_no_list(
    authority: TestAuthority, own: OwnKey, insurer: x509.Certificate, now: datetime
) -> None:
    impostor = OwnKey("imposteur", own.private_key, authority.issuing.certificate)
    lists = [
        revocation_list(impostor, now, insurer),
        revocation_list(authority.issuing, now, insurer, extension=x509.DeltaCRLIndicator(1)),
    ]
    TrustStore(authority.certificates, lists).check(insurer, now)
    hard = TrustStore(authority.certificates, [*lists, revocation_list(authority.root, now)], RevocationPolicy.HARD)
    assert_refused(hard, insurer, now, "liste-de-revocation-absente")


def test_h8_a_list_counts_only_from_an_authority_that_may_sign_lists(
    authority: TestAuthority, own: OwnKey, now: datetime
) -> None:
    no_lists = x509.KeyUsage(False, False, False, False, False, True, False, False, False)
    constraints = x509.BasicConstraints(True, None)
    middle = certificate(authority.root, own.private_key.public_key(), now, constraints, no_lists, name="AC SANS LISTE")
    issuer = OwnKey("", own.private_key, middle)
    leaf = certificate(issuer, own.private_key.public_key(), now)
    TrustStore([authority.root.certificate, middle], [revocation_list(issuer, now, leaf)]).check(leaf, now)


def test_a_good_answer_is_remembered_until_the_first_date_that_may_change_it(
    authority: TestAuthority, insurer: x509.Certificate, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = TrustStore(authority.certificates, [revocation_list(authority.issuing, now)])
    trust.check(insurer, now)
    paths: list[datetime] = []
    find = TrustStore._path

    def counted(self: TrustStore, certificate: x509.Certificate, at: datetime) -> list[x509.Certificate]:
        paths.append(at)
        return find(self, certificate, at)

    monkeypatch.setattr(TrustStore, "_path", counted)
    trust.check(insurer, now + 7 * DAY)
    assert paths == []
    assert_refused(trust, insurer, now + 7.1 * DAY, "liste-de-revocation-perimee")
    assert len(paths) == 1
