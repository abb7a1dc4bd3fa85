"""Background jobs over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from app import jobs
from app.api.deps import SessionDep
from app.api.paging import NUMBER, Cursor, CursorsDep, Limit, link_next
from app.api.schemas import JobRead, Page
from app.jobs import JobFilter, JobKind, JobStatus

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get("", summary="List jobs")
async def list_jobs(
    request: Request,
    response: Response,
    session: SessionDep,
    cursors: CursorsDep,
    kind: JobKind | None = None,
    status: JobStatus | None = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[JobRead]:
    """Newest first. How many summaries wait, and why, is at `GET /v1/backlog`."""
    query = ["jobs", kind, status]
    wanted = JobFilter(kind, status)
    rows, key = await jobs.list_jobs(session, wanted, limit=limit, before=cursors.decode(cursor, query, NUMBER))
    next_cursor = cursors.encode(key, query)
    link_next(request, response, next_cursor)
    return Page[JobRead](items=[JobRead.of(row) for row in rows], next_cursor=next_cursor)


@router.get("/{id}", summary="Get one job")
async def get_job(id: Annotated[int, Path(ge=1, le=2**63 - 1)], session: SessionDep) -> JobRead:
    """How it stands, and once it has ended its result or its error. Kept for 30 days."""
    return JobRead.of(await jobs.get_job(session, id))
