"""What we seal, the openssl command opens: the insurers' side of M3, and L1 through the envelope."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from oct.crypto.authority import TestAuthority
from oct.crypto.cms_reader import open_enveloped
from oct.crypto.cms_writer import ContentCipher, seal
from oct.crypto.keystore import KeyRing, OwnKey
from oct.errors import CertificateError

CONTENTS = [b"", b"000\n\r\r\n\0\x1a" * 33, bytes(range(256)) * 300]


@pytest.mark.parametrize("content", CONTENTS, ids=["empty", "line-ends", "binary"])
@pytest.mark.parametrize("cipher", list(ContentCipher))
def test_l1_what_is_sealed_is_opened_by_openssl_byte_for_byte(
    openssl: Callable[..., bytes], stranger: OwnKey, cipher: ContentCipher, content: bytes
) -> None:
    sealed = seal(content, stranger.certificate, cipher)
    keys = ["-inform", "DER", "-binary", "-recip", "stranger.pem", "-inkey", "stranger.key"]
    assert openssl("cms", "-decrypt", *keys, stdin=sealed) == content
    assert openssl("smime", "-decrypt", *keys, stdin=sealed) == content


def test_each_of_several_recipients_can_open(openssl: Callable[..., bytes], own: OwnKey, stranger: OwnKey) -> None:
    sealed = seal(CONTENTS[1], [own.certificate, stranger.certificate])
    for name in ("own", "stranger"):
        keys = ["-inform", "DER", "-binary", "-recip", f"{name}.pem", "-inkey", f"{name}.key"]
        assert openssl("cms", "-decrypt", *keys, stdin=sealed) == CONTENTS[1]


def test_the_cipher_is_the_one_asked_for(openssl: Callable[..., bytes], own: OwnKey) -> None:
    for cipher in ContentCipher:
        sealed = seal(b"000", own.certificate, cipher)
        assert cipher.encode() in openssl("cms", "-cmsout", "-print", "-inform", "DER", stdin=sealed)


def test_the_recipient_is_named_by_issuer_and_serial(openssl: Callable[..., bytes], own: OwnKey) -> None:
    printed = openssl("cms", "-cmsout", "-print", "-inform", "DER", stdin=seal(b"000", own.certificate))
    assert b"issuerAndSerialNumber" in printed
    assert b"AC FACTURATION ESSAI" in printed


@given(st.binary(max_size=4000), st.sampled_from(ContentCipher))
def test_what_we_seal_we_open(ring: KeyRing, own: OwnKey, content: bytes, cipher: ContentCipher) -> None:
    assert open_enveloped(seal(content, own.certificate, cipher), ring).content == content


def test_a_key_that_is_not_rsa_is_declared(authority: TestAuthority, pki: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    certificate = x509.CertificateBuilder(
        name, name, key.public_key(), 1, authority.begins, authority.begins.replace(year=2030)
    ).sign(key, hashes.SHA256())
    with pytest.raises(CertificateError, match="cle-non-rsa"):
        seal(b"000", certificate)
