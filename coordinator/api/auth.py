"""Sign-in by wallet (EIP-4361)."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from coordinator.api.context import Caller, Here
from coordinator.api.fields import Signature
from coordinator.db.session import transaction
from coordinator.services import users

router = APIRouter(prefix="/auth", tags=["auth"])


class NonceOut(BaseModel):
    nonce: str
    domain: str
    chain_id: int


class SignInIn(BaseModel):
    message: str = Field(max_length=users.MAX_MESSAGE_CHARS)
    signature: Signature


class SignInOut(BaseModel):
    token: str
    address: str
    expires_at: int


class MeOut(BaseModel):
    address: str


@router.post("/nonce")
def issue_nonce(here: Here) -> NonceOut:
    """A nonce to put into the EIP-4361 message, with the domain and chain id to use."""
    with transaction(here.engine) as session:
        nonce = users.issue_nonce(session, here.now())
    return NonceOut(nonce=nonce, domain=here.public_domain, chain_id=here.platform.domain.chain_id)


@router.post("/sign-in")
def sign_in(here: Here, body: SignInIn) -> SignInOut:
    """Exchange a signed EIP-4361 message for a bearer token."""
    with transaction(here.engine) as session:
        token, address, expires_at = users.sign_in(
            session,
            body.message,
            body.signature,
            here.public_domain,
            here.platform.domain.chain_id,
            here.now(),
        )
    return SignInOut(token=token, address=address, expires_at=expires_at)


@router.get("/me")
def me(caller: Caller) -> MeOut:
    """Who is signed in."""
    return MeOut(address=caller)
