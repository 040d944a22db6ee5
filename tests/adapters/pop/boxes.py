"""A real POP server on real mailboxes in a real database, and peers that speak to it by raw sockets."""

from __future__ import annotations

import poplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import trustme

from oct.clock import system_clock
from oct.pop.mailboxes import Mailboxes
from oct.pop.server import PopServer
from oct.steps.mailbox import HostedMailboxes
from oct.store import consignments, events, mailboxes, messages, payloads, practitioners
from oct.store.engine import Store
from oct.store.events import Event
from oct.store.mailboxes import MailboxCounts, MailboxItem
from tests.adapters.smtp.doors import Loop
from tests.adapters.store.arrivals import NOW, VAULT, arrive, new_consignment

PASSWORD = "k3fa-90xt-mm2e-7vqc"
LOGIN = "cabinet1"


def letter(owner: str, number: int, lines: int = 3) -> bytes:
    """An invented return, whose body says whose it is; it has a line of one dot and lines that begin with dots."""
    body = "".join(f"ligne {line}\r\n" for line in range(lines))
    text = f"Subject: retour {number}\r\nX-Boite: {owner}\r\n\r\n{owner}/{number}\r\n.\r\n..deux\r\n{body}"
    return text.encode("ascii")


@dataclass(slots=True)
class House:
    """The database behind the server: mailboxes by login, all with the same password."""

    store: Store
    hosted: HostedMailboxes
    hashed: str
    """The hash of PASSWORD, made once because it is slow."""

    def add(self, login: str) -> int:
        """A practitioner with a mailbox; its id."""
        with self.store.begin() as conn:
            number = f"{len(practitioners.list_all(conn)) + 1:09d}"
            owner = practitioners.add(
                conn, number=number, type="IF", name="Cabinet", address=f"{login}@ps.test", now=NOW
            )
            practitioners.set_mailbox(conn, owner, login, self.hashed)
        return owner

    def put(self, owner: int, *contents: bytes) -> None:
        """Returns for a mailbox, all under one message."""
        with self.store.begin() as conn:
            known = messages.by_id(conn, 1)
            message_id = known.id if known is not None else arrive(conn, 1)
            payload_ids = payloads.put_many(conn, VAULT, contents, NOW)
            sent = [new_consignment(message_id, payload_id, payload_id) for payload_id in payload_ids]
            consignment_ids = consignments.insert_many(conn, sent)
            for content, payload_id, consignment_id in zip(contents, payload_ids, consignment_ids, strict=True):
                mailboxes.deposit(conn, owner, payload_id, consignment_id, len(content), NOW)

    def listing(self, owner: int) -> list[MailboxItem]:
        with self.store.read() as conn:
            return mailboxes.listing(conn, owner)

    def counts(self, owner: int) -> MailboxCounts:
        with self.store.read() as conn:
            return mailboxes.counts(conn, owner)

    def trace(self) -> list[Event]:
        with self.store.read() as conn:
            return events.of_message(conn, 1)

    def instant_logins(self) -> Mailboxes:
        """Everything real but the slowness of argon2."""
        return replace(self.hosted.callables(), authenticate=self._known)

    def _known(self, login: str, password: str) -> int | None:
        with self.store.read() as conn:
            mailbox = practitioners.mailbox(conn, login)
        return mailbox.practitioner_id if mailbox is not None and password == PASSWORD else None


@dataclass(slots=True)
class Opened:
    """A running server, what is behind it, and what a client needs."""

    server: PopServer
    house: House
    loop: Loop
    trusting: ssl.SSLContext

    def peer(self, number: int = 0) -> Peer:
        """A raw connection to one of its addresses, greeted."""
        return Peer(self.server.ports[number])

    def client(self) -> poplib.POP3_SSL:
        """Python's client on the second address, TLS from the start."""
        return poplib.POP3_SSL("127.0.0.1", self.server.ports[1], timeout=20, context=self.trusting)

    def logged_in(self, login: str = LOGIN) -> poplib.POP3_SSL:
        client = self.client()
        try:
            client.user(login)
            client.pass_(PASSWORD)
        except poplib.error_proto:
            client.close()
            raise
        return client


class Peer:
    """A raw socket that can say anything."""

    def __init__(self, port: int) -> None:
        self.sock: socket.socket = socket.create_connection(("127.0.0.1", port), 20)
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def say(self, octets: bytes) -> None:
        self.sock.sendall(octets)

    def line(self) -> bytes:
        """One line, or nothing when the server has closed."""
        while b"\n" not in self._unread:
            octets = self._receive()
            if not octets:
                return b""
            self._unread += octets
        line, _, self._unread = self._unread.partition(b"\n")
        return line + b"\n"

    def lines(self) -> list[bytes]:
        """The rest of a multi-line answer, without the final dot."""
        found = []
        while (line := self.line()) not in {b".\r\n", b""}:
            found.append(line)
        return found

    def ask(self, command: bytes) -> bytes:
        self.say(command + b"\r\n")
        return self.line()

    def secure(self, context: ssl.SSLContext) -> Self:
        self.sock = context.wrap_socket(self.sock, server_hostname="127.0.0.1")
        return self

    def rest(self) -> bytes:
        """All that comes until the server closes."""
        octets = self._unread
        while more := self._receive():
            octets += more
        return octets

    def _receive(self) -> bytes:
        try:
            return self.sock.recv(65536)
        except ConnectionError:
            return b""


def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """A server's context; fetchmail asks for a common name, the others for an address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert("127.0.0.1", common_name="localhost").configure_cert(context)
    return context


def write_identity(authority: trustme.CA, folder: Path) -> tuple[Path, Path, Path]:
    """Files of the authority, of the server's chain and of its key."""
    issued = authority.issue_cert("127.0.0.1")
    paths = folder / "authority.pem", folder / "server.pem", folder / "server.key"
    authority.cert_pem.write_to_path(paths[0])
    issued.cert_chain_pems[0].write_to_path(paths[1])
    issued.private_key_pem.write_to_path(paths[2])
    return paths


def open_mailboxes(store: Store, chance: Callable[[int], bytes], name: str = "pop-essai-") -> HostedMailboxes:
    return HostedMailboxes(store, VAULT, system_clock, chance, name)


Opener = Callable[..., Opened]
