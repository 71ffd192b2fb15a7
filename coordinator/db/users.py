"""People are their wallet addresses."""

from sqlmodel import Field, SQLModel

from coordinator.db.columns import seconds


class User(SQLModel, table=True):
    __tablename__ = "users"

    address: str = Field(primary_key=True, max_length=42)
    created_at: int = Field(sa_column=seconds())


class Nonce(SQLModel, table=True):
    """A sign-in challenge, used once."""

    __tablename__ = "sign_in_nonces"

    nonce: str = Field(primary_key=True, max_length=64)
    expires_at: int = Field(sa_column=seconds(index=True))


class SignIn(SQLModel, table=True):
    """A session. The bearer token itself is not kept, only its SHA-256."""

    __tablename__ = "sign_ins"

    token_hash: str = Field(primary_key=True, max_length=64)
    address: str = Field(foreign_key="users.address", max_length=42)
    expires_at: int = Field(sa_column=seconds(index=True))
