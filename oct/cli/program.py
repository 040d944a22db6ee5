"""The whole command line, put together from its nouns."""

from __future__ import annotations

from functools import cache
from typing import Any

import typer

from oct.cli import (
    bench,
    certs,
    config,
    demo,
    health,
    held,
    init,
    insurers,
    keys,
    migrate,
    ps,
    recover,
    returns,
    run,
    simulate,
    status,
    trace,
    users,
)
from oct.cli.usage import Noun

_HELP = "Concentrateur OCT : reçoit les télétransmissions des PS, les répartit par assureur, rapporte les retours."


@cache
def command() -> Any:
    """The command that runs any line; made once, for building all of them takes as long as most of them run."""
    program = Noun(_HELP)
    for single in (
        init.init,
        migrate.migrate,
        run.run,
        health.health,
        demo.demo,
        bench.bench,
        config.config,
        status.status,
        recover.recover,
    ):
        program.command()(single)
    for name, noun in (
        ("ps", ps.app),
        ("insurers", insurers.app),
        ("certs", certs.app),
        ("held", held.app),
        ("returns", returns.app),
        ("trace", trace.app),
        ("keys", keys.app),
        ("users", users.app),
        ("simulate", simulate.app),
    ):
        program.add_typer(noun, name=name)
    return typer.main.get_command(program)
