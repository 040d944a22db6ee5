"""Certificates: own ones and those of others, and what is wrong with any of them, or about to be (K1)."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import Field

from oct.crypto.certificates import fingerprint
from oct.crypto.keystore import OwnKey
from oct.steps.register.enrol import subject_of
from oct.steps.register.validity import Level, look_over
from oct.store import certificates
from oct.store.certificates import CertificateRole, StoredCertificate
from oct.web.api.calling import Reading, operation
from oct.web.api.fields import Document, Instant, told

router = APIRouter(prefix="/certificats", tags=["certificats"])


class CertificateDocument(Document):
    """Un certificat."""

    id: int | None = told("Numéro interne ; nul pour un certificat du concentrateur.", 5)
    role: Literal["concentrateur", "autorité", "entité"] = told("À quoi il sert.", "entité")
    adresse: str = told("Adresse de l'entité, ou nom.", "01422@422.01.rss.test")
    sujet: str = told("Sujet du certificat.", "CN=CPAM inventée")
    numero_de_serie: str = told("Numéro de série, en hexadécimal.", "2f1c")
    empreinte: str = told("SHA-256 du certificat, en hexadécimal.", "9f" * 32)
    debut: Instant
    fin: Instant


class FindingDocument(Document):
    """Ce qui ne va pas, ou bientôt plus."""

    niveau: Level = told("erreur ou alerte demandent une personne ; remplacé n'est qu'un avis.", "alerte")
    id: int | None = told("Numéro interne du certificat ; nul pour un autre objet.", 5)
    certificat: str = told("Ce dont il s'agit.", "01422@422.01.rss.test")
    constat: str = told("Le constat.", "Expire dans 12 jours.")


class CertificatesDocument(Document):
    """Tous les certificats qui servent, et les constats."""

    certificats: list[CertificateDocument] = Field(description="Ceux qui servent, le premier à échoir d'abord.")
    constats: list[FindingDocument] = Field(description="Vide quand tout va bien.")


@router.get("", **operation("lister_certificats", "Les certificats qui servent, et ce qui ne va pas."))
def list_all(call: Reading) -> CertificatesDocument:
    """All of them: a few thousand at most."""
    own, now = call.workshop.opener.keys.keys, call.workshop.clock()
    with call.look() as (conn, register):
        stored, lists = certificates.list_all(conn), certificates.revocation_lists(conn)
    findings = look_over(stored, lists, own, register.trust, now)
    return call.answer(
        CertificatesDocument(
            certificats=[
                *(_own(key) for key in own),
                *(certificate_document(one) for one in stored if one.retired_at is None),
            ],
            constats=[
                FindingDocument(niveau=one.level, id=one.id, certificat=one.what, constat=one.sentence)
                for one in findings
            ],
        )
    )


def certificate_document(one: StoredCertificate) -> CertificateDocument:
    """What is told of somebody's certificate."""
    return CertificateDocument(
        id=one.id,
        role="autorité" if one.role == CertificateRole.AUTHORITY else "entité",
        adresse=one.address or one.subject,
        sujet=one.subject,
        numero_de_serie=one.serial,
        empreinte=one.fingerprint,
        debut=one.not_before,
        fin=one.not_after,
    )


def _own(key: OwnKey) -> CertificateDocument:
    certificate = key.certificate
    return CertificateDocument(
        id=None,
        role="concentrateur",
        adresse=key.name,
        sujet=subject_of(certificate),
        numero_de_serie=f"{certificate.serial_number:x}",
        empreinte=fingerprint(certificate),
        debut=int(certificate.not_valid_before_utc.timestamp() * 1000),
        fin=int(certificate.not_valid_after_utc.timestamp() * 1000),
    )
