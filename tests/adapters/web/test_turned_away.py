"""Whom the console and the API turn away before they know who it is: all is in the trace, a flood as a few rows."""

from __future__ import annotations

import pytest

from oct.domain.rights import Role
from oct.store.events import Event
from tests.adapters.web.rig import PASSWORD, Browser, Rig

NIR = "255081416802538"


def told(rig: Rig) -> list[tuple[str, object, object, str]]:
    """Outcome, status, reason and actor."""
    return [(one.outcome, one.data.get("statut"), one.data.get("motif"), one.actor) for one in rig.turned_away()]


@pytest.mark.parametrize("query", [f"/recherche?q={NIR}%00", f"/messages/{NIR}%00", "/api/v1/messages/%00"])
def test_a_nul_in_an_identifier_is_told_without_what_was_typed(sqlite_rig: Rig, query: str) -> None:
    assert sqlite_rig.browser().get(query).status_code == 400
    (event,) = sqlite_rig.turned_away()
    assert event.data == {"adresse": "192.0.2.10", "statut": 400, "motif": "demande-incorrecte"}


def test_a_cookie_of_a_session_that_is_over_is_told_with_whose_it_was(rig: Rig) -> None:
    """Signed out, shown again: by whoever it is."""
    browser = rig.signed_in("auditrice", Role.AUDITOR)
    stolen = dict(browser.http.cookies)
    browser.post("/deconnexion")
    thief = rig.browser(peer="198.51.100.7")
    thief.http.cookies.update(stolen)
    assert thief.get(f"/messages/{NIR}").status_code == 303
    (event,) = rig.turned_away()
    assert (event.actor, event.outcome) == ("auditrice", "refuse")
    assert event.data == {
        "adresse": "198.51.100.7", "statut": 401, "motif": "non-connecte", "page": "/messages/…",
    }  # fmt: skip


def test_an_expired_and_a_stolen_cookie_are_told_each_time_they_are_shown(sqlite_rig: Rig) -> None:
    """The first time by the end of the session itself."""
    for name, peer, hours in (("une", "192.0.2.10", 13), ("deux", "203.0.113.5", 0)):
        browser = sqlite_rig.signed_in(name)
        thief = sqlite_rig.browser(peer=peer)
        thief.http.cookies.update(dict(browser.http.cookies))
        sqlite_rig.clock.forward(hours=hours)
        for _ in range(2):
            assert thief.get("/messages").status_code == 303
            sqlite_rig.clock.forward(minutes=1)
    assert [actor for _, _, actor in sqlite_rig.told("session")] == ["une", "deux"]
    assert [event.actor for event in sqlite_rig.turned_away()] == ["une", "une", "deux", "deux"]


def test_a_forged_form_is_told_with_whose_session_it_used(sqlite_rig: Rig) -> None:
    browser = sqlite_rig.signed_in("operatrice")
    browser.csrf = "0" * 64
    assert browser.post("/deconnexion").status_code == 403
    assert told(sqlite_rig) == [("refuse", 403, "formulaire-perime", "operatrice")]


def test_who_comes_by_for_the_first_time_is_nobody_to_tell_of(sqlite_rig: Rig) -> None:
    browser = sqlite_rig.browser()
    assert browser.get("/messages").status_code == 303
    sqlite_rig.account("operatrice")
    assert browser.sign_in("operatrice", PASSWORD).status_code == 303
    assert sqlite_rig.turned_away() == []


def test_a_flood_is_one_event_a_minute_and_address_and_one_that_counts_the_others(sqlite_rig: Rig) -> None:
    calls = Browser(sqlite_rig.browser().http, sqlite_rig.clock)
    for _ in range(2):
        for _ in range(20):
            assert calls.get("/api/v1/messages", headers={"Authorization": "Bearer oct_1"}).status_code == 401
        sqlite_rig.clock.forward(minutes=1)
    found = sqlite_rig.turned_away()
    assert [(one.outcome, one.data.get("nombre")) for one in found] == [
        ("refuse", None), ("refuse", None), ("autres", 19), ("autres", 19),
    ]  # fmt: skip


def test_addresses_without_end_are_one(sqlite_rig: Rig) -> None:
    """An IPv6 client counts with its /64; beyond twenty addresses a minute the others are one."""
    desk = sqlite_rig.app.state.desk
    for host in range(500):
        desk.turned_away.note(f"2001:db8:0:0::{host:x}", 401, "jeton-absent")
        desk.turned_away.note(f"10.0.{host // 250}.{host % 250}", 401, "jeton-absent")
    found: list[Event] = sqlite_rig.turned_away()
    assert len(found) <= 2 * 21
    assert sum(int(one.data.get("nombre", 1)) for one in found) == 1000
