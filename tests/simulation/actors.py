"""The people of a seed: some keep to what they signed, some do not."""

from dataclasses import dataclass

from eth_account.signers.local import LocalAccount
from otc_sdk.roles import Role

from tests.chain import account_of
from tests.world import COORDINATOR

SELLERS = [account_of(f"simulated seller {n}") for n in range(2)]
BUYERS = [account_of(f"simulated buyer {n}") for n in range(2)]
GAS_KEYS = [account_of(f"simulated gas key {n}") for n in range(2)]
ARBITRATOR, TREASURY, STRANGER = (
    account_of(f"simulated {name}") for name in ("arbitrator", "treasury", "stranger")
)
BY_ADDRESS: dict[str, LocalAccount] = {
    account.address: account
    for account in [*SELLERS, *BUYERS, *GAS_KEYS, COORDINATOR, ARBITRATOR, STRANGER]
}


@dataclass(frozen=True)
class Consent:
    """What a trader truly signed: the co-signer must never go beyond it."""

    order_id: str
    role: Role
    to_buyer_units: int
    valid_until: int
