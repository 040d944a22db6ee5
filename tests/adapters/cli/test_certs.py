"""`oct certs`: what an operator hands in is filed, own keys join, others' keys are refused (H8)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from oct.crypto.authority import TestAuthority
from oct.crypto.keystore import KeyRing, OwnKey, private_pem
from oct.crypto.pair_files import read_authority
from tests.adapters.cli.desk import AMC, OFFICIAL, PRACTITIONERS, Office

CAISSE = "01422@422.01.rss.fr"
HOUR = timedelta(hours=1)

Pem = Callable[[OwnKey], bytes]


@pytest.fixture
def register(office: Office) -> Office:
    """With two insurers and one practitioner."""
    for noun, content in (("insurers", OFFICIAL), ("insurers", AMC), ("ps", PRACTITIONERS)):
        assert office(noun, "import", office.file("table.csv", content)).code == 0
    return office


@pytest.fixture
def authority(office: Office) -> TestAuthority:
    return read_authority(office.folder / "essai")


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates)


def revocation_list(authority: TestAuthority, *revoked: x509.Certificate, last: datetime | None = None) -> bytes:
    begins = last or datetime.now(UTC) - HOUR
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.issuing.certificate.subject)
        .last_update(begins)
        .next_update(begins + timedelta(days=7))
    )
    for one in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(one.serial_number).revocation_date(begins).build()
        )
    return builder.sign(authority.issuing.private_key, hashes.SHA256()).public_bytes(Encoding.DER)


def test_certificates_of_every_shape_are_filed_in_any_order(register: Office) -> None:
    """PEM, DER and PKCS#7 at once; the address says whose each is."""
    stranger = TestAuthority.create(datetime.now(UTC) - HOUR)
    caisse, alpha, pont = (stranger.issue(one) for one in (CAISSE, "ma349@349.ma.rss.fr", "pont@boite.example"))
    bundle = pkcs7.serialize_certificates([pont.certificate, *stranger.certificates], Encoding.DER)
    result = register(
        "certs",
        "add",
        register.file("alpha.der", alpha.certificate.public_bytes(Encoding.DER)),
        register.file("caisse.pem", b"du texte\n" + pem(caisse.certificate)),
        register.file("reste.p7b", bundle),
    )
    assert result.code == 0
    said = sorted(line.partition(" :")[0] for line in result.out.splitlines())
    assert said == [
        "Autorité intermédiaire, en service",
        "Autorité racine, en service",
        f"Certificat de {CAISSE} (SAINT ÉTIENNE), en service",
        "Certificat de ma349@349.ma.rss.fr (MUTUELLE ALPHA), en service",
        "Certificat de pont@boite.example (PS 421234567), en service",
    ]
    assert register("certs", "check").code == 0


def test_handing_in_again_changes_nothing(register: Office, authority: TestAuthority) -> None:
    path = register.file("caisse.pem", pem(authority.issue(CAISSE).certificate))
    register("certs", "add", path)
    before = register("certs", "list", "--json").json
    again = register("certs", "add", path, register.folder / "keys" / "oct.pem")
    assert again.code == 0
    assert "déjà en service" in again.out
    assert "déjà en place" in again.out
    assert register("certs", "list", "--json").json == before


def test_a_certificate_of_nobody_known_is_kept_with_a_warning(register: Office, authority: TestAuthority) -> None:
    result = register("certs", "add", register.file("x.pem", pem(authority.issue("x@y.example").certificate)))
    assert result.code == 0
    assert "Attention : ni assureur ni PS" in result.out


def test_the_address_may_be_given(register: Office, authority: TestAuthority) -> None:
    path = register.file("x.pem", pem(authority.issue("x@y.example").certificate))
    assert register("certs", "add", path, "--for", CAISSE).code == 0
    listed = register("certs", "list", "--json").json
    assert CAISSE in {row["adresse"] for row in listed}
    assert register("certs", "add", path, "--for", "zut").code == 2


