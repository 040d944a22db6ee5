"""`oct keys`: secrets that are renewed."""

from __future__ import annotations

import pytest

from oct.bootstrap import open_vault
from oct.settings import load
from oct.store import payloads
from tests.adapters.cli.desk import Office


@pytest.mark.parametrize(("which", "place"), [("maitresse", "master"), ("pseudonymes", "pseudonymes")])
def test_a_new_key_is_the_last_by_name(office: Office, which: str, place: str) -> None:
    folder = office.folder / "keys" / place
    before = set(folder.iterdir())
    made = office("keys", "rotate", which)
    assert made.code == 0, made.err
    (new,) = set(folder.iterdir()) - before
    assert str(new) in made.out
    assert new == max(folder.iterdir())
    assert new.stat().st_mode & 0o777 == 0o600
    new.rename(new.with_stem("zzz"))
    refused = office("keys", "rotate", which)
    assert (refused.code, refused.err.count("\n"), "zzz" in refused.err) == (2, 1, True)


def test_contents_are_put_under_the_new_master_key(office: Office) -> None:
    """And the old key can go."""
    settings = load(office.folder / "oct.toml", {}).settings
    with office.database() as conn:
        payload_id = payloads.put(conn, open_vault(settings), b"contenu", 0)
    (old,) = settings.keys.master.iterdir()
    office("keys", "rotate", "maitresse")
    done = office("keys", "rewrap")
    new = max(settings.keys.master.iterdir()).stem
    assert done.out == f"1 contenus mis sous la clé maîtresse {new}.\n  {new} : 1 contenus\n", done.err
    old.rename(office.folder / "retiree.master")
    with office.database() as conn:
        assert payloads.get(conn, open_vault(settings), payload_id) == b"contenu"
