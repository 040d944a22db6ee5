"""Rebuilds the golden claims beside it, from the root of the repository: `python -m tests.vectors.claims.build`.

`--pki` draws new keys too; `--check` only compares what is deterministic.
It imports nothing of the project and encrypts by the openssl command; see README.md for what the files hold.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

from tests.vectors.claims.claims_cases import AMCS, CAISSES, CASES, PRACTITIONERS, Case
from tests.vectors.claims.claims_mail import PKI, make_pki, message

HERE = Path(__file__).parent
MESSAGES = HERE / "messages"
ORGDEST = (
    "code régime;caisse gestionnaire;centre gestionnaire;libellé;régime;organisme destinataire;"
    "code centre informatique;adresse 1;adresse 2;commune;code postal;cedex;téléphone;fax"
)


def main(arguments: list[str]) -> int:
    """Writes everything, or with --check returns 1 when a .b2, .json or .csv is not what the script makes."""
    texts = _tables()
    for case in CASES:
        texts[f"messages/{case.name}.b2"] = case.data
        texts[f"messages/{case.name}.json"] = json.dumps(_expected(case), indent=1, ensure_ascii=False).encode() + b"\n"
    if "--check" in arguments:
        stale = [name for name, content in texts.items() if (HERE / name).read_bytes() != content]
        sys.stderr.writelines(f"{name}: not what build.py makes\n" for name in stale)
        return 1 if stale else 0
    if "--pki" in arguments or not PKI.exists():
        make_pki([*(caisse.address for caisse in CAISSES), *(amc.address for amc in AMCS)])
    MESSAGES.mkdir(exist_ok=True)
    for old in MESSAGES.iterdir():
        old.unlink()
    for name, content in texts.items():
        (HERE / name).write_bytes(content)
    for case in CASES:
        (MESSAGES / f"{case.name}.eml").write_bytes(message(case.wrap, _headers(case), case.data))
    return 0


def _headers(case: Case) -> list[str]:
    minute, second = divmod(case.rank, 60)
    subject = f"SV140700/{case.ps.number:0>14}/{case.compostage}/{case.invoices:05}"
    if case.wrap.shape == "folded":
        subject = subject.replace("/2026", "/\r\n 2026", 1)
    return [
        f"From: {case.ps.mailbox}",
        "To: oct@concentrateur.example",
        f"Subject: {subject}",
        f"Date: Fri, 20 Nov 2026 08:{minute:02}:{second:02} +0100",
        f"Message-ID: <{case.compostage}@{case.ps.number}.example>",
    ]


def _expected(case: Case) -> dict[str, Any]:
    expect = dict(case.expect)
    if case.lots is not None:
        leaving: dict[str, list[str]] = {}
        for lot in case.lots:
            if lot.to:
                leaving.setdefault(lot.to, []).append(hashlib.sha256(lot.for_amo or lot.data).hexdigest())
        expect = {"lots": leaving, "held": [], "refused": [], **expect}
    return {
        "about": case.about,
        "mail_from": case.ps.mailbox,
        "rcpt_to": "oct@concentrateur.example",
        "ps": case.ps.number,
        "compostage": case.compostage,
        "expect": expect,
    }


def _tables() -> dict[str, bytes]:
    orgdest = io.StringIO()
    writer = csv.writer(orgdest, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(ORGDEST.split(";"))
    schemes = {"01": "Régime Général", "02": "MSA", "91": "MGEN"}
    for c in CAISSES:
        known = [c.regime, c.caisse, c.centre, c.label, schemes[c.regime], c.organism, c.computer]
        writer.writerow([*known, *[""] * 7])
    amc = ["numero;code_routage;hote;libelle;adresse"]
    amc += [f"{a.number};{a.route};{a.host};{a.label};{a.address}" for a in AMCS]
    ps = ["numero;type;nom;adresse"]
    ps += [f"{p.number};{p.type};{p.name};{p.mailbox}" for p in PRACTITIONERS]
    return {
        "orgdest.csv": orgdest.getvalue().encode("latin-1"),
        "amc.csv": "".join(f"{line}\n" for line in amc).encode(),
        "praticiens.csv": "".join(f"{line}\n" for line in ps).encode(),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
