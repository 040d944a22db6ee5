"""Bundles for an auditor: the whole log, a practitioner, a period, or what one identifier leads to (J2).

The bundle is made whole in a temporary file that has no name any more when it leaves, so that neither a download that
is broken off nor a process that dies leaves anything behind. The export is written down before it leaves.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import Response, StreamingResponse

from oct.clock import midnight, utc
from oct.errors import RuleError
from oct.steps.journal.proof import export
from oct.steps.journal.reading import Look, Looked
from oct.store import events
from oct.store.log_lines import Selection
from oct.trace.verify import ProofError
from oct.web.identity import Identity, Right, require
from oct.web.pages.reader import Reader, Reading, filters, id_of

router = APIRouter(prefix="/export")

Exporter = Annotated[Identity, Depends(require(Right.EXPORT_PROOF))]
Text = Annotated[str, Form(max_length=300)]
_BLOCK = 1 << 16


@router.get("")
def form_page(reader: Reading, _: Exporter) -> Response:
    """What may be asked for."""
    return reader.page("export.html", given={}, wrong="")


@router.post("")
def download(
    reader: Reading,
    _: Exporter,
    ps: Text = "",
    depuis: Text = "",
    jusqu_a: Text = "",
    identifiant: Text = "",
    tout: Annotated[bool, Form()] = False,
) -> Response:
    """The bundle, as a file to keep."""
    given = filters(ps=ps.strip(), depuis=depuis, jusqu_a=jusqu_a, identifiant=identifiant.strip())
    now = reader.workshop.clock()
    try:
        if tout == bool(given):
            raise RuleError("choix", "Choisissez tout le journal, ou bien un praticien, une période, un identifiant.")
        selection = None if tout else selection_of(reader, **{name: str(value) for name, value in given.items()})
        count, bundle = made(reader, selection, now)
    except ProofError as fault:
        return reader.page("export.html", status=422, given=given, wrong=fault.sentence)
    except RuleError as error:
        return reader.page("export.html", status=422, given=given, wrong=error.sentence)
    account = selection.practitioner_id if selection is not None else None
    said = {**given, "tout": tout, "evenements": count}
    reader.note(Looked(Look.EXPORT, practitioner_id=account, data=said))
    name = f"trace-{utc(now):%Y%m%dT%H%M%S}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(blocks(bundle), media_type="application/zip", headers=headers)


def selection_of(reader: Reader, ps: str = "", depuis: str = "", jusqu_a: str = "", identifiant: str = "") -> Selection:
    """What was asked for. RuleError when it names nothing."""
    since, until = midnight(depuis), midnight(jusqu_a, 1)
    if (depuis and since is None) or (jusqu_a and until is None):
        raise RuleError("date", "Date attendue : AAAA-MM-JJ.")
    if since is not None and until is not None and until <= since:
        raise RuleError("periode", "Le dernier jour vient avant le premier.")
    with reader.look() as (conn, register):
        account = register.by_number.get(ps)
        ids = tuple(events.find(conn, identifiant)) if identifiant else None
    if ps and account is None:
        raise RuleError("ps-inconnu", "Aucun praticien n'a ce numéro.")
    if ids == ():
        raise RuleError("trace-inconnue", "Rien n'est connu sous cet identifiant.")
    return Selection(id_of(account), since, until, ids)


def made(reader: Reader, selection: Selection | None, now: int) -> tuple[int, IO[bytes]]:
    """How many events, and the bundle, in a file that has no name any more."""
    with TemporaryDirectory(prefix="oct-export-") as folder:
        path = Path(folder) / "lot.zip"
        count = export(reader.workshop.store, path, selection, now)
        return count, path.open("rb")


def blocks(file: IO[bytes]) -> Iterator[bytes]:
    """The file, piece by piece; closed at the end."""
    with file:
        while block := file.read(_BLOCK):
            yield block
