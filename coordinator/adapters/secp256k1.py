"""What key backends answer with, in the escrow's form. Curve: SEC 2, secp256k1."""

from typing import Any

from eth_account.messages import SignableMessage
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from otc_sdk.messages import SECP256K1_HALF_N, recover
from otc_sdk.terms import digest

from coordinator.services.ports import KeyDown

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
# A DER signature has at most 72 bytes, a public key in PEM some 180.
MAX_ENCODED_BYTES = 1024


def proven(scheme: str, address: str, message: SignableMessage, r: int, s: int) -> bytes:
    """65 bytes with a low s (EIP-2) that recover to `address`. Raises KeyDown if none do."""
    if 0 < r < N and 0 < s < N:
        low = s if s <= SECP256K1_HALF_N else N - s
        for v in (27, 28):
            signature = r.to_bytes(32, "big") + low.to_bytes(32, "big") + bytes([v])
            if recover(digest(message), signature) == address:
                return signature
    raise KeyDown(f"{scheme}: it answered with something that is no signature of {address}")


def address_of(point: bytes) -> str:
    """Of a public key's 64 bytes x and y."""
    return to_checksum_address(keccak(point)[12:])


def address_of_spki(scheme: str, encoded: Any) -> str:
    """Of a public key as SubjectPublicKeyInfo (RFC 5480), DER or PEM. Raises KeyDown."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        raw = short(encoded)
        pem = raw.startswith(b"-----")
        load = serialization.load_pem_public_key if pem else serialization.load_der_public_key
        key = load(raw)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyDown(f"{scheme}: its public key is malformed") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256K1):
        raise KeyDown(f"{scheme}: its public key is not on the curve secp256k1")
    form = serialization.PublicFormat.UncompressedPoint
    return address_of(key.public_bytes(serialization.Encoding.X962, form)[1:])


def numbers_of_der(scheme: str, encoded: Any) -> tuple[int, int]:
    """r and s of an ECDSA-Sig-Value (RFC 3279). Raises KeyDown."""
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    try:
        return decode_dss_signature(short(encoded))
    except ValueError as error:
        raise KeyDown(f"{scheme}: it answered with a malformed signature") from error


def short(encoded: Any) -> bytes:
    if not isinstance(encoded, bytes) or len(encoded) > MAX_ENCODED_BYTES:
        raise ValueError("not a short text of bytes")
    return encoded
