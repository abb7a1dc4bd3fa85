"""Listings and the runs that read them, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app import listings, runs
from app.api.contract import fails
from app.api.deps import SessionDep
from app.api.fields import Day
from app.api.paging import DAY_AND_TEXT, NUMBER, Cursor, CursorsDep, Limit, link_next
from app.api.schemas import IngestionCreate, IngestionRead, JobRead, ListingRead, Page
from app.arxiv import taxonomy
from app.errors import UnknownCategory
from app.jobs import enqueue_or_find, get_job
from app.listings import ListingFilter
from app.models import ListingState, RunState
from app.tasks import ingest_job

router = APIRouter(prefix="/v1", tags=["listings"])


@router.get("/listings", summary="List what is known of each category and batch date")
async def list_listings(
    request: Request,
    response: Response,
    session: SessionDep,
    cursors: CursorsDep,
    category: Annotated[
        str | None, Query(max_length=80, description="A category, or an archive with all of its own")
    ] = None,
    announced_from: Day | None = None,
    announced_to: Day | None = None,
    state: ListingState | None = None,
    complete: Annotated[
        bool | None, Query(description="Only those that OAI-PMH has confirmed, or only the others")
    ] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[ListingRead]:
    """Newest day first. "Nothing announced" (`empty`) and "could not be read" (`failed`) are different states."""
    name = taxonomy.canonical(category) if category is not None else None
    wanted = ListingFilter(name, announced_from, announced_to, state, complete)
    query = ["listings", name, announced_from, announced_to, state, complete]
    before = cursors.decode(cursor, query, DAY_AND_TEXT)
    rows, key = await listings.list_listings(session, wanted, limit=limit, before=before)
    next_cursor = cursors.encode(key, query)
    link_next(request, response, next_cursor)
    return Page[ListingRead](items=[ListingRead.of(row) for row in rows], next_cursor=next_cursor)


@router.post("/ingestions", status_code=202, summary="Read a listing now", responses=fails(UnknownCategory))
async def create_ingestion(body: IngestionCreate, response: Response, session: SessionDep) -> JobRead:
    """Enqueues a job that reads the category's listing from arXiv, or gives the one that is waiting already.

    `GET /v1/jobs/{id}` (its address is in `Location`) says how it went.
    """
    category = taxonomy.canonical(body.category)
    job_id = await enqueue_or_find(session, ingest_job(category))
    response.headers["Location"] = f"/v1/jobs/{job_id}"
    return JobRead.of(await get_job(session, job_id))


@router.get("/ingestions", summary="List the runs that read listings and archives")
async def list_ingestions(
    request: Request,
    response: Response,
    session: SessionDep,
    cursors: CursorsDep,
    category: Annotated[str | None, Query(max_length=80)] = None,
    state: RunState | None = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[IngestionRead]:
    """Newest first, failed ones with their reason."""
    name = taxonomy.canonical(category) if category is not None else None
    query = ["ingestions", name, state]
    rows, key = await runs.list_runs(
        session, limit=limit, before=cursors.decode(cursor, query, NUMBER), category=name, state=state
    )
    next_cursor = cursors.encode(key, query)
    link_next(request, response, next_cursor)
    return Page[IngestionRead](items=[IngestionRead.of(row) for row in rows], next_cursor=next_cursor)
