"""Claim files read by position alone, as a judge does: nothing of the project reads here.

Positions are 1-based and inclusive, as the norm's tables give them.
"""

from __future__ import annotations

import re
from itertools import pairwise

RECORD = 128


def at(record: bytes, first: int, last: int) -> str:
    """The characters of a field."""
    return record[first - 1 : last].decode("latin-1")


def number(record: bytes, first: int, last: int) -> int:
    return int(at(record, first, last))


def records(file: bytes) -> list[bytes]:
    assert len(file) % RECORD == 0
    return [file[start : start + RECORD] for start in range(0, len(file), RECORD)]


def lots(file: bytes) -> list[list[bytes]]:
    """The records of each lot, header and trailer included."""
    inside = records(file)[1:-1]
    starts = [rank for rank, record in enumerate(inside) if record[:1] == b"1"]
    return [inside[start:end] for start, end in pairwise([*starts, len(inside)])]


def invoices(lot: list[bytes]) -> list[list[bytes]]:
    """The records of each invoice of a lot, its record 5 the last."""
    found: list[list[bytes]] = [[]]
    for record in lot[1:-1]:
        found[-1].append(record)
        if record[:1] == b"5":
            found.append([])
    return found[:-1]


def counts_agree(file: bytes) -> None:
    """Every counter of a file and of its lots, against what is there."""
    all_records = records(file)
    last = all_records[-1]
    assert at(all_records[0], 1, 3) == "000"
    assert at(last, 1, 3) == "999"
    assert number(last, 56, 63) == len(all_records)
    assert number(last, 83, 85) == len(lots(file))
    for lot in lots(file):
        six, drawn = lot[-1], invoices(lot)
        starts = b"".join(record[:1] for record in lot)
        assert starts[-1:] == b"6"
        assert number(six, 11, 13) == number(six, 22, 24) == starts.count(b"5") == len(drawn)
        assert number(six, 14, 17) == starts.count(b"4")
        assert number(six, 18, 21) in (len(drawn), starts.count(b"2"))
        totals = [invoice[-1] for invoice in drawn]
        assert number(six, 25, 33) == sum(number(five, 58, 65) for five in totals)
        assert number(six, 34, 42) == sum(number(five, 66, 73) for five in totals)
        assert number(six, 43, 51) == sum(number(five, 82, 89) for five in totals)
        assert at(six, 52, 54) == at(lot[0], 20, 22)
        assert at(six, 2, 10) == at(lot[0], 2, 10)


def insured_numbers(file: bytes) -> set[str]:
    """The NIR of a file: what no text and no log may hold (T3)."""
    return {at(record, 12, 24) for record in records(file[: len(file) // RECORD * RECORD]) if record[:1] in b"245"}


def holds_nir(text: str) -> bool:
    """Whether a run of 13 or 15 digits that starts like a NIR stands in a text."""
    return re.search(r"(?<!\d)[12378]\d{12}(?:\d\d)?(?!\d)", text) is not None
