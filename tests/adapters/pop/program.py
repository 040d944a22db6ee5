"""A POP server in a process of its own, to be killed: `python -m tests.adapters.pop.program URL PORT CHAIN KEY`.

Prints its port when it listens. Started again on the same database, it takes back the locks of the one before.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys

from oct.pop.server import PopServer
from oct.store.engine import open_store
from tests.adapters.pop.boxes import open_mailboxes


async def serve(url: str, port: str, chain: str, key: str) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.load_cert_chain(chain, key)
    hosted = open_mailboxes(open_store(url), os.urandom)
    hosted.take_back()
    server = PopServer([f"tls://127.0.0.1:{port}"], hostname="boites.test", mailboxes=hosted.callables(), tls=tls)
    await server.start()
    print(server.ports[0], flush=True)  # noqa: T201 - its parent reads it
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
