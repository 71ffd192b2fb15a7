"""`gcpkms:projects/…/cryptoKeyVersions/1`: a key in Google Cloud KMS, EC_SIGN_SECP256K1_SHA256.

Credentials come from where Google's own tools have them. Checksums (CRC32C) are sent and checked
both ways, as https://cloud.google.com/kms/docs/data-integrity-guidelines asks.
"""

import re
from typing import Any

from eth_account.messages import SignableMessage
from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud.kms_v1 import CryptoKeyVersion, KeyManagementServiceClient
from google.protobuf.json_format import ParseError
from google_crc32c import value as crc32c
from otc_sdk.errors import OtcError
from otc_sdk.terms import digest
from requests.exceptions import RequestException

from coordinator.adapters.secp256k1 import address_of_spki, numbers_of_der
from coordinator.services.ports import KeyDown

TIMEOUT_SECONDS = 10.0
ALGORITHM = CryptoKeyVersion.CryptoKeyVersionAlgorithm.EC_SIGN_SECP256K1_SHA256
NAME = re.compile(
    "projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+/cryptoKeyVersions/[0-9]+"
)


class GcpKmsKey:
    def __init__(self, client: KeyManagementServiceClient, name: str) -> None:
        """Raises KeyDown if the key cannot be read or is of another kind."""
        self.client, self.name = client, name
        found = self.ask("get_public_key")
        pem = found.pem.encode()
        require(found.name == name and found.pem_crc32c == crc32c(pem), "its public key is damaged")
        require(found.algorithm == ALGORITHM, "the key is not of EC_SIGN_SECP256K1_SHA256")
        self.address = address_of_spki("gcpkms", pem)

    def sign(self, message: SignableMessage) -> tuple[int, int]:
        # The field is named for SHA-256, but nothing is hashed again: any 32 bytes do.
        hashed = digest(message)
        answer = self.ask(
            "asymmetric_sign", digest={"sha256": hashed}, digest_crc32c=crc32c(hashed)
        )
        require(answer.name == self.name, "another key answered")
        require(answer.verified_digest_crc32c, "the request was damaged on its way")
        require(answer.signature_crc32c == crc32c(answer.signature), "its answer is damaged")
        return numbers_of_der("gcpkms", answer.signature)

    def ask(self, verb: str, **parameters: Any) -> Any:
        request = {"name": self.name, **parameters}
        try:
            return getattr(self.client, verb)(request=request, timeout=TIMEOUT_SECONDS, retry=None)
        except GoogleAPICallError as error:
            raise KeyDown(f"gcpkms: {verb} was refused: {type(error).__name__}") from error
        except (GoogleAPIError, GoogleAuthError, ParseError, RequestException, ValueError) as error:
            raise KeyDown(f"gcpkms: {verb} failed ({type(error).__name__})") from error


def require(holds: bool, fault: str) -> None:
    if not holds:
        raise KeyDown(f"gcpkms: {fault}")


def open_key(place: str) -> GcpKmsKey:
    """Raises OtcError for a malformed place or without credentials, KeyDown."""
    if not NAME.fullmatch(place):
        raise OtcError(
            "a key of gcpkms is named like gcpkms:projects/P/locations/L/keyRings/R/cryptoKeys/K"
            "/cryptoKeyVersions/1"
        )
    try:
        client = KeyManagementServiceClient(transport="rest")
    except GoogleAuthError as error:
        raise OtcError(f"gcpkms: no credentials of Google Cloud: {error}") from error
    return GcpKmsKey(client, place)
