"""Errors as ``application/problem+json`` (RFC 9457): one place that writes them all."""

import logging
import uuid
from typing import Any

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from app.errors import ZhaiyaoError

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

_CODES = {404: "not_found", 405: "method_not_allowed", 400: "bad_request"}


def install(app: FastAPI) -> None:
    """Have every error of ``app`` written as a problem document."""

    @app.exception_handler(ZhaiyaoError)
    async def known(request: Request, error: ZhaiyaoError) -> JSONResponse:
        return problem(request, error.status, error.title, error.detail, error.code, **error.extra)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        details = [
            {"field": ".".join(str(part) for part in one["loc"]), "message": one["msg"], "type": one["type"]}
            for one in error.errors()
        ]
        first = details[0] if details else {"field": "body", "message": "it is not as documented"}
        detail = f"{first['field']}: {first['message']}."
        return problem(request, 422, "Invalid request", detail, "invalid_request", errors=jsonable_encoder(details))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        code = _CODES.get(error.status_code, "http_error")
        detail = "There is nothing at this address; /docs lists what there is." if code == "not_found" else error.detail
        return problem(request, error.status_code, error.detail, detail, code, headers=error.headers)

    @app.exception_handler(DBAPIError)
    @app.exception_handler(PoolTimeout)
    @app.exception_handler(OSError)
    async def unavailable(request: Request, error: Exception) -> JSONResponse:
        if isinstance(error, DBAPIError) and not (error.connection_invalidated or _is_connection_error(error)):
            return await unexpected(request, error)
        logger.error("the database cannot be reached: %s", error)
        detail = "The database cannot be reached at the moment; try again in a few seconds."
        return problem(
            request, 503, "Database unavailable", detail, "database_unavailable", headers={"Retry-After": "5"}
        )

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        logger.error("unexpected error in %s %s", request.method, request.url.path, exc_info=error)
        detail = "Something went wrong here that is not your fault; the log has it under this request_id."
        return problem(request, 500, "Internal error", detail, "internal_error")


def _is_connection_error(error: DBAPIError) -> bool:
    # Class 08 is connection exceptions, 57P0x is a server that shuts down or starts.
    state = str(getattr(error.orig, "sqlstate", "") or "")
    return state.startswith(("08", "57P0"))


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
    return JSONResponse(body, status_code=status, headers=headers, media_type=MEDIA_TYPE)
