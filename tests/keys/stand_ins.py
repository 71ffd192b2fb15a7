"""Stand-ins for key services that tests cannot reach: their documented formats, real sockets.

Each holds one key, checks what it is asked as the service does, and can be told to misbehave.
PYTEST_DONT_REWRITE: test modules import this before pytest does.
"""

import base64
import json
import re
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from eth_account.signers.local import LocalAccount
from eth_keys import keys
from eth_utils.crypto import keccak
from google_crc32c import value as crc32c

from coordinator.adapters.secp256k1 import N

PATIENCE_SECONDS = 20
Answer = tuple[int, dict[str, str], bytes]
# Changes what the service answers with to a request to sign; None never answers.
Fault = Callable[[Answer], Answer] | None


def numbers(account: LocalAccount, digest: bytes, high: bool = False) -> tuple[int, int, int]:
    """r, s, v over 32 bytes. A service knows nothing of EIP-2: `high` takes the other s."""
    signature = keys.PrivateKey(bytes(account.key)).sign_msg_hash(digest)
    if high:
        return signature.r, N - signature.s, 1 - signature.v
    return signature.r, signature.s, signature.v


def der(account: LocalAccount, digest: bytes, high: bool) -> bytes:
    return encode_dss_signature(*numbers(account, digest, high)[:2])


def public_key(account: LocalAccount, curve: Any = None) -> ec.EllipticCurvePublicKey:
    secret = int.from_bytes(bytes(account.key), "big")
    return ec.derive_private_key(secret % 2**250, curve).public_key() if curve else (
        ec.derive_private_key(secret, ec.SECP256K1()).public_key()
    )  # fmt: skip


