"""From any one identifier to what it names (J1), exact, at most so many of each kind."""

from __future__ import annotations

from oct.store import insurers
from oct.store.browse.search import LIMIT, search
from oct.store.engine import Store
from tests.adapters.store.arrivals import add_amo, add_lot, add_practitioner, arrive, consign


def test_every_identifier_leads_to_what_it_names(store: Store) -> None:
    with store.begin() as conn:
        account, amo = add_practitioner(conn), add_amo(conn)
        insurers.map_caisse(conn, "01", "421", "0000", "Antenne", amo)
        amc = insurers.upsert_amc(conn, number="0099999991", label="Mutuelle inventée", address="alpha@amc.test")
        claim, other = arrive(conn, 1, practitioner_id=account), arrive(conn, 2)
        sent = consign(conn, claim, 1, insurer_id=amo)
        lot = add_lot(conn, claim, "001", "000000007", practitioner_id=account, consignment_id=sent)
        grouped = add_lot(conn, other, "002", consignment_id=sent)
        expected: dict[str, dict[str, list[int]]] = {
            "aaaaaa 00000001": {"messages": [claim]},
            "AAAAAA–00000001": {"messages": [claim]},
            "1@exemple.test": {"messages": [claim]},
            "<1@exemple.test>": {"messages": [claim]},
            "2026092120000000001": {"messages": [claim]},
            "<sortie1@oct.test>": {"messages": [other, claim]},
            "2026092121000000001": {"messages": [other, claim]},
            "f00001": {"messages": [other, claim]},
            "001": {"lots": [lot]},
            "991234567/001/260921": {"lots": [lot]},
            "991234567/002": {"lots": [grouped]},
            "7": {"invoices": [lot]},
            "991234567 / 7": {"invoices": [lot]},
            "991 234 567": {"practitioners": [account]},
            "Cabinet@exemple.test": {"practitioners": [account]},
            "01422@422.01.rss.test": {"insurers": [amo]},
            "01/422/999": {"insurers": [amo]},
            "01/421/999": {"insurers": [amo]},
            "01 422": {"insurers": [amo]},
            "01/421": {"insurers": [amo]},
            "99999991": {"insurers": [amc]},
            "991234567/001/260922": {},
            "ZZZZZZ-ZZZZZZZZ": {},
        }
        for identifier, things in expected.items():
            found = search(conn, identifier)
            told = {
                "messages": [one.id for one in found.messages],
                "lots": [one.of.id for one in found.lots],
                "invoices": [one.of[1].id for one in found.invoices],
                "practitioners": list(found.practitioners),
                "insurers": list(found.insurers),
            }
            assert {kind: ids for kind, ids in told.items() if ids} == things, identifier


def test_what_names_nothing_finds_nothing(store: Store) -> None:
    with store.begin() as conn:
        add_lot(conn, arrive(conn, 1), "001", "000000001")
        for text in ("", "%", "_%", "00%", "'; DROP TABLE lots; --", "DUPONT", "nul\0", "x" * 10_000):
            assert search(conn, text).count == 0, text[:20]


def test_a_number_that_many_share_gives_the_latest_dates_and_says_so(store: Store) -> None:
    with store.begin() as conn:
        message = arrive(conn, 1)
        for day in range(LIMIT + 5):
            add_lot(conn, message, "001", lot_date=f"26{day // 28 + 1:02d}{day % 28 + 1:02d}")
        found = search(conn, "001")
    dates = [one.of.lot_date for one in found.lots]
    assert found.more
    assert len(dates) == LIMIT
    assert dates == sorted(dates, reverse=True)
    assert dates[0] == "260227"
