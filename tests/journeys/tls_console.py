"""The console over TLS, under a certificate of an authority of the test's own, and accounts for it."""

from __future__ import annotations

import os
from pathlib import Path

import trustme

from oct.clock import system_clock
from oct.domain.rights import Role
from oct.steps.register.accounts import one_time, open_account
from tests.journeys.world import World


def tls_console(folder: Path, port: int) -> str:
    """The lines of [web]; the certificate, its key and the authority (`authority.pem`) are put into `folder`."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "console.pem")
    issued.private_key_pem.write_to_path(folder / "console.key")
    return (
        f'listen = ["tls://127.0.0.1:{port}"]\n'
        f'tls_certificate = "{folder / "console.pem"}"\ntls_key = "{folder / "console.key"}"'
    )


def opened(world: World, login: str, role: Role = Role.OPERATOR) -> str:
    """A new account; its one-time password."""
    once, now = one_time(os.urandom), system_clock()
    with world.store.begin() as conn:
        open_account(conn, login, login, role, once, payloads=False, now=now, actor="essai")
    return once.password
