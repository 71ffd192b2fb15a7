"""Deposits without the seller's gas: the seller signs, anyone brings it to the chain.

- EIP-3009, for tokens that have it: a transfer from the seller to the order's vault. The order's
  id is its nonce, so one order is funded so once.
- Permit2, for any token the seller approved it for: the order is the witness, so the permit fits
  no other order.
"""

from dataclasses import dataclass
from typing import Any

from eth_account.messages import SignableMessage, encode_typed_data
from eth_utils.crypto import keccak
from web3 import Web3
from web3.exceptions import ContractLogicError, Web3Exception

from otc_sdk import calls
from otc_sdk.errors import ChainError, SignatureError
from otc_sdk.terms import MEMBERS, EscrowDomain, Terms, vault_address

PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3"
UINT256_MAX = 2**256 - 1
# Tokens that do not tell their version: the ones in use.
COMMON_VERSIONS = ("1", "2")
DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
TRANSFER = "TransferWithAuthorization"
TOKEN_ABI = [
    {"type": "function", "name": name, "stateMutability": "view", "inputs": [],
     "outputs": [{"name": "", "type": kind}]}
    for name, kind in (("name", "string"), ("version", "string"), ("DOMAIN_SEPARATOR", "bytes32"))
]  # fmt: skip


@dataclass(frozen=True)
class TokenDomain:
    """The EIP-712 domain of one token."""

    name: str
    version: str
    chain_id: int
    token: str

    def separator(self) -> bytes:
        """Hash of the domain (EIP-712), 32 bytes."""
        words = (
            keccak(DOMAIN_TYPE),
            keccak(text=self.name),
            keccak(text=self.version),
            self.chain_id.to_bytes(32, "big"),
            bytes(12) + bytes.fromhex(self.token[2:]),
        )
        return keccak(b"".join(words))


def read_token_domain(w3: Web3, token: str) -> TokenDomain:
    """The token's domain, held against its own `DOMAIN_SEPARATOR`.

    Raises ChainError if the token has none, or one that its name and version do not make.
    """
    contract = w3.eth.contract(Web3.to_checksum_address(token), abi=TOKEN_ABI)
    chain_id = w3.eth.chain_id
    try:
        separator = bytes(contract.functions.DOMAIN_SEPARATOR().call())
        name = str(contract.functions.name().call())
    except (ContractLogicError, Web3Exception) as error:
        raise ChainError(f"token {token} takes no signed transfers (EIP-3009)") from error
    for version in versions(contract):
        domain = TokenDomain(name, version, chain_id, Web3.to_checksum_address(token))
        if domain.separator() == separator:
            return domain
    raise ChainError(f"token {token}: its name and version do not make its DOMAIN_SEPARATOR")


def versions(contract: Any) -> tuple[str, ...]:
    """What the token says, or what is common."""
    try:
        return (str(contract.functions.version().call()),)
    except (ContractLogicError, Web3Exception):
        return COMMON_VERSIONS


def authorization(
    token: TokenDomain, domain: EscrowDomain, terms: Terms, valid_before: int
) -> SignableMessage:
    """EIP-3009: the amount from the seller to the order's vault, before Unix second `valid_before`.

    Raises SignatureError if the token's domain is not the order's token on the escrow's chain.
    """
    if (token.token, token.chain_id) != (terms.token, domain.chain_id):
        raise SignatureError(
            f"the order is in token {terms.token} on chain {domain.chain_id}, "
            f"not {token.token} on chain {token.chain_id}"
        )
    order_id = terms.order_id(domain)
    members = ("from address", "to address", "value uint256", "validAfter uint256",
               "validBefore uint256", "nonce bytes32")  # fmt: skip
    return encode_typed_data(
        domain_data={
            "name": token.name,
            "version": token.version,
            "chainId": token.chain_id,
            "verifyingContract": token.token,
        },
        message_types={TRANSFER: typed(*members)},
        message_data={
            "from": terms.seller,
            "to": vault_address(domain, order_id),
            "value": terms.amount_units,
            "validAfter": 0,
            "validBefore": valid_before,
            "nonce": order_id,
        },
    )


def transfer_with_authorization(
    domain: EscrowDomain, terms: Terms, valid_before: int, signature: bytes
) -> bytes:
    """Calldata for the token. Raises SignatureError unless `signature` is 65 bytes (r, s, v)."""
    if len(signature) != 65:
        raise SignatureError(f"a signature of {len(signature)} bytes; EIP-3009 takes 65")
    order_id = terms.order_id(domain)
    return calls.call(
        "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,"
        "uint8,bytes32,bytes32)",
        terms.seller,
        vault_address(domain, order_id),
        terms.amount_units,
        0,
        valid_before,
        order_id,
        signature[64],
        signature[:32],
        signature[32:64],
    )


def permit(domain: EscrowDomain, terms: Terms, nonce: int, deadline: int) -> SignableMessage:
    """Permit2's witness transfer: the escrow may take the amount, for this order alone.

    `nonce` is any unused one of the seller's; `deadline` the last valid Unix second.
    """
    return encode_typed_data(
        domain_data={
            "name": "Permit2",
            "chainId": domain.chain_id,
            "verifyingContract": PERMIT2,
        },
        message_types={
            "PermitWitnessTransferFrom": typed(
                "permitted TokenPermissions", "spender address", "nonce uint256",
                "deadline uint256", "witness Order"),
            "TokenPermissions": typed("token address", "amount uint256"),
            "Order": [{"name": member, "type": kind} for _, member, kind in MEMBERS],
        },
        message_data={
            "permitted": {"token": terms.token, "amount": terms.amount_units},
            "spender": domain.escrow,
            "nonce": nonce,
            "deadline": deadline,
            "witness": {member: getattr(terms, attribute) for attribute, member, _ in MEMBERS},
        },
    )  # fmt: skip


def typed(*members: str) -> list[dict[str, str]]:
    """EIP-712 members, each written `name type`."""
    return [dict(zip(("name", "type"), member.split(" "), strict=True)) for member in members]
