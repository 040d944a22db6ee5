"""Chromium without a window, and people who sit at it: what eyes, hands and a screen reader meet on the console.

Whatever goes wrong unseen is kept in `Person.wrong`: errors of scripts, breaches of the policy of contents, requests to
anybody else than the console.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyotp
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

PHRASE = "trois cigognes au petit matin"
PATIENCE_MS = 120_000
_ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
_SERIOUS = {"serious", "critical"}


@contextmanager
def chromium() -> Iterator[Browser]:
    """The Chromium of this machine, with an empty profile of its own."""
    program = shutil.which("chromium")
    assert program is not None, "infra/test-tools.sh installs chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=list(_ARGUMENTS), chromium_sandbox=False, timeout=PATIENCE_MS
        )
        yield browser
        browser.close()


@dataclass
class Person:
    """Somebody at the console that `base` is the address of."""

    page: Page
    base: str
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        context: BrowserContext = self.page.context
        context.set_default_timeout(PATIENCE_MS)
        context.on("console", self._said)
        context.on("request", self._asked)
        context.on("weberror", lambda error: self.wrong.append(f"script: {error.error}"))

    def visit(self, path: str) -> Page:
        """Goes to a page."""
        self.page.goto(f"{self.base}{path}")
        return self.page

    def sign_in(self, login: str, password: str, code: str = "") -> None:
        """Fills the form in."""
        page = self.visit("/connexion")
        page.get_by_label("Identifiant").fill(login)
        page.get_by_label("Mot de passe").fill(password)
        page.get_by_label("Code à 6 chiffres").fill(code)
        page.get_by_role("button", name="Se connecter").click()

    def enrol(self, login: str, password: str) -> pyotp.TOTP:
        """The first sign-in, whole; the telephone that was enrolled."""
        self.sign_in(login, password)
        page = self.page
        telephone = pyotp.TOTP(page.locator(".secret").inner_text().replace(" ", ""))
        page.get_by_label("Nouveau mot de passe").fill(PHRASE)
        page.get_by_label("Le même").fill(PHRASE)
        page.get_by_label("Code à 6 chiffres").fill(telephone.now())
        page.get_by_role("button", name="Terminer").click()
        page.get_by_role("heading", level=1, name="Accueil").wait_for()
        return telephone

    def barriers(self) -> list[str]:
        """What of this page keeps some people out: serious findings of axe, and what does not fit the window."""
        found = [
            f"{self.page.url}: {one['id']} {[node['target'] for node in one['nodes']]}"
            for one in Axe().run(self.page, options=_RULES).response["violations"]
            if one["impact"] in _SERIOUS
        ]
        wide = self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        return [*found, *([f"{self.page.url}: wider than the window"] if wide else [])]

    def focused(self) -> str:
        """What the keyboard is on; AssertionError unless that is seen."""
        element = self.page.locator(":focus")
        style, width = element.evaluate(
            "one => [getComputedStyle(one).outlineStyle, getComputedStyle(one).outlineWidth]"
        )
        assert style == "solid", element
        assert float(width.removesuffix("px")) >= 2, element
        return (element.inner_text() or element.get_attribute("id") or "").strip()

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.wrong.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith(f"{self.base}/"):
            self.wrong.append(f"elsewhere: {request.url}")
