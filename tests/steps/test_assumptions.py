"""What the public record leaves open (A1 to A16), one test each: the default, then the setting changed where an
operator changes it, and the behaviour that follows.

Tests of the parts say more of each: `tests/domain` (routing, contract99, outgoing), `tests/formats` (profiles, arl,
dloi), `tests/steps/test_grouping.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from oct.domain.contents import content_of
from oct.domain.model import LotKind
from oct.domain.plan import Plan, SplitContext
from oct.domain.routing import kind_of
from oct.domain.splitting import plan_file
from oct.errors import FormatError
from oct.formats.arl import ArlLot, read_arl
from oct.formats.b2 import B2File, read_file
from oct.formats.dloi import read_increment, read_request
from oct.formats.layouts import Layouts
from oct.formats.profiles import Profiles
from oct.settings import Settings, load
from oct.settings.data_files import built_in, data_file, record_layouts
from oct.simulators.envelopes import unseal
from oct.simulators.return_files import arl
from oct.store import insurers
from tests.claims import (
    ACCOUNT,
    ALPHA,
    DIRECTORY,
    PS,
    Act,
    Batch,
    Claim,
    claim_file,
    context,
    enriched,
    outgoing,
    record,
    records_of,
)
from tests.steps.grouping_rig import TO_OCT, group
from tests.steps.resending_rig import BOURG, KEYS, LOIRE, MUTUELLE, Rig, rig

BARE = replace(DIRECTORY, insurers={**DIRECTORY.insurers, 11: replace(DIRECTORY.insurers[11], recipient_type="")})
"""A directory that does not say of which type Alpha is."""


def configured(tmp_path: Path, text: str) -> Settings:
    """The settings of an `oct.toml`."""
    path = tmp_path / "oct.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, {}).settings


def own_file(tmp_path: Path, name: str, old: str, new: str) -> Settings:
    """The settings of an operator whose data file says something else than the program's."""
    shipped = built_in(f"{name}.toml")
    assert shipped.count(old) == 1
    (tmp_path / "mien.toml").write_text(shipped.replace(old, new), encoding="utf-8")
    return configured(tmp_path, f'[formats]\n{name} = "mien.toml"\n')


def conventions(tmp_path: Path, *lines: str) -> SplitContext:
    """What planning works with, under these lines of [conventions]."""
    settings = configured(tmp_path, "\n".join(["[conventions]", *lines]))
    return replace(context(directory=BARE), conventions=settings.conventions)


def plan_of(rules: SplitContext, *batches: Batch) -> tuple[B2File, Plan]:
    file = read_file(claim_file(*batches), rules.layouts)
    return file, plan_file(file, ACCOUNT, rules)


def records(rules: SplitContext, kind: LotKind, batch: Batch) -> list[bytes]:
    """The records of the lot of a kind that leaves."""
    file, plan = plan_of(rules, batch)
    (lot,) = (lot for parcel in plan.parcels for lot in parcel.lots if lot.kind is kind)
    return records_of(bytes(content_of(file, lot, rules)))


def headers(rules: SplitContext) -> list[B2File]:
    """The file for the AMO and that for the AMC, of one enriched invoice."""
    file, plan = plan_of(rules, Batch((enriched(1),)))
    return [read_file(outgoing(file, parcel, rules).content, rules.layouts) for parcel in plan.parcels]


def test_a1_what_tells_a_dre_lot(tmp_path: Path) -> None:
    lot = read_file(claim_file(Batch((Claim(1, amc=ALPHA),), mark="X")), context().layouts).lots[0]
    assert kind_of(lot, conventions(tmp_path).conventions) is LotKind.FSE
    changed = conventions(tmp_path, 'dre_record = "lot_trailer"', 'dre_mark = "X"')
    assert kind_of(lot, changed.conventions) is LotKind.DRE


def test_a2_layout_of_an_arl(tmp_path: Path) -> None:
    settings = own_file(tmp_path, "layouts", "status = { at = [2, 2]", "status = { at = [90, 90]")
    told = [ArlLot(PS, "422", "001", "261120", positive=True)]
    for own, other in ((settings, configured(tmp_path, "")), (configured(tmp_path, ""), settings)):
        data = arl(TO_OCT, told, layouts_of(own))
        assert list(read_arl(data, layouts_of(own)).lots) == told
        with pytest.raises(FormatError, match="arl-statut"):
            read_arl(data, layouts_of(other))


