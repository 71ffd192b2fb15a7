"""`web3signer:https://host:9000#0xaddress`: a key behind Web3Signer, in its eth1 mode.

Options of the query: `ca`, a file of the certificate authority to trust, and `cert`, a file with
the client's certificate and key, for a server with `--tls-known-clients-file`.
API: POST /api/v1/eth1/sign/{public key} hashes `data` with Keccak-256 and signs the hash.
"""

import re
import ssl
import time
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

import httpx
from eth_account.messages import SignableMessage
from eth_utils.address import is_checksum_address
from otc_sdk.errors import OtcError
from otc_sdk.terms import preimage
from pydantic import TypeAdapter, ValidationError

from coordinator.adapters.secp256k1 import address_of
from coordinator.services.ports import KeyDown

TIMEOUT_SECONDS = 10.0
# A server's list of some thousand keys.
MAX_ANSWER_BYTES = 1024 * 1024
EXAMPLE = "web3signer:https://host:9000#0xAddress"
OPTIONS = {"ca", "cert"}
SIGNATURE = re.compile(r'"?0x([0-9a-fA-F]{130})"?')
PUBLIC_KEYS = TypeAdapter(list[str])


class Web3SignerKey:
    def __init__(self, client: httpx.Client, address: str) -> None:
        """Raises KeyDown if the server does not answer or does not hold the key."""
        self.client, self.address = client, address
        self.identifier = self.find()

    def find(self) -> str:
        """The key's identifier: its public key, as the server writes it."""
        try:
            listed = PUBLIC_KEYS.validate_json(self.ask("GET", "publicKeys"))
            return next(key for key in listed if address_of_hex(key) == self.address)
        except (ValidationError, ValueError) as error:
            raise KeyDown("web3signer: its list of public keys is malformed") from error
        except StopIteration:
            raise KeyDown(f"web3signer: it holds no key of {self.address}") from None

    def sign(self, message: SignableMessage) -> tuple[int, int]:
        data = {"data": "0x" + preimage(message).hex()}
        answer = self.ask("POST", f"sign/{self.identifier}", json=data)
        found = SIGNATURE.fullmatch(answer.decode("latin-1").strip())
        if found is None:
            raise KeyDown("web3signer: it answered something else than a signature")
        return int(found[1][:64], 16), int(found[1][64:128], 16)

    def ask(self, method: str, path: str, **options: Any) -> bytes:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        body = bytearray()
        try:
            with self.client.stream(method, f"api/v1/eth1/{path}", **options) as answer:
                for chunk in answer.iter_bytes():
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES or time.monotonic() > deadline:
                        raise KeyDown("web3signer: its answer is too long")
        except httpx.HTTPError as error:
            raise KeyDown(f"web3signer: no answer ({type(error).__name__})") from error
        if answer.status_code != httpx.codes.OK:
            raise KeyDown(f"web3signer: it answered with status {answer.status_code}")
        return bytes(body)


def address_of_hex(public_key: str) -> str:
    """Of 64 bytes as hex, with or without the prefix 04 of an uncompressed point (SEC 1)."""
    raw = bytes.fromhex(public_key.removeprefix("0x"))
    if len(raw) not in (64, 65):
        raise ValueError("not an uncompressed public key")
    return address_of(raw[-64:])


def open_key(place: str) -> Web3SignerKey:
    """Raises OtcError for a malformed place, KeyDown."""
    url = urlsplit(place)
    options = {name: values[0] for name, values in parse_qs(url.query).items()}
    if url.scheme not in ("http", "https") or not url.hostname or set(options) - OPTIONS:
        raise OtcError(f"a key of web3signer is named like {EXAMPLE}, with ?ca= and &cert= or none")
    if url.username or url.password:
        raise OtcError("web3signer: no password belongs in a key's name; use a client certificate")
    if not is_checksum_address(url.fragment):
        raise OtcError(f"web3signer: what follows # in {EXAMPLE} must be a checksummed address")
    return Web3SignerKey(client_of(url, options), url.fragment)


def client_of(url: SplitResult, options: dict[str, str]) -> httpx.Client:
    """Raises OtcError if a certificate cannot be read."""
    try:
        tls = ssl.create_default_context(cafile=options.get("ca"))
        if "cert" in options:
            # Without a password it would ask at the terminal.
            tls.load_cert_chain(options["cert"], password=b"")
    except OSError as error:  # ssl.SSLError is one
        raise OtcError(f"web3signer: a certificate cannot be read: {error}") from error
    base = f"{url.scheme}://{url.netloc}{url.path}"
    return httpx.Client(base_url=base, verify=tls, timeout=TIMEOUT_SECONDS, trust_env=False)
