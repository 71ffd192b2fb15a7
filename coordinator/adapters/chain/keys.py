"""The co-signing key in an encrypted keystore of this machine."""

from eth_account.messages import SignableMessage
from eth_account.signers.base import BaseAccount
from otc_sdk.messages import sign


class KeystoreKey:
    """A Key (services.cosigning) whose account was decrypted at start."""

    def __init__(self, account: BaseAccount) -> None:
        self.account = account

    @property
    def address(self) -> str:
        return str(self.account.address)

    def sign(self, message: SignableMessage) -> bytes:
        return sign(self.account, message)
