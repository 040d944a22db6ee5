"""R5, K1: of a return is said where it truly is, on every page that shows it, and by the API."""

from __future__ import annotations

import re

from sqlalchemy import update

from oct.domain.rights import Role
from oct.store import mailboxes
from oct.store.tables import consignments, mailbox_items
from tests.adapters.web.rig import START, Browser, Rig
from tests.adapters.web.traffic import ANSWER, PS, TRACE, Traffic, play


def said(browser: Browser, there: Traffic) -> str:
    """What every page says of it; they must agree."""
    pages = (f"/messages/{ANSWER}", f"/messages/{TRACE}", f"/retours/{there.returned}", "/retours",
             f"/praticiens/{PS}", f"/lots/{there.lots[0]}")  # fmt: skip
    words = set()
    for path in pages:
        page = browser.get(path).text
        link = page.find(f'"/retours/{there.returned}"')
        near = page[max(0, link) :]
        found = re.search(r'<span class="state [a-z]*">([^<]+)</span>', near)
        assert found is not None, path
        words.add(found[1])
    assert len(words) == 1, words
    return words.pop()


def test_a_return_is_told_from_the_queue_to_the_hands_of_its_practitioner(rig: Rig) -> None:
    there = play(rig)
    browser = rig.signed_in("auditrice", Role.AUDITOR)
    store = rig.workshop.store

    def letter(**fields: object) -> None:
        with store.begin() as conn:
            conn.execute(update(consignments).where(consignments.c.kind == "retour").values(**fields))

    assert said(browser, there) == "transmis au PS"
    letter(state="waiting")
    assert said(browser, there) == "en attente de remise au PS"
    letter(state="failed")
    assert said(browser, there) == "non remis au PS"
    letter(state="delivered", delivered_at=START)
    with store.begin() as conn:
        item = mailboxes.deposit(conn, there.account, 1, there.art + 1, 900, START)
    assert said(browser, there) == "déposé dans sa boîte hébergée"
    with store.begin() as conn:
        mailboxes.hide(conn, there.account, [item], START + 1)
    assert said(browser, there) == "effacé de sa boîte sans être lu"
    letter(delivered_at=START + 2)  # taken back, and sent to the practitioner's own mailbox
    assert said(browser, there) == "transmis au PS"
    with store.begin() as conn:
        conn.execute(update(mailbox_items).values(hidden_at=None))
        mailboxes.mark_fetched(conn, there.account, [item], START + 3)
    assert said(browser, there) == "relevé par le PS"
