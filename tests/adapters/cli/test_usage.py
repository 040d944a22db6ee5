"""What every command shares: French, one line, exit codes, the log."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from oct.cli import status
from oct.cli.logs import configure
from tests.adapters.cli.desk import Office

_NOUNS = ("ps", "insurers", "certs", "held", "trace", "keys", "simulate", "users")
_OCT = [sys.executable, "-c", "import sys; from oct.cli import main; sys.exit(main())"]


def test_help_is_in_french(office: Office) -> None:
    for line in (["--help"], *([noun, "--help"] for noun in _NOUNS), ["run", "--help"], ["ps", "add", "--help"]):
        result = office.bare(*line)
        assert result.code == 0
        assert result.out.startswith("Usage : oct")
        for english in ("Usage:", "Options:", "Commands:", "Arguments:", "Show this", "[default", "required"):
            assert english not in result.out


def test_help_imports_neither_the_database_nor_the_door() -> None:
    """So that it answers at once."""
    script = (
        "import sys\nfrom oct.cli import main\nmain(['--help'])\n"
        "heavy = {'sqlalchemy', 'alembic', 'aiosmtpd', 'cryptography', 'pydantic', 'structlog'} & set(sys.modules)\n"
        "sys.exit(' '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["zut"], "commande ou argument inconnu ; « oct --help » donne l'usage."),
        (["ps", "zut"], "commande ou argument inconnu ; « oct ps --help » donne l'usage."),
        (["ps", "list", "de trop"], "commande ou argument inconnu ; « oct ps list --help » donne l'usage."),
        (["status", "--zut"], "option inconnue : --zut ; « oct status --help » donne l'usage."),
        (["ps", "show"], "il manque NUMERO ; « oct ps show --help » donne l'usage."),
        (["ps", "list", "--config"], "l'option --config attend une valeur, ou n'en prend pas ;"),
        (["run", "--role", "zut"], "valeur incorrecte pour --role (valeurs possibles : all, smtp,"),
        (["held", "show", "x"], "valeur incorrecte pour ID ;"),
    ],
)
def test_a_wrong_line_is_told_in_one_french_line(office: Office, line: list[str], said: str) -> None:
    result = office.bare(*line)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"oct : {said}")
    assert result.err.count("\n") == 1


def test_why_the_system_refuses_is_said_in_french(office: Office) -> None:
    absent = office.folder / "absent.pem"
    result = office("certs", "add", absent)
    assert (result.code, result.err) == (2, f"oct : {absent} : fichier ou répertoire introuvable.\n")


def test_a_noun_alone_shows_its_help(office: Office) -> None:
    result = office.bare("ps")
    assert result.code == 2
    assert result.out.startswith("Usage : oct ps")


def test_without_database_a_command_says_what_to_do(office: Office) -> None:
    (office.folder / "oct.db").unlink()
    result = office("ps", "list")
    assert result.code == 2
    assert "« oct migrate »" in result.err


def test_without_its_configuration_a_command_says_what_to_do(office: Office) -> None:
    result = office.bare("ps", "list", "--config", office.folder / "absent.toml")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "« oct init »" in result.err


def test_the_configuration_may_come_from_the_environment(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCT_CONFIG", str(office.folder))
    assert office.bare("ps", "list").code == 0


def test_an_unexpected_exception_is_one_line_without_its_text(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The details go to the log by type and place; the traceback is for OCT_LOG=debug alone."""

    def broken(*_: object) -> None:
        raise ValueError("secret")

    monkeypatch.setattr(status, "_refusals", broken)
    quiet = office("status")
    assert quiet.code == 1
    assert "Erreur inattendue (ValueError)" in quiet.err
    assert "secret" not in quiet.err
    assert "Traceback" not in quiet.err
    monkeypatch.setenv("OCT_LOG", "debug")
    assert "Traceback" in office("status").err


def test_libraries_log_their_fixed_texts_only(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info")
    logging.getLogger("sqlalchemy.engine").info("SELECT secret")
    logging.getLogger("sqlalchemy.pool").warning("refused %r", "secret")
    try:
        raise ValueError("secret")
    except ValueError:
        logging.getLogger("asyncio").exception("Task failed\nfuture: secret")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["text"] for line in lines] == ["refused %r", "Task failed"]
    assert lines[1]["error"] == "ValueError"
    assert "secret" not in json.dumps(lines)


def test_an_unknown_level_of_log_is_refused(office: Office) -> None:
    result = office("run", "--log", "bavard")
    assert (result.code, result.err) == (
        2,
        "oct : Niveau de journal inconnu ; au choix : debug, info, warning, error.\n",
    )


def test_the_program_itself_gives_the_exit_code(office: Office, tmp_path: Path) -> None:
    def run(*line: str) -> int:
        return subprocess.run([*_OCT, *line], cwd=tmp_path, capture_output=True, timeout=60, check=False).returncode

    assert run("config", "--check", "--config", str(office.folder)) == 0
    assert run("trace", "show", "ABCDEF", "--config", str(office.folder)) == 1
    assert run("config", "--check", "--config", "absent.toml") == 2
