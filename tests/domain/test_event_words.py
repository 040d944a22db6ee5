"""Every kind and outcome of an event that the code may write has its French words, and none is there for nothing.

Found in the sources: what each call of `Event` gives as kind and outcome, followed through the functions of its module
that hand it on. What cannot be read there is named below, so that nothing new is overlooked.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import ModuleType

import oct.domain.event_words as table
from oct.domain.duplicates import Verdict
from oct.domain.journey import MessageState
from oct.steps.journal.reading import Look
from oct.steps.tries import Tried
from oct.store.alerts import COUNTED

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Function = ast.FunctionDef | ast.AsyncFunctionDef
ROOT = Path(table.__file__).parents[2]
_EVENTS = ("Event", "EventRow")
ANY = "…"
"""The code of a reason."""
ELSEWHERE: Mapping[tuple[str, str], Iterable[str]] = {
    ("oct.steps.process", "outcome.state"): set(MessageState) - {MessageState.RECEIVED},
    ("oct.steps.claims.resending", "verdict"): set(Verdict) - {Verdict.NEW},
    ("oct.steps.journal.reading", "looked.how"): set(Look),
    ("oct.steps.watch", "stage.outcome"): ("sans-reponse", "manuel"),
    ("oct.steps.release", "decision"): ("libere", "refuse", "attribue"),
    ("oct.steps.notices", "_NOTED[finding.status.action]"): ("retarde", "confirme", "relaye"),
    ("oct.steps.custody", "reason.code"): (ANY,),
    ("oct.steps.deliver", "reason.code"): (ANY,),
    ("oct.steps.gather", "reason.code"): (ANY,),
    ("oct.steps.claims.writing", "detention.reason.code"): (ANY,),
    ("oct.steps.tries", "outcome"): set(Tried),
    ("oct.steps.keeping.purge", "what.outcome"): ("acces", "journal", "factures"),
    ("oct.steps.journal.bounded", "one.kind"): ("acces", "refus"),
}


@dataclass(frozen=True)
class Source:
    """A module that writes events."""

    module: ModuleType
    tree: ast.Module

    def functions(self) -> Iterator[_Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, _FUNCTIONS))

    def around(self, node: ast.AST) -> _Function:
        """The innermost function that a node stands in."""
        return [one for one in self.functions() if any(part is node for part in ast.walk(one))][-1]

    def pairs(self, given: Sequence[ast.expr | set[str]], within: _Function) -> set[tuple[str, ...]]:
        """What these expressions of a function may be together; a set is what is known already."""
        places = [argument.arg for argument in (*within.args.args, *within.args.kwonlyargs)]
        left: list[str | set[str]] = []
        for one in given:
            handed = isinstance(one, ast.expr) and not self._known(one) and ast.unparse(_whole(one)) in places
            left.append(one if isinstance(one, set) else ast.unparse(_whole(one)) if handed else self._values(one))
        if all(isinstance(one, set) for one in left):
            return set(product(*left))
        found: set[tuple[str, ...]] = set()
        for call in (node for node in ast.walk(self.tree) if isinstance(node, ast.Call)):
            if within.name in [ast.unparse(one) for one in (call.func, *call.args[:1])]:  # `partial` hands on too
                named = dict(zip(places, call.args, strict=False)) | {str(one.arg): one.value for one in call.keywords}
                found |= self.pairs([named[one] if isinstance(one, str) else one for one in left], self.around(call))
        return found

    def _known(self, given: ast.expr) -> Iterable[str] | None:
        return ELSEWHERE.get((self.module.__name__, ast.unparse(_whole(given))))

    def _values(self, given: ast.expr) -> set[str]:
        given, known = _whole(given), self._known(given)
        match given:
            case _ if known is not None:
                return set(known)
            case ast.IfExp(body=one, orelse=other):
                return self._values(one) | self._values(other)
            case ast.Name(id=name) if assigned := self._assigned(given, name):
                return set().union(*map(self._values, assigned))
        return {str(eval(ast.unparse(given), vars(self.module)))}

    def _assigned(self, given: ast.expr, name: str) -> list[ast.expr]:
        return [
            node.value for node in ast.walk(self.around(given))
            if isinstance(node, ast.Assign) and any(ast.unparse(target) == name for target in node.targets)
        ]  # fmt: skip


def _whole(given: ast.expr) -> ast.expr:
    """What a slice is cut from."""
    return given.value if isinstance(given, ast.Subscript) and isinstance(given.slice, ast.Slice) else given


def sources() -> Iterator[Source]:
    for path in sorted((ROOT / "oct").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "oct.store.events import" in text and any(f"{one}(" in text for one in _EVENTS):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield Source(importlib.import_module(name), ast.parse(text))


def written() -> set[tuple[str, ...]]:
    """Kind and outcome of every event that the code may write."""
    found: set[tuple[str, ...]] = set()
    for source in sources():
        for call in ast.walk(source.tree):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in _EVENTS:
                named = {one.arg: one.value for one in call.keywords}
                found |= source.pairs(
                    [*call.args[1:3], *(named[name] for name in ("kind", "outcome") if name in named)],
                    source.around(call),
                )
    return found


def test_every_kind_and_outcome_has_its_words_and_no_others_have() -> None:
    found = written()
    assert {kind for kind, _ in found} == set(table.EVENTS)
    told = {(kind, outcome) for kind, words in table.EVENTS.items() for outcome in words.outcomes}
    coded = {kind for kind, words in table.EVENTS.items() if words.any_outcome}
    assert coded == {kind for kind, outcome in found if outcome == ANY}
    assert {one for one in found if one[0] not in coded} == told


def test_what_has_no_words_is_shown_as_it_is() -> None:
    assert table.kind_said("nouveauté") == "nouveauté"
    assert table.outcome_said("nouveauté", "essai") == table.outcome_said("recu", "essai") == "essai"
    assert table.outcome_said("retenu", "caisse-incon") == "décision attendue"
    assert table.outcome_said("acces", COUNTED) == "autres refus, comptés"
