"""`keystore:/path/to/file`: an encrypted file of this machine."""

from pathlib import Path

from eth_account.messages import SignableMessage
from eth_account.signers.local import LocalAccount
from otc_sdk.errors import OtcError
from otc_sdk.keystore import load_account


class KeystoreKey:
    """The account was decrypted at start."""

    def __init__(self, account: LocalAccount) -> None:
        self.account = account

    @property
    def address(self) -> str:
        return self.account.address

    def sign(self, message: SignableMessage) -> tuple[int, int]:
        signed = self.account.sign_message(message)
        return signed.r, signed.s


def open_key(place: str) -> KeystoreKey:
    """Raises OtcError: no file, wrong password."""
    if not place:
        raise OtcError("a keystore's name is keystore:/path/to/file")
    return KeystoreKey(load_account(Path(place)))
