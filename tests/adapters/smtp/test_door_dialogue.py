"""The door as an honest client meets it: smtplib, swaks, raw sockets."""

from __future__ import annotations

import asyncio
import shutil
import smtplib
import subprocess

import pytest

from oct.doors.listening import listener
from oct.errors import ConfigurationError
from oct.smtp.transaction import Reply, Transaction
from tests.adapters.smtp.doors import OURS, Opener, until

MESSAGE = b"Subject: essai\r\n\r\n.point\r\n..deux\r\ndonn\xe9es\r\n"


def test_what_smtplib_sends_arrives_to_the_byte(opens: Opener) -> None:
    """P1, S5: no authentication, nothing asked beyond RFC 5321."""
    opened = opens()
    with smtplib.SMTP("127.0.0.1", opened.port, "cabinet.test") as client:
        assert client.sendmail("Cabinet@ps.test", [OURS, "arl@oct.test"], MESSAGE) == {}
        assert client.sendmail("", [OURS], MESSAGE) == {}
    assert opened.house.received == [
        Transaction("127.0.0.1", "cabinet.test", "Cabinet@ps.test", (OURS, "arl@oct.test"), MESSAGE, None, False),
        Transaction("127.0.0.1", "cabinet.test", "", (OURS,), MESSAGE, None, False),
    ]
    assert opened.house.screened == [("Cabinet@ps.test", "127.0.0.1"), ("", "127.0.0.1")]


