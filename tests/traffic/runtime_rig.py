"""SageMaker's runtime as far as a gateway sees it: one address for all models, and a signature that must be right."""

import asyncio
import datetime as dt
import hashlib
import hmac
import json
from collections import Counter
from ipaddress import ip_address
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from traffic_rig import ModelServer, body_of

from longshore.planning.observed import Copy, CopyState, Upstream

KEY_ID = "AKIDLONGSHORE"
SECRET = "the-secret-of-the-gateway"  # noqa: S105 known to both sides of these tests and to nobody else
REGION = "eu-central-1"
ENDPOINT = "/endpoints/fleet"
COMPONENT = "X-Amzn-SageMaker-Inference-Component"
BEHAVIOUR = "x-do"


class Runtime(ModelServer):
    """Answers requests that are signed as they should be, with what it was asked.

    The header `x-do` says what it does: `ms/N` takes N ms, `424` and other numbers are that status, `cut` breaks the
    connection, `cut-once` only the first time.
    """

    def __init__(self, tls: SSLContext | None = None) -> None:
        super().__init__("runtime", "", tls)
        self.seen: Counter[str] = Counter()
        self.refused: list[str] = []
        self._cut = False

    def upstream(self, version: str, **more: Any) -> Upstream:
        """Where version `version` of `digits` is asked: the component `digits-<version>`."""
        told = {
            "deployment": "digits",
            "version": version,
            "address": self.address,
            "tls": self.tls is not None,
            "host": self.address,
            "path": ENDPOINT,
            "headers": {COMPONENT: f"digits-{version}"},
            "signed_for": f"sagemaker/{REGION}",
        }
        return Upstream.model_validate({**told, **more})

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        method, target, headers = await head_of(reader)
        body = await body_of(reader, headers)
        what = headers.get(BEHAVIOUR, "")
        wrong = signature_error(method, target, headers, body)
        if what == "cut" or (what == "cut-once" and not self._cut):
            self._cut = True
            writer.transport.abort()
            return False
        if what.startswith("ms/"):
            await asyncio.sleep(int(what.removeprefix("ms/")) / 1000)
        if wrong:
            self.refused.append(wrong)
        self.seen[headers.get(COMPONENT.lower(), "")] += 1
        status = 403 if wrong else int(what) if what.isdigit() else 200
        if target.endswith("-response-stream") and status == 200:
            await _stream(writer)
            return True
        said = {"path": target, "headers": headers, "body": len(body), "wrong": wrong}
        content = json.dumps(said).encode()
        writer.write(b"HTTP/1.1 %d Said\r\ncontent-length: %d\r\n\r\n%s" % (status, len(content), content))
        await writer.drain()
        self.answered += 1
        return True


async def head_of(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]]:
    """Method, target and headers of a request."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.partition(": ") for line in lines if line)
    return method, target, {name.lower(): value for name, _, value in pairs}


async def _stream(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(10):
        writer.write(b"5\r\npart \r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
    writer.write(b"0\r\n\r\n")
    await writer.drain()


def signature_error(method: str, target: str, headers: dict[str, str], body: bytes) -> str:
    """What is wrong with a request's signature; empty when it is that of botocore itself."""
    words = headers.get("authorization", "").removeprefix("AWS4-HMAC-SHA256 ").split(", ")
    said = dict(word.split("=", 1) for word in words if "=" in word)
    if said.keys() != {"Credential", "SignedHeaders", "Signature"}:
        return "Missing Authentication Token"
    key_id, date, region, service, _ = said["Credential"].split("/")
    signed = said["SignedHeaders"].split(";")
    if (key_id, region, service, date) != (KEY_ID, REGION, "sagemaker", headers.get("x-amz-date", "")[:8]):
        return f"signed for {said['Credential']}"
    if missing := {"host", "x-amz-date", COMPONENT.lower()}.difference(signed):
        return f"not signed: {missing}"
    if headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
        return "the digest of the body is another"
    request = AWSRequest(method, f"http://{headers['host']}{target}", {name: headers[name] for name in signed}, body)
    request.context["timestamp"] = headers["x-amz-date"]
    signer = _Signer(Credentials(KEY_ID, SECRET), "sagemaker", REGION)
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return "" if hmac.compare_digest(expected, said["Signature"]) else "the signature does not match"


class _Signer(SigV4Auth):  # type: ignore[misc]
    """Signs all headers that it is given: which those are, the request says itself."""

    def headers_to_sign(self, request: AWSRequest) -> Any:
        return request.headers


def component(version: str, state: CopyState = CopyState.READY) -> Copy:
    """A copy of `digits` on SageMaker: it has no address."""
    return Copy(
        id=f"digits-{version}#0", deployment="digits", model="digits", version=version, host="instance-1", state=state
    )


def self_made(folder: Path) -> tuple[Path, SSLContext]:
    """An authority made for this test, and the TLS of a server on 127.0.0.1 that it vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made for a test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("*.sagemaker.eu-central-1.amazonaws.com")]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    roots, secret = folder / "roots.pem", folder / "key.pem"
    roots.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(roots, secret)
    return roots, context
