"""Refusals. Each has a machine-readable code and words that name the fault; nothing was changed."""


class Refused(Exception):
    """A request that the rules do not allow."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Invalid(Refused):
    """The input is malformed or outside its limits."""


class Unauthorized(Refused):
    """Nobody is signed in, or the sign-in failed."""


class Forbidden(Refused):
    """The actor may not do this."""


class NotFound(Refused):
    """There is no such thing."""


class Conflict(Refused):
    """The thing is not in a state that allows this."""


class Later(Refused):
    """Not now: the same request may be granted at another time."""


class InvariantBroken(Exception):
    """The books do not balance or a log is not whole. Never expected; stops the worker."""
