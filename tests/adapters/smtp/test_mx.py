"""The servers of a domain, asked of a real resolver that speaks to a name server of the test's own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from random import Random

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from dns.resolver import Resolver

from oct.errors import DeliveryError
from oct.smtp.client import Route, TlsPolicy
from oct.smtp.mx import mx_routes

ZONE = {
    ("caisse.test.", "MX"): ["20 second.caisse.test.", "10 premier.caisse.test."],
    ("egaux.test.", "MX"): ["10 un.egaux.test.", "10 deux.egaux.test.", "5 zero.egaux.test.", "20 trois.egaux.test."],
    ("mal.test.", "MX"): ["0 .", "10 serveur.mal.test."],
    ("sansmx.test.", "A"): ["127.0.0.1"],
    ("muet.test.", "MX"): ["0 ."],
}


def answer(query: bytes) -> bytes:
    asked = dns.message.from_wire(query)
    response = dns.message.make_response(asked)
    question = asked.question[0]
    name = str(question.name)
    records = ZONE.get((name, question.rdtype.name))
    if name == "panne.test.":
        response.set_rcode(dns.rcode.SERVFAIL)
    elif records:
        response.answer.append(dns.rrset.from_text(name, 60, "IN", question.rdtype.name, *records))
    elif not any(known == name for known, _ in ZONE):
        response.set_rcode(dns.rcode.NXDOMAIN)
    return response.to_wire()


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                query, source = server.recvfrom(4096)
                if not query:
                    return
                server.sendto(answer(query), source)

        thread = threading.Thread(target=serve)
        thread.start()
        asking = Resolver(configure=False)
        asking.nameservers = ["127.0.0.1"]
        asking.port = server.getsockname()[1]
        asking.lifetime = 2
        yield asking
        server.sendto(b"", server.getsockname())
        thread.join(10)


def test_the_most_preferred_server_comes_first(resolver: Resolver) -> None:
    """RFC 5321 5.1."""
    assert mx_routes("caisse.test", TlsPolicy.REQUIRED, draw=float, resolver=resolver) == [
        Route("premier.caisse.test", 25, TlsPolicy.REQUIRED),
        Route("second.caisse.test", 25, TlsPolicy.REQUIRED),
    ]


def test_servers_that_are_preferred_equally_share_the_load(resolver: Resolver) -> None:
    """RFC 5321 5.1: the order among them is drawn."""
    orders, chance = set(), Random(1)
    for _ in range(40):
        routes = mx_routes("egaux.test", TlsPolicy.NONE, draw=chance.random, resolver=resolver)
        hosts = [one.host.partition(".")[0] for one in routes]
        assert (hosts[0], hosts[3]) == ("zero", "trois")
        orders.add(tuple(hosts[1:3]))
    assert orders == {("un", "deux"), ("deux", "un")}


def test_a_refusal_of_all_mail_beside_servers_is_none(resolver: Resolver) -> None:
    """RFC 7505 3: it stands alone, or it is somebody's mistake."""
    assert mx_routes("mal.test", TlsPolicy.NONE, draw=float, resolver=resolver) == [
        Route("serveur.mal.test", 25, TlsPolicy.NONE)
    ]


def test_a_domain_without_mx_is_its_own_server(resolver: Resolver) -> None:
    """RFC 5321 5.1."""
    assert mx_routes("sansmx.test", TlsPolicy.OPPORTUNISTIC, draw=float, resolver=resolver) == [
        Route("sansmx.test", 25, TlsPolicy.OPPORTUNISTIC)
    ]


@pytest.mark.parametrize(
    ("domain", "permanent"), [("muet.test", True), ("absent.test", False), ("panne.test", False), ("a..b", False)]
)
def test_a_domain_that_cannot_be_served_is_a_declared_error(resolver: Resolver, domain: str, permanent: bool) -> None:
    """RFC 7505: only a domain that says so takes no mail for good."""
    with pytest.raises(DeliveryError) as caught:
        mx_routes(domain, TlsPolicy.NONE, draw=float, resolver=resolver)
    assert caught.value.permanent is permanent


@pytest.mark.parametrize(
    ("domain", "host"),
    [("[192.0.2.1]", "192.0.2.1"), ("[IPv6:2001:DB8::1]", "2001:db8::1"), ("[ipv6:::1]", "::1")],
)
def test_an_address_in_brackets_is_asked_of_no_name_server(domain: str, host: str) -> None:
    """RFC 5321 section 4.1.3."""
    silent = Resolver(configure=False)
    assert mx_routes(domain, TlsPolicy.REQUIRED, draw=float, resolver=silent) == [Route(host, 25, TlsPolicy.REQUIRED)]


@pytest.mark.parametrize(
    "domain", ["[]", "[192.0.2.256]", "[IPv6:192.0.2.1]", "[2001:db8::1]", "[192.0.2.1", "[relay]"]
)
def test_brackets_around_what_is_no_address_are_final(domain: str) -> None:
    with pytest.raises(DeliveryError) as caught:
        mx_routes(domain, TlsPolicy.NONE, draw=float, resolver=Resolver(configure=False))
    assert (caught.value.code, caught.value.permanent) == ("adresse-litterale", True)
