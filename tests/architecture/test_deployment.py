"""What is deployed is what the program offers: the compose file and the units are well formed, their commands exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from oct.cli.run import Role
from oct.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
UNITS = sorted((ROOT / "infra" / "systemd").glob("*.service"))
SERVICES: dict[str, Any] = YAML(typ="safe").load(COMPOSE)["services"]


def roles(words: list[str]) -> Iterator[str]:
    return (following for word, following in pairwise(words) if word == "--role")


def test_the_compose_file_follows_the_specification() -> None:
    """By the schema that check-jsonschema ships: nothing is fetched."""
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_every_role_has_its_container_with_a_health_check() -> None:
    run = {name: one["command"] for name, one in SERVICES.items() if one.get("command", [""])[0] == "run"}
    assert {role for words in run.values() for role in roles(words)} == {*Role} - {Role.ALL}
    for name, words in run.items():
        assert list(roles(words)) == [name] == list(roles(SERVICES[name]["healthcheck"]["test"]))


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_container_is_read_only_unprivileged_and_not_root(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["user"] not in ("root", "0")
    assert "no-new-privileges:true" in service["security_opt"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_what_is_mounted_has_a_place(name: str) -> None:
    """A comma in a list without quotes makes two entries of one, which the schema does not mind."""
    service = SERVICES[name]
    places = [*service.get("tmpfs", ()), *(one.split(":")[1] for one in service.get("volumes", ()))]
    assert all(place.startswith("/") for place in places)


def test_who_proves_the_trace_writes_where_it_may() -> None:
    """T1, T5: the folder of the configuration, where heads and logbook lie by default, is read-only to the roles."""
    (state,) = [one.split(":")[1] for one in SERVICES["beat"]["volumes"] if not one.endswith(":ro")]
    unit = (ROOT / "infra" / "systemd" / "oct-beat.service").read_text(encoding="utf-8")
    assert f"StateDirectory={Path(state).name}\n" in unit
    for file in ("HEADS", "LOGBOOK"):
        assert Path(SERVICES["beat"]["environment"][f"OCT_JOURNAL__{file}"]).parent == Path(state)
        assert f"OCT_JOURNAL__{file}={state}/" in unit


def test_secrets_and_variables_of_containers_are_settings() -> None:
    known = {f"{name}__{key}" for name, field in Settings.model_fields.items() for key in keys(field.default)}
    own = SERVICES["smtp"]
    named = {name.removeprefix("OCT_").lower() for name in own["environment"] if "__" in name} | {*own["secrets"]}
    assert named - known == set()


def keys(section: Any) -> Iterator[str]:
    return iter(type(section).__pydantic_fields__)


@pytest.mark.parametrize("path", UNITS, ids=[path.name for path in UNITS])
def test_a_unit_runs_the_role_of_its_name(path: Path) -> None:
    unit = ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(path, encoding="utf-8")
    words = shlex.split(unit["Service"]["ExecStart"])
    assert words[1] == "run"
    named = re.fullmatch(r"oct-([a-z]+)@?\.service", path.name)
    assert named is not None
    assert list(roles(words)) == [Role(named[1])]
    assert unit["Service"]["User"] == "oct"
    assert unit["Service"]["ExecReload"].endswith("kill -HUP $MAINPID")
    assert "ExecReload=/opt/oct/bin/oct config --check\n" in path.read_text(encoding="utf-8")


def test_every_role_has_its_unit_in_the_target() -> None:
    target = (ROOT / "infra" / "systemd" / "oct.target").read_text(encoding="utf-8")
    assert {role for role in Role if f"oct-{role}" in target} == {*Role} - {Role.ALL}
