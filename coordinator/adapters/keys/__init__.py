"""The co-signing key, wherever it lies: one module a kind, found by the scheme of its name.

A module here has `open_key(place) -> Backend`, which reads the key's address. It raises OtcError
for a place that makes no sense, KeyDown for one that does not answer.
"""

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol

from eth_account.messages import SignableMessage
from otc_sdk.errors import OtcError

from coordinator.adapters.secp256k1 import proven


class Backend(Protocol):
    @property
    def address(self) -> str: ...
    def sign(self, message: SignableMessage) -> tuple[int, int]:
        """The numbers r and s, as the backend gave them. Raises KeyDown."""
        ...


@dataclass(frozen=True)
class ProvenKey:
    """A Key (services.ports). Nothing but a signature of `address` ever leaves it."""

    scheme: str
    backend: Backend

    @property
    def address(self) -> str:
        return self.backend.address

    def sign(self, message: SignableMessage) -> bytes:
        return proven(self.scheme, self.address, message, *self.backend.sign(message))


def schemes() -> list[str]:
    return sorted(module.name for module in iter_modules(__path__))


def open_key(name: str) -> ProvenKey:
    """The key of a name like `keystore:/path`. Raises OtcError or KeyDown."""
    scheme, colon, place = name.partition(":")
    if not colon or scheme not in schemes():
        # Without the name: it may be a key pasted by mistake.
        raise OtcError(f"a key's name must begin with one of {', '.join(schemes())} and a colon")
    try:
        module = import_module(f"{__name__}.{scheme}")
    except ModuleNotFoundError as error:
        raise OtcError(
            f"keys of {scheme} need {error.name}: install otc-escrow[{scheme}]"
        ) from error
    return ProvenKey(scheme, module.open_key(place))