def test_the_peer_reads_the_reply_that_accept_gave(opens: Opener) -> None:
    opened = opens()
    with opened.peer() as peer:
        peer.greet().envelope().say(MESSAGE.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        assert peer.reply() == b"250 2.0.0 Message recu, trace 00001\r\n"


def test_swaks_delivers(opens: Opener) -> None:
    swaks = shutil.which("swaks")
    assert swaks, "swaks manque : apt-get install -y swaks"
    opened = opens()
    command = [swaks, "--server", f"127.0.0.1:{opened.port}", "--helo", "cabinet.test", "--from", "a@ps.test"]
    command += ["--to", OURS, "--body", ".un point en tete", "--pipeline"]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout
    assert opened.house.received[0].content.endswith(b"\r\n.un point en tete\r\n\r\n\r\n")


def test_pipelined_commands_are_answered_in_order_and_what_follows_the_dot_is_kept(opens: Opener) -> None:
    """RFC 2920."""
    opened = opens()
    group = b"MAIL FROM:<a@ps.test>\r\nRCPT TO:<x@ailleurs.test>\r\nRCPT TO:<" + OURS.encode() + b">\r\nDATA\r\n"
    with opened.peer() as peer:
        peer.greet().say(group)
        assert [peer.reply()[:3] for _ in range(4)] == [b"250", b"550", b"250", b"354"]
        peer.say(b"un\r\n.\r\n" + group.replace(b"a@ps", b"b@ps"))
        assert [peer.reply()[:3] for _ in range(5)] == [b"250", b"250", b"550", b"250", b"354"]
        peer.say(b"deux\r\n.\r\nQUIT\r\nNOOP\r\n")
        assert [peer.reply()[:3] for _ in range(3)] == [b"250", b"221", b""]
    assert [(got.mail_from, got.content) for got in opened.house.received] == [
        ("a@ps.test", b"un\r\n"),
        ("b@ps.test", b"deux\r\n"),
    ]


def test_the_answer_to_ehlo_is_one_segment(opens: Opener) -> None:
    opened = opens(message_bytes=12345)
    with opened.peer() as peer:
        peer.reply()
        peer.say(b"EHLO cabinet.test\r\n")
        segment = peer.sock.recv(65536)
    assert segment == (
        b"250-porte.oct.test\r\n250-PIPELINING\r\n250-SIZE 12345\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"
    )


def test_a_client_that_only_knows_helo_is_served(opens: Opener) -> None:
    opened = opens()
    with opened.peer() as peer:
        peer.reply()
        assert peer.ask(b"HELO vieux.test") == b"250 porte.oct.test\r\n"
        peer.envelope()
        assert peer.ask(b"corps\r\n.").startswith(b"250 ")
    assert opened.house.received[0].helo == "vieux.test"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        (b"MAIL FROM:<a@ps.test> SIZE=1001", b"552 5.3.4 Message trop volumineux : 1000 octets au plus"),
        (b"MAIL FROM:<a@ps.test> SMTPUTF8", b"501 5.5.4 Syntaxe incorrecte"),
        (b"MAIL FROM:<a@ps.test> FUTUR=1", b"555 5.5.4 Parametre non reconnu"),
        (b"MAIL FROM:<a@(b)c>", b"553 5.1.3 Adresse incorrecte"),
        (b"MAIL FROM:<", b"553 5.1.3 Adresse incorrecte"),
        (b'MAIL FROM:<"\r"@ps.test>', b"553 5.1.3 Adresse incorrecte"),
        (b"RCPT TO:<" + OURS.encode() + b">", b"503 5.5.1 Commande hors sequence"),
        (b"DATA", b"503 5.5.1 Commande hors sequence"),
        (b"BDAT 3 LAST", b"500 5.5.2 Commande incomprise"),
        (b"VRFY " + OURS.encode(), b"252 2.5.0 Adresse non verifiee"),
        (b"EXPN tous", b"502 5.5.1 Commande non prise en charge"),
        (b"HELP", b"214 2.0.0 EHLO MAIL RCPT DATA RSET NOOP QUIT STARTTLS AUTH"),
        (b"NOOP", b"250 2.0.0 OK"),
        (b"RSET", b"250 2.0.0 OK"),
        (b"STARTTLS", b"502 5.5.1 Commande non prise en charge"),
        (b"AUTH PLAIN AGEAYg==", b"502 5.5.1 Commande non prise en charge"),
        (b"\xe9\xe9", b"500 5.5.2 Commande incomprise"),
        (b"NOOP \xe9", b"500 5.5.2 Commande incomprise"),
        (b"NOOP " + b"x" * 600, b"500 5.5.2 Commande incomprise"),
        (b"NOOP " + b"x" * 60_000, b"500 5.5.2 Commande incomprise"),
        (b"EHLO deux mots", b"501 5.5.4 Syntaxe incorrecte"),
        (b"EHLO", b"501 5.5.4 Syntaxe incorrecte"),
        (b"QUIT maintenant", b"501 5.5.4 Syntaxe incorrecte"),
    ],
)
def test_each_command_has_its_own_french_answer(opens: Opener, command: bytes, answer: bytes) -> None:
    opened = opens(message_bytes=1000)
    with opened.peer() as peer:
        assert peer.greet().ask(command) == answer + b"\r\n"


def test_nobody_relays_through_the_door(opens: Opener) -> None:
    """H2."""
    opened = opens()
    with opened.peer() as peer:
        peer.greet().ask(b"MAIL FROM:<a@ps.test>")
        for address in (b"<x@ailleurs.test>", b"<x%ailleurs.test@autre.test>", b"<@oct.test:x@ailleurs.test>", b"<>"):
            assert peer.ask(b"RCPT TO:" + address) == b"550 5.1.1 Destinataire inconnu\r\n"
        assert peer.ask(b"DATA").startswith(b"503 ")


def test_a_screened_sender_hears_why(opens: Opener) -> None:
    """H6."""
    opened = opens()
    opened.house.refusal = Reply(550, "5.7.1 Expediteur non inscrit\r\n250 faux")
    with opened.peer() as peer:
        assert peer.greet().ask(b"MAIL FROM:<a@ps.test>") == b"550 5.7.1 Expediteur non inscrit??250 faux\r\n"
        assert peer.ask(b"RCPT TO:<" + OURS.encode() + b">").startswith(b"503 ")


