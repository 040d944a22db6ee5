"""The console in a real browser, over TLS, on real traffic: an auditor finds a claim, follows it, exports its proof."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from oct.clock import system_clock
from oct.domain.rights import Role
from oct.steps.journal.seal import Sealer
from oct.trace.heads import load_signer
from tests.journeys.answering import ENTITIES, Recorded, answered
from tests.journeys.browser import PHRASE, Person, chromium
from tests.journeys.conftest import Launch
from tests.journeys.outside import LAYOUTS
from tests.journeys.practice import BOURG, MAILBOX, OWN, PONT, REIMS, practice
from tests.journeys.tls_console import opened, tls_console
from tests.journeys.waiting import PATIENCE_S
from tests.journeys.world import OCT_PROGRAM, World, free_port

_TELEPHONE = ViewportSize(width=390, height=844)


@dataclass(frozen=True)
class Claim:
    """What was sent: a lot that a caisse paid, and one that waits for a person."""

    world: World
    base: str
    trace: str
    invoice: str
    lot: str

    def seal(self) -> None:
        """Puts all that happened under a signed head, now."""
        directory = self.world.directory
        signer = load_signer(directory / "keys" / "journal")
        assert signer is not None
        Sealer(self.world.store, signer, directory / "tetes.jsonl", system_clock).run()


@pytest.fixture(scope="module")
def claim(launch: Launch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Claim]:
    """A message with lots for two caisses: one answers with an ARL and a RSP, the other refuses what it is sent."""
    port, pont = free_port(), practice(PONT, 90)
    with launch(web=tls_console(tmp_path_factory.mktemp("tls"), port)) as world:
        answers = Recorded(
            world.door, layouts=LAYOUTS, entities=ENTITIES, clock=system_clock, certificate=OWN["oct"].certificate
        )
        world.outside.temper.refuse(550, 1, address=MAILBOX[REIMS])
        file = pont.claims.file(PONT, [pont.claims.fse_lot(PONT, caisse, invoices=2) for caisse in (BOURG, REIMS)])
        outcome = world.play(pont.address, pont.wrap(file))
        (kept,) = outcome.opened
        for answer in (answers.acknowledge, lambda one: answers.settle([one])):
            answered(world, answer(kept), 0)
        (lot,) = kept.file.lots
        told = Claim(world, f"https://localhost:{port}", outcome.trace, lot.invoices[0].number, lot.number)
        told.seal()
        yield told


@pytest.fixture(scope="module")
def browser(claim: Claim) -> Iterator[Browser]:
    """After the servers of the simulators: while it runs, this thread counts as inside an event loop."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def sessions(browser: Browser, claim: Claim) -> dict[str, Any]:
    """An open session of each role, for browsers to begin with."""
    begun = {}
    for role in (Role.AUDITOR, Role.OPERATOR):
        person = seat(browser, claim)
        person.enrol(role.value, opened(claim.world, role.value, role))
        begun[role.value] = person.page.context.storage_state()
        person.page.context.close()
    return begun


def seat(browser: Browser, claim: Claim, **options: Any) -> Person:
    """A browser window with nothing in it."""
    context = browser.new_context(ignore_https_errors=True, locale="fr-FR", **options)
    return Person(context.new_page(), claim.base)


@pytest.fixture
def auditor(browser: Browser, claim: Claim, sessions: dict[str, Any]) -> Iterator[Person]:
    person = seat(browser, claim, storage_state=sessions["auditor"])
    yield person
    person.page.context.close()
    assert person.wrong == []


@pytest.fixture
def operator(browser: Browser, claim: Claim, sessions: dict[str, Any]) -> Iterator[Person]:
    person = seat(browser, claim, storage_state=sessions["operator"])
    yield person
    person.page.context.close()
    assert person.wrong == []


