"""P4, where not everything leaves through one relay: whoever is behind a server that does not answer shares its fate,
and nobody else does."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from oct.bootstrap import connector
from oct.settings import load
from oct.simulators.reception import Reception
from oct.smtp.client import Connection, Route, TlsPolicy
from oct.steps.work import couriers as module
from oct.steps.work.couriers import Couriers, Round
from oct.steps.work.crew import Connect
from oct.steps.workshop import Workshop
from tests.adapters.smtp.insurers import CUT, SILENT, Insurer, serving
from tests.journeys.waiting import until
from tests.steps.bench import Bench, Outside, bench
from tests.steps.resending_rig import Hand
from tests.steps.sending_rig import MINUTE, SECOND, consign, leased, outcomes, rows, work_off

OTHERS = [f"caisse{rank}@boite.example" for rank in range(8)]
DEAD = [f"caisse{rank}@muet.example" for rank in range(100)]
SENDERS = 3


@pytest.fixture
def pieces(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """The couriers' places are taken sooner."""
    monkeypatch.setattr(module, "_QUIET_S", 0.2)
    monkeypatch.setattr(module, "_PATROL_S", 0.05)
    monkeypatch.setattr(module, "_GRACE_S", 0.1)
    with bench(tmp_path, sqlite_url, certified=False) as made:
        yield made


@pytest.fixture
def stalling() -> Iterator[int]:
    """The port of a server that greets, and answers no recipient."""
    with Reception(Outside(), serves=lambda _: True) as reception:
        reception.temper.black_hole(600)
        yield reception.port


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        yield listening.getsockname()[1]


def couriers(workshop: Workshop, home: Path, *, timeout: str, lease: int = 10 * MINUTE, **routes: int) -> Couriers:
    """They go by the routes that are named after domains, and else to everybody's server."""
    named = ", ".join(f'"{name}.example" = "127.0.0.1:{port}"' for name, port in routes.items())
    file = home / "direct.toml"
    file.write_text(f'{(home / "oct.toml").read_text()}timeout = "{timeout}"\nroutes = {{ {named} }}\n')
    pace = Round(SENDERS, 50, 4, lease, look=200, one_relay=False)
    return Couriers(workshop, connector(load(file, {}).settings), pace, "essai/")


@pytest.mark.parametrize("server", ["silent", "stalling"])
def test_a_dead_server_does_not_take_every_place_however_many_are_behind_it(
    pieces: Bench, tmp_path: Path, request: pytest.FixtureRequest, server: str
) -> None:
    """P4: a hundred recipients, due before anything for the others, and no time-out ends meanwhile."""
    consign(pieces.workshop, [*DEAD, *OTHERS])
    sending = couriers(pieces.workshop, tmp_path, timeout="10m", muet=request.getfixturevalue(server))
    sending.start()
    until("the others have theirs", lambda: len(pieces.outside.letters) >= len(OTHERS))
    sending.stop()
    assert sorted(letter.rcpt_to for letter in pieces.outside.letters) == OTHERS
    assert leased(pieces.workshop) <= module._MOST_QUIET * SENDERS // 2 + SENDERS


def test_who_is_behind_a_dead_server_shares_the_fate_of_the_first_that_gets_no_answer(
    pieces: Bench, tmp_path: Path, silent: int
) -> None:
    """One time-out for all of them, at each try; each is counted."""
    clock = Hand()
    workshop = replace(pieces.workshop, clock=clock)
    consign(workshop, [*DEAD, *OTHERS])
    sending = couriers(workshop, tmp_path, timeout="800ms", muet=silent)
    for attempt in (1, 2):
        clock.now += 10 * MINUTE
        asyncio.run(sending.work_off())
        dead = [one for one in rows(workshop) if one.recipient in DEAD]
        assert Counter((one.state, one.attempts, one.reply) for one in dead) == {
            ("waiting", attempt, "0 delai depasse"): len(DEAD)
        }
    assert leased(workshop) == 0
    assert Counter(outcomes(workshop)) == {"remis": len(OTHERS), "differe": 2 * len(DEAD)}


def test_what_follows_shares_the_fate_of_the_first_though_half_of_the_lease_is_over(
    pieces: Bench, tmp_path: Path, silent: int
) -> None:
    """With [delivery] timeout = 1m and [worker] lease = 2m, as they come, it always is."""
    clock = Hand()
    workshop = replace(pieces.workshop, clock=clock)
    consign(workshop, DEAD[:1] * 5)
    clock.now += SECOND
    sending = couriers(workshop, tmp_path, timeout="800ms", lease=2 * MINUTE, muet=silent)

    async def a_minute_passes() -> None:
        working = asyncio.create_task(sending.work_off())
        while not any(one.since < inf for one in sending._crew):
            await asyncio.sleep(0.01)
        clock.now += MINUTE
        await working

    asyncio.run(a_minute_passes())
    assert sending._carried == 1
    assert [(one.attempts, one.reply) for one in rows(workshop)] == [(1, "0 delai depasse")] * 5


