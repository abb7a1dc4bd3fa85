"""Background jobs as the rules and the API see them: enqueue in the caller's transaction, look up by number.

The engine is Procrastinate (docs/decisions/0003-job-engine.md). Its SQL function is called on the session's own
connection, so that a job exists exactly when the change that caused it does.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import NotFound

STALLED = timedelta(seconds=8)
"""A worker whose heartbeat (every 2 s) is older than this is dead (FINDINGS B)."""


class JobKind(StrEnum):
    """The kinds of work; ``app.tasks`` has one handler for each."""

    INGEST = "ingest"
    HARVEST = "harvest"
    FETCH = "fetch"
    SUMMARIZE = "summarize"
    COMPOSE = "compose"
    EMBED = "embed"
    REQUEST = "request"
    INDEX = "index"


class Queue(StrEnum):
    """Work that takes long in waiting has a queue, and workers' places, of its own."""

    DEFAULT = "default"
    SUMMARIES = "summaries"


class JobStatus(StrEnum):
    """How a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to enqueue.

    Jobs with the same ``lock`` run one after the other; of jobs with the same ``queueing_lock`` only one waits at a time.
    """

    kind: JobKind
    args: dict[str, Any]
    lock: str | None = None
    queueing_lock: str | None = None
    delay: timedelta = timedelta(0)
    priority: int = 0
    queue: Queue = Queue.DEFAULT


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands; ``result`` or ``error`` once it has ended."""

    id: int
    kind: str
    status: JobStatus
    args: dict[str, Any]
    attempts: int
    queued_at: datetime | None
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    result: dict[str, Any] | None
    error: str | None


_ENQUEUE = text(
    """
    SELECT procrastinate_defer_jobs_v1(array_agg(
        ROW(queue, kind, priority, lock, queueing_lock, args,
            CASE WHEN delay > 0 THEN now() + make_interval(secs => delay) END)::procrastinate_job_to_defer_v1
        ORDER BY n))
    FROM jsonb_to_recordset(CAST(:jobs AS jsonb))
        AS job(n int, queue text, kind text, priority int, lock text, queueing_lock text, args jsonb, delay float)
    """
)


async def enqueue(session: AsyncSession, jobs: Sequence[NewJob]) -> list[int]:
    """Enqueue jobs that take effect when the caller's transaction commits; returns their numbers in order.

    Raises ``sqlalchemy.exc.IntegrityError`` if one's ``queueing_lock`` is taken: use ``enqueue_once`` for those.
    """
    if not jobs:
        return []
    rows = [
        {
            "n": n,
            "queue": job.queue,
            "kind": job.kind,
            "priority": job.priority,
            "lock": job.lock,
            "queueing_lock": job.queueing_lock,
            "args": job.args,
            "delay": job.delay.total_seconds(),
        }
        for n, job in enumerate(jobs)
    ]
    numbers: list[int] = await session.scalar(_ENQUEUE, {"jobs": json.dumps(rows)}) or []
    return numbers


async def enqueue_once(session: AsyncSession, job: NewJob) -> int | None:
    """Enqueue a job unless one with the same ``queueing_lock`` is waiting; None if there is."""
    try:
        async with session.begin_nested():
            return (await enqueue(session, [job]))[0]
    except IntegrityError as error:
        if "queueing_lock" in str(error.orig):
            return None
        raise


async def enqueue_or_find(session: AsyncSession, job: NewJob) -> int:
    """As ``enqueue_once``, but gives the number of the job that waits already."""
    while True:
        job_id = await enqueue_once(session, job)
        if job_id is None:
            # It may have begun between the two statements; then the lock is free again.
            waits = text("SELECT id FROM procrastinate_jobs WHERE queueing_lock = :lock AND status = 'todo'")
            job_id = await session.scalar(waits, {"lock": job.queueing_lock})
        if job_id is not None:
            return job_id


_STATUS = {
    "todo": JobStatus.QUEUED,
    "doing": JobStatus.RUNNING,
    "succeeded": JobStatus.SUCCEEDED,
    "failed": JobStatus.FAILED,
    "cancelled": JobStatus.CANCELLED,
    "aborting": JobStatus.RUNNING,
    "aborted": JobStatus.CANCELLED,
}

_GET = text(
    """
    SELECT job.id, job.task_name, job.status::text AS status, job.args, job.attempts, job.scheduled_at,
           event.queued_at, event.started_at, event.finished_at, outcome.result, outcome.error
    FROM procrastinate_jobs AS job
    LEFT JOIN job_outcomes AS outcome ON outcome.job_id = job.id
    LEFT JOIN LATERAL (
        SELECT min(at) FILTER (WHERE type = 'deferred') AS queued_at,
               max(at) FILTER (WHERE type = 'started') AS started_at,
               max(at) FILTER (WHERE type IN ('succeeded', 'failed', 'cancelled', 'aborted')) AS finished_at
        FROM procrastinate_events WHERE job_id = job.id
    ) AS event ON true
    WHERE job.id = :id
    """
)


async def get_job(session: AsyncSession, job_id: int) -> Job:
    """One job; ``NotFound`` if there is none, or its row was cleaned up (30 days after its end)."""
    row = (await session.execute(_GET, {"id": job_id})).mappings().one_or_none()
    if row is None:
        raise NotFound(f"There is no job {job_id}.")
    return Job(
        id=row["id"],
        kind=row["task_name"],
        status=_STATUS[row["status"]],
        args=row["args"],
        attempts=row["attempts"],
        queued_at=row["queued_at"],
        scheduled_at=row["scheduled_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        result=row["result"],
        error=row["error"],
    )


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list; unset conditions do not restrict."""

    kind: JobKind | None = None
    status: JobStatus | None = None