def test_the_hundred_and_first_recipient_waits_for_another_message(opens: Opener) -> None:
    """H2."""
    opened = opens(recipients=2)
    with opened.peer() as peer:
        peer.greet().ask(b"MAIL FROM:<a@ps.test>")
        answers = [peer.ask(b"RCPT TO:<%d@oct.test>" % number) for number in range(3)]
    assert answers[1:] == [b"250 2.0.0 OK\r\n", b"452 4.5.3 Trop de destinataires\r\n"]


def test_a_client_that_closes_its_side_after_the_dot_still_gets_its_answer(opens: Opener) -> None:
    opened = opens()
    opened.house.answer = slow_yes
    with opened.peer() as peer:
        peer.greet().envelope().say(b"corps\r\n.\r\n")
        peer.sock.shutdown(1)
        assert peer.reply() == b"250 2.0.0 apres coup\r\n"
        assert peer.ended()


def test_a_client_that_leaves_does_not_interrupt_the_commit(opens: Opener) -> None:
    """P1: the message is on disk or is not, whatever the peer does."""
    opened = opens()
    finished: list[bytes] = []

    async def commit(transaction: Transaction) -> Reply:
        await asyncio.sleep(0.2)
        finished.append(transaction.content)
        return Reply(250, "2.0.0 OK")

    opened.house.answer = commit
    with opened.peer() as peer:
        peer.greet().envelope().say(b"corps\r\n.\r\n")
        opened.loop.run(until(lambda: bool(opened.house.received)))
    opened.loop.run(until(lambda: bool(finished)))


def test_several_addresses_are_listened_on(opens: Opener) -> None:
    opened = opens(listen=("127.0.0.1:0", "127.0.0.2:0"))
    assert len(opened.door.ports) == 2
    with opened.peer(port=opened.door.ports[0]) as peer:
        peer.greet()


@pytest.mark.parametrize("address", ["25", "hote", "hote:", "hote:smtp", "hote:70000"])
def test_an_address_that_is_none_is_told_at_start(address: str) -> None:
    with pytest.raises(ConfigurationError, match="adresse-ecoute"):
        listener(address)


def test_addresses_to_listen_on_are_read() -> None:
    assert (listener("tls://[::1]:465").host, listener("tls://[::1]:465").implicit_tls) == ("::1", True)
    assert (listener("0.0.0.0:25").port, listener("0.0.0.0:25").implicit_tls) == (25, False)


async def slow_yes(_: Transaction) -> Reply:
    await asyncio.sleep(0.2)
    return Reply(250, "2.0.0 apres coup")


def test_every_refusal_is_told_and_nothing_else(opens: Opener) -> None:
    """Sender, recipient, size, content, the callable's own word; a syntax error is none."""
    opened = opens(message_bytes=1000)

    async def refuse(_transaction: Transaction) -> Reply:
        return Reply(550, "5.7.1 Expediteur inconnu")

    opened.house.answer = refuse
    with opened.peer() as peer:
        peer.greet()
        for command in (
            b"MAIL FROM:<a@ps.test> SIZE=2000",
            b"NIMPORTE",
            b"MAIL FROM:<a@ps.test>",
            b"RCPT TO:<x@y.test>",
        ):
            peer.ask(command)
        peer.ask(b"RSET")
        peer.envelope().say(MESSAGE + b".\r\n")
        peer.reply()
        peer.envelope().say(b"x" * 999 + b"\r\n.\r\n")
        peer.reply()
    assert opened.house.refused == [
        ("127.0.0.1", 552, "5.3.4 Message trop volumineux : 1000 octets au plus"),
        ("127.0.0.1", 550, "5.1.1 Destinataire inconnu"),
        ("127.0.0.1", 550, "5.7.1 Expediteur inconnu"),
        ("127.0.0.1", 554, "5.6.0 Ligne trop longue dans le message"),
    ]
