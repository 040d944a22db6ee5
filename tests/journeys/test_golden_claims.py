"""Every golden message, sent to the running concentrator and judged where the insurers are.

Insurers decipher with the openssl command; files are sliced by position (`slicing`), so nothing of the project judges
itself.
"""

from __future__ import annotations

import re

import pytest

from tests.journeys import slicing
from tests.journeys.golden import Golden, golden, names
from tests.journeys.outside import sha256
from tests.journeys.slicing import at, number
from tests.journeys.world import Outcome, World


def lots_by_insurer(outcome: Outcome) -> dict[str, list[str]]:
    """The digests of the lots that each insurer got, in order, sliced here."""
    return {
        address: [sha256(b"".join(lot)) for file in files for lot in slicing.lots(file)]
        for address, files in outcome.files.items()
    }


def section(art: str, title: str) -> list[str]:
    """The lot numbers that stand under a title of an ART."""
    _, found, rest = art.partition(f"\n{title}")
    lines = rest.split("\n\n")[0].splitlines() if found else []
    return [match[1] for line in lines if (match := re.match(r"- (?:lot \w+|flux AMC tiré du lot) (\d+) du", line))]


@pytest.mark.parametrize("name", names("lots"))
def test_each_insurer_gets_its_lots_byte_identical_and_in_order(world: World, name: str) -> None:
    """L1 to L6, C1 to C7, L8, M1 to M3: what leaves, what is held, what is refused, and one ART that says so."""
    message = golden(name)
    outcome = world.play(message.mail_from, message.eml)
    received, derived = lots_by_insurer(outcome), set(message.expect.get("amc", {}))
    assert {address: lots for address, lots in received.items() if address not in derived} == message.expect["lots"]
    assert derived <= set(received)
    for files in outcome.files.values():
        assert len(files) == 1
        slicing.counts_agree(files[0])
    held = {int(lot) for lot in section(outcome.art, "En attente")}
    refused = {int(lot) for lot in section(outcome.art, "Refusé (")}
    assert refused == set(message.expect["refused"])
    if "held_amc" in message.expect:
        assert len(held) == 1
    else:
        assert held == set(message.expect["held"])
    if "split99" in message.expect:
        the_amo_lots_differ_only_as_a6_says(message, outcome)
        the_amc_flow_balances(message, outcome)


@pytest.mark.parametrize("name", names("unchanged"))
def test_a_file_split_at_the_source_leaves_as_it_came(world: World, name: str) -> None:
    """S1."""
    message = golden(name)
    outcome = world.play(message.mail_from, message.eml)
    assert outcome.files == {message.expect["unchanged"]: [message.b2]}
    assert "TRAITÉ." in outcome.art


@pytest.mark.parametrize("name", names("refused_file", "clear", "undecipherable"))
def test_nothing_of_a_file_that_is_refused_goes_on(world: World, name: str) -> None:
    """L7, H4."""
    message = golden(name)
    outcome = world.play(message.mail_from, message.eml)
    assert outcome.opened == []
    assert "REFUSÉ : rien n'a été transmis." in outcome.art
    if "refused_file" in message.expect:
        assert re.search(r"\(enregistrement \d+, position \d+\) \[règle L7\]", " ".join(outcome.art.split()))


def test_no_golden_person_stands_in_an_art_nor_in_the_log(world: World) -> None:
    """T3: a message whose ART says the most, and whatever this concentrator logged so far."""
    message = golden("31-99-unknown-amc")
    again = message.eml.replace(message.compostage.encode(), b"2026112008009900099")
    outcome = world.play(message.mail_from, again)
    for text in (outcome.art.replace("2026112008009900099", ""), world.log):
        assert not slicing.holds_nir(text)
        assert not any(person in text for person in slicing.insured_numbers(message.b2))


def the_amo_lots_differ_only_as_a6_says(message: Golden, outcome: Outcome) -> None:
    """C4: contract 99 loses its 2M and 2P and gets an `A` at 90 of its 5; type2_count; every other byte as received."""
    split = set(message.expect["split99"])
    sent = {at(lot[0], 20, 22): lot for lot in slicing.lots(message.b2)}
    amo = [file for address in message.expect["lots"] for file in outcome.files[address]]
    for lot in (lot for file in amo for lot in slicing.lots(file)):
        before = sent[at(lot[0], 20, 22)]
        for was, now in zip(slicing.invoices(before), slicing.invoices(lot), strict=True):
            if at(was[0], 27, 35) in split:
                was = [record for record in was if not (record[:1] == b"2" and at(record, 36, 36) in "MP")]
                was[-1] = was[-1][:89] + b"A" + was[-1][90:]
            assert now == was
        assert lot[0] == before[0]
        assert (lot[-1][:17], lot[-1][21:]) == (before[-1][:17], before[-1][21:])


def the_amc_flow_balances(message: Golden, outcome: Outcome) -> None:
    """C5: to each AMC its invoices, the settlement expected, totals equal to the lines, seals blank, our own sender."""
    billed = {at(invoice[0], 27, 35): invoice for lot in slicing.lots(message.b2) for invoice in slicing.invoices(lot)}
    found: dict[str, dict[str, str]] = {}
    for address in message.expect["amc"]:
        (file,) = outcome.files[address]
        assert at(file, 4, 19) == "OT00000552100554"
        assert (at(file, 26, 27), at(file, 48, 49)) == ("OC", "TA")
        for lot in slicing.lots(file):
            assert lot[-1][96:].isspace()
            for invoice in slicing.invoices(lot):
                name, total = at(invoice[0], 27, 35), invoice[-1]
                found.setdefault(address, {})[name] = at(invoice[0], 115, 116)
                lines = [record for record in invoice if record[:1] == b"4"]
                assert number(total, 39, 41) == len(lines)
                assert number(total, 82, 89) == sum(number(line, 122, 128) for line in lines)
                assert number(total, 82, 89) == number(billed[name][-1], 82, 89)
                assert number(total, 82, 89) + number(billed[name][-1], 66, 73) <= number(billed[name][-1], 58, 65)
                assert total[96:].isspace()
    assert found == message.expect["amc"]