async def list_jobs(
    session: AsyncSession, wanted: JobFilter, *, limit: int, before: int | None = None
) -> tuple[list[Job], int | None]:
    """A page of jobs, newest first, and the number to continue ``before``, or None on the last page."""
    statuses = [name for name, status in _STATUS.items() if wanted.status in (None, status)]
    numbers = text(
        """
        SELECT id FROM procrastinate_jobs
        WHERE task_name = ANY(:kinds) AND status::text = ANY(:statuses) AND id < :before ORDER BY id DESC LIMIT :limit
        """
    )
    parameters = {
        "kinds": [wanted.kind] if wanted.kind else list(JobKind),
        "statuses": statuses,
        "before": before if before is not None else 2**63 - 1,
        "limit": limit + 1,
    }
    found = list(await session.scalars(numbers, parameters))
    jobs = [await get_job(session, job_id) for job_id in found[:limit]]
    return jobs, found[limit - 1] if len(found) > limit else None


async def release_queueing_lock(session: AsyncSession, job_id: int) -> None:
    """Say that a job no longer waits.

    Otherwise it could not be tried again while another of its kind is waiting: the engine's unique index would refuse.
    """
    await session.execute(text("UPDATE procrastinate_jobs SET queueing_lock = NULL WHERE id = :id"), {"id": job_id})


async def is_running(session: AsyncSession, kind: JobKind, **args: Any) -> bool:
    """Whether a worker is at a job of a kind with these arguments, among others."""
    running = "SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE status = 'doing' AND task_name = :kind AND args @> :args)"
    statement = text(running).bindparams(bindparam("args", type_=JSONB))
    return bool(await session.scalar(statement, {"kind": kind, "args": args}))


async def is_waiting(session: AsyncSession, queueing_lock: str) -> bool:
    """Whether a job with this ``queueing_lock`` waits."""
    waits = "SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = :lock AND status = 'todo')"
    return bool(await session.scalar(text(waits), {"lock": queueing_lock}))


async def any_due(session: AsyncSession) -> bool:
    """Whether a job waits whose time has come."""
    due = "SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' AND coalesce(scheduled_at, now()) <= now())"
    return bool(await session.scalar(text(due)))


_RECORD = text(
    """
    INSERT INTO job_outcomes (job_id, result, error) VALUES (:job_id, CAST(:result AS jsonb), :error)
    ON CONFLICT (job_id) DO UPDATE SET result = excluded.result, error = excluded.error, finished_at = now()
    """
)


async def record_outcome(
    session: AsyncSession, job_id: int, *, result: dict[str, Any] | None = None, error: str | None = None
) -> None:
    """Keep what a job gave back, or why it failed; a later attempt replaces an earlier one's."""
    result_json = json.dumps(result) if result is not None else None
    await session.execute(_RECORD, {"job_id": job_id, "result": result_json, "error": error})


async def forget_outcomes(session: AsyncSession) -> None:
    """Remove the outcomes of jobs that the engine has cleaned up."""
    await session.execute(
        text("DELETE FROM job_outcomes o WHERE NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.id = o.job_id)")
    )


# One statement, so that of two workers that look at the same moment only one starts a job again: the row lock makes the
# second see the first one's change.
_STALLED = text(
    """
    SELECT job.id, job.attempts FROM procrastinate_jobs AS job
    WHERE job.status = 'doing' AND NOT EXISTS (
        SELECT 1 FROM procrastinate_workers AS worker
        WHERE worker.id = job.worker_id AND worker.last_heartbeat > now() - CAST(:stalled AS interval))
    FOR UPDATE OF job SKIP LOCKED
    """
)


async def rescue_stalled(session: AsyncSession, max_attempts: int) -> tuple[list[int], list[int]]:
    """Start the jobs of dead workers again; those that were left too often fail. Returns both groups' numbers."""
    retried, given_up = [], []
    for job_id, attempts in (await session.execute(_STALLED, {"stalled": STALLED})).all():
        await release_queueing_lock(session, job_id)
        if attempts + 1 < max_attempts:
            retry = text("SELECT procrastinate_retry_job_v2(:id, now(), NULL, NULL, NULL)")
            await session.execute(retry, {"id": job_id})
            retried.append(job_id)
        else:
            await session.execute(text("SELECT procrastinate_finish_job_v1(:id, 'failed', false)"), {"id": job_id})
            await record_outcome(session, job_id, error=f"Its worker died in each of {attempts + 1} attempts.")
            given_up.append(job_id)
    return retried, given_up
