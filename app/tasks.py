"""CONTRACT: queue. One handler for each kind of job, and the schedule.

A handler loads, works and saves in short transactions and may run twice. The engine keeps neither results nor errors, so
each handler's are recorded beside its job.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import procrastinate
from procrastinate import JobContext, RetryDecision
from procrastinate.jobs import Job
from sqlalchemy.ext.asyncio import AsyncSession

from app import (
    channels,
    details,
    digests,
    door,
    embedding,
    harvesting,
    harvests,
    idempotency,
    ingestion,
    jobs,
    limits,
    listings,
    search,
    summaries,
    summarizing,
)
from app.arxiv import calendar, oai
from app.digests import Composed, Draft
from app.errors import SourceUnavailable, ZhaiyaoError
from app.harvests import Wanted
from app.ingestion import Tools
from app.jobs import JobKind, NewJob, enqueue_once

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 2.0
MAX_ATTEMPTS = 5
MOMENT = timedelta(seconds=1)
NIGHTLY = time(23, 30)
"""US Eastern: the day's papers are in OAI-PMH since 22:30 of the evening before, and late changes too (DESIGN section 9)."""

FIRST_POLL = time(0, 30)
"""US Eastern; arXiv makes the day's feed at midnight (FACTS 7.1)."""

CATCH_UP = timedelta(days=7)
"""How far back digests are written that nobody wrote at their time, because the service was off."""

KEEP_JOBS_HOURS = 30 * 24

Handler = Callable[..., Awaitable[dict[str, Any] | None]]


def build_app(tools: Tools, conninfo: str, *, is_scheduled: bool = True) -> procrastinate.App:
    """The job engine with every handler and, on wish, the schedule; ``conninfo`` is a ``postgresql://`` address."""
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
    _register(app, tools, JobKind.HARVEST, harvest)
    _register(app, tools, JobKind.FETCH, fetch)
    _register(app, tools, JobKind.SUMMARIZE, summarize)
    _register(app, tools, JobKind.COMPOSE, compose)
    _register(app, tools, JobKind.EMBED, embed)
    _register(app, tools, JobKind.REQUEST, request)
    _register(app, tools, JobKind.INDEX, index)
    _schedule(app, tools, is_scheduled=is_scheduled)
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


@asynccontextmanager
async def _again_later(tools: Tools, job: NewJob) -> AsyncIterator[None]:
    """If arXiv does not answer now, enqueue the job again for when it may be asked; this one has failed."""
    try:
        yield
    except SourceUnavailable as error:
        async with tools.database.transaction() as session:
            await enqueue_once(session, replace(job, delay=max(error.retry_at - tools.now(), MOMENT)))
        raise


async def ingest(tools: Tools, category: str, job_id: int | None = None) -> dict[str, Any]:
    """Read a category's listing; if arXiv does not answer now, another job will when it may be asked again."""
    async with _again_later(tools, ingest_job(category)):
        stored = await ingestion.ingest(tools, category, job_id=job_id)
    return {
        "category": stored.category,
        "announced_on": stored.announced_on.isoformat(),
        "state": stored.state,
        **stored.counts(),
    }


async def harvest(
    tools: Tools,
    set_spec: str,
    from_on: str,
    until_on: str | None = None,
    prefix: str = harvesting.COMPLETE,
    job_id: int | None = None,
) -> dict[str, Any]:
    """Harvest a set over OAI-PMH; if arXiv does not answer now, another job goes on when it may be asked again."""
    wanted = Wanted(set_spec, date.fromisoformat(from_on), date.fromisoformat(until_on) if until_on else None, prefix)
    async with _again_later(tools, harvest_job(wanted)):
        report = await harvesting.harvest(tools, wanted, job_id=job_id)
    return {
        "harvest_id": report.harvest_id,
        "set": set_spec,
        "pages": report.pages,
        "records": report.records,
    } | report.counts


async def fetch(tools: Tools, arxiv_ids: list[str], job_id: int | None = None) -> dict[str, Any]:
    """Fetch papers by id; if arXiv does not answer now, another job will when it may be asked again."""
    async with _again_later(tools, fetch_job(arxiv_ids)):
        found = await details.fetch(tools, arxiv_ids, job_id=job_id)
    return found.counts() | {"unknown_ids": found.unknown}


async def summarize(tools: Tools, summary_ids: list[int], job_id: int | None = None) -> dict[str, Any]:
    """Make the summaries of one paper, and have the digests that wait for them composed again."""
    return await summarizing.summarize(tools, summary_ids)