def verified(claim: Claim, bundle: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """What a verifier says of a bundle, with the public key and the heads that left the database."""
    (key,) = (claim.world.directory / "keys" / "journal").glob("*.pub")
    heads = claim.world.directory / "tetes.jsonl"
    return subprocess.run(
        [*command, bundle, "--key", key, "--heads", heads],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def tampered(bundle: Path) -> Path:
    """The bundle with one byte of one event changed."""
    changed = bundle.with_name("tampered.zip")
    with zipfile.ZipFile(bundle) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "evenements.jsonl":
                at = content.index(b'"at":') + len(b'"at":') + 3
                content = content[:at] + (b"1" if content[at : at + 1] != b"1" else b"2") + content[at + 1 :]
            target.writestr(name, content)
    return changed


def test_an_auditor_follows_a_claim_to_its_payment_and_takes_the_proof_away(
    browser: Browser, claim: Claim, tmp_path: Path
) -> None:
    """J1, J2: from the number of an invoice to the RSP; the export verifies elsewhere, and not once it is touched."""
    person = seat(browser, claim)
    page = person.page
    telephone = person.enrol("anne", opened(claim.world, "anne", Role.AUDITOR))
    page.get_by_role("button", name="Se déconnecter").click()
    person.sign_in("anne", PHRASE, telephone.at(system_clock() // 1000 + 30))

    page.get_by_label("Rechercher un identifiant").fill(claim.invoice)
    page.get_by_role("button", name="Rechercher").click()
    page.get_by_role("link", name=claim.invoice, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Facture {claim.invoice}")
    expect(page.get_by_text("payée")).to_have_count(1)
    page.locator("dl a", has_text=f"/{claim.lot}/").click()
    expect(page.locator("dl .state").first).to_have_text("payé")
    page.locator("dl").get_by_role("link", name=claim.trace).click()
    journey = page.get_by_role("img", name=f"Parcours du message {claim.trace}")
    expect(journey).to_be_visible()
    for step in ("Reçu", "Ouvert", "Vers BOURG EN BRESSE", "Remis", "ARL", "RSP", "payé", "Retenue"):
        expect(journey.locator("text", has_text=step).first).to_be_visible()
    page.locator("tr", has_text="RSP").get_by_role("link").first.click()
    expect(page.locator("dl .state").first).to_have_text("transmis au PS")

    page.get_by_role("link", name="Journal").click()
    page.locator("tbody a").first.click()
    expect(page.get_by_role("status")).to_contain_text("sous la dernière tête signée")
    page.get_by_role("link", name="Journal").click()
    page.get_by_role("link", name="Exporter un lot de preuve").click()
    page.get_by_label("Numéro de praticien").fill(PONT.number)
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Exporter").click()
    bundle = tmp_path / downloading.value.suggested_filename
    downloading.value.save_as(bundle)
    with zipfile.ZipFile(bundle) as content:
        content.extract("verify.py", tmp_path)
    verifiers = ((sys.executable, tmp_path / "verify.py"), (OCT_PROGRAM, "trace", "verify"))
    for verifier in verifiers:
        said = verified(claim, bundle, *verifier)
        assert said.returncode == 0, said.stdout + said.stderr
        assert verified(claim, tampered(bundle), *verifier).returncode == 1

    page.get_by_role("button", name="Se déconnecter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Connexion")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Connexion")
    assert PONT.number not in page.content()
    assert person.wrong == []
    page.context.close()


def test_the_same_story_is_read_without_scripts(browser: Browser, claim: Claim, sessions: dict[str, Any]) -> None:
    person = seat(browser, claim, java_script_enabled=False, storage_state=sessions["auditor"])
    page = person.visit("/")
    expect(page.get_by_role("heading", name="En attente d'une décision")).to_be_visible()
    page.get_by_label("Rechercher un identifiant").fill(claim.invoice)
    page.get_by_role("button", name="Rechercher").click()
    page.get_by_role("link", name=claim.invoice, exact=True).click()
    page.get_by_role("link", name=claim.trace).click()
    expect(page.get_by_role("img", name=f"Parcours du message {claim.trace}")).to_be_visible()
    page.get_by_role("link", name="Journal").click()
    page.locator("tbody a").first.click()
    expect(page.get_by_role("status")).to_contain_text("sous la dernière tête signée")
    assert person.wrong == []
    page.context.close()


def test_the_keyboard_alone_reaches_search_and_results(auditor: Person, claim: Claim) -> None:
    """Each stop is seen."""
    page = auditor.visit("/")
    keys = page.keyboard
    keys.press("Tab")
    assert auditor.focused() == "Aller au contenu"
    keys.press("Enter")
    keys.press("Tab")
    assert auditor.focused() == "q"
    keys.type(claim.trace)
    keys.press("Tab")
    assert auditor.focused() == "Rechercher"
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Recherche")
    keys.press("Tab")
    keys.press("Enter")
    seen: list[str] = []
    while claim.trace not in seen and len(seen) < 10:
        keys.press("Tab")
        seen.append(auditor.focused())
    assert seen == ["q", "Rechercher", claim.trace]
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Message {claim.trace}")


def test_the_board_refreshes_itself_and_leaves_the_keyboard_where_it_is(auditor: Person) -> None:
    """K1: what changed is there; what is being typed goes on."""
    auditor.page.clock.install()
    page = auditor.visit("/")
    page.get_by_label("Rechercher un identifiant").type("1RV")
    for place in ("#q", "#lots-paid"):
        page.locator(place).focus()
        page.locator("[hx-get]").evaluate("part => part.setAttribute('data-before', '')")
        page.clock.fast_forward(31_000)
        expect(page.locator("[data-before]")).to_have_count(0)
        expect(page.locator("[hx-get]")).to_have_count(1)
        expect(page.locator(place)).to_be_focused()
    expect(page.locator("#q")).to_have_value("1RV")


def test_nothing_keeps_anybody_out_on_a_telephone(auditor: Person, claim: Claim) -> None:
    """No serious finding of axe (WCAG 2 A and AA, contrast too), and no page wider than the screen."""
    auditor.page.set_viewport_size(_TELEPHONE)
    found = []
    for path in (
        "/", f"/messages/{claim.trace}", f"/recherche?q={claim.invoice}", "/lots/1", "/retours/1", "/retenues/1",
        f"/praticiens/{PONT.number}", "/assureurs/1", "/certificats", "/journal", "/journal/3", "/export",
        "/mon-compte",
    ):  # fmt: skip
        auditor.visit(path)
        found += auditor.barriers()
    assert found == []


def test_who_may_not_act_sees_no_button_and_an_operator_lets_go_after_confirming(
    auditor: Person, operator: Person, claim: Claim
) -> None:
    """K2."""
    page = auditor.visit("/retenues/1")
    expect(page.get_by_role("heading", name="Décider")).to_have_count(0)
    assert page.get_by_role("button").all_inner_texts() == ["Se déconnecter"]

    page = operator.visit("/retenues")
    page.locator("tbody a").first.click()
    page.get_by_role("button", name="Libérer…").click()
    expect(page.locator(".notice")).to_contain_text("définitive")
    assert operator.barriers() == []
    assert claim.world.outside.opened(0, MAILBOX[REIMS]) == []
    page.get_by_role("button", name="Confirmer").click()
    expect(page.get_by_role("status")).to_be_visible()
    claim.world.settle()
    assert len(claim.world.outside.opened(0, MAILBOX[REIMS])) == 1
