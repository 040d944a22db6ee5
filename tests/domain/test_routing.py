"""Where lots and files go (L3, L4, L8, S1, A1)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from oct.domain.conventions import DreRecord
from oct.domain.model import LotKind
from oct.domain.routing import check_owner, kind_of, route_amc, route_file, route_lot
from oct.errors import OctError, RoutingError, RuleError
from oct.formats.b2 import Lot, read_file
from tests.claims import (
    ACCOUNT,
    ALPHA,
    BETA,
    CAISSE_OF,
    CT_422,
    DIRECTORY,
    LAYOUTS,
    NOBODY,
    STRANGER,
    Batch,
    Claim,
    claim_file,
    context,
    dre,
    put,
    without,
)


def only(batch: Batch) -> Lot:
    (lot,) = read_file(claim_file(batch), LAYOUTS).lots
    return lot


def where(error: OctError) -> tuple[str, str, str]:
    return error.code, error.rule, str(error.place)


@pytest.mark.parametrize(("insurer", "organism"), [(1, "422"), (2, "011"), (3, "471")])
def test_an_fse_lot_goes_where_its_regime_caisse_and_centre_lead(insurer: int, organism: str) -> None:
    """L3."""
    lot = only(Batch((Claim(1, CAISSE_OF[insurer]), Claim(2, CAISSE_OF[insurer])), organism=organism))
    assert route_lot(lot, context()).id == insurer


def test_two_caisses_of_one_insurer_are_one_destination() -> None:
    """L3."""
    lot = only(Batch((Claim(1), Claim(2, ("01", "423", "0000")))))
    assert route_lot(lot, context()).id == 1


def test_a_dre_lot_goes_to_its_amc() -> None:
    """L4."""
    assert route_lot(only(Batch((dre(1, BETA), dre(2, BETA)))), context()).id == 12


@pytest.mark.parametrize(
    ("batch", "code", "place"),
    [
        (Batch((Claim(1), Claim(2, CAISSE_OF[2]))), "destination-ambigue", "enregistrement 2, position 17"),
        (Batch((Claim(1), Claim(2, CAISSE_OF[3]))), "destination-ambigue", "enregistrement 2, position 17"),
        (Batch((Claim(1), Claim(2, ("02", "422", "0000")))), "destination-ambigue", "enregistrement 2, position 17"),
        (Batch((Claim(1),), organism="011"), "destination-ambigue", "enregistrement 2, position 17"),
        (Batch((dre(1, ALPHA), dre(2, BETA))), "destination-ambigue", "enregistrement 2, position 37"),
        (Batch((Claim(1), dre(2))), "destination-ambigue", "enregistrement 2, position 17"),
        (Batch((dre(1), Claim(2))), "destination-ambigue", "enregistrement 2, position 17"),
    ],
    ids=[
        "two caisses",
        "two régimes",
        "a régime unknown",
        "header elsewhere",
        "two AMC",
        "FSE then DRE",
        "DRE then FSE",
    ],
)
def test_a_lot_that_contradicts_itself_is_refused(batch: Batch, code: str, place: str) -> None:
    """L3."""
    with pytest.raises(RuleError) as caught:
        route_lot(only(batch), context())
    assert where(caught.value) == (code, "L3", place)
    assert "destination ambiguë" in caught.value.sentence


@pytest.mark.parametrize(
    ("batch", "code", "place"),
    [
        (Batch((Claim(1, ("01", "999", "0000")),)), "caisse-inconnue", "enregistrement 3, position 49"),
        (Batch((Claim(1), Claim(2, ("01", "422", "9999")))), "caisse-inconnue", "enregistrement 6, position 49"),
        (Batch((dre(1, NOBODY),)), "amc-inconnue", "enregistrement 3, position 37"),
        (Batch((dre(1, ""),)), "amc-inconnue", "enregistrement 3, position 37"),
        (Batch((dre(1, "0000000000"),)), "amc-inconnue", "enregistrement 3, position 37"),
    ],
)
def test_a_lot_whose_insurer_is_not_in_the_directory_waits(batch: Batch, code: str, place: str) -> None:
    """L6."""
    with pytest.raises(RoutingError) as caught:
        route_lot(only(batch), context())
    assert where(caught.value) == (code, "L6", place)


def test_an_insurer_switched_off_receives_nothing() -> None:
    with pytest.raises(RoutingError):
        route_lot(only(Batch()), context(directory=without(DIRECTORY, 1)))


@pytest.mark.parametrize(
    ("recipient", "insurer"),
    [(("CT", "00000001422422"), 1), (("CT", "00000001016011"), 2), (("OC", "00000099999991"), 11), (("CS", BETA), 12)],
)
def test_a_file_split_at_the_source_goes_to_the_insurer_of_its_header(recipient: tuple[str, str], insurer: int) -> None:
    """S1."""
    file = read_file(claim_file(Batch(), recipient=recipient), LAYOUTS)
    assert route_file(file, context()).id == insurer


def test_a_file_for_nobody_waits_and_its_sentence_quotes_nothing_odd() -> None:
    file = read_file(claim_file(Batch(), recipient=("CT", "\x1b[31m12345678")), LAYOUTS)
    with pytest.raises(RoutingError) as caught:
        route_file(file, context())
    assert where(caught.value) == ("destinataire-inconnu", "L6", "enregistrement 1, position 26")
    assert "\x1b" not in caught.value.sentence


def test_an_amc_is_found_whatever_its_zeros() -> None:
    assert route_amc("99999991", DIRECTORY).id == route_amc("00000099999991", DIRECTORY).id == 11


def test_a_lot_of_another_account_is_not_the_sender_s_to_send() -> None:
    """L8."""
    check_owner(only(Batch()), ACCOUNT, context())
    check_owner(only(Batch(ps="421234575")), ACCOUNT, context())
    with pytest.raises(RoutingError) as caught:
        check_owner(only(Batch(ps=STRANGER)), ACCOUNT, context())
    assert where(caught.value) == ("numero-etranger", "L8", "enregistrement 2, position 2")


def test_the_mark_of_a_dre_is_a_setting() -> None:
    """A1: another value."""
    lot = only(Batch((Claim(1, kind="C", amc=ALPHA),)))
    assert kind_of(lot, context().conventions) is LotKind.FSE
    assert kind_of(lot, context(dre_mark="C").conventions) is LotKind.DRE
    assert route_lot(lot, context(dre_mark="C")).id == 11


def test_the_record_that_tells_a_dre_is_a_setting() -> None:
    """A1: the lot's trailer instead of its first invoice."""
    lot = only(Batch((Claim(1, amc=ALPHA),), mark="D"))
    changed = context(dre_record=DreRecord.TRAILER)
    assert route_lot(lot, context()).id == 1
    assert kind_of(lot, changed.conventions) is LotKind.DRE
    assert route_lot(lot, changed).id == 11


def test_the_place_of_a_fault_follows_the_layouts() -> None:
    header = LAYOUTS["lot_header"]
    moved = replace(header, fields={**header.fields, "ps_number": replace(header.fields["ps_number"], first=5)})
    layouts = type(LAYOUTS)({**LAYOUTS.by_name, "lot_header": moved})
    with pytest.raises(RoutingError, match="numero-etranger") as caught:
        check_owner(only(Batch(ps=STRANGER)), ACCOUNT, context(layouts))
    assert str(caught.value.place) == "enregistrement 2, position 5"


def test_values_that_are_no_letters_or_digits_are_not_quoted() -> None:
    data = claim_file(Batch())
    file = read_file(put(data, 256 + 51, "\x07<>"), LAYOUTS)
    with pytest.raises(RoutingError) as caught:
        route_lot(file.lots[0], context())
    assert caught.value.sentence == "La caisse illisible (régime 01, centre 0000) n'est pas dans l'annuaire."


def test_ct_422_is_the_header_of_a_per_caisse_file() -> None:
    file = read_file(claim_file(Batch(), recipient=CT_422), LAYOUTS)
    assert route_file(file, context()).organism == "422"
