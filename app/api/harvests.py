"""What is asked of arXiv, over HTTP: harvests, and every single request."""

from datetime import UTC
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from app import harvests, runs
from app.api.contract import fails
from app.api.deps import SessionDep, ToolsDep
from app.api.paging import NUMBER, Cursor, CursorsDep, Limit, link_next
from app.api.schemas import FetchRead, HarvestCreate, HarvestRead, JobRead, Page
from app.door import Source
from app.errors import Conflict, UnknownCategory
from app.harvests import Wanted
from app.jobs import enqueue_or_find, get_job
from app.models import FetchOutcome
from app.tasks import harvest_job

router = APIRouter(prefix="/v1", tags=["harvests"])


@router.post(
    "/harvests", status_code=202, summary="Harvest a set over OAI-PMH", responses=fails(Conflict, UnknownCategory)
)
async def create_harvest(body: HarvestCreate, response: Response, session: SessionDep, tools: ToolsDep) -> JobRead:
    """Enqueues a job that stores what was modified in a set, or gives the one that waits for the same days already.

    Every followed category is harvested each night; this is for the days before. Interrupted, it goes on where it was.
    """
    wanted = Wanted(harvests.check_set(body.set), body.from_, body.until, body.format)
    harvests.check(wanted, tools.now().astimezone(UTC).date())
    job_id = await enqueue_or_find(session, harvest_job(wanted))
    response.headers["Location"] = f"/v1/jobs/{job_id}"
    return JobRead.of(await get_job(session, job_id))


@router.get("/harvests", summary="List harvests")
async def list_harvests(
    request: Request,
    response: Response,
    session: SessionDep,
    cursors: CursorsDep,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[HarvestRead]:
    """Newest first, each with how far it has come."""
    query = ["harvests"]
    rows, key = await harvests.list_harvests(session, limit=limit, before=cursors.decode(cursor, query, NUMBER))
    next_cursor = cursors.encode(key, query)
    link_next(request, response, next_cursor)
    return Page[HarvestRead](items=[HarvestRead.of(row) for row in rows], next_cursor=next_cursor)


@router.get("/harvests/{id}", summary="Get one harvest")
async def get_harvest(id: Annotated[int, Path(ge=1, le=2**63 - 1)], session: SessionDep) -> HarvestRead:
    """How far it has come, and if it failed, why."""
    return HarvestRead.of(await harvests.get_harvest(session, id))


@router.get("/fetches", summary="List the requests to arXiv")
async def list_fetches(
    request: Request,
    response: Response,
    session: SessionDep,
    cursors: CursorsDep,
    source: Annotated[Source | None, Query(description="`feed`, `oai` or `api`")] = None,
    target: Annotated[
        str | None, Query(min_length=1, max_length=80, description="A category, a set: as it stands in the list")
    ] = None,
    outcome: FetchOutcome | None = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[FetchRead]:
    """Newest first, those that failed included. Kept for 400 days."""
    query = ["fetches", source, target, outcome]
    rows, key = await runs.list_fetches(
        session,
        limit=limit,
        before=cursors.decode(cursor, query, NUMBER),
        source=source,
        target=target,
        outcome=outcome,
    )
    next_cursor = cursors.encode(key, query)
    link_next(request, response, next_cursor)
    return Page[FetchRead](items=[FetchRead.of(row) for row in rows], next_cursor=next_cursor)
