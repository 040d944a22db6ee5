"""Makes the console's pictures of the README: plays the demonstration, signs in with Chromium, keeps pages as PNG.

    python -m infra.pictures.console

Trace numbers and times differ at each run; the pictures are made by hand when what they show has changed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from playwright.sync_api import Page, ViewportSize
from sqlalchemy import func, select

from oct.cli.logs import configure
from oct.crypto.totp import code_at
from oct.demo.acts import ACTS
from oct.demo.later_acts import LATER_ACTS
from oct.demo.stage import Stage
from oct.demo.visitor import LOGIN, welcome
from oct.demo.world import AIN, BETA, CONCENTRATOR, DOCTOR, LABORATORY, LOIRE, NURSE, PHYSIO, World, address_of
from oct.simulators.parties import Caisse
from oct.simulators.sending import deliver
from oct.store import journal
from oct.store.tables import events, holds
from tests.journeys.browser import chromium

_FOLDER = Path(__file__).parent
_SCREEN = ViewportSize(width=1536, height=1000)
_NOT_LISTED = Caisse("01", "671", "0000", "671", "086")


def waiting(stage: Stage) -> None:
    """What an operator has to see to: the acts themselves leave nothing behind."""
    claims, world = stage.world.claims, stage.world
    for sender in (LABORATORY, NURSE):
        lots = [claims.fse_lot(sender, _NOT_LISTED), claims.fse_lot(sender, LOIRE)]
        stage.expect_art(stage.submit("Caisse inconnue", sender, claims.file(sender, lots)), "TRAITÉ EN PARTIE")
    world.insurer.temper.refuse(450, 1000, address=address_of(BETA))
    stage.submit("Mutuelle fermée", PHYSIO, claims.file(PHYSIO, [claims.dre_lot(PHYSIO, BETA)]))
    world.answers.settle([world.insurer.opened(address_of(AIN))[0]])
    deliver(world.door, "inconnu@ailleurs.example", CONCENTRATOR, b"Subject: bonjour\r\n\r\nbonjour\r\n")


def sealed(world: World) -> None:
    """Waits until all that has happened is under a signed head."""
    with world.workshop.store.read() as conn:
        size = conn.execute(select(func.count()).select_from(events)).scalar_one()

    def covered() -> bool:
        with world.workshop.store.read() as conn:
            head = journal.last_head(conn)
        return head is not None and head.size >= size

    assert world.until(covered) or world.until(covered)


def sign_in(page: Page, world: World) -> None:
    """Comes in with the demonstration's account."""
    visitor = welcome(world.workshop)
    page.get_by_label("Identifiant").fill(LOGIN)
    page.get_by_label("Mot de passe").fill(visitor.password)
    page.get_by_label("Code à 6 chiffres").fill(code_at(visitor.secret, world.workshop.clock()))
    page.get_by_role("button", name="Se connecter").click()
    page.get_by_role("heading", level=1, name="Accueil").wait_for()


def pictures(stage: Stage) -> Iterator[tuple[str, str]]:
    """The name of each, and the page on it."""
    with stage.world.workshop.store.read() as conn:
        hold = conn.execute(select(holds.c.id).where(holds.c.closed_at.is_(None)).limit(1)).scalar_one()
    yield "board", "/"
    yield "message", f"/messages/{stage.acts[0].trace}"
    yield "search", f"/recherche?q={DOCTOR.number}/001"
    yield "hold", f"/retenues/{hold}"
    yield "proof", "/journal/12"


def take(stage: Stage) -> None:
    """Walks through the pages."""
    host, port = stage.world.web
    with chromium() as browser:
        page = browser.new_context(viewport=_SCREEN, locale="fr-FR").new_page()
        page.goto(f"http://{host}:{port}/")
        sign_in(page, stage.world)
        for name, path in pictures(stage):
            page.goto(f"http://{host}:{port}{path}")
            page.screenshot(path=_FOLDER / f"console-{name}.png")


if __name__ == "__main__":
    prepare = partial(configure, "", "error")
    prepare()
    with tempfile.TemporaryDirectory(prefix="oct-demo-") as folder, World(Path(folder), prepare) as running:
        played = Stage(running)
        for act in (*ACTS, *LATER_ACTS, waiting):
            act(played)
        sealed(running)
        take(played)
