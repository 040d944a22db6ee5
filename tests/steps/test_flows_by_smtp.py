"""The other flows through the whole program: its door on a real port, its openers, a real server outside."""

from __future__ import annotations

import asyncio
import base64
import smtplib
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from oct.crypto.keystore import KeyRing
from oct.programs import embedded
from oct.simulators.envelopes import Judge, seal, unseal, unwrap
from oct.simulators.mail import Letter
from oct.steps.workshop import Workshop
from oct.store import increments
from tests.journeys.waiting import until
from tests.steps.bench import OCT, PKI, Outside, installed

FLOWS = Path(__file__).parents[1] / "vectors" / "flows"
ADDRESS, ISSUER, BOURG = "pont@boite.example", "dloi@emetteur.example", "01011@011.01.rss.fr"
PATIENCE_S = 30
SENT = b"<20261121080000000001@concentrateur.example>"


def sealed(name: str, description: str) -> bytes:
    """A golden message with its file encrypted to the concentrator by the openssl command."""
    certificate = x509.load_pem_x509_certificate((PKI / "oct.pem").read_bytes())
    head, _, _ = (FLOWS / f"{name}.eml").read_bytes().partition(b"\r\n\r\n")
    head = head.replace(description.encode(), f"{description}/K".encode())
    cms = seal((FLOWS / f"{name}.bin").read_bytes(), certificate, by=Judge.OPENSSL)
    return head + b"\r\n\r\n" + base64.encodebytes(cms).replace(b"\n", b"\r\n")


def hand_over(port: int, mail_from: str, raw: bytes) -> None:
    """One SMTP transaction."""
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.sendmail(mail_from, [OCT], raw)


def awaited(outside: Outside, address: str, wanted: Callable[[Letter], bool]) -> Letter:
    """The first message for an address that is the one wanted."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = next((letter for letter in outside.of(address) if wanted(letter)), None)
        if found is not None:
            return found
        time.sleep(0.02)
    pytest.fail(f"rien pour {address}")


def kept(workshop: Workshop) -> list[int]:
    """The increments that the concentrator has."""
    with workshop.store.read() as conn:
        return increments.numbers(conn)


def play(port: int, outside: Outside, workshop: Workshop) -> None:
    """SCOR, a notice that it failed, an increment, the request for it."""
    hand_over(port, ADDRESS, sealed("scor", "SCOR/SV"))
    letter = awaited(outside, BOURG, lambda one: one.description == "SCOR/SV/ZK")
    key = next(key for key in KeyRing.load(PKI).keys if key.name == BOURG)
    assert unwrap(unseal(letter.content, key, Judge.OPENSSL)) == (FLOWS / "scor.bin").read_bytes()
    uid = str(letter.message["Message-ID"]).encode()
    hand_over(port, "", (FLOWS / "notice-failed.eml").read_bytes().replace(SENT, uid))
    awaited(outside, ADDRESS, lambda one: b"pas pu \xeatre remis \xe0 BOURG EN BRESSE" in one.content)
    hand_over(port, ISSUER, (FLOWS / "dloi-102.eml").read_bytes())
    until("the increment is kept", lambda: kept(workshop) == [102])
    hand_over(port, ADDRESS, sealed("request-behind", "DDLOI/SV"))
    increment = awaited(outside, ADDRESS, lambda one: one.description == "DLOI/SV")
    assert increment.content == (FLOWS / "dloi-102.bin").read_bytes()
    awaited(outside, ADDRESS, lambda one: b"Incr\xe9ments de la liste d'opposition envoy\xe9s : 1" in one.content)
    hand_over(port, ADDRESS, (FLOWS / "nothing.eml").read_bytes())
    awaited(outside, ADDRESS, lambda one: b"EN ATTENTE" in one.content)


def test_the_other_flows_go_through_the_whole_program(tmp_path: Path, sqlite_url: str) -> None:
    with installed(tmp_path, sqlite_url, f'[dloi]\nissuer = "{ISSUER}"\n') as (settings, workshop, outside):

        async def run() -> None:
            program = embedded(settings, workshop)
            await program.start()
            try:
                await asyncio.to_thread(play, program.ports[0], outside, workshop)
            finally:
                await program.stop()

        asyncio.run(run())
