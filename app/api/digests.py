"""Digests over HTTP: created, found, compared; how they are rendered is in ``rendering``."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from app import digests
from app.api.contract import fails
from app.api.deps import SessionDep, ToolsDep
from app.api.fields import Language
from app.api.lean import LeanRoute
from app.api.paging import NUMBER, Cursor, CursorsDep, Limit, link_next
from app.api.preconditions import ExpectedMatchDep
from app.api.rendering import (
    EVERY_FORMAT,
    DigestQuery,
    FormatName,
    accepted,
    as_json,
    serve,
    tag_of_json,
)
from app.api.schemas import (
    DigestCreate,
    DigestDiffRead,
    DigestListed,
    DigestRead,
    Page,
    RevisionRead,
)
from app.arxiv.calendar import batch_date
from app.digests import Head, Question, Wanted
from app.errors import (
    Conflict,
    InvalidArxivId,
    InvalidQuery,
    ListingNotRead,
    NotAcceptable,
    NotFound,
    UnknownCategory,
    UnknownPapers,
)
from app.ingestion import Tools
from app.models import DigestKind

router = APIRouter(prefix="/v1/digests", tags=["digests"])
lean = APIRouter(prefix="/v1/digests", tags=["digests"], route_class=LeanRoute)
"""What is asked again and again, and mostly has not changed."""


@router.post(
    "",
    status_code=201,
    summary="Create a digest",
    response_model=DigestRead,
    responses={
        200: {
            "model": DigestRead,
            "description": "It existed",
            "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in ("Location", "ETag")},
        },
        201: {"headers": {"ETag": {"$ref": "#/components/headers/ETag"}}, "description": "Created"},
        **fails(NotFound, ListingNotRead, UnknownPapers, InvalidArxivId, InvalidQuery, UnknownCategory),
    },
)
async def create_digest(body: DigestCreate, session: SessionDep, tools: ToolsDep) -> Response:
    """Of a channel's day or period, over named papers, or over a query.

    Asking again gives the same digest (200), brought up to date by the channel's present rules: if anything has changed, in
    a new revision. It is written with what there is; summaries that it lacks are asked for, and when they have come it gets
    one new revision.
    """
    composed = await digests.compose(session, await _wanted(body, session, tools), tools.summariser, tools.clock())
    response = as_json(composed.document)
    response.headers["Location"] = f"/v1/digests/{composed.document.id}"
    response.status_code = 201 if composed.created else 200
    return response


async def _wanted(body: DigestCreate, session: SessionDep, tools: Tools) -> Wanted:
    default_language = tools.settings.languages[0]
    if body.channel is not None:
        return await digests.channel_digest(
            session,
            body.channel,
            language=body.language,
            default_language=default_language,
            day=body.date,
            from_=body.from_,
            to=body.to,
            today=batch_date(tools.now()),
        )
    language = body.language or default_language
    if body.query is not None:
        question = Question(
            body.query, tuple(body.categories or ()), body.from_, body.to, body.order, body.limit or 100
        )
        return digests.query_digest(question, language=language, title=body.title)
    return digests.adhoc_digest(body.paper_ids or [], language=language, title=body.title)


@router.get("", summary="List digests, the last created first", responses=fails(NotFound))
async def list_digests(
    request: Request,
    response: Response,
    session: SessionDep,
    cursors: CursorsDep,
    channel: Annotated[str | None, Query(max_length=80)] = None,
    language: Annotated[Language | None, Query()] = None,
    kind: Annotated[DigestKind | None, Query(description="What it was made over")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[DigestListed]:
    """Without their papers; each with the receipt of its newest revision."""
    query = ["digests", channel, language, kind]
    rows, key = await digests.list_digests(
        session,
        limit=limit,
        before=cursors.decode(cursor, query, NUMBER),
        channel=channel,
        language=language,
        kind=kind,
    )
    next_cursor = cursors.encode(key, query)
    link_next(request, response, next_cursor)
    items = [DigestListed.of(row, receipt) for row, receipt in rows]
    return Page[DigestListed](items=items, next_cursor=next_cursor)


@router.get("/{id}/revisions", summary="List a digest's revisions")
async def list_revisions(
    id: str,
    request: Request,
    response: Response,
    session: SessionDep,
    cursors: CursorsDep,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[RevisionRead]:
    """The newest first. A revision, once written, never changes."""
    query = ["revisions", id]
    rows, key = await digests.list_revisions(session, id, limit=limit, before=cursors.decode(cursor, query, NUMBER))
    next_cursor = cursors.encode(key, query)
    link_next(request, response, next_cursor)
    return Page[RevisionRead](items=[RevisionRead.of(row, receipt) for row, receipt in rows], next_cursor=next_cursor)


@router.get("/{id}/revisions/{revision}/diff", summary="Say what a revision has changed")
async def diff(
    id: str,
    revision: Annotated[int, Path(ge=1, le=2**31 - 1)],
    session: SessionDep,
    against: Annotated[
        int | None, Query(ge=0, le=2**31 - 1, description="Another revision; 0 is nothing. Without it, the one before")
    ] = None,
) -> DigestDiffRead:
    """Papers that came, went, or are shown differently, and both receipts."""
    return DigestDiffRead.of(await digests.compare(session, id, revision, against))


@router.post(
    "/{id}/refresh",
    summary="Bring a digest up to date",
    response_model=DigestRead,
    responses={
        200: {"headers": {"ETag": {"$ref": "#/components/headers/ETag"}}, "description": "As it is now"},
        **fails(Conflict, ListingNotRead),
    },
)
async def refresh(id: str, session: SessionDep, tools: ToolsDep) -> Response:
    """By the channel's present rules, with what there is now; a new revision is written if anything has changed."""
    wanted = await digests.wanted_again(session, id)
    return as_json((await digests.compose(session, wanted, tools.summariser, is_there=True)).document)


@router.delete("/{id}", status_code=204, summary="Delete a digest")
async def delete_digest(id: str, session: SessionDep, expected: ExpectedMatchDep) -> None:
    """With all of its revisions. Papers that only it has shown, its channel may show again.

    `If-Match` takes the `ETag` of the digest as JSON: it is deleted only if no revision was written since.
    """

    def check(head: Head | None) -> None:
        expected.check(tag_of_json(head.digest_id, head.revision, head.created_at) if head is not None else None)

    await digests.delete_digest(session, id, check)


@lean.get("/{id}.{format}", summary="Get a digest, rendered", response_class=Response, responses=EVERY_FORMAT)
async def get_rendered(
    id: str, format: FormatName, request: Request, tools: ToolsDep, query: Annotated[DigestQuery, Query()]
) -> Response:
    """The newest revision, or the one asked for. With `If-None-Match` and nothing new: 304."""
    return await serve(request, tools, query, await digests.read_head(tools.database, id, query.revision), format)


@lean.get(
    "/{id}",
    summary="Get a digest",
    response_class=Response,
    responses=EVERY_FORMAT | fails(NotAcceptable),
)
async def get_digest(id: str, request: Request, tools: ToolsDep, query: Annotated[DigestQuery, Query()]) -> Response:
    """The newest revision, or the one asked for: as JSON, or in the format that `Accept` prefers."""
    head = await digests.read_head(tools.database, id, query.revision)
    return await serve(request, tools, query, head, accepted(request), negotiated=True)
