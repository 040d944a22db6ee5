"""The concentrators of the journeys: an installation for the session, a process for each module."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from uuid import uuid4

import pytest

from oct.clock import system_clock
from tests.journeys.answering import ENTITIES, Recorded
from tests.journeys.installation import install
from tests.journeys.outside import LAYOUTS
from tests.journeys.practice import GARE, OWN, PONT, Practice, practice
from tests.journeys.world import OCT_PROGRAM, World, running

Launch = Callable[..., AbstractContextManager[World]]


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
        launcher: Sequence[str | Path] = (OCT_PROGRAM, "run"), **sections: str
    ) -> AbstractContextManager[World]:
        return running(installation, base / uuid4().hex, launcher, **sections)

    return launched


@pytest.fixture(scope="module")
def world(launch: Launch) -> Iterator[World]:
    """A concentrator with short retries, for the tests of a module."""
    with launch() as running_world:
        yield running_world


@pytest.fixture(scope="module")
def pont() -> Practice:
    """A practice, whose numbers no other module's has."""
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
