"""Bodies of requests, before a route sees them: as large, as fast and as deep as a request needs, and JSON."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import BadJson, BodyTooLarge, BodyTooSlow, NotJson, Overloaded

MAX_BODY = 1_000_000
"""Bytes; the largest body that makes sense is 5,000 ids."""

MAX_ARRIVING = 64_000_000
"""Bytes of all bodies of a process that have not come to their end: slow ones hold no place of others, but they hold memory."""

MAX_DEPTH = 64
"""Levels of a body's JSON; the deepest that makes sense has three."""

MAX_VALUES = 25_000
"""Values in a body's JSON; to say of a million what is wrong with each would hold the process for a second and more."""

MERGE_PATCH = "application/merge-patch+json"
PATCHES = f"{MERGE_PATCH}, application/json"
"""What a PATCH may be (RFC 7396): what is left out stays, null takes away."""


class Bodies:
    """An ASGI layer that reads a writing request's whole body, checks it, and hands it on in one piece."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app = app
        self._seconds = seconds
        self._arriving = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ``BodyTooLarge``, ``BodyTooSlow``, ``Overloaded``, ``NotJson`` or ``BadJson``."""
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        _check_length(headers.get(b"content-length", b"0"))
        try:
            async with asyncio.timeout(self._seconds):
                body = await self._read(receive)
        except TimeoutError:
            raise BodyTooSlow(f"The body did not arrive within {self._seconds:g} seconds; send it at once.") from None
        if body is None:  # nobody is there any more
            return
        if body:
            _check_type(scope["method"], headers)
            _check(body)
        await self.app(scope, replaying(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        """A whole body, or None if the caller has gone."""
        body, more = bytearray(), True
        try:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                part = message.get("body", b"")
                body += part
                self._arriving += len(part)
                more = message.get("more_body", False)
                if len(body) > MAX_BODY:
                    raise _too_large()
                if self._arriving > MAX_ARRIVING:
                    raise Overloaded("The service is receiving as much as it takes at a time; try again in a second.")
            return bytes(body)
        finally:
            self._arriving -= len(body)


def replaying(body: bytes, receive: Receive) -> Receive:
    """A body that was read, to be received once more."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _check_length(declared: bytes) -> None:
    # A number too long to be worth reading as one is too large as well.
    if declared.isdigit() and (len(declared) > 20 or int(declared) > MAX_BODY):
        raise _too_large()


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"The body has more than {MAX_BODY:,} bytes; send less at a time.")


def _check_type(method: str, headers: Mapping[bytes, bytes]) -> None:
    media_type = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    if method == "PATCH":
        if media_type.decode("latin-1") not in PATCHES.split(", "):
            raise NotJson(f"A change must be sent with the header 'Content-Type: {MERGE_PATCH}'.", PATCHES)
    elif not _is_json(media_type):
        raise NotJson("The body must be JSON, sent with the header 'Content-Type: application/json'.")


def _is_json(media_type: bytes) -> bool:
    return media_type == b"application/json" or (
        media_type.startswith(b"application/") and media_type.endswith(b"+json")
    )


def _check(body: bytes) -> None:
    """Raise ``BadJson`` unless a body is JSON that the service can take."""
    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except BadJson:
        raise
    except UnicodeDecodeError:
        raise BadJson("The body is not UTF-8 text.") from None
    except json.JSONDecodeError as error:
        if text.startswith("\ufeff"):
            raise BadJson("The body begins with a byte order mark; send it without.") from None
        raise BadJson(f"The body is not JSON: {error}.") from None
    except ValueError:  # Python reads no integer of more than 4,300 digits.
        raise BadJson("The body holds a number with too many digits.") from None
    except RecursionError:
        raise _too_deep() from None
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_too_deep(value):
        raise _too_deep()
    if body.count(b",") >= MAX_VALUES and _has_too_many(value):  # a text may hold commas, too
        raise BadJson(f"The body's JSON holds more than {MAX_VALUES:,} values; send less at a time.")
    # Only an escape can bring in what JSON itself does not allow.
    if "\\u" in text and any(_is_no_text(one) for one in _strings(value)):
        raise BadJson("The body holds a NUL character or half a surrogate pair, which no text has; leave it out.")


def _too_deep() -> BadJson:
    return BadJson(f"The body's JSON is nested too deeply: more than {MAX_DEPTH} levels.")


def _is_too_deep(value: list[Any] | dict[str, Any]) -> bool:
    """Whether a JSON value has more levels than any request needs; level by level, without recursion."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inside: list[Any] = []
        for one in level:
            members = one.values() if isinstance(one, dict) else one
            inside += [member for member in members if isinstance(member, list | dict)]
        if not inside:
            return False
        level = inside
    return True


def _has_too_many(value: Any) -> bool:
    """Whether a JSON value consists of more values than any request needs; without recursion."""
    count, waiting = 0, [value]
    while waiting and count <= MAX_VALUES:
        one = waiting.pop()
        members: Any = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        count += len(members)
        waiting += (member for member in members if isinstance(member, list | dict))
    return count > MAX_VALUES


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):  # Which of two values counts would be a guess.
        raise BadJson("The body has an object with the same key twice.")
    return members


def _no_constant(name: str) -> None:
    raise BadJson(f"The body is not JSON: {name} is no number there.")


def _strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value, keys included; without recursion, so that depth does not matter."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += one
            waiting += one.values()


def _is_no_text(value: str) -> bool:
    return "\0" in value or any("\ud800" <= character <= "\udfff" for character in value)
