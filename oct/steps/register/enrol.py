"""Files the certificates, revocation lists and keys that an operator hands in (K2, H8).

Takes files of any shape, several at once and in any order; tells for each thing found what was done. An authority is
believed from then on; a certificate is kept for the insurer or the practitioner whose address it bears; one for the
concentrator's own address joins its private key in the folder of keys; the private key of anybody else is refused
and never written. Handing in the same thing again changes nothing.

Failure: what cannot be read or kept is an `Outcome` that says so; the others are kept all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from oct.crypto.certificates import addresses_of, fingerprint, is_authority
from oct.crypto.pair_files import install
from oct.crypto.submitted import Submitted, read_submitted
from oct.errors import ConfigurationError, FormatError
from oct.store import certificates, events, insurers, practitioners
from oct.store.certificates import CertificateRole, NewCertificate, StoredCertificate
from oct.store.engine import Store
from oct.store.events import Event


@dataclass(frozen=True, slots=True)
class OwnPlace:
    """The concentrator's own address, and where and how its pairs are kept."""

    address: str
    directory: Path
    passphrase: bytes | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done of one thing. `done` is False when it was refused; a warning is in the sentence."""

    done: bool
    sentence: str


def enrol(
    store: Store, files: Sequence[tuple[str, bytes]], own: OwnPlace, *, now: int, actor: str, address: str = ""
) -> list[Outcome]:
    """Files everything in `files` (name and bytes); `address` overrides the one that certificates bear."""
    outcomes: list[Outcome] = []
    read: list[Submitted] = []
    for name, data in files:
        try:
            read.append(read_submitted(data, own.passphrase))
        except FormatError as error:
            outcomes.append(Outcome(False, f"{name} : {error.describe()}"))
    found = list(dict.fromkeys(certificate for one in read for certificate in one.certificates))
    keys = [key for one in read for key in one.private_keys]
    ours = [certificate for certificate in found if own.address.lower() in _addresses(certificate, address)]
    with store.begin() as conn:
        known = {one.fingerprint: one for one in certificates.list_all(conn)}
        outcomes += [_keep(conn, one, address, known.get(fingerprint(one)), now) for one in found if one not in ours]
        for one in read:
            outcomes += [_keep_list(conn, crl, now) for crl in one.revocation_lists]
        if found:
            told = {"empreintes": [fingerprint(certificate) for certificate in found]}
            events.append(conn, [Event(now, "certificat", "ajout", actor=actor, data=told)])
    outcomes += [_install(certificate, keys, own) for certificate in ours]
    outcomes += _refused_keys(keys, ours)
    return outcomes


def _addresses(certificate: x509.Certificate, override: str) -> tuple[str, ...]:
    if is_authority(certificate):
        return ()
    return (override.lower(),) if override else addresses_of(certificate)


def _keep(
    conn: Connection, certificate: x509.Certificate, override: str, before: StoredCertificate | None, now: int
) -> Outcome:
    if is_authority(certificate):
        level = "racine" if certificate.issuer == certificate.subject else "intermédiaire"
        return _add(conn, _new(certificate, CertificateRole.AUTHORITY, ""), before, now, f"Autorité {level}")
    addresses = _addresses(certificate, override)
    if not addresses:
        return Outcome(False, f"Certificat sans adresse, précisez --for ADRESSE : {subject_of(certificate)}.")
    known = [(address, whom) for address in addresses if (whom := _whose(conn, address))]
    address, whom = known[0] if known else (addresses[0], "")
    what = f"Certificat de {address}" + (f" ({whom})" if whom else "")
    outcome = _add(conn, _new(certificate, CertificateRole.ENTITY, address), before, now, what)
    if whom:
        return outcome
    return Outcome(True, f"{outcome.sentence} Attention : ni assureur ni PS n'a cette adresse.")


def _add(conn: Connection, new: NewCertificate, before: StoredCertificate | None, now: int, what: str) -> Outcome:
    if before is not None and (before.role, before.address, before.retired_at) == (new.role, new.address, None):
        return Outcome(True, f"{what}, déjà en service : {new.subject}.")
    certificates.add(conn, new, now)
    if new.not_after < now:
        return Outcome(True, f"{what}, enregistré mais expiré, rien ne lui sera chiffré : {new.subject}.")
    return Outcome(True, f"{what}, en service : {new.subject}.")


def _new(certificate: x509.Certificate, role: CertificateRole, address: str) -> NewCertificate:
    return NewCertificate(
        fingerprint=fingerprint(certificate),
        role=role,
        address=address,
        der=certificate.public_bytes(Encoding.DER),
        serial=f"{certificate.serial_number:x}"[:48],
        subject=subject_of(certificate)[:256],
        not_before=_ms(certificate.not_valid_before_utc),
        not_after=_ms(certificate.not_valid_after_utc),
    )


def _keep_list(conn: Connection, crl: x509.CertificateRevocationList, now: int) -> Outcome:
    issuer = crl.issuer.rfc4514_string()[:256]
    what = f"Liste de révocation de {issuer} du {crl.last_update_utc:%d/%m/%Y}"
    before = next((one for one in certificates.revocation_lists(conn) if one.issuer == issuer), None)
    if before is not None and x509.load_der_x509_crl(before.der).last_update_utc >= crl.last_update_utc:
        return Outcome(True, f"{what} : déjà connue, ou plus ancienne que celle qui l'est.")
    until = _ms(crl.next_update_utc) if crl.next_update_utc is not None else None
    certificates.put_revocation_list(conn, issuer, crl.public_bytes(Encoding.DER), until, now)
    return Outcome(True, f"{what} : ajoutée.")


def _install(certificate: x509.Certificate, keys: Sequence[RSAPrivateKey], own: OwnPlace) -> Outcome:
    what = f"Certificat du concentrateur ({subject_of(certificate)})"
    try:
        path = install(own.directory, certificate, keys, own.passphrase)
    except ConfigurationError as error:
        return Outcome(False, f"{what} : {error.sentence}")
    if path is None:
        return Outcome(True, f"{what}, déjà en place.")
    return Outcome(True, f"{what}, rangé dans {path} ; il sert au prochain démarrage.")


def _refused_keys(keys: Sequence[RSAPrivateKey], ours: Sequence[x509.Certificate]) -> Iterator[Outcome]:
    own = [certificate.public_key() for certificate in ours]
    for key in keys:
        if key.public_key() not in own:
            yield Outcome(
                False,
                "Clé privée refusée et non conservée : elle ne va avec aucun certificat du concentrateur. "
                "La clé privée d'autrui ne doit jamais être transmise.",
            )


def _whose(conn: Connection, address: str) -> str:
    found = insurers.by_address(conn, address)
    if found:
        return found[0].label
    account = practitioners.by_address(conn, address)
    return f"PS {account.number}" if account is not None else ""


def subject_of(certificate: x509.Certificate) -> str:
    """The subject on one line, most telling part first."""
    return certificate.subject.rfc4514_string() or f"numéro de série {certificate.serial_number:x}"


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
