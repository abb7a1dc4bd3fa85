"""Channels over HTTP."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app import channels, costs, digests
from app.api.deps import SessionDep, ToolsDep
from app.api.digests import RENDERED, FormatName, rendered
from app.api.fields import Language
from app.api.paging import TEXT, Cursor, Limit, decode, encode, link_next
from app.api.schemas import (
    ChannelCreate,
    ChannelPreview,
    ChannelPreviewRead,
    ChannelRead,
    DayPreview,
    EstimateRead,
    Page,
)
from app.arxiv import calendar, taxonomy
from app.channels import NewChannel

router = APIRouter(prefix="/v1/channels", tags=["channels"])


@router.get("", summary="List channels")
async def list_channels(
    request: Request,
    response: Response,
    session: SessionDep,
    builtin: Annotated[
        bool | None, Query(description="Only arXiv's own categories, or only those that users made")
    ] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[ChannelRead]:
    """Ordered by slug. Every category and archive of arXiv is a channel from the start."""
    query = ["channels", builtin]
    rows, key = await channels.list_channels(session, limit=limit, after=decode(cursor, query, TEXT), builtin=builtin)
    next_cursor = encode(key, query)
    link_next(request, response, next_cursor)
    return Page[ChannelRead](items=[ChannelRead.of(row) for row in rows], next_cursor=next_cursor)


@router.post("", status_code=201, summary="Create a channel")
async def create_channel(body: ChannelCreate, response: Response, session: SessionDep) -> ChannelRead:
    """Its categories are polled from now on. A slug that is taken is a 409."""
    new = NewChannel(body.slug, body.title, body.categories, body.announce_types, body.language)
    channel = await channels.create_channel(session, new)
    response.headers["Location"] = f"/v1/channels/{channel.slug}"
    return ChannelRead.of(channel)


@router.post("/preview", summary="Say what a channel would have given, and cost")
async def preview_channel(body: ChannelPreview, session: SessionDep, tools: ToolsDep) -> ChannelPreviewRead:
    """From what is stored; nothing is created or called."""
    categories = [taxonomy.canonical(name) for name in body.categories]
    names = sorted({name for category in categories for name in taxonomy.names_or_same(category)})
    today = calendar.batch_date(tools.now())
    by_day = await costs.announced(session, names, body.announce_types, today - timedelta(days=body.days - 1), today)
    ids = list(dict.fromkeys(arxiv_id for day in by_day.values() for arxiv_id in day))
    languages = [body.language] if body.language else list(tools.settings.languages)
    lacking = await costs.lacking(session, ids, languages, tools.summariser.origin)
    return ChannelPreviewRead(
        days=[DayPreview(announced_on=day, papers=len(found)) for day, found in by_day.items()],
        papers=len(ids),
        summarized=len(ids) - len(lacking),
        estimate=EstimateRead.of(await costs.estimate(session, lacking, languages, tools.summariser)),
    )


@router.get("/{slug}", summary="Get one channel")
async def get_channel(slug: str, session: SessionDep) -> ChannelRead:
    """Any name of a category leads to its channel: `cs.NA` and `math.NA` are the same."""
    return ChannelRead.of(await channels.get_channel(session, slug))


@router.get(
    "/{slug}/latest.{format}",
    summary="Get a channel's newest digest, rendered",
    response_class=Response,
    responses=RENDERED,
)
async def latest(
    slug: str,
    format: FormatName,
    session: SessionDep,
    language: Annotated[Language | None, Query(description="Only digests in this language")] = None,
    style: Annotated[
        str | None, Query(max_length=20, description="`classic`, for `md`: the older system's bytes")
    ] = None,
) -> Response:
    """The digest of the newest period, in its newest revision."""
    return rendered(await digests.latest_digest(session, slug, language), format, style)
