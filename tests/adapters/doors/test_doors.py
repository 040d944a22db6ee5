"""Where a door listens and who may come in, whatever it speaks (H2, H9)."""

from __future__ import annotations

import ssl

import pytest

from oct.doors.admission import Admission, address_group, ip_of
from oct.doors.listening import Listener, listener, require_modern
from oct.errors import ConfigurationError


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:110", Listener("127.0.0.1", 110, implicit_tls=False)),
        ("tls://[::1]:995", Listener("::1", 995, implicit_tls=True)),
        (":0", Listener("", 0, implicit_tls=False)),
    ],
)
def test_an_address_is_read(address: str, expected: Listener) -> None:
    assert listener(address) == expected


@pytest.mark.parametrize("address", ["", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "tls://995"])
def test_another_form_is_a_fault_of_the_settings(address: str) -> None:
    with pytest.raises(ConfigurationError, match="adresse-ecoute"):
        listener(address)


def test_a_context_below_tls_1_2_is_refused() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.raises(ConfigurationError, match="tls-trop-ancien"):
        require_modern(context)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    assert require_modern(context) is context


def test_one_host_counts_once_whatever_its_address() -> None:
    """An IPv6 host owns a whole /64; an IPv4 client of a double socket is an IPv4 client."""
    assert address_group(ip_of(("2001:db8:1:2:aaaa::1", 5))) == address_group(ip_of(("2001:db8:1:2::9%eth0", 6, 0, 2)))
    assert address_group("2001:db8:1:2::1") != address_group("2001:db8:1:3::1")
    assert address_group(ip_of(("::ffff:192.0.2.7", 5, 0, 0))) == "192.0.2.7"


def test_places_are_counted_in_all_and_per_address_and_given_back() -> None:
    admission = Admission(connections=3, per_address=2)
    assert [admission.enter(peer) for peer in ("192.0.2.1", "192.0.2.1", "192.0.2.1")] == [True, True, False]
    assert [admission.enter(peer) for peer in ("192.0.2.2", "192.0.2.3")] == [True, False]
    admission.leave("192.0.2.1")
    assert admission.enter("192.0.2.3")
