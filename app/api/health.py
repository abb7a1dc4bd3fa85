"""Whether the service is alive, and whether it is ready."""

from fastapi import APIRouter

from app.api.contract import fails
from app.api.deps import ToolsDep
from app.api.schemas import Health
from app.errors import DatabaseUnavailable, SchemaOutdated

router = APIRouter(tags=["operation"])


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Health:
    """Answers without asking anybody else."""
    return Health(status="ok")


@router.get("/readyz", summary="Can it serve?", responses=fails(SchemaOutdated, DatabaseUnavailable))
async def readyz(tools: ToolsDep) -> Health:
    """The database answers, and its schema is this release's."""
    await tools.database.check_schema()
    return Health(status="ok")