@pytest.mark.parametrize(
    "greeting",
    [SILENT, b"421 4.3.2 plus tard\r\n", b"554 5.3.2 non\r\n", b"220 oct\r\n", CUT, b"ceci n'est pas SMTP\r\n"],
)
def test_a_domain_s_next_server_is_tried_after_one_that_did_not_greet(
    pieces: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, greeting: bytes
) -> None:
    """RFC 5321 5.1: at the next try, and by all that comes for some time; then the preferred one again."""
    clock = Hand()
    workshop = replace(pieces.workshop, clock=clock)
    preferred = Insurer(
        answers={"CONNECT": [greeting] * 10, "EHLO": [b"554 non\r\n"] * 10, "HELO": [b"550 non\r\n"] * 10}
    )
    with serving(preferred), serving(Insurer()) as second:

        def exchangers(_domain: str, tls: TlsPolicy) -> list[Route]:
            return [Route("127.0.0.1", one.port, tls) for one in (preferred, second)]

        settings = load(tmp_path / "oct.toml", {"OCT_DELIVERY__RELAY": "", "OCT_DELIVERY__TIMEOUT": "400ms"}).settings
        pace = Round(1, 50, 4, 10 * MINUTE, look=200, one_relay=False)
        sending = Couriers(workshop, connector(settings, exchangers), pace, "essai/")
        consign(workshop, OTHERS[:1])
        clock.now += SECOND
        work_off(sending)
        assert outcomes(workshop) == ["differe"]
        clock.now += MINUTE
        consign(workshop, OTHERS[:2], 2)
        clock.now += SECOND
        work_off(sending)
        assert outcomes(workshop) == ["differe"] + ["remis"] * 3
        assert (preferred.connections, second.connections) == (1, 1)
        assert len(second.wires) == 3
        monkeypatch.setattr(module, "_AVOIDED_S", 0.0)
        preferred.released.set()  # it speaks with one at a time
        consign(workshop, OTHERS[:1], 3)
        clock.now += SECOND
        work_off(sending)
    assert (preferred.connections, second.connections) == (2, 1)


def test_who_waited_for_a_name_server_is_not_in_its_own_way(pieces: Bench, tmp_path: Path) -> None:
    """A name that is found late is a name that is found."""
    connect = connector(load(tmp_path / "oct.toml", {}).settings)

    async def slowly(recipient: str, avoided: Container[Route]) -> Connection:
        (asking,) = (one for one in sending._crew if one.errand and one.errand.consignment.recipient == recipient)
        while not asking.quiet:
            await asyncio.sleep(0.02)
        return await connect(recipient, avoided)

    consign(pieces.workshop, [f"caisse@{rank}.example" for rank in range(SENDERS)])
    pace = Round(SENDERS, 50, 4, 10 * MINUTE, look=200, one_relay=False)
    sending = Couriers(pieces.workshop, slowly, pace, "essai/")
    asyncio.run(sending.work_off())
    assert outcomes(pieces.workshop) == ["remis"] * SENDERS


def test_a_server_that_is_avoided_is_used_when_all_are(pieces: Bench, tmp_path: Path, silent: int) -> None:
    """Nothing is tried nowhere."""
    settings = load(tmp_path / "oct.toml", {"OCT_DELIVERY__RELAY": ""}).settings
    first, second = (Route("127.0.0.1", port, TlsPolicy.NONE) for port in (silent, silent + 1))
    connect = connector(settings, lambda _domain, _tls: [first, second])
    assert [asyncio.run(_connected(connect, OTHERS[0], *away)).route for away in ([], [first], [second])] == [
        first,
        second,
        first,
    ]
    assert asyncio.run(_connected(connect, OTHERS[0], first, second)).route == first
    assert pieces


@pytest.mark.parametrize(
    ("recipient", "host"),
    [
        ("01@422.01.rss.fr", "a.example"),
        ("01@RSS.Fr", "a.example"),
        ("01@rss.fr.", "a.example"),
        ("01@422.ma.rss.fr", "2001:db8::1"),
        ("01@notrss.fr", "127.0.0.1"),
        ("01@rss.fr.example", "127.0.0.1"),
        ("01@[10.0.0.1]", "127.0.0.1"),
    ],
)
def test_a_route_is_that_of_the_longest_suffix_by_whole_labels(
    pieces: Bench, tmp_path: Path, recipient: str, host: str
) -> None:
    file = tmp_path / "oct.toml"
    file.write_text(f'{file.read_text()}routes = {{ "rss.fr" = "a.example:25", "ma.rss.fr" = "[2001:db8::1]:26" }}\n')
    connection = asyncio.run(_connected(connector(load(file, {}).settings), recipient))
    assert connection.route.host == host
    assert pieces


async def _connected(connect: Connect, recipient: str, *avoided: Route) -> Connection:
    return await connect(recipient, avoided)
