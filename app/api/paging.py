"""Cursors: an opaque text that says where the next page begins, bound to the query that it came from."""

import base64
import hashlib
import json
from typing import Annotated, Any

from fastapi import Query, Request, Response

from app.errors import InvalidCursor

Limit = Annotated[int, Query(ge=1, le=200, description="Items on a page")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before")]

_MARK = 8


def _digest(payload: bytes, query: list[Any]) -> bytes:
    salt = json.dumps(query, default=str).encode()
    return hashlib.blake2b(payload + b"\0" + salt, digest_size=_MARK, person=b"zhaiyao cursor").digest()


def encode(key: Any, query: list[Any]) -> str | None:
    """The cursor for ``key``, which is JSON; None for no key. ``query`` is whatever else decides the list."""
    if key is None:
        return None
    payload = json.dumps(key).encode()
    return base64.urlsafe_b64encode(_digest(payload, query) + payload).decode().rstrip("=")


def decode(cursor: str | None, query: list[Any]) -> Any:
    """The key of a cursor, None for none; ``InvalidCursor`` if it was altered or belongs to another query."""
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        mark, payload = raw[:_MARK], raw[_MARK:]
        if mark == _digest(payload, query):
            return json.loads(payload)
    except ValueError:
        pass
    raise InvalidCursor("The cursor is not one of this list; begin again without a cursor.")


def link_next(request: Request, response: Response, cursor: str | None) -> None:
    """Set the ``Link`` header to the next page, if there is one."""
    if cursor is not None:
        response.headers["Link"] = f'<{request.url.include_query_params(cursor=cursor)}>; rel="next"'
