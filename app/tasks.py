"""CONTRACT: queue. One handler for each kind of job, and the schedule.

A handler loads, works and saves in short transactions and may run twice. The engine keeps neither results nor errors, so
each handler's are recorded beside its job.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import procrastinate
from procrastinate import JobContext, RetryDecision
from procrastinate.jobs import Job
from sqlalchemy.ext.asyncio import AsyncSession

from app import channels, digests, ingestion, jobs, listings, summaries
from app.errors import ZhaiyaoError
from app.ingestion import Tools
from app.jobs import JobKind, NewJob, enqueue_once
from app.llm import SummariserError

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 2.0
MAX_ATTEMPTS = 5
REFRESH_DELAY = timedelta(seconds=3)
"""Summaries that arrive within this time make one new revision of a digest, not one each."""

FIRST_POLL = time(0, 30)
"""US Eastern; arXiv makes the day's feed at midnight (FACTS 7.1)."""

KEEP_JOBS_HOURS = 30 * 24

Handler = Callable[..., Awaitable[dict[str, Any] | None]]


def build_app(tools: Tools, conninfo: str) -> procrastinate.App:
    """The job engine with every handler and the schedule; ``conninfo`` is a ``postgresql://`` address."""
    app = procrastinate.App(
        # The timeout bounds how long a worker whose database has gone takes to stop.
        connector=procrastinate.PsycopgConnector(conninfo=conninfo, min_size=1, max_size=6, timeout=10.0),
        worker_defaults={
            "update_heartbeat_interval": HEARTBEAT_SECONDS,
            "stalled_worker_timeout": jobs.STALLED.total_seconds(),
            "fetch_job_polling_interval": 1.0,
            "delete_jobs": "never",
        },
    )
    _register(app, tools, JobKind.INGEST, ingest)
    _register(app, tools, JobKind.SUMMARIZE, summarize)
    _register(app, tools, JobKind.COMPOSE, compose)
    _schedule(app, tools)
    return app


def _register(app: procrastinate.App, tools: Tools, kind: JobKind, handler: Handler) -> None:
    @app.task(name=kind, pass_context=True, retry=GrowingDelays())
    async def run(context: JobContext, /, **args: Any) -> None:
        job_id, attempts = context.job.id, context.job.attempts
        assert job_id is not None
        if context.job.queueing_lock is not None:
            async with tools.database.transaction() as session:
                await jobs.release_queueing_lock(session, job_id)
        try:
            result = await handler(tools, job_id=job_id, **args)
        except ZhaiyaoError as error:
            logger.warning("job %s (%s) failed: %s", job_id, kind, error.detail)
            async with tools.database.transaction() as session:
                await jobs.record_outcome(session, job_id, error=error.detail)
            raise
        except Exception as error:
            logger.exception("job %s (%s) failed in attempt %s", job_id, kind, attempts + 1)
            async with tools.database.transaction() as session:
                await jobs.record_outcome(session, job_id, error=f"{type(error).__name__}: {error}")
            raise
        async with tools.database.transaction() as session:
            await jobs.record_outcome(session, job_id, result=result or {})


class GrowingDelays(procrastinate.BaseRetryStrategy):
    """Try again after 4, 16, 64 and 256 seconds, but not where the error is the answer: a fault of the input."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """When to try again; None to give up."""
        if isinstance(exception, ZhaiyaoError) or job.attempts + 1 >= MAX_ATTEMPTS:
            return None
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_in={"seconds": 0})
        return RetryDecision(retry_in={"seconds": 4 ** (job.attempts + 1)})


async def ingest(tools: Tools, category: str, job_id: int | None = None) -> dict[str, Any]:
    """Read a category's listing."""
    stored = await ingestion.ingest(tools, category, job_id=job_id)
    return {
        "category": stored.category,
        "announced_on": stored.announced_on.isoformat(),
        "state": stored.state,
        **stored.counts(),
    }


