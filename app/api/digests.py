"""Digests over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from app import digests
from app.api.deps import SessionDep, ToolsDep
from app.api.fields import Language
from app.api.paging import NUMBER, Cursor, Limit, decode, encode, link_next
from app.api.schemas import DigestCreate, DigestListed, DigestRead, Page
from app.arxiv.calendar import batch_date
from app.render import FORMATS, rendering
from app.render.document import DigestDocument

router = APIRouter(prefix="/v1/digests", tags=["digests"])

FormatName = Annotated[str, Path(max_length=20, description="`md`, `html` or `json`")]
RENDERED: dict[int | str, dict[str, Any]] = {
    200: {"content": {form.media_type.split(";")[0]: {} for form in FORMATS.values()}, "description": "The digest"}
}


def rendered(document: DigestDocument, format: str, style: str | None = None) -> Response:
    """A digest as a response in one of the formats; ``InvalidInput`` for an unknown format or style."""
    form = rendering(format, style)
    return Response(form(document), media_type=form.format.media_type)


@router.post(
    "",
    status_code=201,
    summary="Create a digest",
    response_model=DigestRead,
    responses={200: {"model": DigestRead, "description": "It existed"}},
)
async def create_digest(body: DigestCreate, session: SessionDep, tools: ToolsDep) -> Response:
    """Of a channel's day or period, or over named papers.

    Asking again gives the same digest (200), brought up to date: if anything has changed, in a new revision. Summaries
    that it lacks are asked for, and come with a later revision.
    """
    default_language = tools.settings.languages[0]
    if body.channel is not None:
        wanted = await digests.channel_digest(
            session,
            body.channel,
            language=body.language,
            default_language=default_language,
            from_=body.date or body.from_,
            to=body.date or body.to,
            today=batch_date(tools.now()),
        )
    else:
        wanted = digests.adhoc_digest(
            body.paper_ids or [], language=body.language or default_language, title=body.title
        )
    composed = await digests.compose(session, wanted, tools.summariser)
    response = rendered(composed.document, "json")
    response.headers["Location"] = f"/v1/digests/{composed.document.id}"
    response.status_code = 201 if composed.created else 200
    return response


@router.get("", summary="List digests, the last created first")
async def list_digests(
    request: Request,
    response: Response,
    session: SessionDep,
    channel: Annotated[str | None, Query(max_length=80)] = None,
    language: Annotated[Language | None, Query()] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[DigestListed]:
    """Without their papers; each with the receipt of its newest revision."""
    query = ["digests", channel, language]
    rows, key = await digests.list_digests(
        session, limit=limit, before=decode(cursor, query, NUMBER), channel=channel, language=language
    )
    next_cursor = encode(key, query)
    link_next(request, response, next_cursor)
    items = [DigestListed.of(row, receipt) for row, receipt in rows]
    return Page[DigestListed](items=items, next_cursor=next_cursor)


Revision = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="An earlier revision")]


@router.get("/{id}.{format}", summary="Get a digest, rendered", response_class=Response, responses=RENDERED)
async def get_rendered(
    id: str,
    format: FormatName,
    session: SessionDep,
    style: Annotated[
        str | None, Query(max_length=20, description="`classic`, for `md`: the older system's bytes")
    ] = None,
    revision: Revision = None,
) -> Response:
    """The newest revision, or the one asked for, as `md`, `html` or `json`."""
    return rendered(await digests.get_digest(session, id, revision), format, style)


@router.get("/{id}", summary="Get a digest", response_model=DigestRead)
async def get_digest(id: str, session: SessionDep, revision: Revision = None) -> Response:
    """The newest revision, or the one asked for."""
    return rendered(await digests.get_digest(session, id, revision), "json")
