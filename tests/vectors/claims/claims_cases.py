"""The golden cases: for each, the file, how it is wrapped, and what must come of it by the rules of the annex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.vectors.claims.claims_mail import Wrap
from tests.vectors.claims.claims_text import OCT, Amc, Caisse, Invoice, Lot, Ps, b2, following, invoice, lot, person

ER = Ps("421234567", "ER", "CABINET MEDICAL DU PONT", "pont@boite.example")
IF = Ps("015432109", "IF", "CABINET INFIRMIER DU PARC", "parc@boite.example")
IF2 = Ps("015432208", "IF", "CABINET INFIRMIER DU PARC", "parc@boite.example")
PH = Ps("512223334", "PH", "PHARMACIE DE LA GARE", "gare@boite.example")
MK = Ps("472000111", "MK", "KINE AGENAIS", "kine@boite.example")
LB = Ps("750009998", "LB", "LABO BIO CENTRE", "labo@boite.example")
CP = Ps("750780000", "CP", "CLINIQUE DES LILAS", "lilas@boite.example")
PRACTITIONERS = [ER, IF, IF2, PH, MK, LB, CP]

TEST = Caisse("01", "999", "0000", "CAISSE DE TEST", "999", "999")
BOURG = Caisse("01", "011", "0000", "BOURG EN BRESSE", "011", "016")
LOIRE = Caisse("01", "422", "0000", "SAINT ETIENNE", "422", "016")
REIMS = Caisse("01", "511", "0000", "REIMS", "511", "086")
AGEN = Caisse("02", "475", "0000", "MSA AGEN", "471", "470", "MA")
MGEN = Caisse("91", "751", "0501", "MGEN PARIS", "999", "755")
CAISSES = [TEST, BOURG, LOIRE, REIMS, AGEN, MGEN]
NOWHERE = Caisse("01", "888", "0001", "INCONNUE", "888", "888")

ALPHA = Amc("0099999991", "MA", "349", "MUTUELLE ALPHA")
BETA = Amc("0088888882", "MB", "512", "MUTUELLE BETA")
GAMMA = Amc("0077777773", "AC", "101", "ASSURANCES GAMMA")
AMCS = [ALPHA, BETA, GAMMA]
LOST = Amc("0066666664", "ZZ", "666", "INCONNUE")


@dataclass(frozen=True)
class Case:
    """One message. `lots` None: the file is refused, or goes on whole, and `expect` says it all."""

    name: str
    about: str
    ps: Ps
    data: bytes
    wrap: Wrap
    lots: Sequence[Lot] | None
    expect: dict[str, Any]
    rank: int
    invoices: int

    @property
    def compostage(self) -> str:
        """19 digits, of its own."""
        minute, second = divmod(self.rank, 60)
        return f"2026112008{minute:02}{second:02}{self.rank:05}"


CASES: list[Case] = []


def case(
    name: str,
    about: str,
    ps: Ps,
    lots: Sequence[Lot],
    wrap: Wrap | None = None,
    *,
    to: Caisse | Amc | None = None,
    data: bytes | None = None,
    whole: bool = False,
    **expect: Any,
) -> None:
    """Adds a case; `whole`: the fate is the file's, not its lots'."""
    rank = len(CASES) + 1
    content = data if data is not None else b2(ps, list(lots), to)
    count = sum(len(one.invoices) for one in lots)
    fate = None if whole else lots
    CASES.append(Case(f"{rank:02}-{name}", about, ps, content, wrap or Wrap(), fate, expect, rank, count))


def fse(ps: Ps, caisse: Caisse, count: int = 1, *, to: str | None = None, all_twos: bool = False) -> Lot:
    """A lot of ordinary FSE; `to` empty when it may not leave."""
    invoices = [invoice(ps, caisse) for _ in range(count)]
    return lot(ps, caisse.organism, invoices, caisse.address if to is None else to, all_twos=all_twos)


def dre(ps: Ps, caisse: Caisse, amc: Amc, count: int = 1, *, to: str | None = None, all_twos: bool = False) -> Lot:
    """A lot of DRE."""
    invoices = [invoice(ps, caisse, kind="D", amc=amc) for _ in range(count)]
    return lot(ps, caisse.organism, invoices, amc.address if to is None else to, all_twos=all_twos)


def split(ps: Ps, caisse: Caisse, amc: Amc = ALPHA, **more: Any) -> Invoice:
    """An enriched FSE: settlement 05 and tiers payant asked, unless `more` says otherwise."""
    return invoice(ps, caisse, amc=amc, contract="99", **{"settlement": "05", "tp": True, **more})


def to_amc(*parts: tuple[Amc, Sequence[Invoice]]) -> dict[str, Any]:
    """What contract 99 must give: the invoices, and for each AMC their settlement in the derived flow (C5)."""
    settled = {amc.address: {i.number: "25" if i.tp else "00" for i in found} for amc, found in parts}
    return {"split99": [i.number for _, found in parts for i in found], "amc": settled}


def ways_to_send() -> None:
    """Annex 4.1, 4.2, 4.3."""
    lots = [fse(ER, LOIRE, 3), fse(ER, BOURG), fse(ER, LOIRE, 2), fse(ER, AGEN), fse(ER, MGEN)]
    case("single-file", "S2 L1 L2: one file for four caisses", ER, lots)
    amo = Wrap("a", "K", "none", ("-aes-128-cbc",))
    case(
        "source-split-amo", "S1: unchanged", IF, [fse(IF, BOURG, 2)], amo, to=BOURG, whole=True, unchanged=BOURG.address
    )
    amc = Wrap("b", "ZK", "gzip", ("-aes-192-cbc",))
    case(
        "source-split-amc",
        "S1 A11: unchanged",
        PH,
        [dre(PH, REIMS, BETA, 2)],
        amc,
        to=BETA,
        whole=True,
        unchanged=BETA.address,
    )
    alpha = [split(MK, AGEN), split(MK, AGEN, settlement="00", tp=False)]
    beta, gamma = [split(MK, AGEN, BETA, tp=False)], [split(MK, AGEN, GAMMA, settlement="00")]
    case(
        "enriched-single",
        "S3 C4 C5: every pair of settlement 00 or 05 and of tiers payant asked or not",
        MK,
        [lot(MK, AGEN.organism, [*alpha, *beta, *gamma], AGEN.address)],
        Wrap(compression="zlib"),
        **to_amc((ALPHA, alpha), (BETA, beta), (GAMMA, gamma)),
    )
    d = split(MK, AGEN, GAMMA)
    enriched = [lot(MK, AGEN.organism, [d], AGEN.address, all_twos=True)]
    gcm = Wrap("a", openssl=("-aes-128-gcm",))
    case(
        "enriched-per-caisse",
        "S3 in a file addressed to its caisse",
        MK,
        enriched,
        gcm,
        to=AGEN,
        **to_amc((GAMMA, [d])),
    )
    e = split(ER, LOIRE)
    mixed = [
        lot(ER, LOIRE.organism, [invoice(ER, LOIRE), e, invoice(ER, LOIRE)], LOIRE.address, all_twos=True),
        fse(ER, BOURG),
    ]
    case(
        "99-among-ordinary",
        "C1: neighbours untouched; type2_count counts complements (A12)",
        ER,
        mixed,
        Wrap("b", openssl=("-aes-256-gcm",)),
        **to_amc((ALPHA, [e])),
    )
    f = split(ER, LOIRE)
    mixed = [lot(ER, LOIRE.organism, [f, invoice(ER, LOIRE)], LOIRE.address)]
    case(
        "99-plain-count",
        "C1: type2_count counts plain records 2 (A12)",
        ER,
        mixed,
        Wrap(openssl=("-aes-256-cbc", "-stream")),
        **to_amc((ALPHA, [f])),
    )
    both = [dre(PH, REIMS, BETA), fse(PH, REIMS, 4), dre(PH, REIMS, ALPHA, 2, all_twos=True), dre(PH, LOIRE, BETA)]
    case("fse-and-dre", "S2 L4: 3DES is still read", PH, both, Wrap(openssl=("-des3",)))


def wrappings() -> None:
    """M1, M2, M3: the same content however it is wrapped."""

    def plain(ps: Ps, name: str, about: str, wrap: Wrap) -> None:
        case(name, about, ps, [fse(ps, LOIRE), dre(ps, BOURG, GAMMA, all_twos=True)], wrap)

    oaep = ("-keyopt", "rsa_padding_mode:oaep")
    plain(ER, "oaep", "M3: RSA-OAEP, SHA-1", Wrap(key_options=oaep))
    plain(ER, "oaep-sha256", "M3: RSA-OAEP, SHA-256", Wrap(key_options=(*oaep, "-keyopt", "rsa_oaep_md:sha256")))
    plain(IF, "key-identifier", "M3: recipient by subject key identifier", Wrap(openssl=("-aes-256-cbc", "-keyid")))
    plain(
        IF,
        "ber-stream",
        "M3: indefinite lengths",
        Wrap(openssl=("-aes-256-cbc", "-stream"), compression="none", description="K"),
    )
    plain(
        PH, "several-recipients", "M3: a stranger first, then the older key", Wrap(recipients=("stranger", "oct-old"))
    )
    plain(PH, "old-key", "M3: the older key alone", Wrap("b", recipients=("oct-old",)))
    plain(MK, "pem", "M3: PEM armour in 7bit", Wrap("b", transfer="pem"))
    plain(MK, "lf-base64", "M1: LF alone inside base64", Wrap(transfer="lf"))
    plain(LB, "quoted-printable", "M1: quoted-printable", Wrap(transfer="qp"))
    plain(LB, "folded-headers", "M1: folded headers, odd case, more parameters", Wrap("folded"))
    plain(ER, "headers-repeated", "M2 b: EDI-consent headers repeated above", Wrap("doubled"))
    plain(ER, "entity-inside", "M2: a MIME entity inside the envelope", Wrap(inside="entity"))
    plain(IF, "multipart-inside", "M2: a multipart inside the envelope", Wrap("a", inside="multipart"))
    plain(IF, "zk-not-compressed", "M2: the description says ZK, the bytes say none", Wrap(compression="none"))
    plain(PH, "k-but-gzip", "M2: the description says K, the bytes say gzip", Wrap("b", "K"))
    plain(PH, "k-zlib", "M2: the description says K, the bytes say zlib", Wrap("a", "K", "zlib"))
    plain(MK, "cms-compressed", "M2: CMS CompressedData", Wrap(compression="cms"))


def held_and_refused() -> None:
    """L3, L6, L8, C2, C3, C7: some lots stay, the others go on."""
    stays = fse(LB, NOWHERE, to="")
    case("unknown-caisse", "L6: held", LB, [stays, fse(LB, TEST, 2)], held=[stays.number])
    stays = dre(PH, REIMS, LOST, to="")
    case("unknown-amc", "L6: held", PH, [fse(PH, REIMS), stays], held=[stays.number])
    stays = lot(ER, LOIRE.organism, [split(ER, LOIRE, settlement="15")], "")
    case("99-settlement-15", "C2: refused", ER, [stays, fse(ER, BOURG)], refused=[stays.number])
    stays = lot(ER, LOIRE.organism, [invoice(ER, LOIRE), split(ER, LOIRE, split="E")], "")
    case("99-ps-split", "C3: refused", ER, [fse(ER, BOURG), stays], refused=[stays.number])
    who, number = person(), f"{following('invoice'):09}"
    one = lot(MK, AGEN.organism, [split(MK, AGEN, who=who, number=number)], "")
    two = lot(MK, AGEN.organism, [invoice(MK, AGEN, kind="D", amc=ALPHA, who=who, number=number)], "")
    case("99-and-dre", "C3: both refused", MK, [one, fse(MK, AGEN), two], refused=[one.number, two.number])
    orphan = split(MK, AGEN, LOST)
    goes = lot(MK, AGEN.organism, [orphan], AGEN.address)
    case(
        "99-unknown-amc",
        "C7: AMO goes on, AMC part held",
        MK,
        [goes],
        split99=[orphan.number],
        amc={},
        held_amc=[orphan.number],
    )
    stays = lot(ER, LOIRE.organism, [invoice(ER, LOIRE), invoice(ER, AGEN)], "")
    case("mixed-regimes", "L3: refused, destination ambiguë", ER, [stays, fse(ER, LOIRE)], refused=[stays.number])
    stays = lot(ER, BOURG.organism, [invoice(ER, LOIRE)], "")
    case(
        "header-disagrees",
        "L3: recipient organism of another caisse",
        ER,
        [fse(ER, LOIRE), stays],
        refused=[stays.number],
    )
    case("group-practice", "L8: two numbers of one account", IF, [fse(IF, BOURG), fse(IF2, LOIRE, 2)], Wrap("a"))
    stays = fse(PH, LOIRE, to="")
    case("foreign-number", "L8: held", ER, [fse(ER, LOIRE), stays], held=[stays.number])


def whole_files() -> None:
    """L7 and what else concerns a file whole."""
    lots = [fse(IF, TEST, 2)]
    data = b2(IF, lots)

    def broken(name: str, about: str, damaged: bytes) -> None:
        case(name, about, IF, lots, data=damaged, whole=True, refused_file=True)

    broken("truncated", "L7", data[:-77])
    broken("no-999", "L7", data[:-128])
    broken("record-count", "L7", data[:-73] + b"00000099" + data[-65:])
    broken("lot-count", "L7", data[:-46] + b"002" + data[-43:])
    broken("trailer-contradicts", "L7: the 6 names another lot", data[:-205] + b"999" + data[-202:])
    records = [data[i : i + 128] for i in range(0, len(data), 128)]
    records[2], records[3] = records[3], records[2]
    broken("out-of-order", "L7: a 4 before its 2", b"".join(records))
    case(
        "in-clear",
        "not encrypted: accepted only when the operator allows it",
        IF,
        [fse(IF, TEST)],
        Wrap("clear", ""),
        whole=True,
        clear=True,
    )
    case(
        "to-a-stranger",
        "H4: nothing can open it",
        IF,
        [fse(IF, TEST)],
        Wrap(recipients=("stranger",)),
        whole=True,
        undecipherable=True,
    )
    case("establishment", "norm CP: invoice number at 30-38", CP, [fse(CP, LOIRE, 2), fse(CP, AGEN)])
    many = [fse(LB, (TEST, BOURG, LOIRE, REIMS)[i % 4]) for i in range(60)]
    case("many-lots", "L1 L2: sixty lots for four caisses", LB, many)


ways_to_send()
wrappings()
held_and_refused()
whole_files()
assert CASES[0].data[27:41].decode() == OCT