async def summarize(tools: Tools, summary_id: int, job_id: int | None = None) -> dict[str, Any]:
    """Make one summary, and have the digests that wait for it composed again."""
    async with tools.database.transaction() as session:
        task = await summaries.begin(session, summary_id)
    if task is None:
        return {"summary_id": summary_id, "status": "nothing to do"}
    try:
        draft = await tools.summariser.summarize(task.text, task.language)
    except SummariserError as error:
        async with tools.database.transaction() as session:
            await summaries.fail(session, summary_id, str(error))
            await _refresh_digests(session, task.arxiv_id)
        return {"summary_id": summary_id, "arxiv_id": task.arxiv_id, "status": "failed", "error": str(error)}
    async with tools.database.transaction() as session:
        await summaries.finish(session, summary_id, draft)
        await _refresh_digests(session, task.arxiv_id)
    return {"summary_id": summary_id, "arxiv_id": task.arxiv_id, "status": "done"}


async def _refresh_digests(session: AsyncSession, arxiv_id: str) -> None:
    for digest_id in await digests.waiting_for(session, arxiv_id):
        job = NewJob(
            JobKind.COMPOSE,
            {"digest_id": digest_id},
            queueing_lock=f"compose:{digest_id}",
            delay=REFRESH_DELAY,
        )
        await enqueue_once(session, job)


async def compose(
    tools: Tools,
    digest_id: str | None = None,
    channel: str | None = None,
    date: str | None = None,
    language: str | None = None,
    job_id: int | None = None,
) -> dict[str, Any]:
    """Compose a channel's digest of a day, or bring an existing digest up to date."""
    async with tools.database.transaction() as session:
        if digest_id is not None:
            wanted = await digests.wanted_again(session, digest_id)
        else:
            assert channel is not None
            assert date is not None
            day = datetime.fromisoformat(date).date()
            wanted = digests.Wanted(
                language=language or tools.settings.languages[0], channel=channel, from_=day, to=day
            )
        composed = await digests.compose(session, wanted, tools.summariser)
    return {
        "digest_id": composed.document.id,
        "revision": composed.document.revision,
        "items": len(composed.document.items),
    }


def _schedule(app: procrastinate.App, tools: Tools) -> None:
    """Periodic work; the engine sees to it that each moment fires once in the whole cluster."""

    @app.periodic(cron="*/30 * * * *")
    @app.task(name="poll", queueing_lock="poll", pass_context=False)
    async def poll(timestamp: int) -> None:
        async with tools.database.transaction() as session:
            for job in await due_polls(session, tools, datetime.fromtimestamp(timestamp, UTC)):
                await enqueue_once(session, job)

    @app.periodic(cron="17 3 * * *")
    @app.task(name="clean_up", queueing_lock="clean_up", pass_context=False)
    async def clean_up(timestamp: int) -> None:
        await app.job_manager.delete_old_jobs(
            nb_hours=KEEP_JOBS_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
        )
        async with tools.database.transaction() as session:
            await jobs.forget_outcomes(session)


async def due_polls(session: AsyncSession, tools: Tools, now: datetime) -> list[NewJob]:
    """The listings to read at ``now``: on weekdays from 00:30 US Eastern, until the day's has been read with papers."""
    eastern = now.astimezone(listings.EASTERN)
    if eastern.weekday() >= 5 or eastern.time() < FIRST_POLL:
        return []
    today = eastern.date()
    followed = await channels.followed_categories(session, tools.settings.categories)
    return [ingest_job(category) for category in followed if not await listings.is_settled(session, category, today)]


def ingest_job(category: str) -> NewJob:
    """The job that reads a listing; one of a category waits at a time.

    All of them take turns, because arXiv asks for one connection at a time.
    """
    return NewJob(JobKind.INGEST, {"category": category}, lock="arxiv", queueing_lock=f"ingest:{category}", priority=1)
