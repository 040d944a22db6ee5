"""What the tests of the crypto room share: one authority and a few keys a session, and the real openssl command."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from oct.crypto.authority import TestAuthority
from oct.crypto.keystore import KeyRing, OwnKey, private_pem

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def now() -> datetime:
    """When everything the session's authority issued becomes valid."""
    return NOW


@pytest.fixture(scope="session")
def authority() -> TestAuthority:
    """Root and intermediate, valid from `now`."""
    return TestAuthority.create(NOW)


@pytest.fixture(scope="session")
def own(authority: TestAuthority) -> OwnKey:
    """The concentrator's pair."""
    return authority.issue("oct@concentrateur.example")


@pytest.fixture(scope="session")
def older(authority: TestAuthority) -> OwnKey:
    """The concentrator's previous pair."""
    return authority.issue("oct-ancien@concentrateur.example")


@pytest.fixture(scope="session")
def stranger(authority: TestAuthority) -> OwnKey:
    """Somebody else's pair."""
    return authority.issue("autre@ailleurs.example")


@pytest.fixture(scope="session")
def ring(own: OwnKey, older: OwnKey) -> KeyRing:
    """Both of the concentrator's pairs."""
    return KeyRing((older, own))


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory, own: OwnKey, older: OwnKey, stranger: OwnKey) -> Path:
    """`own`, `older` and `stranger` as .pem and .key files, for the openssl command."""
    directory = tmp_path_factory.mktemp("pki")
    for name, pair in {"own": own, "older": older, "stranger": stranger}.items():
        (directory / f"{name}.pem").write_bytes(pair.certificate.public_bytes(Encoding.PEM))
        (directory / f"{name}.key").write_bytes(private_pem(pair.private_key))
    return directory


@pytest.fixture(scope="session")
def openssl(pki: Path) -> Callable[..., bytes]:
    """Run `openssl ARGS…` in the `pki` directory with bytes on its input; gives its output."""

    def run(*arguments: str, stdin: bytes = b"") -> bytes:
        command = ["openssl", *arguments]
        return subprocess.run(command, input=stdin, capture_output=True, check=True, cwd=pki, timeout=60).stdout

    return run
