"""The concentrator's own pairs as files: installing a certificate beside its key, the folder of a trial authority.

`install` files a certificate that an authority delivered: next to the key that waits for it, or with a key that was
handed in. Older pairs are never touched, so that they go on reading (M3). Fails with `ConfigurationError`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from oct.crypto.authority import TestAuthority
from oct.crypto.certificates import read_bundle
from oct.crypto.keystore import KeyRing, OwnKey, private_pem
from oct.crypto.private_files import write_private
from oct.crypto.submitted import key_file, read_submitted
from oct.errors import ConfigurationError, FormatError


def install(
    directory: Path,
    certificate: x509.Certificate,
    handed_in: Iterable[rsa.RSAPrivateKey],
    passphrase: bytes | None = None,
) -> Path | None:
    """Completes a pair in `directory`; the path of its certificate, or None when it was there already.

    Raises ConfigurationError "cle-privee-absente" when no key goes with the certificate.
    """
    public = certificate.public_key()
    own = [path for path in sorted(directory.glob("*.key")) if _key(path, passphrase).public_key() == public]
    if any(certificate in _certificates(path.with_suffix(".pem")) for path in own):
        return None
    for path in own:
        if not path.with_suffix(".pem").exists():
            return _write_certificate(path.with_suffix(".pem"), certificate)
    keys = [key for key in handed_in if key.public_key() == public] or [_key(path, passphrase) for path in own]
    if not keys:
        raise ConfigurationError(
            "cle-privee-absente",
            "Ce certificat est celui du concentrateur, mais sa clé privée manque : donnez-la avec --key FICHIER.",
        )
    stem = directory / f"oct-{certificate.serial_number:x}"
    write_private(stem.with_suffix(".key"), key_file(keys[0], passphrase))
    return _write_certificate(stem.with_suffix(".pem"), certificate)


def write_pair(directory: Path, pair: OwnKey) -> None:
    """Two files named after the pair, the key in clear and 0600."""
    write_private(directory / f"{pair.name}.key", private_pem(pair.private_key))
    _write_certificate(directory / f"{pair.name}.pem", pair.certificate)


def write_authority(directory: Path, authority: TestAuthority) -> None:
    """The trial authority with its private keys: who has them can issue certificates of the trial."""
    for pair in (authority.root, authority.issuing):
        write_pair(directory, pair)


def read_authority(directory: Path) -> TestAuthority:
    """The trial authority that `write_authority` wrote. ConfigurationError when it is not there."""
    pairs = {pair.name: pair for pair in KeyRing.load(directory).keys}
    try:
        root, issuing = pairs["racine"], pairs["facturation"]
    except KeyError as missing:
        raise ConfigurationError(
            "autorite-d-essai-absente", f"Pas d'autorité d'essai dans {directory} : « oct init --test » en crée une."
        ) from missing
    return TestAuthority(root, issuing, issuing.certificate.not_valid_before_utc)


def _key(path: Path, passphrase: bytes | None) -> rsa.RSAPrivateKey:
    try:
        (key,) = read_submitted(path.read_bytes(), passphrase).private_keys
    except (OSError, FormatError, ValueError) as cause:
        raise ConfigurationError(
            "cle-illisible",
            f"La clé {path} ne peut pas être lue : vérifiez le fichier, ses droits et sa phrase secrète.",
        ) from cause
    return key


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return read_bundle(path.read_bytes())
    except (OSError, FormatError):
        return []


def _write_certificate(path: Path, certificate: x509.Certificate) -> Path:
    write_private(path, certificate.public_bytes(serialization.Encoding.PEM))
    return path
