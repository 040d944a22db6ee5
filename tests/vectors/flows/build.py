"""Builds the golden messages of this folder by plain string formatting, sharing nothing with the program.

Run it from anywhere. Each `.eml` is what is handed to DATA; the `.bin` beside it is the file inside, when there is one;
`flows.json` says who sends each and what must come of it. All numbers, names and addresses are invented.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

HERE = Path(__file__).parent
OCT = "oct@concentrateur.example"
ISSUER = "dloi@emetteur.example"
PS, ADDRESS = "421234567", "pont@boite.example"
SENT = "<20261121080000000001@concentrateur.example>"
"""The Message-ID of a sending of ours that the notices speak of; a test puts its own in its place."""

MESSAGES: dict[str, dict[str, object]] = {}


def record(*placed: tuple[int, str]) -> bytes:
    line = [" "] * 128
    for first, text in placed:
        line[first - 1 : first - 1 + len(text)] = text
    assert len(line) == 128
    return "".join(line).encode("latin-1")


def framed(sender: str, recipient: str, application: str, file_id: str, body: bytes, zone: str = "") -> bytes:
    """000, a body, 999. `sender` and `recipient` are a type of 2 letters and a number of 14 characters."""
    same = [
        (4, sender[:2]),
        (6, sender[2:]),
        (26, recipient[:2]),
        (28, recipient[2:]),
        (48, application),
        (50, file_id),
    ]
    count = 2 + -(-len(body) // 128)
    return (
        record((1, "000"), *same, (42, "000000"), (56, "261120"), (62, "PJ"), (66, "B2"), (83, "128"), (92, zone))
        + body
        + record((1, "999"), *same, (56, f"{count:08d}"), (83, "001"))
    )


def headers(sender: str, subject: str, rank: int, *more: str) -> list[str]:
    return [
        f"From: {sender}",
        f"To: {OCT}",
        f"Subject: {subject}",
        "Date: Fri, 20 Nov 2026 09:00:00 +0100",
        f"Message-ID: <flux.{rank}@essai.example>",
        "MIME-Version: 1.0",
        *more,
    ]


def carried(description: str, content: bytes) -> list[str]:
    text = base64.encodebytes(content).decode("ascii").splitlines()
    described = [f"Content-Description: {description}"] if description else []
    return [
        'Content-Type: Application/EDI-consent; name="fichier.bin"',
        "Content-Transfer-Encoding: base64",
        *described,
        "",
        *text,
    ]


def write(name: str, mail_from: str, lines: list[str], content: bytes | None, /, **expect: object) -> None:
    (HERE / f"{name}.eml").write_bytes("".join(f"{line}\r\n" for line in lines).encode("latin-1"))
    if content is not None:
        (HERE / f"{name}.bin").write_bytes(content)
    MESSAGES[name] = {"mail_from": mail_from, "expect": expect}


def subject(rank: int, count: int = 1) -> str:
    return f"SV140700/00000{PS}/20261120090000{rank:05d}/{count:05d}"


def dloi() -> None:
    for rank, number in enumerate((101, 102, 103), 1):
        body = f"INCREMENT {number} ".encode() * (10 * number)
        content = framed("EN00000000000001", "OT00000552100554", "DL", f"{number:06d}", body)
        lines = headers(ISSUER, f"DLOI/{number:06d}", rank) + carried("DLOI/SV", content)
        write(f"dloi-{number}", ISSUER, lines, content, number=number)
    for rank, (name, held) in enumerate((("behind", "000101"), ("ahead", "000999"), ("odd", "PAS-NB")), 11):
        content = framed(f"TP00000{PS}", "OT00000552100554", "DD", "D00001", b"", held)
        lines = headers(ADDRESS, subject(rank, 0), rank) + carried("DDLOI/SV", content)
        write(f"request-{name}", ADDRESS, lines, content, held=held)


def scor() -> None:
    scanned = bytes(range(256)) * 9
    content = framed(f"TP00000{PS}", "CT00000001016011", "SC", "S00001", scanned)
    write("scor", ADDRESS, headers(ADDRESS, subject(21, 3), 21) + carried("SCOR/SV", content), content,
          to="01011@011.01.rss.fr")  # fmt: skip
    nowhere = framed(f"TP00000{PS}", "CT00000001777777", "SC", "S00002", scanned)
    write("scor-nowhere", ADDRESS, headers(ADDRESS, subject(22), 22) + carried("SCOR/SV", nowhere), nowhere,
          held="destinataire-inconnu")  # fmt: skip
    foreign = framed("TP00000015432109", "CT00000001016011", "SC", "S00003", scanned)
    write("scor-foreign", ADDRESS, headers(ADDRESS, subject(23), 23) + carried("SCOR/SV", foreign), foreign,
          refused="emetteur-etranger")  # fmt: skip


def unknown() -> None:
    held: dict[str, object] = {"held": "flux-inconnu"}
    write("unknown", ADDRESS, headers(ADDRESS, subject(31), 31) + carried("CARTE/XX", b"on ne sait quoi"), None, **held)
    write("undescribed", ADDRESS, headers(ADDRESS, subject(32), 32) + carried("", b"%PDF-1.4 invente"), None, **held)
    write("returned", ADDRESS, headers(ADDRESS, subject(33), 33) + carried("ARL/SV", b"000"), None, **held)
    write(
        "nothing",
        ADDRESS,
        [*headers(ADDRESS, subject(34), 34), "Content-Type: text/plain", "", "Bonjour"],
        None,
        **held,
    )
    write("odd-subject", ADDRESS, headers(ADDRESS, "mes factures", 35) + carried("CARTE/XX", b"quoi"), None, **held)
    empty = [*headers(ADDRESS, subject(36), 36), "Content-Type: text/plain", "Content-Description: FACTURE/SV", "", " "]
    write("nothing-claimed", ADDRESS, empty, None, refused="fichier-vide")
    twice = [*headers(ADDRESS, subject(37), 37, 'Content-Type: multipart/mixed; boundary="=_b"'), ""]
    for _ in range(2):
        twice += ["--=_b", *carried("FACTURE/SV", b"000 deux fois")]
    write("two-files", ADDRESS, [*twice, "--=_b--"], None, refused="deux-pieces-jointes")


def notice(name: str, rank: int, said: list[str], returned: list[str], /, **expect: object) -> None:
    lines = headers(
        "MAILER-DAEMON@mx.essai.example", "Undelivered Mail Returned to Sender", rank,
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=_avis"',
        "Auto-Submitted: auto-replied",
    )  # fmt: skip
    lines += ["", "--=_avis", "Content-Type: text/plain", "", "I'm sorry.", "--=_avis"]
    lines += ["Content-Type: message/delivery-status", "", *said, "--=_avis", *returned, "--=_avis--"]
    write(name, "", lines, None, **expect)


def notices() -> None:
    mta = ["Reporting-MTA: dns; mx.essai.example", "Arrival-Date: Fri, 20 Nov 2026 09:00:00 +0100", ""]
    to = ["Final-Recipient: rfc822; 01011@011.01.rss.fr", "Original-Recipient: rfc822;01011@011.01.RSS.FR"]
    whole = ["Content-Type: message/rfc822", "", f"Message-ID: {SENT}", "Subject: SV140700", "", "corps"]
    heads = ["Content-Type: text/rfc822-headers", "", f"Message-ID: {SENT}", "Subject: SV140700"]
    refused = ["Action: failed", "Status: 5.1.1", "Diagnostic-Code: smtp; 550 5.1.1 boite", " inconnue"]
    late = [
        "Action: delayed (encore)",
        "Status: 4.4.1 (sans reponse)",
        "Will-Retry-Until: Sat, 21 Nov 2026 09:00:00 +0100",
    ]
    arrived = ["Action: delivered", "Status: 2.0.0"]
    one: dict[str, object] = {"recipient": "01011@011.01.rss.fr", "message_ids": [SENT]}
    notice("notice-failed", 41, [*mta, *to, *refused, ""], whole,
           action="failed", status="5.1.1", diagnostic="550 5.1.1 boite inconnue", **one)  # fmt: skip
    notice("notice-delayed", 42, [*mta, *to, *late], heads, action="delayed", status="4.4.1", diagnostic="", **one)
    notice(
        "notice-delivered", 43, [*mta, *to, *arrived], heads, action="delivered", status="2.0.0", diagnostic="", **one
    )
    envid = [f"Original-Envelope-Id: {SENT.strip('<>')}", *mta]
    notice("notice-envelope", 44, [*envid, *to, *refused], ["Content-Type: text/plain", "", "rien"],
           action="failed", status="5.1.1", diagnostic="550 5.1.1 boite inconnue", **one)  # fmt: skip


def main() -> None:
    dloi()
    scor()
    unknown()
    notices()
    (HERE / "flows.json").write_text(json.dumps(MESSAGES, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
