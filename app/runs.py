"""Ingestion runs: a record of every attempt to read a listing or an archive; and the requests to arXiv behind them.

A run is recorded before anything is read, so that a reader that dies leaves a trace.
"""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from app.errors import FeedRejected, NotFound, ZhaiyaoError
from app.models import Fetch, Ingestion, RunState

_INTERRUPTED: Final = {"reason": "interrupted", "detail": "The process that read it ended before it was done."}


async def begin_run(
    session: AsyncSession, *, kind: str, category: str | None, source: str, job_id: int | None = None
) -> int:
    """Record that a run has begun, and that earlier ones of the same thing which never ended were interrupted."""
    abandoned = Ingestion.started_at < func.now() - timedelta(minutes=15)
    if job_id is not None:
        abandoned |= Ingestion.job_id == job_id
    await session.execute(
        update(Ingestion)
        .where(
            Ingestion.kind == kind,
            Ingestion.category.is_not_distinct_from(category),
            Ingestion.state == RunState.RUNNING,
            abandoned,
        )
        .values(state=RunState.FAILED, finished_at=func.now(), **_INTERRUPTED)
    )
    run = Ingestion(kind=kind, category=category, source=source, job_id=job_id, state=RunState.RUNNING)
    session.add(run)
    await session.flush()
    return run.id


async def fail_run(session: AsyncSession, run_id: int, error: ZhaiyaoError, *, http_status: int | None = None) -> None:
    """Record why a run failed."""
    reason = error.reason if isinstance(error, FeedRejected) else error.code
    await end_run(session, run_id, state=RunState.FAILED, reason=reason, detail=error.detail, http_status=http_status)


async def note(session: AsyncSession, run_id: int, **values: Any) -> None:
    """Record how far a run is that goes on."""
    await session.execute(update(Ingestion).where(Ingestion.id == run_id).values(**values))


async def interrupt(session: AsyncSession, run_id: int) -> None:
    """Record that a run never ended, because another does its work; if it lives after all, its end is recorded as ever."""
    await end_run(session, run_id, state=RunState.FAILED, **_INTERRUPTED)


async def find_last(session: AsyncSession, *, kind: str, size: int, fingerprint: int) -> Ingestion | None:
    """The newest run of a kind that read a file of this size in bytes whose counts have this ``fingerprint``."""
    query = select(Ingestion).where(
        Ingestion.kind == kind, Ingestion.bytes == size, Ingestion.counts.contains({"fingerprint": fingerprint})
    )
    return await session.scalar(query.order_by(Ingestion.id.desc()).limit(1))


async def end_run(session: AsyncSession, run_id: int, **values: Any) -> None:
    """Record how a run ended; what somebody else thought of it meanwhile (``interrupted``) is forgotten."""
    ended = {"reason": None, "detail": None} | values
    await session.execute(update(Ingestion).where(Ingestion.id == run_id).values(finished_at=func.now(), **ended))


async def list_runs(
    session: AsyncSession,
    *,
    limit: int,
    before: int | None = None,
    category: str | None = None,
    state: RunState | None = None,
) -> tuple[list[Ingestion], int | None]:
    """A page of runs, newest first, and the number to continue ``before``, or None on the last page."""
    query = select(Ingestion).order_by(Ingestion.id.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(Ingestion.id < before)
    if category is not None:
        query = query.where(Ingestion.category == category)
    if state is not None:
        query = query.where(Ingestion.state == state)
    rows = list(await session.scalars(query))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def get_run(session: AsyncSession, run_id: int) -> Ingestion:
    """One run; ``NotFound`` if there is none."""
    run = await session.get(Ingestion, run_id)
    if run is None:
        raise NotFound(f"There is no ingestion {run_id}.")
    return run


async def list_fetches(
    session: AsyncSession,
    *,
    limit: int,
    before: int | None = None,
    source: str | None = None,
    target: str | None = None,
    outcome: str | None = None,
) -> tuple[list[Fetch], int | None]:
    """A page of requests without their bodies, newest first, and the number to continue ``before``, or None on the last."""
    query = select(Fetch).options(defer(Fetch.body)).order_by(Fetch.id.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(Fetch.id < before)
    wanted = ((Fetch.source, source), (Fetch.target, target), (Fetch.outcome, outcome))
    query = query.where(*(column == value for column, value in wanted if value is not None))
    rows = list(await session.scalars(query))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None
