"""A real Dovecot in place of the built-in mailboxes, set up as infra/dovecot.md says (R5).

The concentrator hands a return to the mail server of the mailbox domain; here that is the server of the journeys, which
stands for Postfix and passes on by LMTP what it took. Dovecot runs from a directory of its own with the page's
configuration; what a test must change in it is where files are, who runs it and on which ports.
"""

from __future__ import annotations

import getpass
import grp
import os
import poplib
import pwd
import re
import shutil
import smtplib
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from oct.crypto.passwords import hash_password
from tests.journeys.answering import Recorded, answered, only_letter, sent
from tests.journeys.practice import Practice
from tests.journeys.waiting import PATIENCE_S, until
from tests.journeys.world import ROOT, World, free_port

PASSWORD = "k3fa-90xt-mm2e-7vqc"
_CONFIGURATION = re.compile(r"```\n(protocols = .*?)```", re.DOTALL)
_PLACES = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
listen = 127.0.0.1
service pop3-login {{
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    port = {pop3s}
  }}
}}
"""
_RUN_BY = """
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {user}
service anvil {{
  chroot =
}}
service pop3-login {{
  chroot =
}}
"""
"""Without root nobody can become another user, nor change the root directory."""


@dataclass(frozen=True, slots=True)
class Dovecot:
    """A running one: its doors, and what its clients trust."""

    lmtp: int
    pop3s: int
    trusting: ssl.SSLContext

    def deliver(self, mail_from: str, recipient: str, raw: bytes) -> None:
        """What Postfix does with mail for the mailbox domain."""
        with smtplib.LMTP("127.0.0.1", self.lmtp, local_hostname="postfix.example") as lmtp:
            assert lmtp.sendmail(mail_from, [recipient], raw) == {}

    @contextmanager
    def client(self, login: str, password: str = PASSWORD) -> Iterator[poplib.POP3_SSL]:
        """A practitioner's program, logged in; it ends with QUIT."""
        client = poplib.POP3_SSL("127.0.0.1", self.pop3s, timeout=PATIENCE_S, context=self.trusting)
        with closing(client):
            client.user(login)
            client.pass_(password)
            yield client
            client.quit()


def page(home: Path, user: str, ports: tuple[int, int]) -> str:
    """The configuration that the page gives, with the places, the user and the ports of a test."""
    found = _CONFIGURATION.search((ROOT / "infra" / "dovecot.md").read_text(encoding="utf-8"))
    assert found is not None
    text = found[1]
    for said, here in {
        "/etc/dovecot/private/": f"{home}/",
        "/etc/dovecot/users": f"{home}/users",
        "/var/vmail/": f"{home}/mail/",
        "uid=vmail gid=vmail": f"uid={user} gid={grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name}",
        "unix_listener /var/spool/postfix/private/dovecot-lmtp {": f"inet_listener lmtp {{\n    port = {ports[0]}",
        "    mode = 0600\n    user = postfix\n    group = postfix\n": "",
    }.items():
        assert said in text, f"the page does not say {said} any more"
        text = text.replace(said, here)
    return f"{text}{_PLACES.format(home=home, pop3s=ports[1])}{'' if os.geteuid() == 0 else _RUN_BY.format(user=user)}"


@contextmanager
def dovecot(**passwords: str) -> Iterator[Dovecot]:
    """One whose users have these passwords, hashed as the concentrator keeps them. It serves no mail of root's."""
    program = shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    assert program is not None, "dovecot is missing: apt-get install dovecot-lmtpd dovecot-pop3d"
    user = "nobody" if os.geteuid() == 0 else getpass.getuser()
    authority, ports = trustme.CA(), (free_port(), free_port())
    issued = authority.issue_cert("127.0.0.1")
    home = Path(tempfile.mkdtemp(prefix="octdovecot"))
    try:
        home.chmod(0o755)
        (home / "mail").mkdir()
        shutil.chown(home / "mail", user)
        issued.cert_chain_pems[0].write_to_path(home / "boites.pem")
        issued.private_key_pem.write_to_path(home / "boites.key")
        users = [f"{login}:{{ARGON2ID}}{hash_password(password)}\n" for login, password in passwords.items()]
        (home / "users").write_text("".join(users))
        (home / "dovecot.conf").write_text(page(home, user, ports))
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        with subprocess.Popen([program, "-F", "-c", home / "dovecot.conf"]) as process:
            try:
                until("Dovecot listens", lambda: (home / "run" / "master.pid").exists())
                yield Dovecot(*ports, trusting)
            finally:
                process.terminate()
    finally:
        shutil.rmtree(home)


def test_a_return_passes_through_dovecot_byte_for_byte_and_nobody_else_reads_it(
    world: World, pont: Practice, answers: Recorded
) -> None:
    """R1, R5: with the password that the built-in mailbox had."""
    one, before = sent(world, pont), len(world.outside.arrivals)
    letter = only_letter(answered(world, answers.acknowledge(one.opened), before))
    with dovecot(pont=PASSWORD, gare=PASSWORD) as boxes:
        boxes.deliver(letter.mail_from, letter.rcpt_to, letter.raw)
        with boxes.client("pont") as client:
            _, lines, _ = client.retr(1)
            client.dele(1)
        raw = b"".join(line + b"\r\n" for line in lines)
        assert raw.endswith(letter.raw)
        on_top = raw.removesuffix(letter.raw).splitlines()
        assert all(line.startswith((b"Return-Path:", b"Delivered-To:", b"Received:", b"\t")) for line in on_top)
        for login in ("pont", "gare"):
            with boxes.client(login) as client:
                assert client.stat() == (0, 0)
        with pytest.raises(poplib.error_proto), boxes.client("pont", "faux"):
            pass