def test_a3_content_description_of_returns(tmp_path: Path) -> None:
    settings = own_file(tmp_path, "profiles", 'patterns = ["ARL/SV"]', 'patterns = ["ACQUIT/*"]')
    for own, matched in ((configured(tmp_path, ""), ["arl", None]), (settings, [None, "arl"])):
        profiles = Profiles.from_toml(data_file(own.formats.profiles, "profiles.toml"))
        found = [profiles.match(description) for description in ("ARL/SV", "ACQUIT/SV")]
        assert [profile and profile.name for profile in found] == matched


def test_a4_form_of_the_plaintext_when_we_encrypt(tmp_path: Path, sqlite_url: str) -> None:
    with rig(tmp_path, sqlite_url) as pieces:
        change(pieces, LOIRE, compression="none")
        pieces.submit(Batch((Claim(1),), 1))
        change(pieces, LOIRE, plaintext_form="mime")
        pieces.submit(Batch((Claim(2),), 2))
        bare, entity = plaintexts(pieces, LOIRE)
    assert bare.startswith(b"000")
    assert entity.lower().startswith(b"content-")


def test_a5_compression_when_we_compress(tmp_path: Path, sqlite_url: str) -> None:
    """Each destination may differ."""
    with rig(tmp_path, sqlite_url) as pieces:
        change(pieces, BOURG, compression="zlib")
        change(pieces, MUTUELLE, compression="none")
        far = Batch((Claim(2, ("01", "011", "0000")),), 2, organism="011")
        pieces.submit(Batch((Claim(1),), 1), far, Batch((enriched(3),), 3))
        starts = [plaintexts(pieces, address)[0][:3] for address in (LOIRE, BOURG, MUTUELLE)]
    assert (starts[0][:2], starts[1][:1], starts[2]) == (b"\x1f\x8b", b"\x78", b"000")


def test_a6_what_changes_in_a_contract_99_invoice_for_the_amo(tmp_path: Path) -> None:
    batch = Batch((enriched(1, others="S"),))
    usual = records(conventions(tmp_path), LotKind.FSE, batch)
    assert (usual[-2][89:90], [one[35:36] for one in usual if one[:1] == b"2"]) == (b"A", [b" ", b"S"])
    lines = ('split_mark = "Z"', 'amo_drops = ["S", "P"]', 'amo_blanks = ["invoice_header.member_number"]')
    changed = records(conventions(tmp_path, *lines), LotKind.FSE, batch)
    assert (changed[-2][89:90], [one[35:36] for one in changed if one[:1] == b"2"]) == (b"Z", [b" ", b"M"])
    assert (usual[1][104:112], changed[1][104:112]) == (b"ADH00042", b" " * 8)


def test_a7_where_tiers_payant_is_asked(tmp_path: Path) -> None:
    batch = Batch((enriched(1, tiers_payant="OPERATEUR1"),))
    assert records(conventions(tmp_path), LotKind.AMC, batch)[1][114:116] == b"25"
    changed = conventions(tmp_path, 'tiers_payant = ["invoice_convention.convention"]')
    assert records(changed, LotKind.AMC, batch)[1][114:116] == b"00"


def test_a8_where_the_numbers_of_the_opposition_list_stand(tmp_path: Path) -> None:
    opening = record((1, "000"), (4, "TP"), (6, PS.zfill(14)), (50, "000042"), (92, "000007"), (100, "000009"))
    data = opening + record((1, "999"))
    shipped = layouts_of(configured(tmp_path, ""))
    assert (read_increment(data, shipped).number, read_request(data, shipped).last_held) == (42, 7)
    own = own_file(tmp_path, "layouts", "number = { at = [50, 55]", "number = { at = [92, 97]")
    assert read_increment(data, layouts_of(own)).number == 7
    own = own_file(tmp_path, "layouts", "last_held = { at = [92, 97]", "last_held = { at = [100, 105]")
    assert read_request(data, layouts_of(own)).last_held == 9


def test_a9_sender_of_the_files_for_an_amo(tmp_path: Path) -> None:
    to_amo, _ = headers(conventions(tmp_path))
    assert (to_amo.sender_type, to_amo.sender_number) == ("OT", "00000552100554")
    to_amo, to_amc = headers(conventions(tmp_path, 'amo_sender = "ps"'))
    assert (to_amo.sender_type, to_amo.sender_number, to_amc.sender_type) == ("TP", PS.zfill(14), "OT")


