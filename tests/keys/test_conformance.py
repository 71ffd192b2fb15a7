"""What every home of the co-signing key is held to: a good signature of its address, or KeyDown."""

import base64
import json
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from google.cloud.kms_v1 import KeyManagementServiceClient
from google.cloud.kms_v1.services.key_management_service.transports import (
    KeyManagementServiceRestTransport,
)
from google.oauth2.credentials import Credentials
from google_crc32c import value as crc32c
from otc_sdk import messages
from otc_sdk.errors import OtcError
from otc_sdk.terms import EscrowDomain

from coordinator.adapters.keys import ProvenKey, awskms, gcpkms, open_key, schemes, web3signer
from coordinator.adapters.secp256k1 import N
from coordinator.services.ports import Key, KeyDown
from tests.certificates import self_signed
from tests.chain import account_of
from tests.keys.stand_ins import (
    Answer,
    AwsKmsStandIn,
    Fault,
    GcpKmsStandIn,
    StandIn,
    Web3SignerStandIn,
    json_answer,
    numbers,
)

ACCOUNT, OTHER = account_of("coordinator"), account_of("other")
DOMAIN = EscrowDomain(1, account_of("escrow").address)
MESSAGE = messages.settlement(DOMAIN, b"\x01" * 32, 5, 1_800_000_000)
SECRET = AwsKmsStandIn.secret_key
SHORT_SECONDS = 1.0


def open_web3signer(service: StandIn) -> Key:
    return open_key(f"web3signer:{service.url}#{ACCOUNT.address}")


def open_awskms(service: StandIn) -> Key:
    return open_key(f"awskms:eu-central-1/{AwsKmsStandIn.key_id}")


def open_gcpkms(service: StandIn) -> Key:
    """As open_key does, but that this service is at another place, with its own token."""
    transport = KeyManagementServiceRestTransport(
        host=service.url, url_scheme="http", credentials=Credentials(GcpKmsStandIn.token)
    )
    client = KeyManagementServiceClient(transport=transport)
    return ProvenKey("gcpkms", gcpkms.GcpKmsKey(client, GcpKmsStandIn.name))


@dataclass
class Remote:
    """A key service, and how its key is opened."""

    scheme: str
    service: StandIn
    opening: Callable[[StandIn], Key]

    def open(self) -> Key:
        return self.opening(self.service)


REMOTES = {
    "web3signer": (Web3SignerStandIn, open_web3signer),
    "awskms": (AwsKmsStandIn, open_awskms),
    "gcpkms": (GcpKmsStandIn, open_gcpkms),
}


