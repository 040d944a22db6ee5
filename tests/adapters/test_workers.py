"""Celery's side: what is rung for travels as identifiers, and nobody waits for a broker that is away."""

from __future__ import annotations

import json
import socket
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from oct.settings import Settings, load
from tests.journeys.waiting import until
from tests.journeys.world import free_port
from tests.valkey import Broker
from workers.app import PROCESS, QUEUE, make_app
from workers.ringer import Ringer


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    server = Broker(free_port(), tmp_path)
    server.start()
    yield server
    server.kill()


def settings(url: str) -> Settings:
    return load(None, {"OCT_QUEUE__URL": url}).settings


def waiting(broker: Broker) -> list[bytes]:
    """The tasks in the queue, as the broker holds them."""
    with socket.create_connection(broker.address) as connection, connection.makefile("rwb") as lines:
        lines.write(f"LRANGE {QUEUE} 0 -1\r\n".encode())
        lines.flush()
        count = int(lines.readline()[1:])
        found = []
        for _ in range(count):
            size = int(lines.readline()[1:])
            found.append(lines.read(size + 2)[:size])
        return found


def identifiers(task: bytes) -> list[int]:
    """What a task holds, which is nothing else."""
    (found,), named, _ = json.loads(b64decode(json.loads(task)["body"]))
    assert named == {}
    assert all(isinstance(one, int) for one in found)
    return list(found)


def test_identifiers_travel_by_batches_and_nothing_else_does(broker: Broker) -> None:
    """T4: a task holds the identifiers of messages."""
    ringer = Ringer(make_app(settings(broker.url)), batch=20)
    ringer.ring(range(1, 51))
    ringer.start()
    until("all are published", lambda: len(waiting(broker)) == 3)
    ringer.stop()
    tasks = waiting(broker)
    assert {json.loads(task)["headers"]["task"] for task in tasks} == {PROCESS}
    assert sorted(map(identifiers, tasks)) == [[*range(1, 21)], [*range(21, 41)], [*range(41, 51)]]


def test_ringing_neither_waits_nor_fails_when_the_broker_is_away() -> None:
    """P1: more than the room holds is dropped; the 250 was given before."""
    ringer = Ringer(make_app(settings(f"redis://127.0.0.1:{free_port()}/0")), batch=20)
    ringer.start()
    ringer.ring(range(30_000))
    ringer.stop()


def asks_for_a_password(broker: Broker) -> str:
    """From now on; its URL with another one than it wants."""
    with socket.create_connection(broker.address, timeout=5) as connection:
        connection.sendall(b"CONFIG SET requirepass juste\r\n")
        assert connection.recv(16).startswith(b"+OK")
    return broker.url.replace("redis://", "redis://:faux@")


@pytest.mark.parametrize("trouble", ["nobody there", "wrong password"])
def test_a_broker_that_is_not_to_be_had_at_the_start_is_said_once_with_what_to_do(broker: Broker, trouble: str) -> None:
    """Bad configuration gets one line (issue 4); the door goes on without it, so it is no reason not to start."""
    url = asks_for_a_password(broker)
    if trouble == "nobody there":
        broker.kill()
    with capture_logs() as said:
        ringer = Ringer(make_app(settings(url)), batch=20)
        ringer.start()
        ringer.ring([1])
        until("it is said", lambda: bool(said))
        ringer.stop()
    assert [(one["event"], one["conseil"]) for one in said] == [
        ("file-d-attente-injoignable", "vérifiez [queue] url")
    ]  # fmt: skip
    assert "faux" not in str(said)


def test_a_broker_that_accepts_and_does_not_answer_holds_nobody() -> None:
    """The publishing thread gives up by itself, so that the program can stop."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        ringer = Ringer(make_app(settings(f"redis://127.0.0.1:{mute.getsockname()[1]}/0")), batch=20)
        ringer.start()
        ringer.ring([1])
        accepted, _ = mute.accept()
        ringer.stop()
        accepted.close()


def test_a_broker_comes_back_and_is_rung_again(broker: Broker) -> None:
    """No restart of the door is needed."""
    ringer = Ringer(make_app(settings(broker.url)), batch=20)
    ringer.start()
    ringer.ring([1])
    until("the first is published", lambda: len(waiting(broker)) == 1)
    broker.kill()
    ringer.ring([2])
    broker.start()
    ringer.ring([3])
    until("the broker is rung again", lambda: any(3 in identifiers(task) for task in waiting(broker)))
    ringer.stop()
