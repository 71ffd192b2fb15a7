"""The typed messages of the escrow (EIP-712), and their signatures."""

from collections.abc import Callable, Mapping

from eth_account.messages import SignableMessage
from eth_account.signers.base import BaseAccount
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.address import to_checksum_address

from otc_sdk.errors import SignatureError
from otc_sdk.roles import Role
from otc_sdk.terms import EscrowDomain, Terms, digest

SECP256K1_HALF_N = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
UINT256_MAX = 2**256 - 1
# A signature for an ERC-1271 contract may be long: this is a Safe's with about a hundred owners.
MAX_SIGNATURE_BYTES = 8192

Verify1271 = Callable[[str, bytes, bytes], bool]


def settlement(
    domain: EscrowDomain, order_id: bytes, to_buyer_units: int, valid_until: int
) -> SignableMessage:
    """`to_buyer_units` of the amount to the buyer, the rest to the seller; Unix seconds."""
    return domain.signable(
        "Settlement",
        [
            {"name": "orderId", "type": "bytes32"},
            {"name": "toBuyer", "type": "uint256"},
            {"name": "validUntil", "type": "uint256"},
        ],
        {"orderId": order_id, "toBuyer": to_buyer_units, "validUntil": valid_until},
    )


def dispute(domain: EscrowDomain, order_id: bytes) -> SignableMessage:
    """Opens a dispute, whoever brings it. A buyer who paid signs it ahead."""
    return of_order(domain, "Dispute", order_id)


def refund_request(domain: EscrowDomain, order_id: bytes) -> SignableMessage:
    """Starts the refund window, whoever brings it after the pay-by time."""
    return of_order(domain, "RefundRequest", order_id)


def of_order(domain: EscrowDomain, name: str, order_id: bytes) -> SignableMessage:
    return domain.signable(name, [{"name": "orderId", "type": "bytes32"}], {"orderId": order_id})


def claim_to(
    domain: EscrowDomain, order_id: bytes, owner: str, to: str, valid_until: int
) -> SignableMessage:
    """The coordinator's consent that `owner` withdraws a claim to another address."""
    return domain.signable(
        "ClaimTo",
        [
            {"name": "orderId", "type": "bytes32"},
            {"name": "owner", "type": "address"},
            {"name": "to", "type": "address"},
            {"name": "validUntil", "type": "uint256"},
        ],
        {"orderId": order_id, "owner": owner, "to": to, "validUntil": valid_until},
    )


def sign(account: BaseAccount, message: SignableMessage) -> bytes:
    """65-byte signature (r, s, v) by a key that this process holds."""
    return bytes(account.sign_message(message).signature)


def recover(message_digest: bytes, signature: bytes) -> str | None:
    """Address that made an ECDSA signature of 65 or 64 bytes (EIP-2098); None if it is none.

    As in the contract, a high `s` is refused (EIP-2).
    """
    if len(signature) == 65:
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
        v = signature[64] - 27
    elif len(signature) == 64:
        r, vs = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        s, v = vs & ((1 << 255) - 1), vs >> 255
    else:
        return None
    if v not in (0, 1) or s > SECP256K1_HALF_N:
        return None
    try:
        key = Signature(vrs=(v, r, s)).recover_public_key_from_msg_hash(message_digest)
    except (BadSignature, ValueError):
        return None
    return to_checksum_address(key.to_canonical_address())


def is_by_key(signer: str, message: SignableMessage, signature: bytes) -> bool:
    """Whether it is the ECDSA signature of the signer's own key, and no contract's."""
    return recover(digest(message), signature) == signer


def as_sent(
    terms: Terms, message: SignableMessage, signatures: Mapping[Role, bytes]
) -> dict[Role, bytes]:
    """Signatures as they go on chain: a key's in 64 bytes (EIP-2098), which cost less gas.

    A contract's stay as they are: its own 65 bytes look like a key's, and it may know no others.
    """
    return {
        role: compact(made) if is_by_key(terms.holder(role), message, made) else made
        for role, made in signatures.items()
    }


def compact(signature: bytes) -> bytes:
    """A key's signature of 65 bytes, with a low `s`, as 64 (EIP-2098); of 64 as it is."""
    if len(signature) == 64:
        return signature
    high = signature[32] | (signature[64] - 27) << 7
    return signature[:32] + bytes([high]) + signature[33:64]


def check(
    signer: str, message: SignableMessage, signature: bytes, verify_1271: Verify1271 | None = None
) -> None:
    """Raise SignatureError unless `signature` is `signer`'s over `message`: ECDSA, then ERC-1271.

    `verify_1271(signer, digest, signature)` asks the chain; without it contracts cannot sign.
    """
    if len(signature) > MAX_SIGNATURE_BYTES:
        raise SignatureError(f"signature is longer than {MAX_SIGNATURE_BYTES} bytes")
    message_digest = digest(message)
    recovered = recover(message_digest, signature)
    if recovered == signer:
        return
    if verify_1271 is not None and verify_1271(signer, message_digest, signature):
        return
    by = f"made by {recovered}" if recovered else f"malformed ({len(signature)} bytes)"
    raise SignatureError(f"signature is {by}, not by {signer} over this message")
