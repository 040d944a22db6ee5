"""An account to look around with: the console of a demonstration that stays, with its telephone on the terminal."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event

from rich.console import Console

from oct.crypto.totp import code_at, secret_text
from oct.domain.rights import Role
from oct.steps.register.accounts import one_time, open_account
from oct.steps.register.own_account import choose_password, confirm_factor, propose_factor, proposed_secret
from oct.steps.workshop import Workshop

LOGIN = "demo"


@dataclass(frozen=True, slots=True)
class Visitor:
    """What signs in."""

    password: str = field(repr=False)
    secret: bytes = field(repr=False)


def welcome(workshop: Workshop) -> Visitor:
    """A new account with every right, its second factor enrolled."""
    once, now = one_time(workshop.chance), workshop.clock()
    with workshop.store.begin() as conn:
        account = open_account(
            conn, LOGIN, "Démonstration", Role.ADMINISTRATOR, once, payloads=True, now=now, actor="demo"
        )
        propose_factor(conn, workshop.vault, workshop.chance, account, now)
    with workshop.store.read() as conn:
        secret = proposed_secret(conn, workshop.vault, account)
    assert secret is not None
    code = code_at(secret, now - 30_000)  # the one before, so that the first one that is shown has not served
    confirm_factor(workshop.store, workshop.vault, account, code, now=now, session_id=0)
    choose_password(workshop.store, account, once.password, now=now, session_id=0)
    return Visitor(once.password, secret)


def show_around(console: Console, workshop: Workshop, address: str, stay: Event) -> None:
    """Prints how to come in, and shows the code of the moment until `stay` is set."""
    visitor = welcome(workshop)
    console.print(
        f"Console : {address}, identifiant {LOGIN}, mot de passe {visitor.password}", markup=False, soft_wrap=True
    )
    console.print(f"Second facteur : {secret_text(visitor.secret)}, ou le code affiché ici.", markup=False)
    with console.status("") as status:
        while not stay.wait(1):
            status.update(f"Code du moment : {code_at(visitor.secret, workshop.clock())}")
