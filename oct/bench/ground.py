"""A throw-away concentrator: a folder with keys, configuration and a filled database, as an operator sets one up.

Everything that leaves goes to one relay, the sink. All insurers have certificates of their own on one and the same
key: it saves the seconds of making thirty, and costs the concentrator the same.
"""

from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from oct.bench.parties import CAISSES, CONCENTRATOR, NUMBER, SENDERS, address_of, mailbox_of
from oct.clock import system_clock, utc
from oct.crypto.atrest import create_master_key
from oct.crypto.authority import TestAuthority
from oct.crypto.keystore import OwnKey, private_pem
from oct.crypto.private_files import write_key, write_private
from oct.settings import load
from oct.steps.register.enrol import OwnPlace, enrol
from oct.store import insurers, practitioners
from oct.store.engine import Store, open_store
from oct.store.schema import upgrade
from oct.trace.heads import create_key

_CONFIGURATION = """\
# Écrit par « oct bench » : un concentrateur d'essai, seul sur cette machine.
[oct]
number = "{number}"
address = "{address}"
name = "Banc d'essai"

[smtp]
listen = ["127.0.0.1:{door}"]

[delivery]
relay = "127.0.0.1:{relay}"

[store]
url = "{store}"

[queue]
url = "{queue}"
"""


class Ground:
    """`directory` must exist and be empty, `store` be the URL of an empty database; `relay` is the sink's port."""

    def __init__(self, directory: Path, relay: int, *, store: str = "sqlite:///oct.db", queue: str = "") -> None:
        authority = TestAuthority.create(utc(system_clock()) - timedelta(days=1))
        self.directory = directory
        self.door = _free_port()
        self.config = directory / "oct.toml"
        self.own = authority.issue(CONCENTRATOR)
        _write_keys(directory / "keys", self.own)
        self.config.write_text(
            _CONFIGURATION.format(
                number=NUMBER, address=CONCENTRATOR, door=self.door, relay=relay, store=store, queue=queue
            ),
            encoding="utf-8",
        )
        settings = load(self.config, {}).settings
        upgrade(settings.store.url)
        opened = open_store(settings.store.url)
        _register(opened)
        _enrol(opened, authority, OwnPlace(CONCENTRATOR, settings.keys.directory, None))
        opened.close()


def _write_keys(directory: Path, own: OwnKey) -> None:
    (directory / "master").mkdir(parents=True)
    (directory / "journal").mkdir()
    write_private(directory / "oct.key", private_pem(own.private_key))
    (directory / "oct.pem").write_bytes(own.certificate.public_bytes(Encoding.PEM))
    create_master_key(directory / "master" / "banc.master")
    (directory / "pseudonymes").mkdir()
    write_key(directory / "pseudonymes" / "banc.pseudonyme")
    create_key(directory / "journal", "banc")


def _register(store: Store) -> None:
    now = system_clock()
    with store.begin() as conn:
        for sender in SENDERS:
            practitioners.add(
                conn, number=sender.number, type=sender.type, name=sender.name, address=mailbox_of(sender), now=now
            )
        for caisse in CAISSES:
            label = f"CAISSE D'ESSAI {caisse.organism}"
            insurer_id = insurers.upsert_amo(
                conn,
                regime=caisse.regime,
                organism=caisse.organism,
                centre=caisse.computer_centre,
                label=label,
                address=address_of(caisse),
                recipient_type=caisse.type,
            )
            insurers.map_caisse(conn, caisse.regime, caisse.caisse, caisse.centre, label, insurer_id)


def _enrol(store: Store, authority: TestAuthority, own: OwnPlace) -> None:
    first = authority.issue(address_of(CAISSES[0]))
    shared = first.private_key.public_key()
    listed = [*authority.certificates, *(authority.certify(address_of(caisse), shared) for caisse in CAISSES)]
    files = [(f"{rank}.pem", one.public_bytes(Encoding.PEM)) for rank, one in enumerate(listed)]
    enrol(store, files, own, now=system_clock(), actor="oct bench")


def _free_port() -> int:
    """A port that nobody listens on now: the processes of both roles must know it beforehand."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
