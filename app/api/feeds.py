"""A channel's digests and papers as feeds, which readers ask for again and again: mostly the answer is 304."""

from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from app import digests
from app.api.caching import cached_headers, etag_of, not_modified
from app.api.deps import SessionDep, ToolsDep
from app.api.fields import Language
from app.api.rendering import MathKind, page_headers
from app.errors import InvalidInput
from app.render import feeds
from app.render.document import Math, View

router = APIRouter(prefix="/v1/channels", tags=["feeds"])

MAX_AGE = 300
"""Seconds for which caches need not ask: a digest more or less soon is no harm, and readers ask too often."""

_DIGESTS = 10
_PAPERS = 3


class FeedFormat(StrEnum):
    """The ways in which a feed is written."""

    ATOM = "atom"
    RSS = "rss"
    JSON = "json"


class Entries(StrEnum):
    """What a feed has an entry for."""

    DIGESTS = "digests"
    PAPERS = "papers"


_WRITERS = {FeedFormat.ATOM: feeds.atom, FeedFormat.RSS: feeds.rss, FeedFormat.JSON: feeds.jsonfeed}
_WRITTEN: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            media_type: {"schema": {"type": "object" if media_type.endswith("json") else "string"}}
            for media_type in feeds.MEDIA_TYPES.values()
        },
        "description": "The feed",
    },
    304: {"description": "Nothing has changed since the caller asked last"},
}


@router.get("/{slug}/feed.{format}", summary="Get a channel's feed", response_class=Response, responses=_WRITTEN)
async def get_feed(
    slug: str,
    format: FeedFormat,
    request: Request,
    session: SessionDep,
    tools: ToolsDep,
    entries: Annotated[
        Entries, Query(description="One entry for each digest, or for each paper of them")
    ] = Entries.DIGESTS,
    language: Annotated[Language | None, Query(description="Without one, the channel's or the service's first")] = None,
    math: MathKind = None,
    limit: Annotated[
        int | None, Query(ge=1, le=50, description=f"Digests on a page ({_DIGESTS}, or {_PAPERS} with their papers)")
    ] = None,
    page: Annotated[int, Query(ge=1, le=10_000, description="Older digests are on later pages (RFC 5005)")] = 1,
) -> Response:
    """Ids never change, and dates of update move only when content does. Ask with `If-None-Match`."""
    shown = _math(math)
    count = limit or (_DIGESTS if entries is Entries.DIGESTS else _PAPERS)
    found = await digests.channel_page(
        session, slug, language, otherwise=tools.settings.languages[0], limit=count, skip=(page - 1) * count
    )
    channel, heads, spoken = found.channel, found.heads, found.language or tools.settings.languages[0]
    base = tools.settings.address(str(request.base_url))
    asked = [format, entries, spoken, shown, count, page, found.has_more, base, channel.title, channel.updated_at]
    etag = etag_of("feed", channel.slug, *asked, *((head.digest_id, head.revision, head.created_at) for head in heads))
    modified_at = max([channel.updated_at, *(head.created_at for head in heads)])
    headers = cached_headers(etag, modified_at, max_age=MAX_AGE)
    if (unchanged := not_modified(request, headers)) is not None:
        return unchanged
    head = feeds.FeedHead(
        channel=channel.slug,
        title=channel.title,
        language=spoken,
        created_at=channel.created_at,
        home_url=f"{base}/channels/{channel.slug}",
        **_addresses(
            {
                "entries": entries if entries is not Entries.DIGESTS else None,
                "language": language,
                "math": math,
                "limit": limit,
            },
            f"{base}/v1/channels/{channel.slug}/feed.{format}",
            page,
            found.has_more,
        ),
    )
    documents = await digests.get_digests(session, heads)
    make = feeds.digests_feed if entries is Entries.DIGESTS else feeds.papers_feed
    written = _WRITERS[format](make(documents, View(shown, base), head))
    media_type = feeds.MEDIA_TYPES[format]
    return Response(written, media_type=media_type, headers=headers | page_headers(media_type))


def _math(math: str | None) -> Math:
    if math is None:
        return Math.UNICODE
    try:
        return Math(math)
    except ValueError:
        raise InvalidInput(f"There is no math={math!r}; feeds take {', '.join(Math)}.") from None


def _addresses(request_query: dict[str, Any], address: str, page: int, more: bool) -> dict[str, str | None]:
    """The addresses of this page of a feed, and of the pages around it."""

    def at(number: int) -> str:
        given = {name: str(value) for name, value in request_query.items() if value is not None}
        given |= {"page": str(number)} if number > 1 else {}
        return address + (f"?{urlencode(given)}" if given else "")

    return {
        "self_url": at(page),
        "first_url": at(1) if more or page > 1 else None,
        "previous_url": at(page - 1) if page > 1 else None,
        "next_url": at(page + 1) if more else None,
    }
