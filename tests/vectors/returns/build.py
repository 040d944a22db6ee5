"""Builds the golden returns of this folder by plain string formatting, sharing nothing with the program.

Run it from anywhere: each `.bin` is a file as an insurer sends it, the `.json` beside it what must be read in it.
Positions come from the tables of the annex; all numbers and persons are invented.
"""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).parent


def record(*placed: tuple[int, str]) -> bytes:
    line = [" "] * 128
    for first, text in placed:
        line[first - 1 : first - 1 + len(text)] = text
    assert len(line) == 128
    return "".join(line).encode("latin-1")


def header(recipient_type: str, recipient: str, application: str, file_id: str, norm: str, zone: str = "") -> bytes:
    return record(
        (1, "000CT"), (6, "00000001011011"), (26, recipient_type), (28, recipient.zfill(14)), (42, "000000"),
        (48, application), (50, file_id), (56, "250310"), (62, norm), (66, "B2"), (70, "U"), (83, "128"), (92, zone),
    )  # fmt: skip


def trailer(
    recipient_type: str, recipient: str, application: str, file_id: str, records: int, lots: int, total: str = ""
) -> bytes:
    return record(
        (1, "999CT"), (6, "00000001011011"), (26, recipient_type), (28, recipient.zfill(14)),
        (48, application), (50, file_id), (56, f"{records:08d}"), (83, f"{lots:03d}"), (86, total),
    )  # fmt: skip


def blocks(stream: str) -> bytes:
    stream += " " * (-len(stream) % 127)
    pieces = [stream[i : i + 127] for i in range(0, len(stream), 127)]
    return "".join(("1" if i == len(pieces) - 1 else "0") + piece for i, piece in enumerate(pieces)).encode("latin-1")


def control(closed: str, count: int, cents: int) -> str:
    return f"99099{closed:<17}{count:08d}{abs(cents):011d}{'N' if cents < 0 else 'P'}@"


def invoice(number: str, lot: str, date: str, paid: int, state: str = "P") -> str:
    """Four entities: 100 and 102 and 103 of level 04, 198 of level 05."""
    return (
        f"10004{number}@"
        f"10204{number}{'':6}{lot}{date}F{date}{' ':1}10@"
        "10304ASSURE INVENTE@"
        f"19805{abs(paid):08d}{state}{abs(paid):08d}{'N' if paid < 0 else 'P'}@"
    )


def settlement(ps: str, lot: str, date: str, invoices: list[tuple[str, int]]) -> str:
    body = f"04002{ps:0>15}@07002{date}@07102{date}{'VIREMENT ' + ps:<64}{'':10}@08003{date}{lot}@"
    body += "".join(invoice(number, lot, date, paid) for number, paid in invoices)
    return body + control(f"02{ps:0>15}", 1 + 4 * len(invoices), sum(paid for _, paid in invoices))


def write(name: str, data: bytes, expected: object) -> None:
    (HERE / f"{name}.bin").write_bytes(data)
    (HERE / f"{name}.json").write_text(json.dumps(expected, indent=2, ensure_ascii=False) + "\n")


def rsp(form: str, recipient_type: str, recipient: str, stream: str, lots: int, total: int) -> bytes:
    body = stream.encode("latin-1") if form == "stream" else blocks(stream)
    records = 2 + -(-len(body) // 128)
    money = f"{abs(total):011d}{'N' if total < 0 else 'P'}"
    return (
        header(recipient_type, recipient, "RN", "000042", "580")
        + body
        + trailer(recipient_type, recipient, "RN", "000042", records, lots, money)
    )


ALPHA, BETA = "101234567", "209876543"
OF_ALPHA = [("000000011", 2500), ("000000012", 1750)]
OF_BETA = [("000000021", 990), ("000000022", -300)]


def two(form: str, recipient_type: str, recipient: str, settlements: list[str], total: int) -> bytes:
    stream = "0100109876541@" + "".join(settlements)
    # 01 is closed by counting the entities below it: 3 headings, a lot and 4 entities an invoice, for each settlement
    stream += control("01", (3 + 1 + 4 * 2) * len(settlements), total)
    return rsp(form, recipient_type, recipient, stream, len(settlements), total)


def main() -> None:
    alpha = settlement(ALPHA, "101", "250301", OF_ALPHA)
    beta = settlement(BETA, "101", "250301", OF_BETA)
    for form in ("stream", "blocks"):
        write(
            f"rsp-one-{form}",
            two(form, "TP", ALPHA, [alpha], 4250),
            {"form": form, "header_number": ALPHA, "settlements": [ALPHA], "invoices": [n for n, _ in OF_ALPHA],
             "paid": [2500, 1750]},
        )  # fmt: skip
        write(
            f"rsp-two-{form}",
            two(form, "OT", "00123456789", [alpha, beta], 4250 + 690),
            {"form": form, "header_number": None, "settlements": [ALPHA, BETA],
             "invoices": [n for n, _ in OF_ALPHA + OF_BETA], "paid": [2500, 1750, 990, -300]},
        )  # fmt: skip
        write(f"rsp-two-{form}-{ALPHA}", two(form, "TP", ALPHA, [alpha], 4250), {"part_of": f"rsp-two-{form}"})
        write(f"rsp-two-{form}-{BETA}", two(form, "TP", BETA, [beta], 690), {"part_of": f"rsp-two-{form}"})
    lot = record((1, "1"), (2, ALPHA), (17, "011"), (20, "101"), (72, "250301"))
    refused = record((1, "1"), (2, ALPHA), (17, "011"), (20, "102"), (72, "250302"))
    write(
        "arl-lots",
        header("TP", ALPHA, "AR", "000007", "IF")
        + lot + record((1, "7P")) + refused + record((1, "7N1070LOT DEJA RECU"))
        + trailer("TP", ALPHA, "AR", "000007", 6, 2),
        {"lots": [[ALPHA, "011", "101", "250301", True, "", ""],
                  [ALPHA, "011", "102", "250302", False, "1070", "LOT DEJA RECU"]]},
    )  # fmt: skip
    write(
        "arl-file",
        header("OT", "00123456789", "AR", "000008", "IF", "000123N0404")
        + trailer("OT", "123456789", "AR", "000008", 2, 0),
        {"file": ["000123", False, "0404"]},
    )


if __name__ == "__main__":
    main()
