"""Messages of the golden claims: sealed by the openssl command, wrapped by hand in every shape of rule M2.

The CMS layer draws its own keys, so these bytes differ at each building; what is inside does not.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

PKI = Path(__file__).parent / "pki"
EDI = 'Application/EDI-consent; name="factures.b2"'
SEALED = 'application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"'
OLD_SEALED = SEALED.replace("pkcs7", "x-pkcs7")


@dataclass(frozen=True)
class Wrap:
    """How a message is wrapped. `shape`: a, b, c, clear, doubled (b under repeated EDI headers) or folded (c).

    `openssl`: options of `openssl cms -encrypt`; `key_options` follow the first recipient; `inside`: file, entity or
    multipart; `transfer`: crlf, lf (base64), qp or pem; `compression`: gzip, zlib, cms or none.
    """

    shape: str = "c"
    description: str = "ZK"
    compression: str = "gzip"
    openssl: tuple[str, ...] = ("-aes-256-cbc",)
    recipients: tuple[str, ...] = ("oct",)
    key_options: tuple[str, ...] = ()
    inside: str = "file"
    transfer: str = "crlf"


def message(wrap: Wrap, headers: list[str], content: bytes) -> bytes:
    """The message of a file: `headers` are From, To, Subject, Date, Message-ID."""
    body = _transferred(wrap, content if wrap.shape == "clear" else _sealed(wrap, content))
    part = _part_headers(wrap)
    if wrap.shape == "a":
        opening = ['Content-Type: multipart/mixed; boundary="=_b1"', "", "--=_b1", "Content-Type: text/plain", ""]
        part = [*opening, "Envoi du logiciel", "--=_b1", *part]
        body += b"--=_b1--\r\n"
    return "\r\n".join([*headers, *part, "", ""]).encode() + body


def _part_headers(wrap: Wrap) -> list[str]:
    description = "Content-Description: FACTURE/SV" + (f"/{wrap.description}" if wrap.description else "")
    encoding = {"qp": "quoted-printable", "pem": "7bit"}.get(wrap.transfer, "base64")
    transfer = f"Content-Transfer-Encoding: {encoding}"
    match wrap.shape:
        case "a":
            return [f"Content-Type: {OLD_SEALED}", transfer, description]
        case "b":
            return ["MIME-Version: 1.0", f"Content-Type: {SEALED}", transfer, description]
        case "doubled":
            repeated = [f"Content-Type: {EDI}", description, "MIME-Version: 1.0"]
            return [
                *repeated,
                f"Content-Type: {SEALED}",
                transfer,
                'Content-Disposition: attachment; filename="smime.p7m"',
            ]
        case "folded":
            folded = "content-type: APPLICATION/EDI-Consent;\r\n\tNAME=factures.b2;\r\n version=1"
            return ["mime-version: 1.0", folded, transfer.upper(), "CONTENT-DESCRIPTION:\r\n facture/sv/zk"]
    return ["MIME-Version: 1.0", f"Content-Type: {EDI}", transfer, description]


def _transferred(wrap: Wrap, content: bytes) -> bytes:
    if wrap.transfer == "qp":
        return binascii.b2a_qp(content, istext=False).replace(b"\n", b"\r\n") + b"\r\n"
    if wrap.transfer == "pem":
        armour = base64.encodebytes(content).replace(b"\n", b"\r\n")
        return b"-----BEGIN CMS-----\r\n" + armour + b"-----END CMS-----\r\n"
    coded = base64.encodebytes(content)
    return coded if wrap.transfer == "lf" else coded.replace(b"\n", b"\r\n")


def _sealed(wrap: Wrap, content: bytes) -> bytes:
    inside = _inside(wrap.inside, compressed(content, wrap.compression))
    first, *others = (["-recip", str(PKI / f"{name}.pem")] for name in wrap.recipients)
    recipients = [*first, *wrap.key_options, *(word for other in others for word in other)]
    command = ["openssl", "cms", "-encrypt", "-binary", "-outform", "DER", *wrap.openssl, *recipients]
    return subprocess.run(command, input=inside, capture_output=True, check=True).stdout


def _inside(form: str, content: bytes) -> bytes:
    if form == "file":
        return content
    coded = base64.encodebytes(content).replace(b"\n", b"\r\n")
    entity = f"Content-Type: {EDI}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode() + coded
    if form == "entity":
        return entity
    opening = (
        b'Content-Type: multipart/mixed; boundary="=_in"\r\n\r\n--=_in\r\nContent-Type: text/plain\r\n\r\nCi-joint\r\n'
    )
    return opening + b"--=_in\r\n" + entity + b"--=_in--\r\n"


def compressed(content: bytes, how: str) -> bytes:
    """The file compressed; `cms` is CompressedData of RFC 3274, which Debian's openssl command cannot write."""
    match how:
        case "gzip":
            return gzip.compress(content, mtime=0)
        case "zlib":
            return zlib.compress(content)
        case "cms":
            content_type = _der(0x06, "2a864886f70d010701")
            inner = _der(0x30, content_type + _der(0xA0, _der(0x04, zlib.compress(content))))
            algorithm = _der(0x30, _der(0x06, "2a864886f70d0109100308"))
            data = _der(0x30, _der(0x02, "00") + algorithm + inner)
            return _der(0x30, _der(0x06, "2a864886f70d0109100109") + _der(0xA0, data))
    return content


