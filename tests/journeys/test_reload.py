"""SIGHUP: certificates, keys and settings are read again, and no connection that is open notices."""

from __future__ import annotations

import poplib
import re
import signal
import smtplib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from oct.simulators.invoices import Kind
from oct.simulators.sending import Reply
from tests.journeys.conftest import Launch
from tests.journeys.golden import OCT
from tests.journeys.judgement import everything_arrived_once
from tests.journeys.practice import ADDRESS, GARE, KINE, LABO, PONT, practice
from tests.journeys.traffic import Accepted, Traffic
from tests.journeys.waiting import PATIENCE_S, until
from tests.journeys.world import World, free_port

SEED = 20_261_500


class Doors:
    """A world whose doors have a certificate of a throw-away authority, which can be renewed."""

    world: World

    def __init__(self, folder: Path) -> None:
        self.chain, self.key = folder / "porte.pem", folder / "porte.key"
        self.pop, self.web = free_port(), free_port()

    def issue(self) -> None:
        """Another certificate, of another authority."""
        issued = trustme.CA().issue_cert("127.0.0.1")
        self.chain.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        self.key.write_bytes(issued.private_key_pem.bytes())

    def sections(self, size: str = "1MiB") -> dict[str, str]:
        """The settings of the doors."""
        return {
            "smtp": f'max_message = "{size}"\ntls_certificate = "{self.chain}"\ntls_key = "{self.key}"',
            "pop": f'listen = ["tls://127.0.0.1:{self.pop}"]',
            "web": f'listen = ["tls://127.0.0.1:{self.web}"]',
        }

    def configure(self, size: str = "1MiB", **more: str) -> None:
        """Other settings; nothing is told to the program."""
        self.world.configure(**self.sections(size) | more)

    def certificates(self) -> list[str]:
        """What new handshakes get: SMTP by STARTTLS, POP3, the console."""
        starttls = f"openssl s_client -starttls smtp -connect 127.0.0.1:{self.world.port}"
        shown = subprocess.run(starttls.split(), input=b"QUIT\n", capture_output=True, check=False).stdout.decode()
        pem = re.search("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", shown, re.DOTALL)
        assert pem is not None, shown
        return [pem[0], *(ssl.get_server_certificate(("127.0.0.1", port)) for port in (self.pop, self.web))]

    def size(self) -> int:
        """The largest message, as a new connection is told."""
        with smtplib.SMTP(*self.world.door, local_hostname="essai.example", timeout=PATIENCE_S) as client:
            client.ehlo()
            return int(client.esmtp_features["size"])

    def mailbox(self, password: str) -> poplib.POP3_SSL:
        """A session of the hosted mailbox."""
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        client = poplib.POP3_SSL("127.0.0.1", self.pop, timeout=PATIENCE_S, context=trusting)
        client.user("labo")
        client.pass_(password)
        return client


