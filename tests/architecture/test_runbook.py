"""What an operator is told to type exists, and what is watched is measured: the runbook, the alerts, the dashboard."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from oct.cli.program import command
from oct.web import metrics
from tests.adapters.web.rig import console

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "infra" / "runbook").glob("*.md"))
MONITORING = ROOT / "infra" / "monitoring"
RULES: list[dict[str, Any]] = YAML(typ="safe").load(MONITORING / "alerts.yml")["groups"][0]["rules"]
_SPAN = re.compile(r"`([^`\n]+)`")
_METRIC = re.compile(r"\boct_[a-z_]+\b")
_ENDS = frozenset({"|", "&&", ";", ">", "<"})
_PROGRAM = command()


def commands(page: str) -> Iterator[tuple[list[str], bool]]:
    """What follows `oct` in code, and whether it stands in a block, to be typed as it is; a span may only name it."""
    blocks = {line.strip() for line in page.splitlines() if line.startswith("    ")}
    for code in (*blocks, *_SPAN.findall(page)):
        words = shlex.split(code, comments=True) if code.count("'") % 2 == 0 else code.split()
        if "oct" in words and words[0] in ("oct", "docker", "sudo"):
            line = words[words.index("oct") + 1 :]
            end = next((place for place, word in enumerate(line) if word in _ENDS), len(line))
            if line[:end]:
                yield line[:end], code in blocks


def fault(words: list[str], is_whole: bool) -> str:
    """What the program would say of a line; empty when nothing."""
    found, rest = _PROGRAM, list(words)
    while hasattr(found, "commands"):
        if not rest or rest[0] not in found.commands:
            return f"no such command: {words}"
        found = found.commands[rest.pop(0)]
    options = {name: one for one in found.params for name in (*one.opts, *one.secondary_opts) if name.startswith("-")}
    given = 0
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            given += 1
        elif word not in options:
            return f"no such option: {word} in {words}"
        elif not options[word].is_flag:
            rest[:1] = []
    wanted = sum(one.required for one in found.params if one.param_type_name == "argument")
    return f"arguments are missing: {words}" if is_whole and given < wanted else ""


@pytest.mark.parametrize("path", PAGES, ids=[path.name for path in PAGES])
def test_every_command_of_the_runbook_exists_with_its_options(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert [said for line in commands(page) if (said := fault(*line))] == []


def test_a_command_that_does_not_exist_is_found() -> None:
    """The test above can fail."""
    said = [fault(*line) for line in commands("`oct helb list`, `oct held list --al`\n    oct held release | cat\n")]
    assert [one.partition(":")[0] for one in said] == ["arguments are missing", "no such command", "no such option"]


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "infra" / "runbook" / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in PAGES if path.name != "README.md" and f"({path.name})" not in index] == []


def test_links_between_the_pages_lead_somewhere() -> None:
    for path in PAGES:
        for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), (path.name, target)


def test_what_is_watched_is_measured_and_explained(tmp_path: Path, sqlite_url: str) -> None:
    """Every metric of the alerts and of the dashboard is in /metrics; the page of the alerts knows each of them."""
    with console(tmp_path / "oct", sqlite_url) as rig:
        text = metrics.exposition(rig.workshop).decode()
    measured = {family.name for family in text_string_to_metric_families(text)}
    dashboard = json.loads((MONITORING / "grafana" / "oct.json").read_text(encoding="utf-8"))
    drawn = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    watched = {name for told in (*(rule["expr"] for rule in RULES), *drawn) for name in _METRIC.findall(told)}
    page = (ROOT / "infra" / "runbook" / "alerts.md").read_text(encoding="utf-8")
    assert watched == measured
    assert {name for name in (*measured, *(rule["alert"] for rule in RULES)) if f"`{name}`" not in page} == set()
