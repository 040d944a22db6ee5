"""TLS 1.2 and 1.3 only, by STLS or from the start; never a password in clear (H9, RFC 2595)."""

from __future__ import annotations

import poplib
import socket
import ssl
from ipaddress import ip_network

import pytest
import trustme

from oct.errors import ConfigurationError
from oct.pop.server import PopServer
from tests.adapters.pop.boxes import LOGIN, PASSWORD, Opener, server_tls


def test_a_password_never_passes_in_clear(opens: Opener) -> None:
    with opens().peer() as peer:
        peer.line()
        assert peer.ask(b"CAPA") == b"+OK\r\n"
        offered = peer.lines()
        assert b"STLS\r\n" in offered
        assert not {b"USER\r\n", b"SASL PLAIN\r\n"} & set(offered)
        assert peer.ask(b"USER cabinet1").startswith(b"-ERR [AUTH] ")
        assert peer.ask(b"AUTH PLAIN AGEAYg==").startswith(b"-ERR [AUTH] ")
        assert peer.ask(b"AUTH CRAM-MD5").startswith(b"-ERR ")


def test_stls_opens_the_login(opens: Opener) -> None:
    opened = opens()
    client = poplib.POP3("127.0.0.1", opened.server.ports[0], timeout=20)
    client.stls(context=opened.trusting)
    assert {"USER", "SASL", "TOP", "UIDL", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE"} == set(client.capa())
    client.user(LOGIN)
    client.pass_(PASSWORD)
    assert "SASL" not in client.capa()
    assert client.stat()[0] == 3
    client.quit()


def test_what_is_sent_ahead_of_the_handshake_is_never_heard(opens: Opener) -> None:
    """RFC 2595, 4: a command injected in clear must not be answered inside TLS."""
    opened = opens(clear=True)
    with opened.peer() as peer:
        peer.line()
        peer.say(f"USER {LOGIN}\r\nSTLS\r\nPASS {PASSWORD}\r\nQUIT\r\n".encode())
        assert peer.line().startswith(b"+OK")
        assert peer.line() == b"+OK Negociation TLS\r\n"
        peer.secure(opened.trusting)
        assert peer.ask(f"PASS {PASSWORD}".encode()).startswith(b"-ERR ")
        assert peer.ask(b"STLS").startswith(b"-ERR ")
        assert peer.ask(b"QUIT").startswith(b"+OK")


def test_tls_below_1_2_is_refused(opens: Opener, authority: trustme.CA) -> None:
    old = server_tls(authority)
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    mailboxes = opens().house.instant_logins()
    with pytest.raises(ConfigurationError, match=r"TLS 1\.2"):
        PopServer(("127.0.0.1:0",), hostname="boites.oct.test", mailboxes=mailboxes, tls=old)


def test_a_handshake_that_fails_ends_the_connection_only(opens: Opener) -> None:
    opened = opens()
    with opened.peer(1) as peer:
        peer.say(b"USER in clear on the TLS port\r\n" * 20)
        assert b"+OK" not in peer.rest()
    with opened.peer() as peer:
        peer.line()
        peer.ask(b"STLS")
        peer.say(b"no handshake\r\n")
        assert b"+OK" not in peer.rest()
    opened.logged_in().quit()


def test_clear_is_for_the_networks_of_the_operator_alone(opens: Opener) -> None:
    opened = opens()
    server = PopServer(
        ("127.0.0.1:0",),
        hostname="boites.oct.test",
        mailboxes=opened.house.instant_logins(),
        clear_networks=[ip_network("127.0.0.2/32"), ip_network("fd00::/8")],
    )
    opened.loop.run(server.start())
    answers = {}
    for source in ("127.0.0.1", "127.0.0.2"):
        with socket.create_connection(("127.0.0.1", server.ports[0]), 20, (source, 0)) as sock:
            sock.sendall(b"USER cabinet1\r\nSTLS\r\nQUIT\r\n")
            answers[source] = sock.makefile("rb").read().splitlines()[1:3]
    opened.loop.run(server.stop(0.5))
    assert answers["127.0.0.1"][0].startswith(b"-ERR [AUTH] ")
    assert answers["127.0.0.2"][0].startswith(b"+OK")
    assert all(stls.startswith(b"-ERR ") for _, stls in answers.values())


@pytest.mark.parametrize(
    ("listen", "code"), [("tls://127.0.0.1:0", "tls-absent"), ("127.0.0.1:0", "pop-sans-tls"), ("0", "adresse-ecoute")]
)
def test_a_server_that_nobody_could_use_does_not_start(opens: Opener, listen: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PopServer([listen], hostname="x", mailboxes=opens().house.instant_logins())
    assert caught.value.code == code


def test_an_address_that_is_taken_is_told_and_nothing_stays_open(opens: Opener, authority: trustme.CA) -> None:
    opened = opens()
    server = PopServer(
        ["127.0.0.1:0", f"127.0.0.1:{opened.server.ports[0]}"],
        hostname="x",
        mailboxes=opened.house.instant_logins(),
        tls=server_tls(authority),
    )
    with pytest.raises(OSError, match="in use"):
        opened.loop.run(server.start())
    assert server.ports == []
    opened.loop.run(server.stop(0))
