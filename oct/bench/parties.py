"""Who takes part in a benchmark: invented practitioners, and insurers who all have one key."""

from __future__ import annotations

from oct.simulators.parties import Caisse, Network, Sender

CONCENTRATOR = "oct@concentrateur.example"
NUMBER = "552100554"
SENDERS = tuple(Sender(str(421_739_586 + rank), "ER", f"CABINET D ESSAI {rank:03d}") for rank in range(100))
CAISSES = tuple(Caisse("01", f"{101 + rank}", "0000", f"{101 + rank}", "016") for rank in range(30))
NETWORK = Network(NUMBER.zfill(14), CAISSES, ())


def address_of(caisse: Caisse) -> str:
    """The mailbox of an insurer."""
    return f"{caisse.regime}{caisse.organism}@{caisse.organism}.{caisse.regime}.rss.fr"


def mailbox_of(sender: Sender) -> str:
    """The mailbox of a practitioner."""
    return f"ps{sender.number}@boite.example"
