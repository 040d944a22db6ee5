"""The embedded program opens the hosted mailboxes' door as its settings say (R5, P5, H9)."""

from __future__ import annotations

import asyncio
import poplib
import shutil
import ssl
from pathlib import Path

import pytest
import trustme

from oct.bootstrap import open_workshop
from oct.crypto.atrest import create_master_key
from oct.crypto.private_files import write_key
from oct.errors import ConfigurationError
from oct.programs import embedded
from oct.settings import load
from oct.steps.workshop import Workshop
from oct.store import mailboxes, payloads, practitioners
from oct.trace.heads import create_key
from tests.adapters.pop.boxes import LOGIN, PASSWORD, letter, write_identity
from tests.adapters.store.arrivals import NOW, add_practitioner

_PKI = Path(__file__).parents[2] / "vectors" / "claims" / "pki"


def written(home: Path, url: str, pop: str) -> Path:
    """A configuration whose SMTP door has a certificate."""
    (home / "keys" / "master").mkdir(parents=True)
    for name in ("oct.key", "oct.pem"):
        shutil.copy(_PKI / name, home / "keys")
    create_master_key(home / "keys" / "master" / "essai.master")
    (home / "keys" / "pseudonymes").mkdir()
    write_key(home / "keys" / "pseudonymes" / "essai.pseudonyme")
    path = home / "oct.toml"
    (home / "keys" / "journal").mkdir()
    create_key(home / "keys" / "journal", "essai")
    path.write_text(f'[store]\nurl = "{url}"\n[smtp]\nlisten = ["127.0.0.1:0"]\n{pop}')
    return path


def deposit(workshop: Workshop, hashed: str) -> None:
    with workshop.store.begin() as conn:
        owner = add_practitioner(conn)
        practitioners.set_mailbox(conn, owner, LOGIN, hashed)
        content = letter(LOGIN, 1)
        payload_id = payloads.put(conn, workshop.vault, content, NOW)
        mailboxes.deposit(conn, owner, payload_id, None, len(content), NOW)
        mailboxes.try_lock(conn, owner, "embarque/mort", NOW, 2**52)


def read(port: int, trusting: ssl.SSLContext) -> bytes:
    client = poplib.POP3_SSL("127.0.0.1", port, timeout=20, context=trusting)
    client.user(LOGIN)
    client.pass_(PASSWORD)
    found = b"".join(line + b"\r\n" for line in client.retr(1)[1])
    client.quit()
    return found


def test_the_program_serves_mailboxes_with_the_certificate_of_its_smtp_door(
    sqlite_url: str, authority: trustme.CA, trusting: ssl.SSLContext, hashed: str, folder: Path
) -> None:
    """Locks of a predecessor that died are given back first."""
    _, chain, key = write_identity(authority, folder)
    pop = f'tls_certificate = "{chain}"\ntls_key = "{key}"\n[pop]\nlisten = ["tls://127.0.0.1:0"]\n'
    settings = load(written(folder, sqlite_url, pop), {}).settings
    workshop = open_workshop(settings)
    deposit(workshop, hashed)

    async def serve() -> bytes:
        program = embedded(settings, workshop)
        await program.start()
        try:
            return await asyncio.to_thread(read, program.pop_ports[0], trusting)
        finally:
            await program.stop()

    assert asyncio.run(serve()) == letter(LOGIN, 1)


def test_mailboxes_that_nobody_could_open_are_a_fault_of_the_settings(sqlite_url: str, folder: Path) -> None:
    settings = load(written(folder, sqlite_url, '[pop]\nlisten = ["127.0.0.1:0"]\n'), {}).settings
    workshop = open_workshop(settings)
    with pytest.raises(ConfigurationError, match="pop-sans-tls"):
        embedded(settings, workshop)
    workshop.store.close()
