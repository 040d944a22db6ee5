"""TLS and AUTH at the door (H9): STARTTLS, implicit TLS, another certificate without a stop."""

from __future__ import annotations

import shutil
import smtplib
import ssl
import subprocess
import warnings
from base64 import b64encode
from pathlib import Path

import pytest
import trustme
from structlog.testing import capture_logs

from oct.doors.listening import require_modern
from oct.errors import ConfigurationError
from oct.smtp.tls import server_context, unverified_context, verifying_context
from tests.adapters.smtp.doors import OURS, Opener, until

PLAIN = b64encode(b"\0cabinet\0ouvre-toi")


def test_a_message_comes_in_over_starttls(opens: Opener, tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    opened = opens(tls=tls)
    with smtplib.SMTP("127.0.0.1", opened.port, "cabinet.test") as client:
        client.ehlo()
        assert client.has_extn("starttls")
        client.starttls(context=trusting)
        client.ehlo()
        assert not client.has_extn("starttls")
        client.sendmail("a@ps.test", [OURS], b"corps\r\n" * 20_000)
    assert [(got.tls, len(got.content)) for got in opened.house.received] == [(True, 140_000)]


def test_what_was_said_in_clear_is_forgotten(opens: Opener, tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    """RFC 3207: the envelope and the EHLO; and a command sent ahead of the handshake is never heard."""
    opened = opens(tls=tls)
    with opened.peer() as peer:
        peer.greet().ask(b"MAIL FROM:<pirate@ps.test>")
        peer.say(b"STARTTLS\r\nRSET\r\nEHLO pirate.test\r\nMAIL FROM:<pirate@ps.test>\r\n")
        assert peer.reply() == b"220 2.0.0 Pret pour TLS\r\n"
        peer.secure(trusting)
        assert peer.ask(b"MAIL FROM:<a@ps.test>").startswith(b"503 ")
        assert peer.ask(b"EHLO cabinet.test").startswith(b"250")
        assert peer.ask(b"STARTTLS").startswith(b"503 ")
        assert peer.envelope().ask(b"corps\r\n.").startswith(b"250 ")
    assert [(got.mail_from, got.helo) for got in opened.house.received] == [("cabinet@ps.test", "cabinet.test")]


def test_openssl_s_client_reads_the_greeting_after_starttls(opens: Opener, tls: ssl.SSLContext) -> None:
    openssl = shutil.which("openssl")
    assert openssl, "openssl manque : apt-get install -y openssl"
    opened = opens(tls=tls)
    command = [openssl, "s_client", "-starttls", "smtp", "-crlf", "-quiet", "-connect", f"127.0.0.1:{opened.port}"]
    done = subprocess.run(command, input=b"EHLO x\nQUIT\n", capture_output=True, timeout=30, check=False)
    assert b"250-porte.oct.test" in done.stdout
    assert b"221 2.0.0 Au revoir" in done.stdout


def test_swaks_delivers_over_tls_with_authentication(opens: Opener, tls: ssl.SSLContext) -> None:
    swaks = shutil.which("swaks")
    assert swaks, "swaks manque : apt-get install -y swaks"
    opened = opens(tls=tls, authenticate=True)
    command = [swaks, "--server", f"127.0.0.1:{opened.port}", "--helo", "x.test", "--from", "a@ps.test", "--to", OURS]
    command += ["--tls", "--auth", "LOGIN", "--auth-user", "cabinet", "--auth-password", "ouvre-toi"]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout
    assert opened.house.received[0].authenticated_as == "cabinet"


def test_less_than_tls_1_2_is_refused(opens: Opener, tls: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
    """H9."""
    opened = opens(tls=tls)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        trusting.minimum_version = ssl.TLSVersion.TLSv1
        trusting.maximum_version = ssl.TLSVersion.TLSv1_1
    trusting.set_ciphers("DEFAULT@SECLEVEL=0")
    with opened.peer() as peer, capture_logs() as logs:
        peer.greet().ask(b"STARTTLS")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            peer.secure(trusting)
        opened.loop.run(until(lambda: not opened.door._desk.sessions))
    assert logs == []


def test_a_context_that_allows_less_is_told_at_start(tmp_path: Path) -> None:
    """H9."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.raises(ConfigurationError, match="tls-trop-ancien"):
        require_modern(context)
    with pytest.raises(ConfigurationError, match="certificat-tls"):
        server_context(tmp_path / "absent.pem", tmp_path / "absent.key")


def test_our_contexts_do_not_rely_on_what_a_python_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    """H9: that of Debian leaves it to OpenSSL's settings, and nothing was ever delivered with it."""
    made = ssl.SSLContext.__new__

    def lax(cls: type[ssl.SSLContext], protocol: int) -> ssl.SSLContext:
        context = made(cls, protocol)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        return context

    monkeypatch.setattr(ssl.SSLContext, "__new__", lax)
    with pytest.raises(ConfigurationError, match="tls-trop-ancien"):
        require_modern(ssl.create_default_context())
    for context in (verifying_context(), unverified_context()):
        assert require_modern(context).minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_certificate_is_read_from_its_files(tmp_path: Path, authority: trustme.CA) -> None:
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "porte.pem")
    issued.private_key_pem.write_to_path(tmp_path / "porte.key")
    context = server_context(tmp_path / "porte.pem", tmp_path / "porte.key")
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_an_address_may_speak_tls_from_the_first_octet(
    opens: Opener, tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    opened = opens(listen=("127.0.0.1:0", "tls://127.0.0.1:0"), tls=tls, authenticate=True)
    with smtplib.SMTP_SSL("127.0.0.1", opened.door.ports[1], "x.test", context=trusting) as client:
        client.login("cabinet", "ouvre-toi")
        client.sendmail("a@ps.test", [OURS], b"corps\r\n")
    assert (opened.house.received[0].tls, opened.house.received[0].authenticated_as) == (True, "cabinet")


def test_implicit_tls_needs_a_certificate(opens: Opener) -> None:
    with pytest.raises(ConfigurationError, match="tls-absent"):
        opens(listen=("tls://127.0.0.1:0",))


def test_authentication_is_neither_offered_nor_taken_in_clear(
    opens: Opener, tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    """H9."""
    opened = opens(tls=tls, authenticate=True)
    with opened.peer() as peer:
        peer.reply()
        assert b"AUTH" not in peer.ask(b"EHLO x.test")
        assert peer.ask(b"AUTH PLAIN " + PLAIN) == b"538 5.7.11 Authentification refusee sans TLS\r\n"
        peer.ask(b"STARTTLS")
        peer.secure(trusting)
        assert b"250-AUTH PLAIN LOGIN\r\n" in peer.ask(b"EHLO x.test")
        assert peer.ask(b"auth plain " + PLAIN) == b"235 2.7.0 Authentification reussie\r\n"


def test_bad_credentials_of_any_form_are_refused_and_counted(
    opens: Opener, tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    """H2, H9."""
    opened = opens(tls=tls, authenticate=True, errors=6)
    with opened.peer() as peer:
        peer.greet().ask(b"STARTTLS")
        peer.secure(trusting).ask(b"EHLO x.test")
        assert peer.ask(b"AUTH PLAIN " + b64encode(b"\0cabinet\0faux")).startswith(b"535 5.7.8 ")
        assert peer.ask(b"AUTH PLAIN " + b64encode(b"\0cabinet\0\xff")).startswith(b"535 5.7.8 ")
        assert peer.ask(b"AUTH PLAIN pas-du-base64").startswith(b"501 5.5.4 ")
        assert peer.ask(b"AUTH CRAM-MD5").startswith(b"504 5.5.4 ")
        peer.ask(b"AUTH LOGIN")
        assert peer.ask(b"*").startswith(b"501 5.5.4 ")
        assert peer.ask(b"AUTH PLAIN " + b64encode(b"\0cabinet\0encore")).startswith(b"421 4.7.0 ")
        assert peer.ended()