def _der(tag: int, content: bytes | str) -> bytes:
    raw = bytes.fromhex(content) if isinstance(content, str) else content
    if len(raw) < 128:
        return bytes([tag, len(raw)]) + raw
    size = len(raw).to_bytes(4, "big").lstrip(b"\0")
    return bytes([tag, 128 + len(size)]) + size + raw


def make_pki(mailboxes: list[str]) -> None:
    """New keys: both authorities, `oct` and its older key, a stranger, a pair for each mailbox; 2020 to 2045."""
    PKI.mkdir(exist_ok=True)
    named = {
        "oct": "oct@concentrateur.example",
        "oct-old": "oct@concentrateur.example",
        "stranger": "x@ailleurs.example",
    }
    authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
    _issue("racine", "AC RACINE ESSAI", "racine", authority)
    _issue("facturation", "AC FACTURATION ESSAI", "racine", authority)
    for name, address in [*named.items(), *((mailbox, mailbox) for mailbox in mailboxes)]:
        usage = f"basicConstraints=CA:FALSE\nkeyUsage=critical,keyEncipherment\nsubjectAltName=email:{address}\n"
        _issue(name, address, "facturation", usage)
    chain = [(PKI / f"{name}.pem").read_bytes() for name in ("facturation", "racine")]
    (PKI / "chaine.pem").write_bytes(b"".join(chain))
    for leftover in PKI.glob("ca.*"):
        leftover.unlink()


def _issue(name: str, common: str, issuer: str, extensions: str) -> None:
    """One pair; `openssl ca` because it alone lets both dates be chosen."""
    key, request, made = PKI / f"{name}.key", PKI / "ca.csr", PKI / f"{name}.pem"
    subject = f"/C=FR/O=essai/CN={common}"
    _run("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-subj", subject, "-out", str(request))
    (PKI / "ca.index").write_text("")
    identifiers = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    (PKI / "ca.conf").write_text(
        f"[ca]\ndefault_ca=a\n[a]\ndatabase={PKI}/ca.index\nnew_certs_dir={PKI}\nrand_serial=yes\ndefault_md=sha256\n"
        f"policy=p\nunique_subject=no\n[p]\nC=supplied\nO=supplied\nCN=supplied\n[x]\n{extensions}{identifiers}"
    )
    signer = ["-selfsign"] if name == issuer else ["-cert", str(PKI / f"{issuer}.pem")]
    files = [
        "-config",
        str(PKI / "ca.conf"),
        "-in",
        str(request),
        "-out",
        str(made),
        "-keyfile",
        str(PKI / f"{issuer}.key"),
    ]
    dates = ["-startdate", "20200101000000Z", "-enddate", "20451231235959Z"]
    _run("ca", "-batch", "-notext", "-extensions", "x", *files, *signer, *dates)
    for copy in PKI.glob("*.pem"):
        if len(copy.stem) == 40 and copy.stem.isalnum():
            copy.unlink()


def _run(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
