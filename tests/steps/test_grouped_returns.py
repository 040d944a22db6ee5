"""What answers a file in which lots of several practitioners left together (A15, R1, R2, R4, C6)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oct.domain.journey import LotState, MessageState
from oct.formats.arl import ArlFile, read_arl
from tests.claims import LAYOUTS, PS
from tests.steps.grouping_rig import GARE, GARE_ADDRESS, Group, group, lot, said
from tests.steps.resending_rig import ADDRESS, LOIRE
from tests.steps.test_notices import notice, uid_of

ONE, TWO, THREE = lot(1), lot(2), lot(3)


@pytest.fixture
def pieces(tmp_path: Path, database_url: str) -> Iterator[Group]:
    with group(tmp_path, database_url) as made:
        yield made


@pytest.fixture
def light(tmp_path: Path, sqlite_url: str) -> Iterator[Group]:
    """The same on SQLite alone, for what does not touch how a database is written."""
    with group(tmp_path, sqlite_url) as made:
        yield made


@pytest.mark.parametrize("positive", [True, False])
def test_an_arl_of_the_file_goes_to_each_as_it_came(pieces: Group, positive: bool) -> None:
    """R1, R4: it names nobody, and it is true of all that left in that file."""
    first, second = pieces.rig.submit(ONE, TWO), pieces.submit_gare(THREE)
    pieces.close_window()
    (arrived,) = pieces.arrived()
    pieces.answer(ArlFile(arrived.file.file_id, positive, "" if positive else "0404"))
    state = LotState.ACKNOWLEDGED if positive else LotState.REFUSED
    assert {*pieces.rig.states(first), *pieces.rig.states(second)} == {state}
    (mine,), (theirs,) = pieces.letters(ADDRESS, "ARL/SV"), pieces.letters(GARE_ADDRESS, "ARL/SV")
    assert mine.content == theirs.content
    assert len(pieces.letters(ADDRESS, "ARL/SV")) == 1


def test_an_arl_of_the_lots_is_cut_so_that_each_gets_his_own(pieces: Group) -> None:
    """R2, R3: record pairs byte for byte, counts made again, the practitioner as recipient."""
    first, second = pieces.rig.submit(ONE, TWO), pieces.submit_gare(ONE)
    pieces.close_window()
    (arrived,) = pieces.arrived()
    pieces.answer([said(ONE), said(ONE, GARE, "0123"), said(TWO)], to=arrived.letter)
    (mine,), (theirs,) = pieces.letters(ADDRESS, "ARL/SV"), pieces.letters(GARE_ADDRESS, "ARL/SV")
    for letter, number, told in ((mine, PS, [said(ONE), said(TWO)]), (theirs, GARE, [said(ONE, GARE, "0123")])):
        read = read_arl(letter.content, LAYOUTS)
        assert list(read.lots) == told
        assert (read.frame.recipient_type, read.frame.recipient_number) == ("TP", number.zfill(14))
    assert pieces.rig.states(first) == [LotState.ACKNOWLEDGED] * 2
    assert pieces.rig.states(second) == [LotState.REFUSED]


def test_an_arl_of_one_practitioner_s_lots_goes_to_that_one_as_it_came(light: Group) -> None:
    """R1: in reply to the file of both."""
    first, second = light.rig.submit(ONE), light.submit_gare(TWO)
    light.close_window()
    (arrived,) = light.arrived()
    light.answer([said(TWO, GARE)], to=arrived.letter)
    assert light.letters(ADDRESS, "ARL/SV") == []
    assert len(light.letters(GARE_ADDRESS, "ARL/SV")) == 1
    assert (light.rig.states(first), light.rig.states(second)) == ([LotState.DELIVERED], [LotState.ACKNOWLEDGED])


def test_what_is_not_certain_of_every_lot_is_held(pieces: Group) -> None:
    """R2: a lot that was never sent, lots that did not leave together, a reply to somebody else's file."""
    pieces.rig.submit(ONE)
    pieces.submit_gare(TWO)
    pieces.close_window()
    pieces.rig.submit(THREE)
    pieces.close_window()
    _, apart = pieces.arrived()
    held = [
        pieces.answer([said(ONE), said(lot(9), GARE)]),
        pieces.answer([said(TWO, GARE), said(THREE)]),
        pieces.answer([said(ONE), said(TWO, GARE)], to=apart.letter),
    ]
    assert {message.state for message in held} == {MessageState.HELD}
    assert [hold.code for message in held for hold in pieces.rig.holds(message)] == ["destinataire-incertain"] * 3
    assert pieces.letters(ADDRESS, "ARL/SV") == pieces.letters(GARE_ADDRESS, "ARL/SV") == []


def test_a_notice_of_failure_tells_each_and_stands_in_both_stories(light: Group) -> None:
    """T1, J1: as after a 5xx."""
    first, second = light.rig.submit(ONE), light.submit_gare(TWO)
    light.close_window()
    (arrived,) = light.arrived()
    raw = notice("notice-failed", uid_of(arrived.letter)).replace(b"01011@011.01.rss.fr", LOIRE.encode())
    told = light.rig.take(raw, "")
    for message in (told, first, second):
        assert [event.outcome for event in light.rig.events(message, "avis")] == ["echec"]
    assert light.rig.states(first) == light.rig.states(second) == [LotState.SENT]
    for address, own in ((ADDRESS, "(lot 001)"), (GARE_ADDRESS, "(lot 002)")):
        assert f"n'a pas pu être remis à SAINT ETIENNE {own}" in light.texts(address)[-1]
