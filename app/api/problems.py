"""Errors as ``application/problem+json`` (RFC 9457): one place that writes them all."""

import logging
import uuid
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.routing import Match

from app.errors import Busy, ConfigurationError, DatabaseUnavailable, QueryTimeout, ZhaiyaoError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

_CODES = {404: "not_found", 405: "method_not_allowed", 400: "bad_request"}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_MAX_ERRORS = 20
_MAX_FIELD = 100
_BUSY = Busy("Somebody else is changing the same thing at this moment; try again in a second.")
_UNAVAILABLE = DatabaseUnavailable("The database cannot be reached at the moment; try again in a few seconds.")
_STATES: dict[str, ZhaiyaoError] = {
    "57014": QueryTimeout("This takes the database longer than a request may; ask for less, or for something rarer."),
    "55P03": _BUSY,  # waited too long for a lock
    "40P01": _BUSY,  # deadlock
    "40001": _BUSY,  # serialisation
}


def install(app: FastAPI) -> None:
    """Have every error of ``app`` written as a problem document."""

    @app.exception_handler(ZhaiyaoError)
    @app.exception_handler(RequestValidationError)
    @app.exception_handler(HTTPException)
    @app.exception_handler(DBAPIError)
    @app.exception_handler(PoolTimeout)
    @app.exception_handler(OSError)
    @app.exception_handler(Exception)
    async def handle(request: Request, error: Exception) -> JSONResponse:
        return answer(request, error)


def answer(request: Request, error: Exception) -> JSONResponse:
    """The problem document of an error, wherever it was raised."""
    if isinstance(error, ZhaiyaoError) and type(error) is not ConfigurationError:
        # A plain ConfigurationError names addresses of this machine: that is for the log only.
        headers = error.headers
        return problem(request, error.status, error.title, error.detail, error.code, headers=headers, **error.extra)
    if isinstance(error, RequestValidationError):
        return _invalid(request, error)
    if isinstance(error, HTTPException):
        return _http(request, error)
    if isinstance(error, DBAPIError) and (known := _STATES.get(_state(error))) is not None:
        logger.warning("%s %s: %s", request.method, request.url.path, known.code)
        return answer(request, known)
    if isinstance(error, OSError | PoolTimeout | ConfigurationError) or _is_connection_error(error):
        logger.error("the database cannot be reached: %s", _told(error))
        return answer(request, _UNAVAILABLE)
    logger.error("unexpected error in %s %s", request.method, request.url.path, exc_info=error)
    detail = "Something went wrong here that is not your fault; the log has it under this request_id."
    return problem(request, 500, "Internal error", detail, "internal_error")


def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    found = error.errors()
    details = [_field_error(one) for one in found[:_MAX_ERRORS]]
    more = f" ({len(found) - 1} more in errors)" if len(found) > 1 else ""
    detail = f"{details[0]['field']}: {details[0]['message']}{more}."
    return problem(request, 422, "Invalid request", detail, "invalid_request", errors=details)


def _http(request: Request, error: HTTPException) -> JSONResponse:
    code = _CODES.get(error.status_code, "http_error")
    detail, headers = error.detail, dict(error.headers or {})
    if code == "not_found":
        detail = "There is nothing at this address; /docs lists what there is."
    elif code == "method_not_allowed":
        allowed = ", ".join(_allowed_methods(request.app, request))
        detail, headers["Allow"] = f"This address does not take {request.method}; it takes {allowed}.", allowed
    return problem(request, error.status_code, error.detail.capitalize(), detail, code, headers=headers)


def _told(error: Exception) -> str:
    """What the driver says, without the statement and its parameters: they may hold what no log should."""
    return str(getattr(error, "orig", None) or error).split("\n")[0]


def _field_error(error: dict[str, Any]) -> dict[str, str]:
    """Where and what, in a length that suits an answer: names of fields may come from the caller."""
    field = ".".join(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    if field == "body" and error["type"] != "value_error":
        message = "it must be a JSON object with the documented fields"
    return {"field": field[:_MAX_FIELD], "message": message[:500], "type": error["type"]}


def _allowed_methods(app: FastAPI, request: Request) -> list[str]:
    """Every method of an address: the framework names those of the first route only."""
    allowed = []
    for method in _METHODS:
        scope = {**request.scope, "method": method}
        if any(route.matches(scope)[0] is Match.FULL for route in app.routes):
            allowed += [method, "HEAD"] if method == "GET" else [method]
    return allowed


def _state(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", "") or "")


def _is_connection_error(error: Exception) -> bool:
    if not isinstance(error, DBAPIError):
        return False
    # Classes: 08 connection, 28 authorisation, 3D no such database, 53 out of connections, memory or disk; 57P0x is a
    # server that shuts down or starts; 25P03 has waited too long for the next statement.
    return error.connection_invalidated or _state(error).startswith(("08", "28", "3D", "53", "57P0", "25P03"))


def problem(
    request: Request,
    status: int,
    title: str,
    detail: str,
    code: str,
    *,
    headers: Any = None,
    **extra: Any,
) -> JSONResponse:
    """A problem document as a response."""
    request_id = getattr(request.state, "request_id", None) or uuid.uuid4().hex
    body = {
        "type": f"urn:zhaiyao:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        **extra,
    }
    # The guards set this header too, but an unexpected error is answered outside of them.
    headers = {**(headers or {}), "X-Request-ID": request_id}
    return JSONResponse(body, status_code=status, headers=headers, media_type=MEDIA_TYPE)
