"""Cursors: an opaque text that says where the next page begins, signed, and bound to the query that it came from."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Query, Request, Response
from pydantic import Field, TypeAdapter

from app.api.deps import ToolsDep
from app.errors import InvalidCursor
from app.ingestion import Tools
from app.shared_secrets import CURSORS, get_secret

Limit = Annotated[int, Query(ge=1, le=200, description="Items on a page")]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before")]

Key = TypeVar("Key")
Text = Annotated[str, Field(pattern=r"^[ -~]{1,100}$")]
NUMBER: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(ge=0, le=2**63 - 1)])
TEXT: TypeAdapter[str] = TypeAdapter(Text)
DAY_AND_TEXT: TypeAdapter[tuple[date, str]] = TypeAdapter(tuple[date, Text])
"""What the keys of lists are made of."""

_SIGNATURE: Final = 16
_MAX_LENGTH: Final = 12_000
"""Characters; a search's cursor holds the query that was searched in place of the one asked for."""


@dataclass(frozen=True, slots=True)
class Cursors:
    """What makes and reads cursors, with the key that all API processes share."""

    key: bytes

    def encode(self, key: Any, query: list[Any]) -> str | None:
        """The cursor for ``key``; None for no key. ``query`` is whatever else decides the list, its name first."""
        if key is None:
            return None
        payload = json.dumps(key, default=str).encode()
        return _text(self._sign(payload, query) + payload)

    def decode(self, cursor: str | None, query: list[Any], kind: TypeAdapter[Key]) -> Key | None:
        """The key of a cursor, None for none; ``InvalidCursor`` if it was altered or belongs to another query."""
        if cursor is None:
            return None
        try:
            if len(cursor) <= _MAX_LENGTH:
                raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
                signature, payload = raw[:_SIGNATURE], raw[_SIGNATURE:]
                # Base64 has several spellings of the same bytes; only the one that was given out counts.
                if hmac.compare_digest(signature, self._sign(payload, query)) and cursor == _text(raw):
                    return kind.validate_json(payload)
        except ValueError:
            pass
        raise InvalidCursor("The cursor is not one of this list; begin again without a cursor.")

    def _sign(self, payload: bytes, query: list[Any]) -> bytes:
        told = payload + b"\0" + json.dumps(query, default=str).encode()
        return hmac.digest(self.key, told, hashlib.sha256)[:_SIGNATURE]


async def get_cursors(request: Request, tools: ToolsDep) -> Cursors:
    """The cursors of this database; the key is asked for once."""
    return await cursors_of(request.app.state, tools)


async def cursors_of(state: Any, tools: Tools) -> Cursors:
    """As ``get_cursors``, for routes that are given no dependencies; ``state`` is the application's."""
    known: Cursors | None = getattr(state, "cursors", None)
    if known is None:
        async with tools.database.transaction() as session:
            known = state.cursors = Cursors(await get_secret(session, CURSORS))
    return known


CursorsDep = Annotated[Cursors, Depends(get_cursors)]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def link_next(request: Request, response: Response, cursor: str | None) -> None:
    """Set the ``Link`` header to the next page, if there is one."""
    if cursor is not None:
        response.headers["Link"] = f'<{request.url.include_query_params(cursor=cursor)}>; rel="next"'