@pytest.fixture(params=REMOTES)
def remote(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
    kind, opening = REMOTES[request.param]
    service = kind(ACCOUNT)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials that it found
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", service.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", AwsKmsStandIn.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    try:
        yield Remote(request.param, service, opening)
    finally:
        service.stop()


@pytest.mark.parametrize("remote", ["awskms"], indirect=True)
def test_a_request_with_another_secret_is_refused(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(KeyDown):
        remote.open()
    assert set(remote.service.refusals) == {"SigV4"}


def test_every_scheme_is_held_to_this() -> None:
    assert schemes() == sorted([*REMOTES, "keystore"])


@pytest.mark.parametrize("high_s", [False, True], ids=["low s", "high s"])
def test_it_signs_with_a_low_s_and_the_right_v(remote: Remote, high_s: bool) -> None:
    remote.service.high_s = high_s
    key = remote.open()
    assert key.address == ACCOUNT.address
    assert key.sign(MESSAGE) == messages.sign(ACCOUNT, MESSAGE), remote.service.refusals


def test_a_keystore_does_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(ACCOUNT.encrypt("p", iterations=2)))
    monkeypatch.setenv("OTC_KEYSTORE_PASSWORD", "p")
    key = open_key(f"keystore:{path}")
    assert key.address == ACCOUNT.address
    assert key.sign(MESSAGE) == messages.sign(ACCOUNT, MESSAGE)


def with_signature(r: int, s: int, cut: int = 0) -> Callable[[Answer], Answer]:
    """Put another signature in the service's own form of an answer."""

    def change(answer: Answer) -> Answer:
        status, headers, body = answer
        if body.startswith(b"0x"):
            text = f"0x{r:064x}{s:064x}1b"
            return status, headers, text[: len(text) - 2 * cut].encode()
        encoded = encode_dss_signature(r, s)
        encoded = encoded[: len(encoded) - cut]
        name = "signature" if b'"signature"' in body else "Signature"
        content = json.loads(body) | {name: base64.b64encode(encoded).decode()}
        if name == "signature":
            content["signatureCrc32c"] = str(crc32c(encoded))
        return json_answer(content)

    return change


R, S, _ = numbers(ACCOUNT, b"\x02" * 32)
OTHERS_R, OTHERS_S, _ = numbers(OTHER, b"\x02" * 32)
FAULTS: dict[str, Fault] = {
    "another key's signature": with_signature(OTHERS_R, OTHERS_S),
    "a signature of another message": with_signature(R, S),
    "zero": with_signature(0, 0),
    "beyond the curve's order": with_signature(N + 1, N + 1),
    "a truncated signature": with_signature(R, S, cut=3),
    "garbage": lambda answer: (200, answer[1], b"\xff\x00garbage"),
    "nothing": lambda answer: (200, answer[1], b""),
    "an empty object": lambda _: json_answer({}),
    "a list": lambda _: json_answer([]),
    "a client's error": lambda _: json_answer({"message": "no"}, 403),
    "no such key": lambda _: json_answer({"message": "no"}, 404),
    "a server's error": lambda _: json_answer({"message": "broken"}, 500),
    "a redirect": lambda _: (302, {"Location": "/elsewhere"}, b""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_answer_is_never_a_signature(remote: Remote, fault: str) -> None:
    key = remote.open()
    remote.service.fault = FAULTS[fault]
    with pytest.raises(KeyDown, match=f"^{remote.scheme}: ") as down:
        key.sign(MESSAGE)
    assert SECRET not in str(down.value)
    remote.service.fault = lambda answer: answer
    assert key.sign(MESSAGE) == messages.sign(ACCOUNT, MESSAGE)


def test_silence_ends(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web3signer, "TIMEOUT_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(gcpkms, "TIMEOUT_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(awskms, "READ_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(awskms, "ATTEMPTS", 1)
    key = remote.open()
    remote.service.fault = None
    with pytest.raises(KeyDown, match=f"^{remote.scheme}: "):
        key.sign(MESSAGE)


def test_a_service_that_is_not_there(remote: Remote) -> None:
    key = remote.open()
    remote.service.stop()
    with pytest.raises(KeyDown, match=f"^{remote.scheme}: "):
        key.sign(MESSAGE)
    with pytest.raises(KeyDown, match=f"^{remote.scheme}: "):
        remote.open()


@pytest.mark.parametrize("remote", ["awskms", "gcpkms"], indirect=True)
def test_a_key_on_another_curve_is_refused_at_start(remote: Remote) -> None:
    remote.service.curve = ec.SECP256R1()
    with pytest.raises(KeyDown, match="the key is not"):
        remote.open()


@pytest.mark.parametrize("remote", ["web3signer"], indirect=True)
def test_a_server_without_the_key_is_refused_at_start(remote: Remote) -> None:
    remote.service.account = OTHER
    with pytest.raises(KeyDown, match=f"it holds no key of {ACCOUNT.address}"):
        remote.open()


@pytest.mark.parametrize("remote", ["web3signer"], indirect=True)
def test_an_answer_without_end_is_cut(remote: Remote) -> None:
    key = remote.open()
    remote.service.fault = lambda a: (200, a[1], b"0" * (web3signer.MAX_ANSWER_BYTES + 1))
    with pytest.raises(KeyDown, match="too long"):
        key.sign(MESSAGE)


@pytest.mark.parametrize("remote", ["gcpkms"], indirect=True)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"verifiedDigestCrc32c": False}, "damaged on its way"),
        ({"signatureCrc32c": "1"}, "its answer is damaged"),
        ({"name": GcpKmsStandIn.name[:-1] + "2"}, "another key answered"),
    ],
)
def test_checksums_are_checked(remote: Remote, change: dict[str, object], words: str) -> None:
    key = remote.open()
    remote.service.fault = lambda answer: json_answer(json.loads(answer[2]) | change)
    with pytest.raises(KeyDown, match=words):
        key.sign(MESSAGE)


BAD_NAMES = {
    "": "must begin with one of",
    "keystore": "must begin with one of",
    "vault:x": "must begin with one of",
    "0x" + "ab" * 32: "must begin with one of",
    "keystore:": "keystore:/path",
    "keystore:/nowhere/key.json": "no keystore",
    "web3signer:": "is named like",
    "web3signer:ftp://host#0x": "is named like",
    "web3signer:https://host?what=1#0x": "is named like",
    "web3signer:https://host": "checksummed address",
    f"web3signer:https://u:{SECRET}@host#{ACCOUNT.address}": "no password belongs",
    f"web3signer:https://host?ca=/nowhere#{ACCOUNT.address}": "cannot be read",
    "awskms:eu-central-1": "is named like",
    "awskms:/key": "is named like",
    "gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k": "is named like",
}


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_makes_no_sense(name: str) -> None:
    with pytest.raises(OtcError, match=BAD_NAMES[name]) as refused:
        open_key(name)
    assert SECRET not in str(refused.value)
    assert "ab" * 32 not in str(refused.value)


def test_google_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere")
    with pytest.raises(OtcError, match="gcpkms: no credentials"):
        open_key(f"gcpkms:{GcpKmsStandIn.name}")


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """Server and client both use it."""
    return self_signed(tmp_path)


@pytest.mark.parametrize(
    ("query", "fault"),
    [("?ca={0}&cert={0}", None), ("?ca={0}", "no answer"), ("", "no answer")],
    ids=["known client", "no client certificate", "unknown authority"],
)
def test_web3signer_knows_its_client_by_certificate(
    authority: Path, query: str, fault: str | None
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority))
    tls.load_cert_chain(authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    service = Web3SignerStandIn(ACCOUNT, tls)
    place = f"https://127.0.0.1:{service.port}{query.format(authority)}#{ACCOUNT.address}"
    try:
        if fault is None:
            key = open_key(f"web3signer:{place}")
            assert key.sign(MESSAGE) == messages.sign(ACCOUNT, MESSAGE)
        else:
            with pytest.raises(KeyDown, match=fault):
                open_key(f"web3signer:{place}")
    finally:
        service.stop()
