"""What machines ask: does the process live, can it serve, what are the figures. Nobody signs in here.

`/health` touches nothing. `/ready` and `/metrics` may be kept to some networks; elsewhere they do not exist.
"""

from __future__ import annotations

from ipaddress import ip_address

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse, Response

from oct.errors import StoreError
from oct.store.schema import check_schema
from oct.web import metrics
from oct.web.desk import DeskGiven
from oct.web.identity import peer_of
from oct.web.refusals import NotFoundError

router = APIRouter()


def from_probe_network(request: Request, desk: DeskGiven) -> None:
    """NotFoundError unless the peer may ask."""
    networks = desk.rules.probe_networks
    if networks and not any(ip_address(peer_of(request)) in network for network in networks):
        raise NotFoundError


Probed = [Depends(from_probe_network)]


@router.get("/health")
def health() -> PlainTextResponse:
    """The process lives."""
    return PlainTextResponse("vivant\n")


@router.get("/ready", dependencies=Probed)
def ready(desk: DeskGiven) -> PlainTextResponse:
    """The database answers, at the right schema, and the keys are there."""
    try:
        check_schema(desk.workshop.store.engine)
    except StoreError as error:
        return PlainTextResponse(f"{error.code}\n", status_code=503)
    if not desk.keys_there():
        return PlainTextResponse("cles-absentes\n", status_code=503)
    return PlainTextResponse("prêt\n")


@router.get("/metrics", dependencies=Probed)
def figures(desk: DeskGiven) -> Response:
    """The figures, for Prometheus."""
    return Response(metrics.exposition(desk.workshop), media_type=metrics.CONTENT_TYPE)
