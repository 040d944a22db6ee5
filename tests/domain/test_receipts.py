"""The ART that a secretary reads (T1, T3)."""

from __future__ import annotations

from datetime import datetime
from textwrap import TextWrapper

from hypothesis import given
from hypothesis import strategies as st

from oct.clock import PARIS
from oct.domain.model import LotKind
from oct.domain.receipts import LotLine, Receipt, compose, euros
from oct.domain.splitting import plan_file
from oct.formats.b2 import read_file
from tests.claims import ACCOUNT, CAISSE_OF, LAYOUTS, NOBODY, STRANGER, Batch, Claim, claim_file, context, dre, enriched

AT = datetime(2026, 11, 21, 9, 5, 7, tzinfo=PARIS)
FSE = LotLine("001", "261120", LotKind.FSE, 12, 123456, "CPAM DE LA HAUTE-GARONNE")
DRE = LotLine("002", "261120", LotKind.DRE, 1, 750, "MUTUELLE ALPHA")
FLOW = LotLine("001", "261120", LotKind.AMC, 3, 1050, "MUTUELLE ALPHA")
STRAY = LotLine("004", "261120", LotKind.FSE, 2, 3500, reason="La caisse 999 n'est pas dans l'annuaire.")
BROKEN = LotLine(
    "005", "261120", LotKind.FSE, 1, 2500,
    reason="La facture 000000007 a un contrat 99 et le règlement 15 : seuls 00 et 05 sont permis.",
)  # fmt: skip
RECEIPT = Receipt(
    concentrator="OCT EXEMPLE",
    trace="7K2M-9QXD",
    practitioner_number="421234567",
    received_at=AT,
    compostage="2026112109050700001",
    file_id="F00001",
    lot_count=4,
    invoice_count=18,
    billed=178906,
)

GOLDEN = """\
OCT EXEMPLE - accusé de réception technique (ART)

Numéro de suivi : 7K2M-9QXD
PS : 421234567
Reçu le 21/11/2026 à 09:05:07
Compostage : 2026112109050700001
Fichier F00001 : 4 lots, 18 factures, 1 789,06 euros facturés

TRAITÉ EN PARTIE : voir les lots en attente et les lots refusés
ci-dessous.

Transmis :
- lot FSE 001 du 20/11/26, 12 factures, 1 234,56 euros vers CPAM DE LA
  HAUTE-GARONNE
- lot DRE 002 du 20/11/26, 1 facture, 7,50 euros vers MUTUELLE ALPHA
- flux AMC tiré du lot 001 du 20/11/26, 3 factures, 10,50 euros vers
  MUTUELLE ALPHA

En attente (rien à refaire, l'opérateur s'en occupe) :
- lot FSE 004 du 20/11/26, 2 factures, 35,00 euros
  Motif : La caisse 999 n'est pas dans l'annuaire.

Refusé (non transmis, à corriger puis à renvoyer) :
- lot FSE 005 du 20/11/26, 1 facture, 25,00 euros
  Motif : La facture 000000007 a un contrat 99 et le règlement 15 :
  seuls 00 et 05 sont permis.

À vérifier :
- L'objet annonce 19 factures, le fichier en contient 18.

Pour toute question, donnez le numéro de suivi ci-dessus.
"""


def test_the_receipt_reads_as_this() -> None:
    """T1: a golden text; read it aloud before changing it."""
    receipt = RECEIPT._replace(
        sent=(FSE, DRE, FLOW),
        held=(STRAY,),
        refused=(BROKEN,),
        warnings=("L'objet annonce 19 factures, le fichier en contient 18.",),
    )
    assert compose(receipt) == GOLDEN
    assert GOLDEN.encode("latin-1")


def test_the_verdict_says_whether_all_some_or_nothing_went_on() -> None:
    """T1."""
    for changes, expected in (
        ({"sent": (FSE,)}, "TRAITÉ."),
        ({"sent": (FSE,), "held": (STRAY,)}, "TRAITÉ EN PARTIE : voir les lots en attente ci-dessous."),
        ({"sent": (FSE,), "refused": (BROKEN,)}, "TRAITÉ EN PARTIE : voir les lots refusés ci-dessous."),
        ({"known": (FSE,)}, "TRAITÉ."),
        ({"held": (STRAY,)}, "RIEN N'A ENCORE ÉTÉ TRANSMIS : voir les lots en attente ci-dessous."),
        ({"refused": (BROKEN,)}, "REFUSÉ, RIEN N'A ÉTÉ TRANSMIS : voir les lots refusés ci-dessous."),
        ({"refusal": "Le fichier est vide."}, "REFUSÉ : rien n'a été transmis.\nLe fichier est vide."),
        ({"retention": "À voir."}, "EN ATTENTE : rien n'a encore été transmis.\nÀ voir."),
    ):
        assert f"\n\n{expected}\n" in compose(RECEIPT._replace(**changes)), changes


