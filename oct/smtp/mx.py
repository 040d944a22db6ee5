"""The servers of a domain by the DNS, for an operator without a smarthost.

Takes a domain; gives routes in the order to try them, at random among equals. An address in brackets stands for itself.
Fails with DeliveryError: permanent for a domain that says it takes no mail (RFC 7505) and for brackets around what is
no address, temporary for all that the DNS may still mend; with ConfigurationError without dnspython.
Sources: RFC 5321 sections 4.1.3 and 5.1, RFC 7505.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from oct.errors import ConfigurationError, DeliveryError
from oct.smtp.client import Route, TlsPolicy

if TYPE_CHECKING:
    from dns.resolver import Resolver

SMTP_PORT = 25
_LITERAL = re.compile(r"\[(IPv6:)?([0-9a-f.:]+)\]", re.IGNORECASE)


def mx_routes(
    domain: str, tls: TlsPolicy, *, draw: Callable[[], float], resolver: Resolver | None = None
) -> list[Route]:
    """The domain's mail servers, most preferred first; the domain itself when it has an address and no MX. `draw` gives
    random numbers; without a `resolver`, the name servers are those that the machine has now."""
    if domain.startswith("["):
        return [Route(_literal(domain), SMTP_PORT, tls)]
    try:
        from dns import exception, rdatatype
        from dns import resolver as resolving
    except ImportError as error:
        raise ConfigurationError(
            "dnspython-absent", "La remise directe par MX demande dnspython ; installez-le ou réglez delivery.relay."
        ) from error
    try:
        asked = resolver or resolving.Resolver()
        answer = asked.resolve(domain, rdatatype.MX, raise_on_no_answer=False)
        servers = sorted((record.preference, draw(), str(record.exchange).rstrip(".")) for record in answer)
        if not servers:
            asked.resolve_name(domain)
    except exception.DNSException as error:
        raise DeliveryError(
            "domaine-introuvable", "Le domaine du destinataire ne se trouve pas dans le DNS.", permanent=False
        ) from error
    hosts = [host for *_, host in servers if host]
    if servers and not hosts:
        raise DeliveryError("domaine-sans-courrier", "Le domaine du destinataire refuse tout courrier.", permanent=True)
    return [Route(host, SMTP_PORT, tls) for host in hosts or [domain]]


def _literal(domain: str) -> str:
    """The host of `[192.0.2.1]` or `[IPv6:2001:db8::1]`."""
    found = _LITERAL.fullmatch(domain)
    try:
        if found is None:
            raise ValueError
        return str(IPv6Address(found[2]) if found[1] else IPv4Address(found[2]))
    except ValueError:
        raise DeliveryError(
            "adresse-litterale", "L'adresse entre crochets du destinataire n'est pas correcte.", permanent=True
        ) from None
