"""A time stamping authority for the tests: `openssl ts` behind a small HTTP server, with a chain of its own."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

_CONFIGURATION = """
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:TRUE
[authority]
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = here
[here]
serial = {home}/serial
signer_cert = {home}/tsa.pem
certs = {home}/root.pem
signer_key = {home}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
crypto_device = builtin
"""


def openssl(*line: str | Path, home: Path) -> str:
    """What a command of OpenSSL prints; it must succeed."""
    done = subprocess.run(["openssl", *line], cwd=home, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return (done.stdout + done.stderr).decode("utf-8", "replace")


class Authority:
    """`answer` may be replaced: None is what `openssl ts` answers; `queries` counts what was asked."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        self.home = home
        self.url = ""
        self.answer: bytes | None = None
        self.queries = 0
        (home / "ts.cnf").write_text(_CONFIGURATION.format(home=home))
        (home / "serial").write_text("01\n")
        new = ("-newkey", "rsa:2048", "-nodes", "-config", "ts.cnf")
        ca = ("-CA", "root.pem", "-CAkey", "root.key")
        openssl("req", "-x509", *new, "-extensions", "root", "-subj", "/CN=Racine", "-keyout", "root.key",
                "-out", "root.pem", home=home)  # fmt: skip
        openssl("req", "-x509", *new, "-extensions", "authority", *ca, "-subj", "/CN=Horodatage", "-keyout", "tsa.key",
                "-out", "tsa.pem", home=home)  # fmt: skip

    @property
    def certificate(self) -> Path:
        """What who verifies is given."""
        return self.home / "root.pem"

    def reply(self, query: bytes) -> bytes:
        self.queries += 1
        if self.answer is not None:
            return self.answer
        (self.home / "query.tsq").write_bytes(query)
        openssl("ts", "-reply", "-config", "ts.cnf", "-queryfile", "query.tsq", "-out", "reply.tsr", home=self.home)
        return (self.home / "reply.tsr").read_bytes()


@contextmanager
def authority(home: Path) -> Iterator[Authority]:
    """An authority that answers at its `url`."""
    made = Authority(home)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            content = made.reply(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/tsa"
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
