"""What practitioners' machines run: Python's poplib, curl, fetchmail and mpop, over TLS, to a real mailbox (R1, R5).

Passwords are checked by argon2 here, as in the field.
"""

from __future__ import annotations

import os
import poplib
import shutil
import subprocess
from pathlib import Path

import pytest
import trustme

from tests.adapters.pop.boxes import LOGIN, PASSWORD, House, Opened, Opener, letter, write_identity

OWNER = 1


def program(name: str) -> str:
    """The path of a client; the test fails when it is missing."""
    found = shutil.which(name)
    assert found is not None, f"{name} is missing: apt-get install {name}"
    return found


def run(command: list[str], folder: Path) -> bytes:
    done = subprocess.run(command, cwd=folder, env={**os.environ, "HOME": str(folder)}, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.fixture
def trust(authority: trustme.CA, folder: Path) -> Path:
    """A file with the authority, for clients."""
    return write_identity(authority, folder)[0]


@pytest.fixture
def opened(opens: Opener, house: House) -> Opened:
    """A server on the real mailboxes, argon2 included."""
    return opens(mailboxes=house.hosted.callables())


def returns() -> list[bytes]:
    return [letter(LOGIN, number) for number in (1, 2, 3)]


def bodies(folder: Path) -> list[bytes]:
    """What a client stored, one file a message, in the form of the wire; without what the client put on top."""
    found = [path.read_bytes().replace(b"\r\n", b"\n") for path in folder.iterdir()]
    return sorted(text[text.index(b"Subject: retour") :].replace(b"\n", b"\r\n") for text in found)


@pytest.mark.parametrize("starttls", [True, False])
def test_poplib_reads_and_deletes(opened: Opened, starttls: bool) -> None:
    """By STLS and by TLS from the start."""
    client = poplib.POP3("127.0.0.1", opened.server.ports[0], timeout=20) if starttls else opened.client()
    if starttls:
        client.stls(context=opened.trusting)
    client.user(LOGIN)
    client.pass_(PASSWORD)
    for number, expected in enumerate(returns(), 1):
        _, lines, octets = client.retr(number)
        assert b"".join(line + b"\r\n" for line in lines) == expected
        assert octets == len(expected)
        client.dele(number)
    client.quit()
    assert opened.house.listing(OWNER) == []
    assert opened.house.counts(OWNER).hidden == 3


@pytest.mark.parametrize(("scheme", "address"), [("pop3", 0), ("pop3s", 1)])
def test_curl_reads(opened: Opened, trust: Path, folder: Path, scheme: str, address: int) -> None:
    """By STLS and by TLS from the start; its login is AUTH PLAIN."""
    base = [program("curl"), "-sS", "--ssl-reqd", "--cacert", str(trust), "--user", f"{LOGIN}:{PASSWORD}"]
    url = f"{scheme}://127.0.0.1:{opened.server.ports[address]}"
    sizes = [item.size for item in opened.house.listing(OWNER)]
    assert run([*base, f"{url}/"], folder).decode() == "".join(f"{n} {size}\r\n" for n, size in enumerate(sizes, 1))
    assert run([*base, f"{url}/2"], folder) == returns()[1]
    assert len(opened.house.listing(OWNER)) == 3


@pytest.mark.parametrize(("address", "options"), [(0, "sslproto tls1.2+"), (1, "ssl")])
def test_fetchmail_takes_everything(opened: Opened, trust: Path, folder: Path, address: int, options: str) -> None:
    stored = folder / "mail"
    stored.mkdir()
    script = private(folder / "store.sh", f'cat > "$(mktemp {stored}/XXXXXX)"\n')
    port = opened.server.ports[address]
    rc = private(
        folder / "fetchmailrc",
        f"poll 127.0.0.1 protocol POP3 port {port} username {LOGIN} password {PASSWORD} {options} sslcertck "
        f'sslcertfile {trust} sslcommonname localhost fetchall no rewrite mda "/bin/sh {script}"\n',
    )
    run([program("fetchmail"), "-f", str(rc), "--nosyslog", "--pidfile", str(folder / "pid")], folder)
    assert bodies(stored) == returns()
    assert opened.house.listing(OWNER) == []


@pytest.mark.parametrize(("address", "starttls"), [(0, "on"), (1, "off")])
def test_mpop_keeps_on_the_server_what_it_read_and_never_reads_it_again(
    opened: Opened, trust: Path, folder: Path, address: int, starttls: str
) -> None:
    """P6: the UIDL is what it remembers."""
    stored = folder / "maildir"
    for name in ("new", "cur", "tmp"):
        (stored / name).mkdir(parents=True)
    rc = private(
        folder / "mpoprc",
        f"account default\nhost 127.0.0.1\nport {opened.server.ports[address]}\nuser {LOGIN}\npassword {PASSWORD}\n"
        f"tls on\ntls_starttls {starttls}\ntls_trust_file {trust}\nkeep on\ndelivery maildir {stored}\n"
        f"uidls_file {folder / 'uidls'}\nreceived_header off\n",
    )
    command = [program("mpop"), "-C", str(rc), "--quiet"]
    run(command, folder)
    assert bodies(stored / "new") == returns()
    run(command, folder)
    assert len(bodies(stored / "new")) == 3
    opened.house.put(OWNER, letter(LOGIN, 4))
    run(command, folder)
    assert len(bodies(stored / "new")) == 4
