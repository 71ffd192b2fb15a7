"""`awskms:region/key`: a key in AWS KMS; the id, alias or ARN of an ECC_SECG_P256K1 key to sign.

Credentials, proxies and endpoints come from where AWS' own tools have them.
"""

from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from eth_account.messages import SignableMessage
from otc_sdk.errors import OtcError
from otc_sdk.terms import digest

from coordinator.adapters.secp256k1 import address_of_spki, numbers_of_der
from coordinator.services.ports import KeyDown

CONNECT_SECONDS = 5
READ_SECONDS = 10
ATTEMPTS = 2
KEY_SPEC = "ECC_SECG_P256K1"
ALGORITHM = "ECDSA_SHA_256"


class AwsKmsKey:
    def __init__(self, client: Any, key_id: str) -> None:
        """Raises KeyDown if the key cannot be read, is of another kind or not for signing."""
        self.client, self.key_id = client, key_id
        found = self.ask("get_public_key")
        if (found.get("KeySpec"), found.get("KeyUsage")) != (KEY_SPEC, "SIGN_VERIFY"):
            raise KeyDown(f"awskms: the key is not a {KEY_SPEC} key for SIGN_VERIFY")
        self.address = address_of_spki("awskms", found.get("PublicKey"))

    def sign(self, message: SignableMessage) -> tuple[int, int]:
        # With DIGEST nothing is hashed again: any 32 bytes do, Keccak's among them.
        answer = self.ask(
            "sign",
            Message=digest(message),
            MessageType="DIGEST",
            SigningAlgorithm=ALGORITHM,
        )
        return numbers_of_der("awskms", answer.get("Signature"))

    def ask(self, verb: str, **parameters: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self.client, verb)(KeyId=self.key_id, **parameters)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown error")
            raise KeyDown(f"awskms: {verb} was refused: {code}") from error
        # botocore trips over an answer that is no object.
        except (BotoCoreError, ValueError, AttributeError) as error:
            raise KeyDown(f"awskms: {verb} failed ({type(error).__name__})") from error
        return answer


def open_key(place: str) -> AwsKmsKey:
    """Raises OtcError for a malformed place, KeyDown."""
    region, _, key_id = place.partition("/")
    if not region or not key_id:
        raise OtcError("a key of awskms is named like awskms:eu-central-1/1234abcd-…")
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
    )
    try:
        client = boto3.client("kms", region_name=region, config=config)
    except (BotoCoreError, ValueError) as error:
        raise OtcError(f"awskms: {error}") from error
    return AwsKmsKey(client, key_id)