def test_a10_application_code_of_the_files_for_an_amo(tmp_path: Path) -> None:
    assert headers(conventions(tmp_path))[0].application == "TR"
    assert [one.application for one in headers(conventions(tmp_path, 'amo_application = "TX"'))] == ["TX", "TA"]


def test_a11_recipient_and_application_of_the_files_for_an_amc(tmp_path: Path) -> None:
    to_amc = headers(conventions(tmp_path))[1]
    assert (to_amc.recipient_type, to_amc.recipient_number, to_amc.application) == ("OC", ALPHA.zfill(14), "TA")
    to_amo, to_amc = headers(conventions(tmp_path, 'amc_type = "CS"', 'amc_application = "TX"'))
    assert (to_amc.recipient_type, to_amc.application, to_amo.application) == ("CS", "TX", "TR")


@pytest.mark.parametrize(("counts_all", "received"), [(False, b"0001"), (True, b"0002")])
def test_a12_what_the_type_2_counter_counts(tmp_path: Path, counts_all: bool, received: bytes) -> None:
    batch = Batch((enriched(1, others="S"),), counts_all=counts_all)
    counted = [
        records(conventions(tmp_path, f'type2_count = "{told}"'), LotKind.FSE, batch)[-1][17:21]
        for told in ("received", "plain", "all")
    ]
    assert counted == [received, b"0001", b"0002"]


@pytest.mark.parametrize(("setting", "subject"), [("", "ART/00000421234567/"), ("= 12", "ART/000421234567/")])
def test_a13_width_of_the_number_in_the_subject_of_an_art(
    tmp_path: Path, sqlite_url: str, setting: str, subject: str
) -> None:
    with rig(tmp_path, sqlite_url, f"[conventions]\nart_number_width {setting}\n" if setting else "") as pieces:
        pieces.submit(Batch())
        (art,) = pieces.outside.of("pont@boite.example")
    assert art.subject.startswith(subject)


@pytest.mark.parametrize(("setting", "warned"), [("true", True), ("false", False)])
def test_a14_keys_are_checked_only_to_warn(tmp_path: Path, sqlite_url: str, setting: str, warned: bool) -> None:
    """The key of a NIR, which the ART does not repeat (T3); the key of a PS number is never looked at."""
    with rig(tmp_path, sqlite_url, f"[conventions]\nwarns_of_nir_keys = {setting}\n") as pieces:
        message = pieces.submit(Batch())
        (text,) = pieces.texts
        assert pieces.states(message) == ["delivered"]
    assert ("La clé du NIR ne correspond pas" in text) is warned
    assert Claim().nir not in text


@pytest.mark.parametrize(("window", "files"), [("0s", [1, 1]), ("1h", [2])])
def test_a15_files_for_one_destination(tmp_path: Path, sqlite_url: str, window: str, files: Sequence[int]) -> None:
    with group(tmp_path, sqlite_url, f'[grouping]\nwindow = "{window}"\n') as pieces:
        pieces.rig.submit(Batch((Claim(1),), 1))
        pieces.rig.submit(Batch((Claim(2),), 2))
        assert len(pieces.arrived()) == (0 if window == "1h" else 2)
        pieces.close_window()
        assert [len(one.lots) for one in pieces.arrived()] == files


def test_a16_what_is_asked_from_the_amc_when_its_lines_ask_nothing(tmp_path: Path) -> None:
    batch = Batch((enriched(1, acts=(Act(2500, 1750),)),))
    assert records(conventions(tmp_path), LotKind.AMC, batch)[-2][81:89] == b"00000750"
    _, plan = plan_of(conventions(tmp_path, 'amc_fallback = ""'), batch)
    assert (len(plan.parcels), plan.without_amc_part) == (1, ("000000001",))


def layouts_of(settings: Settings) -> Layouts:
    return record_layouts(settings.formats.layouts)


def change(pieces: Rig, address: str, **fields: str) -> None:
    """What « oct insurers set » does."""
    with pieces.workshop.store.begin() as conn:
        (known,) = (one for one in insurers.list_all(conn) if one.address == address)
        insurers.set_fields(
            conn, known.id, compression=fields.get("compression"), plaintext_form=fields.get("plaintext_form")
        )


def plaintexts(pieces: Rig, address: str) -> list[bytes]:
    """What the insurer deciphers, before it undoes anything else."""
    return [unseal(letter.content, KEYS[address]) for letter in pieces.outside.of(address)]