async def request(tools: Tools, arxiv_ids: list[str], language: str, job_id: int | None = None) -> dict[str, Any]:
    """Ask for the summaries that these papers lack; each paper's is a job of its own, and those that failed are tried again."""
    async with tools.database.transaction() as session:
        requested = await summaries.request(session, arxiv_ids, [language], tools.summariser)
        retried = await summaries.retry_failed_of(session, arxiv_ids, language, tools.summariser)
    return {"requested": requested, "retried": retried}


def request_job(arxiv_ids: Sequence[str], language: str) -> NewJob:
    """The job that asks for these papers' summaries; the same papers wait once."""
    named = hashlib.sha256(",".join(sorted(arxiv_ids)).encode()).hexdigest()[:32]
    return NewJob(
        JobKind.REQUEST,
        {"arxiv_ids": list(arxiv_ids), "language": language},
        queueing_lock=f"request:{language}:{named}",
    )


async def compose(
    tools: Tools,
    digest_id: str | None = None,
    channel: str | None = None,
    date: str | None = None,
    language: str | None = None,
    whole: bool = False,
    now: bool = False,
    job_id: int | None = None,
) -> dict[str, Any]:
    """Write a channel's digest of the period with a day, or an existing one anew, if it is time to; ``now`` in any case.

    For a digest that waits for summaries a look at them is enough, unless its papers may have changed, too (``whole``).
    """
    clock = tools.clock()
    async with tools.database.transaction() as session:
        if digest_id is not None:
            waits = 0 if now or whole else await digests.still_waits(session, digest_id)
            if waits:
                return {"digest_id": digest_id, "written": False, "pending": waits}
            wanted = await digests.wanted_again(session, digest_id)
        else:
            assert channel is not None
            assert date is not None
            wanted = await digests.channel_digest(
                session,
                channel,
                language=language,
                default_language=tools.settings.languages[0],
                day=datetime.fromisoformat(date).date(),
                today=None,
            )
        if now:
            composed: Composed | Draft = await digests.compose(session, wanted, tools.summariser, is_there=True)
        else:
            composed = await digests.compose_if_ready(
                session, wanted, tools.summariser, clock, is_there=digest_id is not None
            )
    if isinstance(composed, Draft):
        return {
            "digest_id": composed.digest_id,
            "written": False,
            "pending": composed.pending,
            "incomplete": composed.incomplete,
        }
    return {
        "digest_id": composed.document.id,
        "written": True,
        "revision": composed.document.revision,
        "items": len(composed.document.items),
    }


async def embed(tools: Tools, job_id: int | None = None) -> dict[str, Any]:
    """Embed papers whose vectors are lacking; what one job leaves over is the next one's."""
    done = await embedding.embed_lacking(tools.database, tools.settings)
    if done.more:
        async with tools.database.transaction() as session:
            await enqueue_once(session, embedding.embed_job())
    return {"embedded": done.count, "obstacle": done.obstacle}


async def index(tools: Tools, job_id: int | None = None) -> dict[str, Any]:
    """Index the papers that searches do not find yet, and count words again if many papers have come."""
    return {"indexed": await search.rebuild(tools.database)}


def _schedule(app: procrastinate.App, tools: Tools, *, is_scheduled: bool) -> None:
    """Periodic work; the engine sees to it that each moment fires once in the whole cluster."""

    def at(cron: str) -> Callable[..., Any]:
        return app.periodic(cron=cron) if is_scheduled else lambda task: task

    @at("*/30 * * * *")
    @app.task(name="poll", queueing_lock="poll", pass_context=False)
    async def poll(timestamp: int) -> None:
        async with tools.database.transaction() as session:
            now = datetime.fromtimestamp(timestamp, UTC)
            for job in await due_jobs(session, tools, now):
                await enqueue_once(session, job)
        async with tools.database.transaction() as session:
            await search.tidy(session)

    @at("17 3 * * *")
    @app.task(name="clean_up", queueing_lock="clean_up", pass_context=False)
    async def clean_up(timestamp: int) -> None:
        await app.job_manager.delete_old_jobs(
            nb_hours=KEEP_JOBS_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
        )
        async with tools.database.transaction() as session:
            await jobs.forget_outcomes(session)
            await summaries.adopt_orphans(session)
            await door.clean_up(session, tools.now())
            await idempotency.clean_up(session)
        await limits.forget_past(tools.database)


