"""`oct trace export`, `verify` and `rotate`; the key of the journal at `oct init` and `oct run`."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from oct.bootstrap import open_logbook, open_sealer, open_workshop
from oct.settings import load
from tests.adapters.cli.desk import PRACTITIONERS, Office

PS = "421234567"


@pytest.fixture
def sealed(office: Office) -> Office:
    """An installation with a few events under a head."""
    assert office("ps", "import", office.file("praticiens.csv", PRACTITIONERS)).code == 0
    assert office("ps", "close", PS).code == 0
    seal(office)
    return office


def seal(office: Office) -> None:
    settings = load(office.folder / "oct.toml", {}).settings
    workshop = open_workshop(settings)
    open_sealer(settings, workshop).run()
    open_logbook(settings, workshop).run()
    workshop.store.close()


def public_key(office: Office) -> Path:
    return next((office.folder / "keys" / "journal").glob("*.pub"))


def verified(office: Office, *line: str | Path) -> tuple[int, str]:
    heads = office.folder / "tetes.jsonl"
    result = office("trace", "verify", *line, "--key", public_key(office), "--heads", heads)
    return result.code, result.out + result.err


def test_the_whole_log_is_exported_and_verified(sealed: Office) -> None:
    lot = sealed.folder / "lot.zip"
    exported = sealed("trace", "export", lot, "--all")
    assert exported.code == 0, exported.err
    code, said = verified(sealed, lot)
    assert (code, "rien n'a été altéré" in said) == (0, True), said
    assert verified(sealed, "--live")[0] == 0


def test_one_practitioners_traces_are_exported(sealed: Office) -> None:
    lot = sealed.folder / "lot.zip"
    line = ("--ps", PS, "--since", "2020-01-01", "--until", "2099-12-31")
    assert sealed("trace", "export", lot, *line).out.startswith(f"{lot} : 1 événements.")
    code, said = verified(sealed, lot)
    assert (code, "1 événements choisis" in said) == (0, True), said


def test_the_export_is_an_event_and_the_next_head_covers_it(sealed: Office) -> None:
    """J3."""
    sealed("trace", "export", sealed.folder / "lot.zip", "--ps", PS)
    seal(sealed)
    sealed("trace", "export", sealed.folder / "tout.zip", "--all")
    with zipfile.ZipFile(sealed.folder / "tout.zip") as files:
        assert b'"kind":"consulte"' in files.read("evenements.jsonl")


def test_a_bundle_that_was_changed_exits_with_1(sealed: Office) -> None:
    lot, changed = sealed.folder / "lot.zip", sealed.folder / "autre.zip"
    sealed("trace", "export", lot, "--all")
    with zipfile.ZipFile(lot) as files, zipfile.ZipFile(changed, "w") as others:
        for name in files.namelist():
            others.writestr(name, files.read(name).replace(b'"seq":0', b'"seq":1'))
    code, said = verified(sealed, changed)
    assert (code, "n° 0" in said) == (1, True), said


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (("export", "{}/a.zip"), 2),
        (("export", "{}/a.zip", "--all", "--ps", PS), 2),
        (("export", "{}/a.zip", "--since", "hier"), 2),
        (("export", "{}/a.zip", "--since", "2026-11-02", "--until", "2026-11-01"), 2),
        (("export", "{}/a.zip", "--ps", "000000001"), 1),
        (("export", "{}/oct.toml", "--all"), 2),
        (("export", "{}/nulle/part.zip", "--all"), 2),
        (("verify", "--live"), 2),
        (("verify", "--key", "{}/oct.toml"), 2),
        (("verify", "--live", "--key", "{}/oct.toml"), 1),
        (("verify", "--live", "--key", "{}/absente.pub"), 2),
    ],
)
def test_what_cannot_be_done_is_said_on_one_line(sealed: Office, line: tuple[str, ...], code: int) -> None:
    result = sealed("trace", *(word.format(sealed.folder) for word in line))
    assert (result.code, result.err.count("\n"), result.out) == (code, 1, ""), result
    assert not (sealed.folder / "a.zip").exists()


def test_an_older_installation_gets_its_key_at_the_next_init(office: Office) -> None:
    shutil.rmtree(office.folder / "keys" / "journal")
    refused = office("run")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "oct init" in refused.err
    again = office.bare("init", office.folder)
    assert "Clé journal   : créée" in again.out
    assert public_key(office).with_suffix(".key").stat().st_mode & 0o777 == 0o600


def test_a_new_key_signs_the_next_heads(sealed: Office) -> None:
    old = public_key(sealed)
    for path in (old, old.with_suffix(".key")):
        path.rename(path.with_stem("2020"))
    made = sealed("trace", "rotate")
    assert made.code == 0, made.err
    assert sealed("trace", "export", sealed.folder / "lot.zip", "--ps", PS).code == 0
    seal(sealed)
    heads = (sealed.folder / "tetes.jsonl").read_text(encoding="utf-8").splitlines()
    assert heads[0].split('"key":"')[1][:16] != heads[-1].split('"key":"')[1][:16]
    both = [word for path in sorted(old.parent.glob("*.pub")) for word in ("--key", str(path))]
    assert len(both) == 4
    assert sealed("trace", "verify", "--live", *both).code == 0
    assert verified(sealed, "--live")[0] == 1
