"""Errors of the SDK. Every message names the fault."""


class OtcError(Exception):
    """Base of everything the SDK raises on purpose."""


class TermsError(OtcError):
    """The terms of an order are unusable or not what was agreed."""


class SignatureError(OtcError):
    """A signature is malformed or not the expected account's."""


class ChainError(OtcError):
    """The chain refused, or is not the one expected."""


class KeystoreError(OtcError):
    """A keystore is missing, unreadable, or the password is wrong."""


class AmountError(OtcError):
    """An amount is not decimal text, or finer than the token."""


class LogError(OtcError):
    """The log of an order was changed, cut or reordered."""


class ApiError(OtcError):
    """The coordinator refused a request.

    `code` is its machine-readable name, `status` the HTTP status.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.status = status
        self.code = code
