"""What machines ask of the console: life, readiness, figures (H8, K1)."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from oct.store import events
from oct.store.events import Event
from oct.web.desk import WebRules
from tests.adapters.web.rig import Rig, console


def test_it_is_alive_and_ready_for_anybody(rig: Rig) -> None:
    browser = rig.browser()
    assert (browser.get("/health").status_code, browser.get("/ready").status_code) == (200, 200)


def test_it_is_not_ready_on_another_schema_but_alive(rig: Rig) -> None:
    with rig.workshop.store.begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    browser = rig.browser()
    assert (browser.get("/ready").status_code, browser.last.text) == (503, "base-autre-version\n")
    assert browser.get("/health").status_code == 200


def test_figures_are_those_of_the_database(rig: Rig) -> None:
    with rig.workshop.store.begin() as conn:
        events.append(conn, [Event(rig.clock.now - 90_000, "essai", "fait")])
    families = {one.name: one for one in text_string_to_metric_families(rig.browser().get("/metrics").text)}
    assert families["oct_unproven_seconds"].samples[0].value == 90
    assert {sample.labels["left"] for sample in families["oct_certificates"].samples} == {"echu", "7j", "30j", "plus"}
    assert [sample.labels for sample in families["oct_own_certificate_days"].samples] == [{"key": "oct"}]
    assert families["oct_oldest_due_seconds"].samples[0].value == 0


def test_readiness_and_figures_may_be_kept_to_some_networks(tmp_path: Path, sqlite_url: str) -> None:
    rules = WebRules(probe_networks=(ip_network("10.0.0.0/8"), ip_network("fd00::/8")))
    with console(tmp_path / "oct", sqlite_url, web=rules) as rig:
        for peer, status in (("10.1.2.3", 200), ("::ffff:10.1.2.3", 200), ("fd00::1", 200), ("192.0.2.1", 404)):
            browser = rig.browser(peer=peer)
            assert (browser.get("/ready").status_code, browser.get("/metrics").status_code) == (status, status)
            assert browser.get("/health").status_code == 200
