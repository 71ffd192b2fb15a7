"""Terms of an order, their hash (EIP-712) and the vault address that follows from it."""

from dataclasses import dataclass, fields
from typing import Any

from eth_account.messages import SignableMessage, encode_typed_data
from eth_utils.address import is_checksum_address, to_checksum_address
from eth_utils.crypto import keccak

from otc_sdk.errors import TermsError
from otc_sdk.roles import Role

DOMAIN_NAME = "OTC Escrow"
DOMAIN_VERSION = "1"
FEE_CAP_DIVISOR = 20
BPS = 10_000
ZERO_ADDRESS = "0x" + "00" * 20

# (attribute here, member of the contract's struct, its type), in the contract's order.
MEMBERS = (
    ("token", "token", "address"),
    ("amount_units", "amount", "uint128"),
    ("fee_units", "fee", "uint128"),
    ("fee_recipient", "feeRecipient", "address"),
    ("seller", "seller", "address"),
    ("buyer", "buyer", "address"),
    ("coordinator", "coordinator", "address"),
    ("arbitrator", "arbitrator", "address"),
    ("pay_by", "payBy", "uint64"),
    ("refund_window_seconds", "refundWindow", "uint32"),
    ("ruling_window_seconds", "rulingWindow", "uint32"),
    ("final_window_seconds", "finalWindow", "uint32"),
    ("default_buyer_bps", "defaultBuyerBps", "uint16"),
    ("salt", "salt", "uint64"),
)


@dataclass(frozen=True)
class EscrowDomain:
    """Where an order lives: the EIP-712 domain of one escrow contract."""

    chain_id: int
    escrow: str

    def signable(
        self,
        primary_type: str,
        members: list[dict[str, str]],
        message: dict[str, Any],
    ) -> SignableMessage:
        """EIP-712 message in this domain, ready for `Account.sign_message`."""
        return encode_typed_data(
            full_message={
                "types": {
                    "EIP712Domain": [
                        {"name": "name", "type": "string"},
                        {"name": "version", "type": "string"},
                        {"name": "chainId", "type": "uint256"},
                        {"name": "verifyingContract", "type": "address"},
                    ],
                    primary_type: members,
                },
                "primaryType": primary_type,
                "domain": {
                    "name": DOMAIN_NAME,
                    "version": DOMAIN_VERSION,
                    "chainId": self.chain_id,
                    "verifyingContract": self.escrow,
                },
                "message": message,
            }
        )


def preimage(message: SignableMessage) -> bytes:
    """What is hashed and signed (EIP-191): 0x1901, domain separator, hash of the struct."""
    return b"\x19" + message.version + message.header + message.body


def digest(message: SignableMessage) -> bytes:
    """The 32 bytes that are signed (EIP-191)."""
    return keccak(preimage(message))


@dataclass(frozen=True)
class Terms:
    """Terms of one order. Amounts in the token's smallest unit, times in Unix seconds.

    Raises TermsError on construction if a value has the wrong form.
    """

    token: str
    amount_units: int
    fee_units: int
    fee_recipient: str
    seller: str
    buyer: str
    coordinator: str
    arbitrator: str
    pay_by: int
    refund_window_seconds: int
    ruling_window_seconds: int
    final_window_seconds: int
    default_buyer_bps: int
    salt: int

    def __post_init__(self) -> None:
        for attribute, _, kind in MEMBERS:
            value = getattr(self, attribute)
            if kind == "address":
                if not isinstance(value, str) or not is_checksum_address(value):
                    raise TermsError(f"{attribute} is not a checksummed address: {value!r}")
            elif type(value) is not int or not 0 <= value < 1 << int(kind.removeprefix("uint")):
                raise TermsError(f"{attribute} is not a {kind}: {value!r}")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Terms":
        """Terms from their JSON form, as the API gives them (salt as decimal text)."""
        names = {f.name for f in fields(cls)}
        if set(data) != names:
            raise TermsError(f"terms have wrong members: {sorted(set(data) ^ names)}")
        try:
            values: dict[str, Any] = {
                attribute: to_checksum_address(data[attribute])
                if kind == "address"
                else int(data[attribute])
                for attribute, _, kind in MEMBERS
            }
        except (TypeError, ValueError) as error:
            raise TermsError(f"terms are malformed: {error}") from error
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """JSON form. Numbers that JavaScript cannot hold are decimal text."""
        wide = {"amount_units", "fee_units", "salt"}
        return {a: str(getattr(self, a)) if a in wide else getattr(self, a) for a, _, _ in MEMBERS}

    def to_tuple(self) -> tuple[Any, ...]:
        """The contract's struct, for ABI encoding."""
        return tuple(getattr(self, attribute) for attribute, _, _ in MEMBERS)

    @classmethod
    def from_chain(cls, order: Any) -> "Terms":
        """Terms from a decoded `Order` struct of an event or call."""
        return cls(**{attribute: order[member] for attribute, member, _ in MEMBERS})

    def holder(self, role: Role) -> str:
        """The address that holds a role."""
        return str(getattr(self, role.label))

    def role_of(self, address: str) -> Role | None:
        """The role that an address holds, if any."""
        return next((role for role in Role if self.holder(role) == address), None)

    def default_to_buyer_units(self, balance_units: int | None = None) -> int:
        """The buyer's share if nobody rules, rounded down; of the balance if that is less."""
        held = self.amount_units if balance_units is None else balance_units
        return min(held, self.amount_units) * self.default_buyer_bps // BPS

    def fault(self) -> str | None:
        """Why the contract would allow nothing but a refund; None for valid terms."""
        holders = [self.holder(role) for role in Role]
        checks = (
            (self.amount_units == 0, "the amount is zero"),
            (self.fee_units > self.amount_units // FEE_CAP_DIVISOR, "the fee is over 5 %"),
            (self.default_buyer_bps > BPS, "the default share is over 100 %"),
            (self.token == ZERO_ADDRESS, "the token is missing"),
            (self.fee_units > 0 and self.fee_recipient == ZERO_ADDRESS, "no fee recipient"),
            (len(set(holders)) < len(holders), "two roles are one address"),
            (ZERO_ADDRESS in holders, "a role is missing"),
        )
        return next((text for bad, text in checks if bad), None)

    def signable(self, domain: EscrowDomain) -> SignableMessage:
        """What both traders sign before funding."""
        members = [{"name": member, "type": kind} for _, member, kind in MEMBERS]
        message = {member: getattr(self, attribute) for attribute, member, _ in MEMBERS}
        return domain.signable("Order", members, message)

    def order_id(self, domain: EscrowDomain) -> bytes:
        """The order's id, 32 bytes: EIP-712 hash of the terms in the escrow's domain."""
        return digest(self.signable(domain))


def vault_address(domain: EscrowDomain, order_id: bytes) -> str:
    """The vault's CREATE2 address (EIP-1014): a proxy of the escrow, salt `order_id`."""
    code = bytes.fromhex(
        "60278060095f395ff3365f5f37365f365f365f73"
        + domain.escrow.removeprefix("0x")
        + "5af4602557fd5bf3"
    )
    return create2_address(domain.escrow, order_id, code)


def create2_address(deployer: str, salt: bytes, init_code: bytes) -> str:
    """Address of a CREATE2 deployment (EIP-1014)."""
    preimage = b"\xff" + bytes.fromhex(deployer.removeprefix("0x")) + salt + keccak(init_code)
    return to_checksum_address(keccak(preimage)[12:])
