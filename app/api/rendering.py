"""Rendered digests and feeds as responses: format, formulas, validators, 304."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from pydantic import BaseModel, Field

from app import digests
from app.api.accepting import choose
from app.api.caching import MAX_REMEMBERED, Remembered, cached_headers, etag_of, not_modified
from app.api.schemas import DigestRead
from app.digests import Head
from app.ingestion import Tools
from app.render import FORMATS, html, rendering
from app.render.document import DigestDocument, Math

FormatName = Annotated[str, Path(max_length=20, description=", ".join(f"`{name}`" for name in FORMATS))]
Style = Annotated[
    str | None, Query(max_length=20, description="`classic`, for `md` and `rss`: as the older system wrote it")
]
MathKind = Annotated[
    str | None,
    Query(max_length=20, description="Formulas as `tex`, `mathml` or `unicode`; usually as suits the format best"),
]

_SAME: dict[str, Any] = {"description": "The caller has this revision, rendered like this, already"}
_CONTENT: dict[str, Any] = {
    form.media_type: {"schema": {"type": "string"} | ({"format": "binary"} if name == "epub" else {})}
    for name, form in FORMATS.items()
    if name != "json"
}
EVERY_FORMAT: dict[int | str, dict[str, Any]] = {
    200: {"model": DigestRead, "content": _CONTENT, "description": "The digest"},
    304: _SAME,
}
"""What rendering answers: JSON has a schema, the other formats are what their names say."""


def accepted(request: Request) -> str:
    """The format that the ``Accept`` header prefers, JSON among equals; ``NotAcceptable``."""
    return _accepted(request.headers.get("accept"))


@lru_cache(maxsize=256)
def _accepted(header: str | None) -> str:
    return choose(header, {name: form.media_type for name, form in FORMATS.items()}, "json")


def as_json(document: DigestDocument) -> Response:
    """A digest as JSON, as answers to writing requests have it."""
    etag = tag_of_json(document.id, document.revision, document.created_at)
    return Response(rendering("json")(document), media_type="application/json", headers={"ETag": etag})


def tag_of_json(digest_id: str, revision: int, created_at: datetime) -> str:
    """The entity tag of a revision as JSON at the digest's own address: what ``If-Match`` takes."""
    return _tag(digest_id, revision, created_at, "json", None, _rendering("json", None, None).math, None)


def page_headers(media_type: str) -> dict[str, str]:
    """What keeps a browser from taking an answer for more than it is."""
    headers = {"X-Content-Type-Options": "nosniff"}
    if media_type == "text/html":
        headers |= {
            "Content-Security-Policy": f"{html.POLICY}; frame-ancestors 'none'",
            "Referrer-Policy": "no-referrer",
        }
    return headers


class RenderQuery(BaseModel):
    """How a digest is written. What else an address holds is passed over: whoever shares a link may have added to it."""

    style: Style = None
    math: MathKind = None


class DigestQuery(RenderQuery):
    """A digest's revision, and how it is written."""

    revision: int | None = Field(default=None, ge=1, le=2**31 - 1, description="An earlier revision")


REMEMBERED = Remembered[Response](MAX_REMEMBERED)
"""Rendered digests by what they are and how they were negotiated."""


async def serve(
    request: Request, tools: Tools, query: RenderQuery, head: Head, format: str, *, negotiated: bool = False
) -> Response:
    """A revision in a format, or 304 if the caller has it. Raises ``InvalidInput`` for an unknown format, style or math.

    What was written for one caller is kept for the next: a revision never changes.
    """
    form = _rendering(format, query.style, query.math)
    base = tools.settings.address(str(request.base_url)) if form.format.has_addresses else None
    validators = _validators if base is not None else _kept_validators  # an address is as long as a caller likes
    headers = validators(head, format, query.style, form.math, base, negotiated)
    if (unchanged := not_modified(request, headers)) is not None:
        return unchanged
    etag = headers["ETag"]
    written = REMEMBERED.get((etag, negotiated))
    if written is None:
        async with tools.database.transaction() as session:
            [document] = await digests.get_digests(session, [head])
        media_type = form.format.media_type
        headers = headers | page_headers(media_type)
        if form.format.download:
            headers["Content-Disposition"] = f'attachment; filename="{_file_name(document)}.{format}"'
        if negotiated:
            headers["Content-Location"] = f"/v1/digests/{document.id}.{format}?revision={document.revision}"
        written = Response(form(document, base), media_type=media_type, headers=headers)
        REMEMBERED.keep((etag, negotiated), written, len(written.body))
    return written


def _tag(digest_id: str, revision: int, created_at: datetime, *rendered: object) -> str:
    # A digest that was deleted and made again has the same number and revision, but not the same moment.
    return etag_of(digest_id, revision, created_at, *rendered)


def _validators(
    head: Head, format: str, style: str | None, math: Math, base: str | None, negotiated: bool
) -> dict[str, str]:
    """The headers by which a caller asks again."""
    etag = _tag(head.digest_id, head.revision, head.created_at, format, style, math, base)
    return cached_headers(etag, head.created_at, vary="Accept" if negotiated else None)


_rendering = lru_cache(maxsize=256)(rendering)
_kept_validators = lru_cache(maxsize=4_096)(_validators)


def _file_name(document: DigestDocument) -> str:
    """What a download is called: ASCII, by channel and last day, or by the digest's id."""
    if document.channel is None or document.period is None:
        return f"digest-{document.id}"
    return f"{document.channel}-{document.period.to}-{document.language}"
