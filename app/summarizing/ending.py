"""What becomes of summaries that were not made now: put off, or failed; and the digests that wait for them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app import calls, digests, jobs, summaries
from app.delays import growing
from app.errors import ZhaiyaoError
from app.jobs import JobKind, NewJob, enqueue_once
from app.summaries import Task

REFRESH_DELAY = timedelta(seconds=3)
"""How often at most a digest is looked at while the summaries come that it waits for."""


def about(delay: timedelta) -> timedelta:
    """About this long, so that what was put off together does not come back together."""
    return growing(delay, 1, calls.LONGEST_DELAY, spread=0.5)


async def put_off(
    session: AsyncSession,
    task: Task,
    reason: str | None,
    detail: str | None,
    delay: timedelta,
    *,
    is_attempt: bool = False,
    is_refusal: bool = False,
    checks: Mapping[int, Sequence[Mapping[str, Any]]] | None = None,
    only: Sequence[int] | None = None,
) -> dict[str, Any]:
    job_id = await summaries.put_off(
        session,
        task,
        reason,
        detail,
        delay,
        is_attempt=is_attempt or is_refusal,
        is_refusal=is_refusal,
        checks=checks,
        only=only,
    )
    return {"status": "waiting", "reason": reason, "error": detail, "next_job": job_id}


async def give_up(
    session: AsyncSession,
    task: Task,
    reason: str,
    detail: str,
    *,
    only: Sequence[int] | None = None,
    checks: Mapping[int, Sequence[Mapping[str, Any]]] | None = None,
) -> dict[str, Any]:
    ids = list(only) if only is not None else task.summary_ids
    await summaries.fail(session, ids, reason, detail, checks)
    await refresh_digests(session, task.arxiv_id)
    return {"status": "failed", "reason": reason, "error": detail}


async def give_up_job(session: AsyncSession, summary_ids: Sequence[int], reason: str) -> None:
    """Fail the summaries of a job that no worker survived."""
    try:
        task = await summaries.begin(session, summary_ids)
    except ZhaiyaoError:
        return
    if task is not None:
        await calls.lose_calls(session, task.summary_ids)
        await give_up(session, task, "worker_died", reason)


async def refresh_digests(session: AsyncSession, arxiv_id: str, *, every: bool = False) -> None:
    """Have the digests composed again, soon, that wait for a summary of this paper, or ``every`` one that shows it."""
    found = await (digests.showing if every else digests.waiting_for)(session, arxiv_id)
    for digest_id in found:
        lock = f"compose:{digest_id}"
        # Mostly one waits already; to find that out by the unique index costs a savepoint and an error in Postgres' log.
        if not await jobs.is_waiting(session, lock):
            args = {"digest_id": digest_id} | ({"now": True} if every else {})
            job = NewJob(JobKind.COMPOSE, args, queueing_lock=lock, delay=REFRESH_DELAY)
            await enqueue_once(session, job)
