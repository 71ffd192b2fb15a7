"""Signing in by wallet (EIP-4361)."""

import hashlib
import secrets

from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError
from sqlmodel import Session, col, delete, select

from coordinator.db.users import Nonce, SignIn, User
from coordinator.domain.errors import Invalid, Unauthorized

NONCE_SECONDS = 300
SIGN_IN_SECONDS = 7 * 86_400
MAX_MESSAGE_CHARS = 4000
TOKEN_BYTES = 32
# What the libraries below siwe raise for a malformed signature, beside ValueError.
MALFORMED = (BadSignature, ValidationError)


def issue_nonce(session: Session, now: int) -> str:
    """A challenge for one sign-in within NONCE_SECONDS."""
    session.exec(delete(Nonce).where(col(Nonce.expires_at) <= now))
    nonce = secrets.token_hex(16)
    session.add(Nonce(nonce=nonce, expires_at=now + NONCE_SECONDS))
    return nonce


def sign_in(
    session: Session, message: str, signature: str, domain: str, chain_id: int, now: int
) -> tuple[str, str, int]:
    """Check a signed EIP-4361 message; return (bearer token, address, expiry in Unix seconds).

    Raises Invalid for a malformed message, Unauthorized for one that does not hold.
    """
    # Slow to import, and only the API signs people in.
    from siwe import SiweMessage, VerificationError

    if len(message) > MAX_MESSAGE_CHARS:
        raise Invalid("message_too_long", f"the message is over {MAX_MESSAGE_CHARS} characters")
    try:
        parsed = SiweMessage.from_message(message)
    except ValueError as error:
        raise Invalid("malformed_message", f"not an EIP-4361 message: {error}") from error
    if parsed.chain_id != chain_id:
        raise Unauthorized("wrong_chain", f"the message is for chain {parsed.chain_id}")
    nonce = session.get(Nonce, parsed.nonce, with_for_update=True)
    if nonce is None or nonce.expires_at <= now:
        raise Unauthorized("unknown_nonce", "the nonce is unknown, used or expired")
    try:
        parsed.verify(signature, domain=domain, nonce=nonce.nonce)
    except (VerificationError, ValueError, *MALFORMED) as error:
        name = type(error).__name__
        raise Unauthorized("bad_signature", f"the message does not hold: {name}") from error
    session.delete(nonce)
    address = str(parsed.address)
    ensure_user(session, address, now)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    expires_at = now + SIGN_IN_SECONDS
    session.add(SignIn(token_hash=hash_token(token), address=address, expires_at=expires_at))
    return token, address, expires_at


def ensure_user(session: Session, address: str, now: int) -> None:
    if session.get(User, address) is None:
        session.add(User(address=address, created_at=now))
        session.flush()


def signed_in(session: Session, token: str, now: int) -> str:
    """Address of a bearer token. Raises Unauthorized."""
    found = session.exec(select(SignIn).where(SignIn.token_hash == hash_token(token))).first()
    if found is None or found.expires_at <= now:
        raise Unauthorized("not_signed_in", "sign in first: the token is unknown or expired")
    return found.address


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
