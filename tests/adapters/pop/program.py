"""POP servers in processes of their own, to be killed: `python -m tests.adapters.pop.program URL CHAIN KEY`.

For each line on its standard input, a port, it starts one more server there and prints the server's pid and port when
it listens. What takes a second, to load the program, is done once: each server is a copy of this process, and nothing
of one lives in the next but what is in the database. Started again, it takes back the locks of the one before. Logins
cost nothing here, or argon2 would be most of what is measured.
"""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys

from oct.pop.server import PopServer
from oct.store.engine import open_store
from tests.adapters.pop.boxes import House, open_mailboxes


async def serve(url: str, port: str, chain: str, key: str) -> None:
    """Serves until it is killed."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.load_cert_chain(chain, key)
    store = open_store(url)
    house = House(store, open_mailboxes(store, os.urandom), hashed="")
    house.hosted.take_back()
    server = PopServer([f"tls://127.0.0.1:{port}"], hostname="boites.test", mailboxes=house.instant_logins(), tls=tls)
    await server.start()
    print(os.getpid(), server.ports[0], flush=True)  # noqa: T201 - its parent reads it
    await asyncio.Event().wait()


def main(url: str, chain: str, key: str) -> None:
    """Starts servers for as long as somebody asks for them; those that were killed are nobody's zombies."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if os.fork() == 0:
            asyncio.run(serve(url, line.strip(), chain, key))


if __name__ == "__main__":
    main(*sys.argv[1:])