@pytest.fixture(scope="module")
def doors(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """One process, which every test reloads."""
    made = Doors(tmp_path_factory.mktemp("portes"))
    made.issue()
    with launch(**made.sections()) as made.world:
        yield made


@contextmanager
def half_sent(world: World, message: bytes) -> Iterator[smtplib.SMTP]:
    """A dialogue in the middle of its DATA."""
    client = smtplib.SMTP(*world.door, local_hostname="essai.example", timeout=PATIENCE_S)
    client.ehlo()
    assert client.mail(ADDRESS[KINE])[0] == 250
    assert client.rcpt(OCT)[0] == 250
    assert client.docmd("DATA")[0] == 354
    client.send(message[: len(message) // 2])
    yield client
    client.close()


def end(client: smtplib.SMTP, message: bytes) -> Reply:
    """The second half of a DATA, and the answer."""
    client.send(message[len(message) // 2 :] + b"\r\n.\r\n")
    code, text = client.getreply()
    return Reply(code, text.decode("ascii"))


def test_a_reload_under_traffic_is_noticed_by_nobody_who_is_connected(doors: Doors) -> None:
    """P1, P2: new handshakes get the new chain and the new limit; a DATA and a mailbox that were open go on."""
    world = doors.world
    told = world.oct("ps", "set", LABO.number, "--return", "boite", "--mailbox", "labo")
    password = re.search(r"mot de passe (\S+) \(montré", told)
    assert password is not None
    traffic = Traffic(world.door, (PONT, GARE), SEED, pause=0.3)
    traffic.start()
    kine = practice(KINE, SEED + 50)
    file = kine.claims.single_file(KINE, kinds=(Kind.FSE, Kind.DRE))
    message = kine.wrap(file)
    try:
        before = doors.certificates()
        mailbox = doors.mailbox(password[1])
        with half_sent(world, message) as client:
            doors.issue()
            doors.configure("2MiB")
            world.reload()
            assert doors.size() == 2 << 20
            after = doors.certificates()
            assert all(one != other for one, other in zip(before, after, strict=True))
            traffic.flows(4)
            assert mailbox.stat() == (0, 0)
            reply = end(client, message)
            assert reply.code == 250
            assert client.noop()[0] == 250
            world.reload()
            world.reload()
            assert client.noop()[0] == 250
            assert mailbox.quit().startswith(b"+OK")
    finally:
        traffic.stop()
    assert [one.tries for one in traffic.accepted] == [1] * len(traffic.accepted)
    world.settle()
    halved = Traffic(world.door, (KINE,), SEED, [Accepted(reply, ADDRESS[KINE], file.lots, 1)])
    everything_arrived_once(world.outside, traffic.with_all_of(halved))
    doors.mailbox(password[1]).quit()


def test_a_faulty_configuration_changes_nothing_and_says_why(doors: Doors) -> None:
    """One line each, and the one before stays in force: a value, a certificate, a port taken, another database."""
    world, certificates, size = doors.world, doors.certificates(), doors.size()
    good = doors.chain.read_bytes()
    with smtplib.SMTP(*world.door, local_hostname="essai.example", timeout=PATIENCE_S):
        taken = f'listen = ["tls://127.0.0.1:{world.outside.port}"]'
        for said, more in (
            ("config-invalide", {"opening": 'max_file = "trois"'}),
            ("ecoute-impossible", {"pop": taken}),
            ("redemarrage-necessaire", {"store": 'url = "sqlite:///autre.db"'}),
        ):
            doors.configure("3MiB", **more)
            world.reload()
            assert f'"code": "{said}"' in world.log.splitlines()[-1]
        doors.configure("3MiB")
        doors.issue()
        doors.chain.write_bytes(good)
        world.reload()
        assert '"code": "certificat-tls"' in world.log.splitlines()[-1]
    assert (doors.size(), doors.certificates()) == (size, certificates)
    doors.issue()
    world.reload()
    assert doors.size() == 3 << 20


def test_an_address_can_come_and_go_by_reloads(doors: Doors) -> None:
    """Only sockets that are no longer asked for are closed."""
    elsewhere = free_port()
    doors.configure(web=f'listen = ["tls://127.0.0.1:{elsewhere}"]')
    doors.world.reload()
    assert ssl.get_server_certificate(("127.0.0.1", elsewhere))
    until("the other one is closed", lambda: not is_open(doors.web))
    doors.configure()
    doors.world.reload()
    assert ssl.get_server_certificate(("127.0.0.1", doors.web))
    assert doors.size() == 1 << 20


def test_a_stop_in_the_middle_of_a_reload_is_a_clean_stop(doors: Doors) -> None:
    """P5: every generation answers its open DATA; who is idle is told 421. The last test of this process."""
    world, kine = doors.world, practice(KINE, SEED + 60)
    message = kine.wrap(kine.claims.single_file(KINE))
    with half_sent(world, message) as client:
        idle = smtplib.SMTP(*world.door, local_hostname="essai.example", timeout=PATIENCE_S)
        world.process.send_signal(signal.SIGHUP)
        world.reload()
        world.process.send_signal(signal.SIGHUP)
        world.process.send_signal(signal.SIGTERM)
        assert idle.getreply()[0] == 421
        idle.close()
        assert end(client, message).code == 250
    assert world.process.wait(PATIENCE_S) == 0
    assert world.log.endswith("Arrêté.\n")


def is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
