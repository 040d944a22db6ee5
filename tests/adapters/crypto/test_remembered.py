"""What is remembered of certificates: by the object, by its bytes, never of another, and in bounded memory."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from oct.crypto.keystore import OwnKey
from oct.crypto.remembered import Remembered


def test_it_is_found_for_the_object_and_for_another_of_the_same_bytes_and_for_no_other(
    own: OwnKey, stranger: OwnKey
) -> None:
    remembered = Remembered[str]()
    remembered.keep(own.certificate, "ours")
    for certificate in (own.certificate, own.certificate, _again(own), _again(own)):
        assert remembered.get(certificate) == "ours"
    assert remembered.get(stranger.certificate) is None


def test_what_is_kept_later_takes_the_place_of_what_was_for_every_object(own: OwnKey) -> None:
    remembered, another = Remembered[str](), _again(own)
    remembered.keep(own.certificate, "before")
    assert remembered.get(another) == remembered.get(own.certificate) == "before"
    remembered.keep(another, "after")
    assert remembered.get(another) == remembered.get(own.certificate) == "after"


def test_objects_that_are_gone_leave_their_identity_to_nobody(own: OwnKey, stranger: OwnKey) -> None:
    """Thousands of objects of one certificate pass by: none of another certificate is ever taken for one of them."""
    remembered = Remembered[str]()
    remembered.keep(own.certificate, "ours")
    assert all(remembered.get(_again(own)) == "ours" and remembered.get(_again(stranger)) is None for _ in range(5000))


def _again(pair: OwnKey) -> x509.Certificate:
    return x509.load_der_x509_certificate(pair.certificate.public_bytes(Encoding.DER))