def test_a_file_without_certificate_is_told_and_the_others_are_filed(
    register: Office, authority: TestAuthority
) -> None:
    good = register.file("caisse.pem", pem(authority.issue(CAISSE).certificate))
    result = register("certs", "add", register.file("x.pem", b"rien"), good)
    assert result.code == 1
    assert "Ni certificat, ni liste de révocation" in result.out
    assert f"Certificat de {CAISSE}" in result.out


def test_an_own_certificate_joins_the_key_that_waits_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The way of a real installation: init, request, authority, certs add, run."""
    office = Office(tmp_path / "oct", capsys)
    office.bare("init", office.folder, "--address", "oct@reel.example")
    missing = office("certs", "check")
    assert missing.code == 1
    assert "« oct certs add »" in missing.out
    authority = TestAuthority.create(datetime.now(UTC) - HOUR)
    request = x509.load_pem_x509_csr((office.folder / "keys" / "oct.csr").read_bytes())
    public = request.public_key()
    certificate = authority.certify("oct@reel.example", public)  # type: ignore[arg-type]
    result = office("certs", "add", office.file("tout.pem", pem(certificate, *authority.certificates)))
    assert result.code == 0
    assert "keys/oct.pem" in result.out
    assert office("certs", "check").code == 0


def test_a_second_own_pair_overlaps_the_first(register: Office, authority: TestAuthority) -> None:
    """M3: the older one stays usable for reading."""
    newer = authority.issue("oct@essai.example")
    result = register(
        "certs",
        "add",
        register.file("oct.pem", pem(newer.certificate)),
        "--key",
        register.file("oct.key", private_pem(newer.private_key)),
    )
    assert result.code == 0
    ring = KeyRing.load(register.folder / "keys")
    assert len(ring.keys) == 2
    assert newer.certificate in [pair.certificate for pair in ring.keys]
    assert {path.stat().st_mode & 0o777 for path in (register.folder / "keys").glob("*.key")} == {0o600}


def test_a_renewed_certificate_of_the_same_key_is_a_pair_of_its_own(register: Office, authority: TestAuthority) -> None:
    (pair,) = KeyRing.load(register.folder / "keys").keys
    renewed = authority.certify("oct@essai.example", pair.private_key.public_key())
    assert register("certs", "add", register.file("oct.pem", pem(renewed))).code == 0
    certificates = [one.certificate for one in KeyRing.load(register.folder / "keys").keys]
    assert sorted(one.serial_number for one in certificates) == sorted(
        [pair.certificate.serial_number, renewed.serial_number]
    )


def test_a_handed_in_key_is_kept_under_the_passphrase(
    register: Office, authority: TestAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCT_KEYS__PASSPHRASE", "sesame")
    newer = authority.issue("oct@essai.example")
    both = register.file("oct.pem", private_pem(newer.private_key) + pem(newer.certificate))
    assert register("certs", "add", both).code == 0
    (added,) = set((register.folder / "keys").glob("*.key")) - {register.folder / "keys" / "oct.key"}
    assert b"ENCRYPTED" in added.read_bytes()
    assert len(KeyRing.load(register.folder / "keys", b"sesame").keys) == 2


def test_an_own_certificate_without_its_key_is_refused(register: Office, authority: TestAuthority) -> None:
    orphan = authority.issue("oct@essai.example")
    result = register("certs", "add", register.file("oct.pem", pem(orphan.certificate)))
    assert result.code == 1
    assert "--key" in result.out


def test_the_private_key_of_somebody_else_is_refused_and_not_kept(register: Office, authority: TestAuthority) -> None:
    caisse = authority.issue(CAISSE)
    both = register.file("caisse.pem", private_pem(caisse.private_key) + pem(caisse.certificate))
    keys = sorted((register.folder / "keys").iterdir())
    result = register("certs", "add", both)
    assert result.code == 1
    assert "Clé privée refusée" in result.out
    assert sorted((register.folder / "keys").iterdir()) == keys


def test_a_revoked_certificate_is_found_by_the_check(register: Office, authority: TestAuthority) -> None:
    caisse = authority.issue(CAISSE)
    register("certs", "add", register.file("caisse.pem", pem(caisse.certificate)))
    assert register("certs", "check").code == 0
    path = register.file("liste.crl", revocation_list(authority, caisse.certificate))
    assert "ajoutée" in register("certs", "add", path).out
    assert "déjà connue" in register("certs", "add", path).out
    result = register("certs", "check", "--json")
    assert result.code == 1
    assert [(row["niveau"], row["certificat"]) for row in result.json] == [("erreur", CAISSE)]


def test_an_older_revocation_list_does_not_replace_a_newer_one(register: Office, authority: TestAuthority) -> None:
    caisse = authority.issue(CAISSE)
    register("certs", "add", register.file("caisse.pem", pem(caisse.certificate)))
    register("certs", "add", register.file("b.crl", revocation_list(authority, caisse.certificate)))
    older = revocation_list(authority, last=datetime.now(UTC) - 2 * HOUR)
    register("certs", "add", register.file("a.crl", older))
    assert register("certs", "check").code == 1


def test_what_expires_within_thirty_days_is_told_until_it_is_renewed(
    register: Office, authority: TestAuthority
) -> None:
    public = authority.issue(CAISSE).private_key.public_key()
    short = authority.certify(CAISSE, public, lasting=timedelta(days=20))
    register("certs", "add", register.file("caisse.pem", pem(short)))
    result = register("certs", "check", "--json")
    assert result.code == 1
    assert [row["niveau"] for row in result.json] == ["alerte"]
    assert register("status").code == 1
    register("certs", "add", register.file("caisse.pem", pem(authority.issue(CAISSE).certificate)))
    renewed = register("certs", "check", "--json")
    assert renewed.code == 0
    assert [row["niveau"] for row in renewed.json] == ["remplacé"]
    assert register("status").code == 0


def test_a_certificate_that_has_ended_is_filed_and_said_to_be_of_no_use(register: Office) -> None:
    past = TestAuthority.create(datetime.now(UTC) - timedelta(days=400))
    public = past.issue(CAISSE).private_key.public_key()
    ended = past.certify(CAISSE, public, lasting=timedelta(days=20))
    assert (
        "mais expiré, rien ne lui sera chiffré" in register("certs", "add", register.file("vieux.pem", pem(ended))).out
    )


def test_a_stale_revocation_list_is_told(register: Office, authority: TestAuthority) -> None:
    stale = revocation_list(authority, last=datetime.now(UTC) - timedelta(days=8))
    register("certs", "add", register.file("liste.crl", stale))
    result = register("certs", "check")
    assert result.code == 1
    assert "Liste de révocation à renouveler" in result.out


def test_a_retired_certificate_serves_no_more(register: Office, authority: TestAuthority) -> None:
    path = register.file("caisse.pem", pem(authority.issue(CAISSE).certificate))
    register("certs", "add", path)
    (known,) = (row["id"] for row in register("certs", "list", "--json").json if row["adresse"] == CAISSE)
    assert register("certs", "retire", str(known)).code == 0
    assert register("certs", "retire", str(known)).code == 1
    assert "en service" in register("certs", "add", path).out


def test_a_practitioner_s_certificate_comes_with_its_account(register: Office, authority: TestAuthority) -> None:
    path = register.file("pont.pem", pem(authority.issue("x@y.example").certificate))
    assert register("ps", "set", "421234567", "--certificate", path).code == 0
    assert len(register("ps", "show", "421234567", "--json").json["certificats"]) == 1
    assert register("ps", "set", "421234567", "--certificate", register.file("x.pem", b"rien")).code == 1
