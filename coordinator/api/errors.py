"""Refusals as HTTP: {code, message} with the status of their kind."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg.errors import DeadlockDetected, LockNotAvailable, SerializationFailure
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException

from coordinator.api.rate_limits import TooManyRequests, answer
from coordinator.domain import errors
from coordinator.services.ports import ChainHalted, KeyDown, NodeDown

STATUSES: dict[type[errors.Refused], int] = {
    errors.Invalid: 422,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Later: 429,
}
UNAVAILABLE = 503
# PostgreSQL gave another transaction the way; nothing is wrong with it.
BUSY = (DeadlockDetected, SerializationFailure, LockNotAvailable)


def refusal(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"code": code, "message": message}, status_code=status)


def on_refused(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, errors.Refused):
        raise error
    return refusal(STATUSES[type(error)], error.code, error.message)


def on_malformed(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    return on_refused(request, malformed(error))


def malformed(error: RequestValidationError) -> errors.Invalid:
    """Name the first fault; never echo the input, it may hold a signature."""
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"][1:])
    return errors.Invalid("malformed", f"{place or 'body'}: {fault['msg']}")


def on_http(_: Request, error: Exception) -> JSONResponse:
    """What the framework refuses by itself: unknown paths and methods, unreadable bodies."""
    if not isinstance(error, HTTPException):
        raise error
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return refusal(error.status_code, code, str(error.detail))


def on_outage(_: Request, error: Exception) -> JSONResponse:
    if isinstance(error, ChainHalted):
        return refusal(UNAVAILABLE, "halted", "the chain is halted until an operator has looked")
    if isinstance(getattr(error, "orig", None), BUSY):
        return refusal(409, "busy", "another change was under way; nothing was done, try again")
    names = {NodeDown: "the chain's node", KeyDown: "the signing key"}
    what = next((name for kind, name in names.items() if isinstance(error, kind)), "the database")
    return refusal(UNAVAILABLE, "unavailable", f"{what} does not answer; try again")


def on_too_many(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, TooManyRequests):
        raise error
    return answer(error)


def install(app: FastAPI) -> None:
    app.add_exception_handler(errors.Refused, on_refused)
    app.add_exception_handler(TooManyRequests, on_too_many)
    app.add_exception_handler(RequestValidationError, on_malformed)
    app.add_exception_handler(HTTPException, on_http)
    for outage in (OperationalError, InterfaceError, NodeDown, KeyDown):
        app.add_exception_handler(outage, on_outage)
