"""Conditional requests (RFC 9110): an answer that the caller has already is not made again."""

import hashlib
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from fastapi import Request, Response

from app.render import FINGERPRINT


def etag_of(*parts: object) -> str:
    """A strong entity tag for an answer that is made from these alone, and from this release's renderers."""
    told = "\0".join(map(str, (FINGERPRINT, *parts)))
    return f'"{hashlib.blake2b(told.encode(), digest_size=16).hexdigest()}"'


def etag_of_body(body: bytes) -> str:
    """A strong entity tag for an answer that is at hand: for what may change in more ways than one knows."""
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


def cached_headers(
    etag: str, modified_at: datetime | None, *, vary: str | None = None, max_age: int = 0
) -> dict[str, str]:
    """The headers that an answer and its 304 share. With ``max_age`` seconds caches may give it without asking."""
    headers = {"ETag": etag, "Cache-Control": f"public, max-age={max_age}" if max_age else "public, no-cache"}
    if modified_at is not None:
        headers["Last-Modified"] = format_datetime(modified_at.astimezone(UTC), usegmt=True)
    if vary:
        headers["Vary"] = vary
    return headers


def not_modified(request: Request, headers: dict[str, str]) -> Response | None:
    """304 if the caller has this answer, by its entity tag or, if it names none, by its date; None if it has not."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        known = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        fresh = "*" in known or headers["ETag"] in known
    else:
        fresh = _is_same_date(request.headers.get("if-modified-since"), headers.get("Last-Modified"))
    return Response(status_code=304, headers=headers) if fresh else None


def _is_same_date(asked: str | None, modified: str | None) -> bool:
    """Whether the date that a caller names is ours. A later one is no proof: what is newest may have been deleted since."""
    if asked is None or modified is None:
        return False
    try:
        moment = parsedate_to_datetime(asked)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) == parsedate_to_datetime(modified)
    except (ValueError, OverflowError):
        return False
