"""Channels over HTTP."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app import channels, digests, previews
from app.api.access import needs
from app.api.bodies import MERGE_PATCH
from app.api.caching import not_modified
from app.api.contract import fails
from app.api.deps import SessionDep, ToolsDep
from app.api.fields import Language
from app.api.lean import LeanRoute
from app.api.paging import TEXT, Cursor, CursorsDep, Limit, link_next
from app.api.preconditions import Expected, ExpectedMatchDep, tag_of
from app.api.rendering import EVERY_FORMAT, FormatName, RenderQuery, accepted, serve
from app.api.schemas import (
    ChannelCreate,
    ChannelPreview,
    ChannelPreviewRead,
    ChannelRead,
    ChannelUpdate,
    Page,
)
from app.digests import Head
from app.errors import Conflict, InvalidInput, InvalidQuery, NotAcceptable, UnknownCategory
from app.ingestion import Tools
from app.models import Channel, Scope

router = APIRouter(prefix="/v1/channels", tags=["channels"])
lean = APIRouter(prefix="/v1/channels", tags=["channels"], route_class=LeanRoute)


@router.get("", summary="List channels")
async def list_channels(
    request: Request,
    response: Response,
    session: SessionDep,
    cursors: CursorsDep,
    builtin: Annotated[
        bool | None, Query(description="Only arXiv's own categories, or only those that users made")
    ] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[ChannelRead]:
    """Ordered by slug. Every category and archive of arXiv is a channel from the start."""
    query = ["channels", builtin]
    rows, key = await channels.list_channels(
        session, limit=limit, after=cursors.decode(cursor, query, TEXT), builtin=builtin
    )
    next_cursor = cursors.encode(key, query)
    link_next(request, response, next_cursor)
    return Page[ChannelRead](items=[ChannelRead.of(row) for row in rows], next_cursor=next_cursor)


@router.post(
    "",
    status_code=201,
    summary="Create a channel",
    responses={
        201: {"headers": {"ETag": {"$ref": "#/components/headers/ETag"}}, "description": "Created"},
        **fails(Conflict, InvalidQuery, UnknownCategory),
    },
)
async def create_channel(body: ChannelCreate, response: Response, session: SessionDep) -> ChannelRead:
    """Its categories are polled from now on. A slug that is taken is a 409; a query that cannot be read, a 400."""
    channel = await channels.create_channel(session, body.new())
    response.headers["Location"] = f"/v1/channels/{channel.slug}"
    return _tagged(response, ChannelRead.of(channel))


def _tagged(response: Response, read: ChannelRead) -> ChannelRead:
    response.headers["ETag"] = tag_of(read)
    return read


@router.post(
    "/preview",
    summary="Say what a channel would have given, and cost",
    openapi_extra=needs(Scope.READ),
    responses=fails(InvalidQuery, UnknownCategory),
)
async def preview_channel(body: ChannelPreview, session: SessionDep, tools: ToolsDep) -> ChannelPreviewRead:
    """From the listings that were read; nothing is created or called."""
    return ChannelPreviewRead.of(await previews.preview(session, tools, body.rules(), body.language, body.days))


@router.get(
    "/{slug}",
    summary="Get one channel",
    response_model=ChannelRead,
    responses={304: {"description": "The caller has it as it is"}},
)
async def get_channel(slug: str, request: Request, response: Response, session: SessionDep) -> ChannelRead | Response:
    """Any name of a category leads to its channel: `cs.NA` and `math.NA` are the same. Its `ETag` is what `If-Match` takes."""
    read = ChannelRead.of(await channels.get_channel(session, slug))
    headers = {"ETag": tag_of(read), "Cache-Control": "no-cache"}
    if (unchanged := not_modified(request, headers)) is not None:
        return unchanged
    response.headers.update(headers)
    return read


def _check(expected: Expected) -> Callable[[Channel], None]:
    return lambda channel: expected.check(tag_of(ChannelRead.of(channel)))


_PATCH = {
    "requestBody": {"content": {MERGE_PATCH: {"schema": {"$ref": f"#/components/schemas/{ChannelUpdate.__name__}"}}}}
}


@router.patch(
    "/{slug}",
    summary="Change a channel",
    openapi_extra=_PATCH,
    responses=fails(Conflict, InvalidQuery, UnknownCategory),
)
async def change_channel(
    slug: str, body: ChannelUpdate, response: Response, session: SessionDep, expected: ExpectedMatchDep
) -> ChannelRead:
    """By JSON Merge Patch. Its next digests follow the new rules; those that are written stay until somebody refreshes them."""
    try:
        changes = body.changes()
    except ValueError as error:
        raise InvalidInput(f"{error}.") from None
    changed = await channels.change_channel(session, slug, changes, _check(expected))
    return _tagged(response, ChannelRead.of(changed))


@router.delete("/{slug}", status_code=204, summary="Delete a channel", responses=fails(Conflict))
async def delete_channel(slug: str, session: SessionDep, expected: ExpectedMatchDep) -> None:
    """With its digests and what it knows to have shown. arXiv's own channels stay."""
    await channels.delete_channel(session, slug, _check(expected))


class LatestQuery(RenderQuery):
    """In which language, and how it is written."""

    language: Language | None = Field(default=None, description="Only digests in this language")


@lean.get(
    "/{slug}/latest.{format}",
    summary="Get a channel's newest digest, rendered",
    response_class=Response,
    responses=EVERY_FORMAT,
)
async def latest_rendered(
    slug: str, format: FormatName, request: Request, tools: ToolsDep, query: Annotated[LatestQuery, Query()]
) -> Response:
    """The digest of the newest period, in its newest revision."""
    return await serve(request, tools, query, await _latest_head(tools, slug, query), format)


@lean.get(
    "/{slug}/latest",
    summary="Get a channel's newest digest",
    response_class=Response,
    responses=EVERY_FORMAT | fails(NotAcceptable),
)
async def latest(slug: str, request: Request, tools: ToolsDep, query: Annotated[LatestQuery, Query()]) -> Response:
    """The same, as JSON or in the format that `Accept` prefers."""
    format = accepted(request)
    return await serve(request, tools, query, await _latest_head(tools, slug, query), format, negotiated=True)


async def _latest_head(tools: Tools, slug: str, query: LatestQuery) -> Head:
    async with tools.database.transaction() as session:
        return await digests.latest_head(session, slug, query.language)
