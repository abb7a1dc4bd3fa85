"""Cursors: an opaque text that says where the next page begins, bound to the query that it came from."""

import base64
import hashlib
import json
from datetime import date
from typing import Annotated, Any, TypeVar

from fastapi import Query, Request, Response
from pydantic import Field, TypeAdapter

from app.errors import InvalidCursor

Limit = Annotated[int, Query(ge=1, le=200, description="Items on a page")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before")]

Key = TypeVar("Key")
_Text = Annotated[str, Field(pattern=r"^[ -~]{1,100}$")]
NUMBER: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=0, le=2**63 - 1)])
TEXT: TypeAdapter[str] = TypeAdapter(_Text)
DAY_AND_TEXT: TypeAdapter[tuple[date, str]] = TypeAdapter(tuple[date, _Text])
"""What the keys of lists are made of. The mark on a cursor is no secret: its key is checked as any other input."""

_MARK = 8
_MAX_LENGTH = 500


def _digest(payload: bytes, query: list[Any]) -> bytes:
    salt = json.dumps(query, default=str).encode()
    return hashlib.blake2b(payload + b"\0" + salt, digest_size=_MARK, person=b"zhaiyao cursor").digest()


def encode(key: Any, query: list[Any]) -> str | None:
    """The cursor for ``key``; None for no key. ``query`` is whatever else decides the list."""
    if key is None:
        return None
    payload = json.dumps(key, default=str).encode()
    return _text(_digest(payload, query) + payload)


def decode(cursor: str | None, query: list[Any], kind: TypeAdapter[Key]) -> Key | None:
    """The key of a cursor, None for none; ``InvalidCursor`` if it was altered or belongs to another query."""
    if cursor is None:
        return None
    try:
        if len(cursor) <= _MAX_LENGTH:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            mark, payload = raw[:_MARK], raw[_MARK:]
            # Base64 has several spellings of the same bytes; only the one that was given out counts.
            if mark == _digest(payload, query) and cursor == _text(raw):
                return kind.validate_json(payload)
    except ValueError:
        pass
    raise InvalidCursor("The cursor is not one of this list; begin again without a cursor.")


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def link_next(request: Request, response: Response, cursor: str | None) -> None:
    """Set the ``Link`` header to the next page, if there is one."""
    if cursor is not None:
        response.headers["Link"] = f'<{request.url.include_query_params(cursor=cursor)}>; rel="next"'
