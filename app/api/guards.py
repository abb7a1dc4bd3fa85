"""What every request passes before a route sees it, from the outside in: an id, CORS, room for one more, who may, the body,
and a writing request's ``Idempotency-Key``. Whatever is raised in between becomes a problem document here.
"""

import logging
import random
import re
from collections.abc import Iterable, Sequence

from fastapi.routing import APIRoute
from sqlalchemy.exc import SQLAlchemyError
from starlette._utils import get_route_path
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import keys, log
from app.api import problems
from app.api.access import Access, Caller, Needs, caller_of
from app.api.bodies import Bodies
from app.api.lean import First
from app.api.once import Once
from app.config import Settings
from app.db import Database
from app.errors import AddressTooLong, Overloaded, Refused, WrongHost
from app.ingestion import Tools
from app.keys import Key
from app.limits import Limiter

logger = logging.getLogger(__name__)

MAX_ADDRESS = 16_384
"""Bytes of a path with its parameters: a whole abstract in Chinese, percent-encoded, is nine thousand."""

MAX_PARAMETERS = 500
_HEALTH = ("/healthz", "/readyz")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_TAKEN = [
    "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-Modified-Since", "If-None-Match", "X-Request-ID"
]  # fmt: skip
_SHOWN = [
    "Accept-Patch", "Content-Disposition", "ETag", "Idempotency-Replayed", "Last-Modified", "Link", "Location", "RateLimit",
    "RateLimit-Policy", "Retry-After", "WWW-Authenticate", "X-Request-ID",
]  # fmt: skip


class Guards:
    """The outermost layer: gives each request its id and each answer its headers.

    The layers inside are put together at the first request: settings are known only once the application has started.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[APIRoute] = (), first: Sequence[Route] = ()) -> None:
        self._app = app
        self._first = first
        self._needs = Needs(routes)
        self._inner: ASGIApp | None = None
        self._settings: Settings | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, with ``X-Request-ID`` and what the layers inside put into ``state`` set on the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        more: list[tuple[bytes, bytes]] = [(b"x-request-id", request_id.encode())]
        scope.setdefault("state", {}).update(request_id=request_id, headers=more)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [(name, value) for name, value in message["headers"] if name != b"x-request-id"]
                message = {**message, "headers": [*others, *more]}
            await send(message)

        send_with_id: Send = answer
        if scope["method"] == "HEAD":  # what GET would answer, without its body
            scope, send_with_id = {**scope, "method": "GET"}, _without_body(answer)
            scope["state"]["is_head"] = True
        token = log.request_id.set(request_id)
        try:
            await self._layers(scope["app"].state.tools)(scope, receive, send_with_id)
        finally:
            log.request_id.reset(token)

    def _layers(self, tools: Tools) -> ASGIApp:
        if self._inner is None or self._settings is not tools.settings:
            settings = self._settings = tools.settings
            places = Places(settings.max_requests)
            bodies = Bodies(Room(Once(First(self._app, self._first)), places), settings.request_timeout.total_seconds())
            access = Access(settings, self._needs, Limiter())
            self._inner = _with_cors(Gate(bodies, access, places, is_closed=not settings.public_read), settings)
        return self._inner


def _with_cors(app: ASGIApp, settings: Settings) -> ASGIApp:
    if not settings.cors_origins:
        return app
    return CORSMiddleware(
        app, settings.cors_origins, allow_methods=_METHODS, allow_headers=_TAKEN, expose_headers=_SHOWN
    )


class Places:
    """Room for so many requests at a time, to be taken with ``with``; ``Overloaded`` rather than a queue if there is none."""

    def __init__(self, count: int) -> None:
        self._free = count

    def __enter__(self) -> None:
        if self._free <= 0:
            raise Overloaded("The service has as many requests at hand as it takes; try again in a second.")
        self._free -= 1

    def __exit__(self, *_: object) -> None:
        self._free += 1


class Room:
    """The layer that holds a place while a request is worked on; not while its body comes, which may take its time."""

    def __init__(self, app: ASGIApp, places: Places) -> None:
        self._app = app
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ``Overloaded``; what is open to all takes no place."""
        if caller_of(scope).needed is None:
            await self._app(scope, receive, send)
            return
        with self._places:
            await self._app(scope, receive, send)


class Gate:
    """The layer that lets requests in, or answers why not."""

    def __init__(self, app: ASGIApp, access: Access, places: Places, *, is_closed: bool) -> None:
        self._app = app
        self._access = access
        self._places = places
        self._is_closed = is_closed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer every error that is raised inside, unless an answer has begun."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            if self._is_closed and message["type"] == "http.response.start":
                message = {**message, "headers": [_as_private(*one) for one in message["headers"]]}
            await send(message)

        try:
            await self._admit(scope, receive, watched)
        except Exception as error:
            if begun:
                raise
            await problems.answer(Request(scope), error)(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = get_route_path(scope)
        _check_address(scope)
        if path in _HEALTH:
            scope["state"]["caller"] = Caller("", None, None)
            await self._app(scope, receive, send)
            return
        if not self._access.answers_for(scope):
            raise WrongHost("This service does not answer for the host that the request names; use its own address.")
        database = scope["app"].state.tools.database
        with self._places:  # to ask for a key or a limit takes a connection, too
            caller = await self._access.admit(scope, database, scope["method"], path)
        await self._app(scope, receive, send)
        if caller.key is not None and caller.key.is_use_old:
            await _note_use(database, caller.key)


def _as_private(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """A header of what only callers with a key may read: caches that others share must not keep it for them."""
    return name, value.replace(b"public", b"private") if name == b"cache-control" else value


async def _note_use(database: Database, key: Key) -> None:
    """Nobody waits for this, and nobody is told if it fails: the answer has been sent."""
    try:
        await keys.note_use(database, key)
    except (OSError, SQLAlchemyError) as error:
        logger.warning("the last use of key %s was not noted: %s", key.id, type(error).__name__)


def _check_address(scope: Scope) -> None:
    query = scope.get("query_string", b"")
    if len(scope.get("raw_path") or b"") + len(query) > MAX_ADDRESS:
        raise AddressTooLong(f"The address has more than {MAX_ADDRESS:,} bytes; ask for less at a time.")
    if query.count(b"&") >= MAX_PARAMETERS:
        raise Refused(f"The address has more than {MAX_PARAMETERS} parameters; ask for less at a time.")
    if b"%00" in query or _CONTROL.search(scope["path"]):  # "$" in a route's pattern fits before a line break
        raise Refused("The address holds a control character, such as NUL or a line break.")


def _request_id(scope: Scope) -> str:
    """The caller's own id if it is one that is safe to repeat, or a new one."""
    given: list[bytes] = [value for name, value in scope["headers"] if name == b"x-request-id"]
    if len(given) == 1 and _REQUEST_ID.fullmatch(given[0]):
        return given[0].decode("ascii")
    return f"{random.getrandbits(128):032x}"


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head
