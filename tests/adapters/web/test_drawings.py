"""Drawings: golden journeys, and well-formed XML whatever the story says.

The golden files are looked at by people when they change: `OCT_DRAW=1 pytest` on this file writes them anew.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oct.domain.journey import ConsignmentState, LotState, MessageState
from oct.store.consignments import Consignment
from oct.store.holds import Hold, HoldSubject
from oct.store.lots import Lot
from oct.store.messages import Message
from oct.store.returns import LotAnswer, Progress, Return, ReturnState
from oct.store.story import Story
from oct.web.drawing.flow_chart import flow_chart
from oct.web.drawing.journey import journey_of
from oct.web.drawing.journey_svg import journey_svg

GOLDEN = Path(__file__).parents[2] / "vectors" / "drawings"
AT = 1_795_000_000_000
NONE = bytes(32)
INSURERS = {1: "CPAM de Saint-Étienne", 2: "Mutuelle Alpha"}

MESSAGE = Message(
    1, "AAAAAA-00000001", AT, "ps", "192.0.2.1", "a@x.test", "a@x.test", "SV140700", "<1@x.test>", "", 1, None, 4321,
    NONE, 1, MessageState.PROCESSED, "", AT + 900, None, 0,
)  # fmt: skip
LOT = Lot(
    1, 1, 1, 1, "FSE", "991234567", 1, "422", "001", "261118", NONE, NONE, 640, 2, 5000, 3500, 1500, 1, 1, None,
    LotState.PAID, "", AT + 60_000, None,
)  # fmt: skip
SENT = Consignment(
    1, 1, "facture", 1, None, "caisse@x.test", "<s1@oct.test>", "", "F00001", 1, 5000, NONE, AT,
    ConsignmentState.DELIVERED, AT + 2000, "250 2.0.0 Ok", None, 1, None,
)  # fmt: skip
ART = SENT._replace(id=2, kind="art", insurer_id=None, practitioner_id=1, recipient="ps@x.test", file_id="")
ARL = Return(1, 2, "ARL", 1, 1, 3, "", "lots", NONE, 900, AT + 30_000, ReturnState.DELIVERED)
RSP = replace(ARL, id=2, kind="RSP", received_at=AT + 90_000)
HOLD = Hold(
    1, AT + 900, HoldSubject.LOT, 1, "caisse-inconnue", "Caisse 01 999 inconnue.", None, None, 1, None, None, ""
)


def story(**parts: Any) -> Story:
    empty: dict[str, Any] = {
        "message": MESSAGE, "files": (), "lots": (), "invoices": {}, "consignments": (), "holds": (), "returns": (),
        "progress": {}, "events": (),
    }  # fmt: skip
    return Story(**{**empty, **parts})


STORIES = {
    "paid": story(
        lots=(LOT,),
        consignments=(SENT, ART),
        returns=((ARL, [LotAnswer(1, LotState.ACKNOWLEDGED)]), (RSP, [LotAnswer(1, LotState.PAID, "", "Payé")])),
        progress={1: Progress.SENT, 2: Progress.WAITING},
    ),
    "split": story(
        lots=(
            replace(LOT, state=LotState.MANUAL),
            replace(LOT, id=2, number="002", insurer_id=2, consignment_id=3, state=LotState.SENT),
            replace(LOT, id=3, number="003", insurer_id=None, consignment_id=None, hold_id=1, state=LotState.HELD),
            replace(LOT, id=4, number="004", consignment_id=None, state=LotState.REFUSED_HERE, code="contrat-99"),
            replace(LOT, id=5, number="005", consignment_id=None, state=LotState.DUPLICATE, code="deja-accepte"),
        ),
        consignments=(
            SENT,
            ART,
            SENT._replace(id=3, insurer_id=2, state=ConsignmentState.WAITING, delivered_at=None, due_at=AT + 600_000,
                    reply="451 4.3.2 plus tard", attempts=3),
            SENT._replace(id=4, state=ConsignmentState.FAILED, delivered_at=None, reply="550 5.1.1 boîte inconnue"),
        ),
        holds=(HOLD,),
    ),
    "refused": story(message=replace(MESSAGE, state=MessageState.REFUSED, code="non-chiffre"), consignments=(ART,)),
    "rejected": story(
        lots=(replace(LOT, state=LotState.REJECTED),),
        consignments=(SENT,),
        returns=(
            (ARL, [LotAnswer(1, LotState.REFUSED, "1070", "Lot déjà reçu")]),
            (RSP, [LotAnswer(1, LotState.REJECTED)]),
        ),
        progress={1: Progress.FETCHED, 2: Progress.FAILED},
    ),
    "grouped": story(
        lots=(replace(LOT, consignment_id=9, state=LotState.DELIVERED),),
        consignments=(
            SENT._replace(state=ConsignmentState.REPLACED, delivered_at=None, replaced_by=9),
            SENT._replace(id=9, kind="groupe", message_id=7, file_id="F00009"),
            SENT._replace(id=10, insurer_id=2, file_id="", state=ConsignmentState.GATHERING, delivered_at=None,
                    reply="", attempts=0),
        ),
    ),
    "waiting": story(message=replace(MESSAGE, state=MessageState.RECEIVED, ended_at=None)),
    "return_held": story(
        message=replace(MESSAGE, origin="assureur", insurer_id=1, practitioner_id=None),
        returns=((replace(ARL, message_id=1, consignment_id=None, state=ReturnState.HELD), []),),
        holds=(replace(HOLD, subject=HoldSubject.RETURN, sentence="Plusieurs praticiens sont possibles."),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
def test_a_journey_is_drawn_as_people_saw_it(name: str) -> None:
    drawn = journey_svg(journey_of(STORIES[name], INSURERS)) + "\n"
    path = GOLDEN / f"journey_{name}.svg"
    if os.environ.get("OCT_DRAW"):
        path.write_text(drawn, encoding="utf-8")
    assert drawn == path.read_text(encoding="utf-8")


def test_a_drawing_says_in_words_what_it_shows() -> None:
    """For who cannot see it: title and description, and no tone without its word."""
    drawn = ElementTree.fromstring(journey_svg(journey_of(STORIES["split"], INSURERS)))
    said = drawn.findtext("{http://www.w3.org/2000/svg}desc") or ""
    for words in ("Vers CPAM de Saint-Étienne", "Remis", "traitement manuel", "Caisse 01 999 inconnue.", "Refusé ici",
                  "Doublon", "451 4.3.2 plus tard", "Non remis"):  # fmt: skip
        assert words in said
    assert drawn.get("role") == "img"
    ids = {each.get("id") for each in drawn.iter()}
    assert set((drawn.get("aria-labelledby") or "").split()) <= ids


texts = st.text(max_size=80)
instants = st.none() | st.integers(0, 4_000_000_000_000)
lots = st.builds(
    lambda state, code, number, sent, hold: replace(
        LOT, state=state, code=code, number=number, consignment_id=sent, hold_id=hold
    ),
    st.sampled_from([*LotState, "autre"]), texts, texts, st.sampled_from([None, 1, 2, 7]), st.sampled_from([None, 1]),
)  # fmt: skip
sendings = st.builds(
    lambda kind, state, reply, recipient, at, insurer: SENT._replace(
        kind=kind, state=state, reply=reply, recipient=recipient, delivered_at=at, due_at=at, insurer_id=insurer
    ),
    texts, st.sampled_from([*ConsignmentState, "autre"]), texts, texts, instants, st.sampled_from([None, 1, 2]),
)  # fmt: skip
answers = st.builds(
    lambda kind, state, code: (replace(ARL, kind=kind, state=state), [LotAnswer(1, state, code)]),
    st.sampled_from(["ARL", "RSP", "TEXTE"]), texts, texts,
)  # fmt: skip
any_story = st.builds(
    lambda state, code, carried, sent, told, why: story(
        message=replace(MESSAGE, state=state, code=code, trace=code),
        lots=tuple(carried),
        consignments=tuple(sent),
        returns=tuple(told),
        progress={ARL.id: why},
        holds=(replace(HOLD, sentence=why, subject=why),),
    ),
    texts, texts, st.lists(lots, max_size=4), st.lists(sendings, max_size=4), st.lists(answers, max_size=3), texts,
)  # fmt: skip


@given(any_story, st.dictionaries(st.integers(1, 2), texts))
def test_any_story_draws_well_formed_xml_without_style_or_script(told: Story, insurers: dict[int, str]) -> None:
    drawn = ElementTree.fromstring(journey_svg(journey_of(told, insurers)))
    for each in drawn.iter():
        assert each.tag.rpartition("}")[2] in {"svg", "title", "desc", "g", "rect", "text", "path"}
        assert not {name for name in each.attrib if name == "style" or name.startswith("on") or "href" in name}


@given(
    st.dictionaries(texts, st.dictionaries(st.integers(0, 9), st.integers(1, 10**9)), max_size=4),
    st.integers(0, 40),
    texts,
)
def test_any_counts_draw_a_well_formed_chart(series: dict[str, dict[int, int]], count: int, title: str) -> None:
    drawn = flow_chart(title, series, range(count), lambda period: f"<{period}>", "essai")
    for bar in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}rect"):
        assert float(bar.get("y", "-1")) >= 0
        assert float(bar.get("height", "-1")) >= 1
