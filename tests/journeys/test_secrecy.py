"""T4: no patient is in what a concentrator writes, at the most talkative level; `make soak` runs the long form."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from oct.simulators.sending import deliver
from tests.journeys.conftest import Launch, MakeFleet
from tests.journeys.golden import OCT
from tests.journeys.secrecy import leaks, leaks_below, messages, readable_without_keys
from tests.journeys.waiting import until
from tests.valkey import Broker

SQLITE, POSTGRESQL = 15, 10


@pytest.mark.parametrize("wrapped", [bytes, base64.b64encode, base64.encodebytes, lambda raw: raw.hex().encode()])
@pytest.mark.parametrize("before", [b"", b"x", b"xy"])
def test_the_search_finds_what_is_there(wrapped: Callable[[bytes], bytes], before: bytes) -> None:
    assert leaks(wrapped(before + b"1850578990001 rue"))
    assert leaks(wrapped(before + b"QZWDUPONT0001"))


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """For temporary files: the sockets of processes are among them, whose paths must be short (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="t4") as name:
        yield Path(name)


def test_no_patient_is_in_the_files_of_an_embedded_concentrator(
    launch: Launch, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Database with its WAL, logs, heads, logbook, bundle, temporary files; killed, so that nothing is tidied up."""
    left = short_folder
    monkeypatch.setenv("TMPDIR", str(left))
    monkeypatch.setenv("OCT_LOG", "debug")
    with launch() as world:
        for sender, message in messages(SQLITE):
            assert world.send(sender, message).code == 250
        world.settle()
        world.oct("trace", "export", "lot.zip", "--all")
        world.kill()
        shutil.unpack_archive(world.directory / "lot.zip", world.directory / "lot")
        assert leaks_below(world.directory) == []
        assert leaks_below(left) == []
        assert readable_without_keys(world.store) == 0


def test_no_patient_is_in_a_dump_the_broker_or_the_logs_of_roles(
    make_fleet: MakeFleet, broker: Broker, short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker is overheard all the while: what it holds for an instant counts."""
    left = short_folder
    monkeypatch.setenv("TMPDIR", str(left))
    monkeypatch.setenv("OCT_LOG", "debug")
    heard = bytearray()
    fleet = make_fleet(queue=f'url = "{broker.url}"')
    with closing(socket.create_connection(broker.address)) as listening:
        listening.sendall(b"MONITOR\r\n")
        thread = threading.Thread(target=_listen, args=(listening, heard), daemon=True)
        thread.start()
        fleet.start("smtp-1", "worker-1", "beat-1")
        for sender, message in messages(POSTGRESQL):
            assert deliver(fleet.door("smtp-1"), sender, OCT, message).code == 250
        fleet.settle()
        until("the broker rang", lambda: b"lpush" in bytes(heard).lower())
        for name in ("smtp-1", "worker-1", "beat-1"):
            fleet.kill(name)
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()
    url = fleet.store.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    dump = subprocess.run(["pg_dump", url], capture_output=True, check=True).stdout
    assert b"COPY public.payloads" in dump
    assert leaks(dump) == []
    assert leaks(bytes(heard)) == []
    assert leaks_below(fleet.directory) == []
    assert leaks_below(left) == []
    assert readable_without_keys(fleet.store) == 0


def _listen(connection: socket.socket, heard: bytearray) -> None:
    while block := connection.recv(1 << 16):
        heard += block
