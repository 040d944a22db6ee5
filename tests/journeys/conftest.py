"""The concentrators of the journeys: an installation for the session, a program for each module.

A program costs seconds of CPU to start, so the tests of a module share one where they can; `make test` gives a module
to one process of pytest-xdist.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from oct.clock import system_clock
from oct.simulators.envelopes import Judge
from tests.databases import Postgres
from tests.journeys.answering import ENTITIES, Recorded
from tests.journeys.fleet import Fleet, fill
from tests.journeys.installation import install
from tests.journeys.outside import LAYOUTS
from tests.journeys.practice import GARE, OWN, PONT, Practice, practice
from tests.journeys.world import OCT_PROGRAM, World, free_port, running
from tests.valkey import Broker

Launch = Callable[..., AbstractContextManager[World]]
MakeFleet = Callable[..., Fleet]


@dataclass(frozen=True, slots=True)
class Filled:
    """What fleets start from: a directory with the keys, and the name of a database, both to be copied."""

    directory: Path
    database: str


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory to copy."""
    directory = tmp_path_factory.mktemp("installation")
    install(directory)
    return directory


@pytest.fixture(scope="session")
def launch(installation: Path, tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """Runs a concentrator with some settings changed, for the length of a `with`."""
    base = tmp_path_factory.mktemp("worlds")

    def launched(
        launcher: Sequence[str | Path] = (OCT_PROGRAM, "run"), judge: Judge = Judge.CRYPTOGRAPHY, **sections: str
    ) -> AbstractContextManager[World]:
        return running(installation, base / uuid4().hex, launcher, judge, **sections)

    return launched


@pytest.fixture(scope="module")
def world(launch: Launch) -> Iterator[World]:
    """A concentrator with short retries, for the tests of a module: what one changes for all, it puts back. It slows
    down nobody who sends rubbish; the openssl command opens what insurers get."""
    with launch(judge=Judge.OPENSSL, opening="undecipherable = 1000") as running_world:
        yield running_world


@pytest.fixture(scope="module")
def pont() -> Practice:
    """A practice; its numbers do not repeat within a module."""
    return practice(PONT, 30)


@pytest.fixture(scope="module")
def gare() -> Practice:
    """Another one."""
    return practice(GARE, 31)


@pytest.fixture
def answers(world: World) -> Recorded:
    """Insurers that seal their answers to the concentrator."""
    certificate = OWN["oct"].certificate
    return Recorded(world.door, layouts=LAYOUTS, entities=ENTITIES, clock=system_clock, certificate=certificate)


@pytest.fixture(scope="session")
def filled(
    postgres_server: Postgres, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Filled]:
    """A PostgreSQL database with the golden practitioners, insurers and certificates."""
    directory, name = tmp_path_factory.mktemp("filling"), f"oct_filled_{uuid4().hex}"
    fill(directory, postgres_server.create(name, postgres_template))
    yield Filled(directory, name)
    postgres_server.drop(name)


@pytest.fixture(scope="module")
def make_fleet(
    postgres_server: Postgres, filled: Filled, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakeFleet]:
    """Fleets on databases of their own, which end with the module."""
    with ExitStack() as stack:

        def made(**sections: str) -> Fleet:
            name = f"oct_{uuid4().hex}"
            directory = Path(shutil.copytree(filled.directory, tmp_path_factory.mktemp("fleet") / name))
            stack.callback(postgres_server.drop, name)
            fleet = Fleet(directory, postgres_server.create(name, filled.database), **sections)
            stack.callback(fleet.close)
            return fleet

        yield made


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of the test's own."""
    server = Broker(free_port(), tmp_path)
    server.start()
    yield server
    server.kill()
