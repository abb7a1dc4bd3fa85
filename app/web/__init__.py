"""The reading pages: what a person with a browser finds from the service's root. No script, nothing loaded from elsewhere."""

import re
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from app import overview
from app.api.caching import etag_of, not_modified
from app.api.deps import SessionDep, ToolsDep
from app.errors import NotFound
from app.overview import Before
from app.web import languages, pages
from app.web.pages import Reader

router = APIRouter(include_in_schema=False)

HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": pages.POLICY,
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Language",
    "X-Content-Type-Options": "nosniff",
}

_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII).fullmatch
_OLDEST_YEAR = 1991  # arXiv's first


def get_reader(request: Request, tools: ToolsDep, language: Annotated[str | None, Query()] = None) -> Reader:
    """In which language the page speaks, and where the service is mounted."""
    chosen = languages.choose(language, request.headers.get("accept-language"))
    return Reader(
        language=chosen,
        is_chosen=bool(language),
        root=request.scope.get("root_path", "").rstrip("/"),
        path=request.url.path.removeprefix(request.scope.get("root_path", "")),
        base_url=tools.settings.address(str(request.base_url)),
    )


ReaderDep = Annotated[Reader, Depends(get_reader)]


@router.get("/")
async def home(request: Request, reader: ReaderDep, session: SessionDep, tools: ToolsDep) -> Response:
    """The followed channels and how each stands."""
    page = await overview.home(session, tools.settings.categories, tools.now(), languages.spoken(reader.language))
    return _answer(request, reader, pages.home(page, reader))


@router.get("/channels/{slug}")
async def channel(
    request: Request,
    slug: str,
    reader: ReaderDep,
    session: SessionDep,
    tools: ToolsDep,
    before: Annotated[str | None, Query()] = None,
    month: Annotated[str | None, Query()] = None,
) -> Response:
    """A channel's digests as a list (``before`` is the cursor of an older page) and a month of them (``2026-01``)."""
    try:
        place = Before.parse(before) if before else None
        first = _month(month) if month else None
    except ValueError:
        return _answer(request, reader, pages.not_found(reader, None), 404)
    spoken = languages.spoken(reader.language)
    try:
        page = await overview.channel(
            session, slug, tools.settings.categories, tools.now(), spoken, before=place, month=first
        )
    except NotFound:
        return _answer(request, reader, pages.not_found(reader, slug), 404)
    return _answer(request, reader, pages.channel(page, reader, before))


def _month(text: str) -> date:
    match = _MONTH(text)
    if match is None or not _OLDEST_YEAR <= int(match[1]) < 9999:
        raise ValueError(f"{text[:40]!r} is no month")
    return date(int(match[1]), int(match[2]), 1)


def _answer(request: Request, reader: Reader, page: str, status: int = 200) -> Response:
    """A page with its headers; 304 without a body where the caller has these very bytes."""
    headers = {**HEADERS, "Content-Language": reader.language, "ETag": etag_of(page)}
    unchanged = not_modified(request, headers) if status == 200 else None
    return unchanged or Response(page, status, headers, "text/html")
