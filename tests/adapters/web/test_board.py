"""The home board: what `oct status` says needs a person, it says too, of traffic that is really there (K1)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from html import unescape
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select

from oct.bootstrap import standing_alerts
from oct.clock import utc
from oct.crypto.authority import TestAuthority
from oct.domain.rights import Role
from oct.settings import load
from oct.steps.register.enrol import OwnPlace, enrol
from oct.store import events, insurers
from oct.store.alerts import REFUSAL, REFUSED, SLOWED
from oct.store.events import Event
from oct.store.tables import consignments
from oct.web.app import create_app
from tests.adapters.web.markup import faults
from tests.adapters.web.rig import Rig
from tests.adapters.web.traffic import PS, play, seal


def watched(rig: Rig, home: Path, **settings: str) -> Rig:
    """The same console, as the program wires it to what is watched besides the traffic."""
    loaded = load(home / "oct.toml", {"OCT_JOURNAL__HEADS": str(home / "tetes.jsonl"), **settings}).settings
    desk = replace(rig.app.state.desk, alerts=partial(standing_alerts, loaded, rig.workshop.store))
    return replace(rig, app=create_app(desk))


def test_it_says_what_the_trace_the_door_and_the_disk_need(rig: Rig, tmp_path: Path) -> None:
    """T1, H4, P3: events under no published head, refusals and slowed senders, a disk nearly full."""
    there, home = play(rig), tmp_path / "oct"
    slowed = Event(rig.clock.now, SLOWED, "ps", practitioner_id=there.account, data={"pair": "192.0.2.7"})
    refused = Event(rig.clock.now, REFUSAL, REFUSED, data={"code": 550, "pair": "192.0.2.8"})
    with rig.workshop.store.begin() as conn:
        events.append(conn, [slowed, refused, refused])
    rig.clock.forward(minutes=2)
    browser = watched(rig, home, OCT_STORE__MIN_FREE="1000000GiB").signed_in("auditrice", Role.AUDITOR)
    page = browser.get("/")
    assert faults(page.text) == []
    said = " ".join(unescape(page.text).split())
    for words in (
        "1 en attente de décision : caisse-inconnue", "des événements ne sont sous aucune tête publiée",
        f"PS {PS} : trop de messages indéchiffrables", "<dt>SMTP 550</dt><dd>2</dd>", "concentrateur (oct) :",
        "sans réponse", 'href="/assureurs/',
    ):  # fmt: skip
        assert words in said, words
    if rig.workshop.store.dialect == "sqlite":
        assert "disque de la base presque plein" in said


def test_it_says_nothing_of_what_is_well(sqlite_rig: Rig, tmp_path: Path) -> None:
    home = tmp_path / "oct"
    play(sqlite_rig)
    seal(sqlite_rig, home)
    browser = watched(sqlite_rig, home, OCT_STORE__MIN_FREE="1").signed_in("auditrice", Role.AUDITOR)
    said = unescape(browser.get("/").text)
    for words in ("tête publiée", "indéchiffrables", "presque plein", "SMTP 550"):
        assert words not in said, words


def test_a_certificate_that_ends_soon_is_an_alert_until_it_is_renewed(sqlite_rig: Rig, tmp_path: Path) -> None:
    """K1: of an insurer by its name, of whoever else by the address."""
    play(sqlite_rig)
    begins = utc(sqlite_rig.clock.now) - timedelta(days=1)
    authority = TestAuthority.create(begins)
    with sqlite_rig.workshop.store.read() as conn:
        insurer = insurers.list_all(conn)[0]
    key = authority.issuing.private_key.public_key()

    def file(address: str, days: int) -> None:
        issued = [*authority.certificates, authority.certify(address, key, lasting=timedelta(days=days))]
        files = [("essai.pem", one.public_bytes(Encoding.PEM)) for one in issued]
        place = OwnPlace("oct@exemple.test", tmp_path, None)
        enrol(sqlite_rig.workshop.store, files, place, now=sqlite_rig.clock.now, actor="essai")

    def said() -> str:
        return unescape(browser.get("/").text)

    file(insurer.address, 20)
    file("ps@exemple.test", 21)
    browser = sqlite_rig.signed_in("auditrice", Role.AUDITOR)
    alerts = said()[: said().index("Destinations qui refusent")]
    assert f"{insurer.label}, {insurer.address} : Expire le" in alerts
    assert "ps@exemple.test : Expire le" in alerts
    file(insurer.address, 300)
    renewed = said()[: said().index("Destinations qui refusent")]
    assert insurer.address not in renewed
    assert "ps@exemple.test : Expire le" in renewed


def test_it_names_who_refuses_with_its_last_words(sqlite_rig: Rig) -> None:
    """K1: destinations that refuse, since when."""
    there = play(sqlite_rig)
    with sqlite_rig.workshop.store.begin() as conn:
        to = conn.execute(select(consignments.c.recipient).where(consignments.c.id == there.sent)).scalar_one()
        conn.execute(
            consignments.update()
            .where(consignments.c.id == there.sent)
            .values(state="waiting", due_at=sqlite_rig.clock.now, delivered_at=None, attempts=3, reply="451 plus tard")
        )
    said = unescape(sqlite_rig.signed_in("auditrice", Role.AUDITOR).get("/").text)
    refusing = said[said.index("Destinations qui refusent") :]
    assert to in refusing
    assert "451 plus tard" in refusing
    assert "Envois déjà tentés et reportés : 1." in said
