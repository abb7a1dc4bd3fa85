"""Background jobs over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path

from app import jobs
from app.api.deps import SessionDep
from app.api.schemas import JobRead

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get("/{id}", summary="Get one job")
async def get_job(id: Annotated[int, Path(ge=1, le=2**63 - 1)], session: SessionDep) -> JobRead:
    """How it stands, and once it has ended its result or its error. Kept for 30 days."""
    return JobRead.of(await jobs.get_job(session, id))
