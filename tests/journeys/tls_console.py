"""The console over TLS, under a certificate of an authority of the test's own."""

from __future__ import annotations

from pathlib import Path

import trustme


def tls_console(folder: Path, port: int) -> str:
    """The lines of [web]; the certificate, its key and the authority (`authority.pem`) are put into `folder`."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(folder / "authority.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "console.pem")
    issued.private_key_pem.write_to_path(folder / "console.key")
    return (
        f'listen = ["tls://127.0.0.1:{port}"]\n'
        f'tls_certificate = "{folder / "console.pem"}"\ntls_key = "{folder / "console.key"}"'
    )
