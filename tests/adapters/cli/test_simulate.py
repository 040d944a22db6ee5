"""`oct simulate`: the two simulators as programs, around a running concentrator."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.adapters.cli.desk import AMC, OFFICIAL, PRACTITIONERS, Office

_OCT = [sys.executable, "-c", "import sys; from oct.cli import main; sys.exit(main())"]


@contextmanager
def program(folder: Path, *line: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs until it is told to stop, and its output."""
    whole = [*_OCT, *line, "--config", str(folder)]
    with subprocess.Popen(whole, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def place(process: subprocess.Popen[str]) -> str:
    """The host:port that ends its first line."""
    assert process.stdout is not None
    return process.stdout.readline().split()[-1]


def until(process: subprocess.Popen[str], said: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if said in line:
            return
    raise AssertionError(said)


def test_a_practitioner_s_files_reach_the_insurers_who_answer(office: Office) -> None:
    for noun, content in (("insurers", OFFICIAL), ("insurers", AMC), ("ps", PRACTITIONERS)):
        assert office(noun, "import", office.file("table.csv", content)).code == 0
    path = office.folder / "oct.toml"
    configuration = path.read_text(encoding="utf-8").replace(
        '# listen = ["127.0.0.1:2525"]', 'listen = ["127.0.0.1:0"]'
    )
    with (
        program(office.folder, "simulate", "insurer", "--listen", "127.0.0.1:0", "--door", "127.0.0.1:9") as insurers,
    ):
        routes = f'routes = {{ "rss.fr" = "{place(insurers)}", "boite.example" = "127.0.0.1:9" }}'
        path.write_text(configuration.replace("# routes = {}", routes), encoding="utf-8")
        with program(office.folder, "run") as concentrator:
            line = ["simulate", "ps", "421234567", "--listen", "127.0.0.1:0", "--door", place(concentrator)]
            with program(office.folder, *line) as practitioner:
                until(practitioner, ": 250 ")
                until(insurers, "lots")
                for process in (practitioner, insurers, concentrator):
                    process.send_signal(signal.SIGTERM)
                    assert process.wait(30) == 0
    assert office("status", "--json").json["messages"] == {"processed": 1}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["insurer", "--answer", "zut"], "au choix : arl, rsp"),
        (["insurer", "--listen", "zut", "--door", "x"], "hôte:port"),
        (["ps", "421234567"], "L'annuaire est vide"),
    ],
)
def test_what_a_simulator_lacks_is_told(office: Office, line: list[str], said: str) -> None:
    office("ps", "import", office.file("ps.csv", PRACTITIONERS))
    result = office("simulate", *line)
    assert result.code == 2
    assert said in result.err


def test_simulated_insurers_need_the_trial_authority(office: Office) -> None:
    (office.folder / "essai" / "racine.key").unlink()
    result = office("simulate", "insurer")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "« oct init --test »" in result.err
