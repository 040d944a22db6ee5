"""Installations for the tests of the command line: one is made for the session, each test works on its copy."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from oct.bootstrap import open_sealer, open_workshop
from oct.cli import main
from oct.settings import load
from tests.adapters.cli.desk import Office


@pytest.fixture(autouse=True)
def _no_other_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OCT_CONFIG", "OCT_LOG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """A command sets the log of its whole process up; the next test must not know."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `oct init --test` makes, its events under a head: `oct status` has nothing to say."""
    folder = tmp_path_factory.mktemp("oct") / "essai"
    line = ["init", str(folder), "--test", "--number", "552100554", "--address", "oct@essai.example"]
    assert main(line) == 0
    settings = load(folder / "oct.toml", {}).settings
    workshop = open_workshop(settings)
    open_sealer(settings, workshop).run()
    workshop.store.close()
    return folder


@pytest.fixture
def office(installed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Office:
    """A copy of the installation, and `oct` on it."""
    return Office(Path(shutil.copytree(installed, tmp_path / "oct")), capsys)
