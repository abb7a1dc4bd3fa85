"""Conditional requests (RFC 9110): an answer that the caller has already is not made again."""

import hashlib
from collections import OrderedDict
from collections.abc import Hashable
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final, Generic, TypeVar

from fastapi import Request, Response

from app.render import FINGERPRINT

MAX_REMEMBERED: Final = 24_000_000
"""Bytes of rendered digests that one process keeps; a digest of 200 papers has half a megabyte as JSON."""

Kept = TypeVar("Kept")


class Remembered(Generic[Kept]):
    """Answers that never change, by what identifies them: the last used ones, up to so many bytes together."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._kept: OrderedDict[Hashable, tuple[Kept, int]] = OrderedDict()

    def get(self, key: Hashable) -> Kept | None:
        """What was kept; None if nothing was, or no longer is."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def keep(self, key: Hashable, value: Kept, size: int) -> None:
        """Keep a value of so many bytes, and let go what was not used for the longest time; what fills a quarter is not kept."""
        if size > self.max_bytes // 4 or key in self._kept:
            return
        self._kept[key] = value, size
        self.bytes += size
        while self.bytes > self.max_bytes:
            _, (_, freed) = self._kept.popitem(last=False)
            self.bytes -= freed

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self.bytes = 0


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