def json_answer(body: Any, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


class StandIn:
    """A service on a loopback port. Subclasses answer `respond`."""

    def __init__(self, account: LocalAccount, tls: ssl.SSLContext | None = None) -> None:
        self.account, self.high_s, self.curve = account, False, None
        self.fault: Fault = lambda answer: answer
        self.over = threading.Event()
        self.refusals: list[str] = []
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                stand_in.answer(self, b"")

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                stand_in.answer(self, self.rfile.read(length))

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def port(self) -> int:
        return self.server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        try:
            found = self.respond(handler, body)
        except AssertionError as error:  # kept for the test to see: the caller gets a 400 only
            self.refusals.append(str(error))
            found = 400, {}, b""
        if self.signs(handler):
            if self.fault is None:
                self.over.wait(PATIENCE_SECONDS)
                return
            found = self.fault(found)
        status, headers, content = found
        handler.send_response(status)
        for name, value in {
            **headers,
            "Content-Length": str(len(content)),
            "Connection": "close",
        }.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(content)

    def signs(self, handler: BaseHTTPRequestHandler) -> bool:
        raise NotImplementedError

    def respond(self, handler: BaseHTTPRequestHandler, body: bytes) -> Answer:
        """Raises AssertionError for what the service would refuse."""
        raise NotImplementedError

    def stop(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Web3SignerStandIn(StandIn):
    """Web3Signer's eth1 mode: its OpenAPI document's two paths."""

    def signs(self, handler: BaseHTTPRequestHandler) -> bool:
        return handler.command == "POST"

    def point(self) -> str:
        form = serialization.PublicFormat.UncompressedPoint
        key = public_key(self.account)
        return "0x" + key.public_bytes(serialization.Encoding.X962, form)[1:].hex()

    def respond(self, handler: BaseHTTPRequestHandler, body: bytes) -> Answer:
        if (handler.command, handler.path) == ("GET", "/api/v1/eth1/publicKeys"):
            return json_answer(["0x" + "11" * 64, self.point()])
        assert handler.path == f"/api/v1/eth1/sign/{self.point()}", handler.path
        assert handler.headers["Content-Type"] == "application/json"
        asked = json.loads(body)
        assert set(asked) == {"data"}, asked
        assert re.fullmatch("0x[0-9a-f]*", asked["data"])
        r, s, v = numbers(self.account, keccak(hexstr=asked["data"]), self.high_s)
        text = f"0x{r:064x}{s:064x}{27 + v:02x}"
        return 200, {"Content-Type": "text/plain; charset=utf-8"}, text.encode()


class AwsKmsStandIn(StandIn):
    """AWS KMS' JSON protocol 1.1: X-Amz-Target names the action, SigV4 signs the request."""

    key_id = "1234abcd-12ab-34cd-56ef-1234567890ab"
    access_key, secret_key = "AWS-ID", "AWS-SECRET"

    def signs(self, handler: BaseHTTPRequestHandler) -> bool:
        return handler.headers["X-Amz-Target"] == "TrentService.Sign"

    def respond(self, handler: BaseHTTPRequestHandler, body: bytes) -> Answer:
        assert (handler.command, handler.path) == ("POST", "/")
        assert handler.headers["Content-Type"] == "application/x-amz-json-1.1"
        assert self.is_signed(handler, body), "SigV4"
        asked = json.loads(body)
        assert asked.pop("KeyId") == self.key_id
        if not self.signs(handler):
            assert handler.headers["X-Amz-Target"] == "TrentService.GetPublicKey"
            return json_answer(self.described())
        digest = base64.b64decode(asked.pop("Message"), validate=True)
        assert asked == {"MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_256"}, asked
        assert len(digest) == 32
        signature = base64.b64encode(der(self.account, digest, self.high_s)).decode()
        return json_answer({"Signature": signature, "SigningAlgorithm": "ECDSA_SHA_256"})

    def is_signed(self, handler: BaseHTTPRequestHandler, body: bytes) -> bool:
        """Whether what the request says to be signed is, with the secret key; the body, too."""
        pattern = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/[0-9]{{8}}/eu-central-1/kms/"
            "aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})"
        )
        found = re.fullmatch(pattern, handler.headers["Authorization"])
        if found is None:
            return False
        names = found[1].split(";")
        request = AWSRequest(
            method="POST",
            url=f"{self.url}/",
            data=body,
            headers={name: handler.headers[name] for name in names},
        )
        request.context["timestamp"] = handler.headers["X-Amz-Date"]
        credentials = Credentials(self.access_key, self.secret_key)
        auth = SigV4Auth(credentials, "kms", "eu-central-1")
        signed = auth.signature(
            auth.string_to_sign(request, auth.canonical_request(request)), request
        )
        required = {"content-type", "host", "x-amz-date", "x-amz-target"}
        return bool(required <= set(names) and signed == found[2])

    def described(self) -> dict[str, Any]:
        key = public_key(self.account, self.curve)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        encoded = key.public_bytes(serialization.Encoding.DER, form)
        return {
            "KeySpec": "ECC_NIST_P256" if self.curve else "ECC_SECG_P256K1",
            "KeyUsage": "SIGN_VERIFY",
            "PublicKey": base64.b64encode(encoded).decode(),
            "SigningAlgorithms": ["ECDSA_SHA_256"],
        }


class GcpKmsStandIn(StandIn):
    """Cloud KMS' REST API v1: getPublicKey and asymmetricSign of one key version."""

    token = "GCP-TOKEN"
    name = "projects/p/locations/europe-west3/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1"

    def signs(self, handler: BaseHTTPRequestHandler) -> bool:
        return handler.command == "POST"

    def respond(self, handler: BaseHTTPRequestHandler, body: bytes) -> Answer:
        assert handler.headers["Authorization"] == f"Bearer {self.token}", "Authorization"
        path = handler.path.partition("?")[0]
        if (handler.command, path) == ("GET", f"/v1/{self.name}/publicKey"):
            return json_answer(self.described())
        assert (handler.command, path) == ("POST", f"/v1/{self.name}:asymmetricSign"), path
        asked = json.loads(body)
        assert (set(asked), set(asked["digest"])) == ({"digest", "digestCrc32c"}, {"sha256"}), asked
        digest = base64.b64decode(asked["digest"]["sha256"], validate=True)
        assert len(digest) == 32
        assert int(asked["digestCrc32c"]) == crc32c(digest), "digestCrc32c"
        signature = der(self.account, digest, self.high_s)
        return json_answer({
            "name": self.name,
            "signature": base64.b64encode(signature).decode(),
            "signatureCrc32c": str(crc32c(signature)),
            "verifiedDigestCrc32c": True,
            "protectionLevel": "HSM",
        })  # fmt: skip

    def described(self) -> dict[str, Any]:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        key = public_key(self.account, self.curve)
        pem = key.public_bytes(serialization.Encoding.PEM, form)
        kind = "EC_SIGN_P256_SHA256" if self.curve else "EC_SIGN_SECP256K1_SHA256"
        return {
            "name": self.name,
            "pem": pem.decode(),
            "pemCrc32c": str(crc32c(pem)),
            "algorithm": kind,
            "protectionLevel": "HSM",
        }