async def due_jobs(session: AsyncSession, tools: Tools, now: datetime) -> list[NewJob]:
    """All that the schedule asks for at ``now``."""
    return [
        *await due_polls(session, tools, now),
        *await due_harvests(session, tools, now),
        *await due_digests(session, tools, now),
        *await embedding.due_embeddings(session, tools.settings),
        *await ingestion.due_indexing(session),
    ]


async def due_digests(session: AsyncSession, tools: Tools, now: datetime) -> list[NewJob]:
    """The digests that are past their deadline at ``now`` and not written: of the last days' periods of every channel whose
    listings somebody tried to read. They are written with what there is, and say what is lacking.
    """
    followed = await channels.followed_categories(session, tools.settings.categories)
    today = calendar.batch_date(now)
    clock = digests.Clock(now, tools.settings.digest_deadline)
    found = []
    for channel in await channels.channels_of(session, followed):
        periods = {digests.period_of(channel, day) for day in calendar.batch_days(today - CATCH_UP, today)}
        for first, last in sorted(periods):
            is_new = not channel.builtin and last < calendar.batch_date(channel.created_at)
            if is_new or not clock.is_due(last):
                continue
            if not await listings.find_listings(session, channels.listing_names(channel), first, last):
                continue
            for language in [channel.language] if channel.language else tools.settings.languages:
                if not await digests.is_written(session, channel.slug, language, first, last):
                    found.append(ingestion.compose_job(channel, last, language))
    return found


async def due_polls(session: AsyncSession, tools: Tools, now: datetime) -> list[NewJob]:
    """The listings to read at ``now``: on weekdays from 00:30 US Eastern, until the day's has been read with papers."""
    eastern = now.astimezone(calendar.EASTERN)
    if eastern.weekday() >= 5 or eastern.time() < FIRST_POLL:
        return []
    today = eastern.date()
    followed = await channels.followed_categories(session, tools.settings.categories)
    return [ingest_job(category) for category in followed if not await listings.is_settled(session, category, today)]


async def due_harvests(session: AsyncSession, tools: Tools, now: datetime) -> list[NewJob]:
    """The sets to harvest at ``now``: each followed category's, once after 23:30 US Eastern.

    A category that was followed only since then waits for its first night.
    """
    eastern = now.astimezone(calendar.EASTERN)
    night = datetime.combine(eastern.date(), NIGHTLY, calendar.EASTERN)
    if eastern < night:
        night -= timedelta(days=1)
    due = []
    for category in await channels.followed_categories(session, tools.settings.categories):
        set_spec = oai.set_of(category)
        since = await harvests.last_success_at(session, set_spec) or await listings.first_read_at(session, category)
        if (
            since is not None
            and since < night
            and not await jobs.is_running(session, JobKind.HARVEST, set_spec=set_spec)
        ):
            coverage = await harvests.find_coverage(session, set_spec)
            from_on = harvesting.due_from(coverage.covered_before if coverage else None, now.astimezone(UTC).date())
            due.append(harvest_job(Wanted(set_spec, from_on)))
    return due


def harvest_job(wanted: Wanted) -> NewJob:
    """The job that harvests a set. One at a time, and of the same days one waits; the requests take turns with all others."""
    return NewJob(
        JobKind.HARVEST,
        {
            "set_spec": wanted.set_spec,
            "from_on": wanted.from_on.isoformat(),
            "until_on": wanted.until_on.isoformat() if wanted.until_on else None,
            "prefix": wanted.prefix,
        },
        lock="harvest",
        queueing_lock=f"harvest:{wanted.set_spec}:{wanted.from_on}:{wanted.until_on}:{wanted.prefix}",
    )


def fetch_job(arxiv_ids: Sequence[str]) -> NewJob:
    """The job that fetches papers by id; of the same papers one waits at a time."""
    named = hashlib.sha256(" ".join(arxiv_ids).encode()).hexdigest()[:20]
    return NewJob(JobKind.FETCH, {"arxiv_ids": list(arxiv_ids)}, lock="fetch", queueing_lock=f"fetch:{named}")


def ingest_job(category: str) -> NewJob:
    """The job that reads a listing; one of a category waits at a time.

    All of them take turns, because arXiv asks for one connection at a time.
    """
    return NewJob(JobKind.INGEST, {"category": category}, lock="arxiv", queueing_lock=f"ingest:{category}", priority=1)
