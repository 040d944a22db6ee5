"""A15 with the real program: messages of two practices within the window leave as one file, judged by openssl."""

from __future__ import annotations

import re
from functools import partial

from oct.simulators.envelopes import Judge
from tests.journeys import slicing
from tests.journeys.conftest import Launch
from tests.journeys.outside import text_of
from tests.journeys.practice import BOURG, GARE, MAILBOX, PONT, practice
from tests.journeys.waiting import until
from tests.journeys.world import World


def _as_many(world: World, arrivals: int) -> bool:
    return len(world.outside.arrivals) == arrivals


def test_messages_share_a_file_whatever_happens_to_the_program(launch: Launch) -> None:
    """A15, L1, L2, T1, P2: the ART come at once; the lots wait, through a kill too, and leave once, byte-identical.

    The pharmacy is of another profession, which the 000 names: its lots have a file of their own.
    """
    with launch(judge=Judge.OPENSSL, grouping='window = "1h"') as world:
        sent: dict[str, list[bytes]] = {"ER": [], "PH": []}
        for rank, (sender, seed) in enumerate(((PONT, 51), (GARE, 52), (PONT, 53)), 1):
            one = practice(sender, seed)
            file = one.claims.file(sender, [one.claims.fse_lot(sender, BOURG), one.claims.fse_lot(sender, BOURG)])
            assert world.send(one.address, one.wrap(file)).accepted
            until("its ART", partial(_as_many, world, rank))
            sent[sender.type] += [lot.data for lot in file.lots]
        assert world.outside.opened() == []
        world.kill()
        world.configure(grouping='window = "1s"')
        world.start()
        until("the files", lambda: len(world.outside.opened(0, MAILBOX[BOURG])) == 2)
        world.settle()
        received = {slicing.at(one.file.data, 62, 63): one.file.data for one in world.outside.opened()}
        assert {norm: [b"".join(lot) for lot in slicing.lots(data)] for norm, data in received.items()} == sent
        for data in received.values():
            slicing.counts_agree(data)
        told = text_of(world.outside.letters("pont@boite.example")[0])
        assert "Prêt, part groupé avec d'autres envois sous 1 h :" in told
        trace = re.search(r"suivi : (\S+)", told)
        assert trace is not None
        assert "factures groupées" in world.oct("trace", "show", trace[1])
        assert len({(one.rcpt_to, one.raw) for one in world.outside.arrivals}) == 5  # a kill may repeat one as it was