def test_a_re_sent_lot_is_said_to_have_gone_before() -> None:
    """D2."""
    text = compose(RECEIPT._replace(known=(FSE._replace(reason="Accepté par la caisse le 19/11/2026."),)))
    assert "Déjà transmis auparavant (non renvoyé, rien à refaire) :\n- lot FSE 001" in text
    assert "  Motif : Accepté par la caisse le 19/11/2026." in text


def test_a_message_that_could_not_be_read_has_no_file_line() -> None:
    text = compose(RECEIPT._replace(file_id="", compostage="", refusal="Le fichier est vide. [règle L7]"))
    assert "Fichier" not in text
    assert "Compostage" not in text


def test_amounts_are_written_as_the_french_do() -> None:
    assert [euros(amount).replace("\xa0", " ") for amount in (0, 5, 123456, 123456789, -750)] == [
        "0,00 euros", "0,05 euros", "1 234,56 euros", "1 234 567,89 euros", "-7,50 euros",
    ]  # fmt: skip


words = st.text(st.characters(codec="latin-1"), max_size=150)
lines = st.builds(
    LotLine,
    number=st.from_regex(r"[0-9]{3}", fullmatch=True),
    date=st.sampled_from(["261120", "", "000000"]),
    kind=st.sampled_from(LotKind),
    invoices=st.integers(0, 999),
    amount=st.integers(0, 10**9),
    insurer=words,
    reason=words,
)


@given(st.lists(lines, max_size=3), st.lists(lines, max_size=3), st.lists(words, max_size=2), words)
def test_no_line_is_longer_than_72_and_no_text_breaks_out_of_its_line(
    sent: list[LotLine], held: list[LotLine], warnings: list[str], refusal: str
) -> None:
    text = compose(RECEIPT._replace(sent=tuple(sent), held=tuple(held), warnings=tuple(warnings), refusal=refusal))
    assert all(len(line) <= 72 for line in text.split("\n"))
    assert not any(ord(character) < 32 for character in text.replace("\n", ""))
    assert text.endswith("ci-dessus.\n")


@given(
    st.sampled_from(["", "- ", "  Motif : "]),
    st.lists(st.text("aé-,:\N{NO-BREAK SPACE}0", min_size=1, max_size=90).map("x".__add__), max_size=30),
    st.sampled_from([" ", " ", "   "]),
)
def test_lines_are_folded_as_textwrap_folds_them(opening: str, words: list[str], between: str) -> None:
    line = opening + between.join(words)
    told = compose(RECEIPT._replace(told=(line,))).partition("TRAITÉ.\n")[2]
    indent = "  " if line.startswith(("- ", "  ")) else ""
    folding = TextWrapper(
        72, subsequent_indent=indent, break_on_hyphens=False, expand_tabs=False, replace_whitespace=False
    )
    expected = "\n".join(folding.wrap(line) or [""]).replace("\N{NO-BREAK SPACE}", " ")
    assert told.startswith(f"{expected}\n\nPour toute question")


def test_no_reason_of_a_plan_quotes_a_patient() -> None:
    """T3: every sentence that a plan can give, for invoices whose NIR and member number are known."""
    nir, member = "1850578006048", "ADH00042"
    data = claim_file(
        Batch((Claim(1, ("01", "999", "0000")),), 1),
        Batch((Claim(2), Claim(3, CAISSE_OF[3])), 2),
        Batch((enriched(4, settlement="15"),), 3),
        Batch((enriched(5, amc=NOBODY),), 4),
        Batch((Claim(6),), 5, STRANGER),
        Batch((enriched(7),), 6),
        Batch((dre(7),), 7),
    )
    assert nir.encode() in data
    plan = plan_file(read_file(data, LAYOUTS), ACCOUNT, context())
    reasons = [one.reason.describe() for one in plan.waiting] + [one.reason.describe() for one in plan.refused]
    assert len(reasons) == 7
    assert not any(nir in reason or member in reason for reason in reasons)
