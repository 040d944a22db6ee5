"""Where everything stands, in counts, and what needs a person: what `oct status --json` says (K1)."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from oct.steps.alerts.door import refusals_of_the_day
from oct.steps.alerts.traffic import traffic_alerts
from oct.steps.register.validity import look_over
from oct.store import certificates
from oct.store.overview import Overview, overview, unfinished_by_insurer
from oct.web.api.calling import Reading, operation
from oct.web.api.fields import Document, Instant, Label, label_of, told
from oct.web.desk import DeskGiven

router = APIRouter(prefix="/etat", tags=["état"])


class QueueDocument(Document):
    """Ce qui attend de partir vers un destinataire."""

    destinataire: str = told("Son adresse.", "01422@422.01.rss.test")
    envois: int = told("Envois qui attendent.", 2)
    depuis: Instant
    prochain_essai: Instant


class WaitingDocument(Document):
    """Les lots qui attendent quelqu'un, pour un assureur."""

    assureur: Label
    assureur_id: int | None = told("Numéro interne ; nul quand l'assureur n'est pas connu.", 3)
    lots: dict[str, int] = told("Par état.", {"unanswered": 2})


class DivertedDocument(Document):
    """Une boîte de praticien en panne."""

    ps: str = told("Numéro du praticien.", "991234567")
    adresse: str = told("Sa boîte.", "cabinet@exemple.test")
    depuis: Instant | None


class StatusDocument(Document):
    """L'état des flux."""

    messages: dict[str, int] = told("Messages reçus depuis 24 heures, par état.", {"processed": 12})
    lots: dict[str, int] = told("Lots qui attendent, et ceux terminés depuis 24 heures, par état.", {"paid": 30})
    envois: dict[str, int] = told("Envois qui attendent, et ceux des messages de 24 heures, par état.",
                                  {"delivered": 40})  # fmt: skip
    reportes: int = told("Envois déjà tentés qui attendent.", 0)
    retenues: dict[str, int] = told("Retenues ouvertes, par motif.", {"caisse-inconnue": 1})
    plus_ancienne_retenue: Instant | None
    plus_ancien_a_traiter: Instant | None
    plus_ancien_a_grouper: Instant | None
    files: list[QueueDocument] = Field(description="Par destinataire.")
    par_assureur: list[WaitingDocument] = Field(description="Lots qui attendent quelqu'un, par assureur.")
    boites_detournees: list[DivertedDocument] = Field(description="Boîtes en panne.")
    sans_mot_de_passe: list[str] = told("Praticiens dont les retours attendent où ils ne peuvent les lire.", [])
    refus_du_jour: dict[str, int] = told("Refus à la porte depuis minuit, par code SMTP.", {"550": 3})
    alertes: list[str] = told("Ce qui demande une personne ; vide quand tout va bien.", [])


@router.get("", **operation("lire_etat", "Où en est chaque flux, et ce qui demande une personne."))
def read(call: Reading, desk: DeskGiven) -> StatusDocument:
    """One look at the whole."""
    now, own = call.workshop.clock(), call.workshop.opener.keys.keys
    with call.look() as (conn, register):
        stored, lists = certificates.list_all(conn), certificates.revocation_lists(conn)
        seen = overview(conn, now)
        waiting = unfinished_by_insurer(conn)
        refused = dict(refusals_of_the_day(conn, now))
    by_insurer = [
        WaitingDocument(assureur=label_of(register, insurer_id), assureur_id=insurer_id, lots=counts)
        for insurer_id, counts in waiting.items()
    ]
    findings = (one for one in look_over(stored, lists, own, register.trust, now) if one.needs_a_person)
    alerts = [*traffic_alerts(seen, now), *(f"{one.what} : {one.sentence}" for one in findings), *desk.alerts(now)]
    return call.answer(_status(seen, by_insurer, refused, alerts))


def _status(
    seen: Overview, by_insurer: list[WaitingDocument], refused: dict[str, int], alerts: list[str]
) -> StatusDocument:
    return StatusDocument(
        messages=dict(seen.messages),
        lots=dict(seen.lots),
        envois=dict(seen.consignments),
        reportes=seen.deferred,
        retenues=dict(seen.held),
        plus_ancienne_retenue=seen.oldest_hold,
        plus_ancien_a_traiter=seen.oldest_due,
        plus_ancien_a_grouper=seen.oldest_gathering,
        files=[
            QueueDocument(
                destinataire=queue.recipient,
                envois=queue.waiting,
                depuis=queue.oldest_created_at,
                prochain_essai=queue.next_due_at,
            )
            for queue in seen.backlog
        ],
        par_assureur=by_insurer,
        boites_detournees=[
            DivertedDocument(ps=account.number, adresse=account.address, depuis=account.diverted_at)
            for account in seen.diverted
        ],
        sans_mot_de_passe=[account.number for account in seen.locked_out],
        refus_du_jour=refused,
        alertes=alerts,
    )
