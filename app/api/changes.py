"""The log of changes over HTTP."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, TypeAdapter

from app.api.caching import cached_headers, etag_of, not_modified
from app.api.change_bodies import bodies_of
from app.api.contract import fails
from app.api.deps import ToolsDep
from app.api.fields import Instant
from app.api.paging import Cursors, CursorsDep, link_next
from app.api.schemas import ChangeRead, ChangesPage
from app.api.schemas.changes import Include, StartAt
from app.changes import BEGINNING, ChangePage, Place, Start, read_changes
from app.db import Database
from app.errors import CursorExpired, InvalidInput
from app.models import ChangeKind

router = APIRouter(prefix="/v1/changes", tags=["changes"])

MAX_BODIES = 200
"""Changes on a page with bodies; of ids alone there may be 1,000."""

_PLACE: TypeAdapter[tuple[str, int]] = TypeAdapter(
    tuple[Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")], Annotated[int, Field(ge=0, le=2**63 - 1)]]
)


def parse_kinds(values: list[str] | None) -> tuple[ChangeKind, ...]:
    """Kinds from repeated or comma-separated parameters, all if none is given; ``InvalidInput``."""
    names = [part.strip() for value in values or [] for part in value.split(",")]
    unknown = [name for name in names if name not in set(ChangeKind)]
    if unknown:
        raise InvalidInput(f"There is no kind {unknown[0][:40]!r} of change; there are {', '.join(ChangeKind)}.")
    return tuple(kind for kind in ChangeKind if kind in names) or tuple(ChangeKind)


def _start(
    cursors: Cursors, cursor: str | None, query: list[object], start: StartAt | None, since: datetime | None
) -> Start:
    key = cursors.decode(cursor, query, _PLACE)
    if key is not None:  # whoever goes on from a page repeats what the first one was asked for
        return Start(Place(*key))
    if start is not None and since is not None:
        raise InvalidInput("Give start or since, not both: each says where to begin.")
    return Start(since=since) if since is not None or start is StartAt.NOW else BEGINNING


@router.get(
    "",
    summary="What changed since",
    response_model=ChangesPage,
    responses={
        304: {"description": "The same as the entity tag in `If-None-Match`", "content": {}},
        **fails(CursorExpired),
    },
)
async def list_changes(
    request: Request,
    tools: ToolsDep,
    cursors: CursorsDep,
    cursor: Annotated[
        str | None, Query(description="`next_cursor` of the answer before, with the same `kinds`; it never grows old")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Changes on a page; at most 200 with bodies")] = 100,
    kinds: Annotated[
        list[str] | None,
        Query(description="Of `paper`, `summary`, `digest`: only these; repeated, or separated by commas"),
    ] = None,
    include: Annotated[Include | None, Query(description="`bodies`: with what has changed, not only ids")] = None,
    start: Annotated[
        StartAt | None, Query(description="Without a cursor: `beginning`, or `now` for what is still to come")
    ] = None,
    since: Annotated[
        Instant | None,
        Query(description="Without a cursor: from the first change that the log took up at this instant or later"),
    ] = None,
) -> Response:
    """Every paper, summary and digest that changed, in an order in which nothing is missed: at its last change, once.

    From its beginning the log names everything that there is, so that a copy is made and kept up to date in the same way:
    take what an item says, keep `next_cursor`, go on from it. How: `docs/sync.md`. A poll that finds nothing is cheap.
    """
    if include is Include.BODIES and limit > MAX_BODIES:
        raise InvalidInput(f"limit is {limit}; with bodies at most {MAX_BODIES} changes fit on a page.")
    wanted = parse_kinds(kinds)
    query: list[object] = ["changes", *wanted]
    found = await read_changes(tools.database, _start(cursors, cursor, query, start, since), limit=limit, kinds=wanted)
    next_cursor = cursors.encode((found.place.epoch, found.place.position), query)
    assert next_cursor is not None
    page = ChangesPage(
        items=await _items(tools.database, found, with_bodies=include is Include.BODIES),
        next_cursor=next_cursor,
        has_more=found.has_more,
    )
    left_out = None if include is Include.BODIES else {"items": {"__all__": {"body"}}}
    content = page.model_dump_json(by_alias=True, exclude=left_out)
    headers = cached_headers(etag_of(content), None)
    response = not_modified(request, headers) or Response(content, headers=headers, media_type="application/json")
    link_next(request, response, next_cursor if page.has_more else None)
    return response


async def _items(database: Database, page: ChangePage, *, with_bodies: bool) -> list[ChangeRead]:
    if not with_bodies or not page.changes:
        return [ChangeRead.of(one, None, is_deleted=one.is_deleted) for one in page.changes]
    async with database.transaction() as session:
        bodies = await bodies_of(session, [one for one in page.changes if not one.is_deleted])
    # What was deleted since the log took it up is called so at once; the log will say it again.
    found = [(one, bodies.get((one.kind, one.key))) for one in page.changes]
    return [ChangeRead.of(one, body, is_deleted=body is None) for one, body in found]
