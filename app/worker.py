"""The worker process: the job engine with its handlers and schedule, and the rescue of dead workers' jobs."""

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app import calls, changes, jobs, summaries, summarizing
from app.config import Settings
from app.ingestion import Tools
from app.jobs import JobKind, Queue, enqueue_once
from app.tasks import MAX_ATTEMPTS, build_app, due_jobs

logger = logging.getLogger(__name__)

RESCUE_EVERY = 5.0
SEQUENCE_EVERY = 10.0
RESTART_AFTER = 2.0
GRACE = 10.0
"""Seconds that running jobs are given when the worker is asked to stop; what is not done by then is done again."""


async def run_worker(tools: Tools, url: str) -> None:
    """Work until cancelled. An engine that has lost its database is started again until the database is back."""
    aside = [
        asyncio.create_task(_rescue_for_ever(tools), name="rescue"),
        asyncio.create_task(_sequence_for_ever(tools), name="changes"),
    ]
    try:
        while True:
            try:
                await _run_engine(tools, url)
            except Exception as error:
                logger.error("the job engine has stopped: %s", _first_line(error))
            logger.warning("the job engine starts again in %g seconds", RESTART_AFTER)
            await asyncio.sleep(RESTART_AFTER)
    finally:
        for task in aside:
            task.cancel()
        await asyncio.gather(*aside, return_exceptions=True)


async def _run_engine(tools: Tools, url: str) -> None:
    """Run the engine; it returns when one of its own tasks has failed, which the engine logs."""
    await _poll_now(tools)
    app = build_app(tools, url)
    async with app.open_async(), asyncio.TaskGroup() as engines:
        engines.create_task(_catch_up(tools), name="catch up")
        for queue, concurrency in _queues(tools.settings):
            work = app.run_worker_async(
                queues=[queue],
                concurrency=concurrency,
                install_signal_handlers=False,
                shutdown_graceful_timeout=GRACE,
            )
            engines.create_task(_end_together(work), name=f"engine {queue}")
        engines.create_task(_end_with_the_others(summarizing.begin_turns(tools)), name="turns")


async def _catch_up(tools: Tools) -> None:
    """Let summaries go on that wait for something: it may have been repaired while no worker ran."""
    async with tools.database.transaction() as session:
        await summaries.adopt_orphans(session)
        await calls.wake(session)


class _EngineStopped(Exception):
    """One of the two engines has ended; the other must not go on alone."""


async def _end_together(work: Awaitable[None]) -> None:
    await work
    raise _EngineStopped("the job engine has ended")


async def _end_with_the_others(turns: summarizing.Turns) -> None:
    """When the engines are asked to stop, they wait for their jobs: no job is to begin a call then."""
    try:
        await asyncio.Event().wait()
    finally:
        turns.end()


def _queues(settings: Settings) -> list[tuple[Queue, int]]:
    """The queues and their places in this worker: waiting for a model must not keep a listing from being read."""
    return [(Queue.DEFAULT, settings.worker_concurrency), (Queue.SUMMARIES, summarizing.jobs_at_hand(settings))]


def _first_line(error: Exception) -> str:
    """What an error says, with its cause: the engine's own errors only say "Database error."."""
    return " ".join(f"{error.__cause__ or error}".split())[:300] or type(error).__name__


async def run_summaries(tools: Tools, url: str) -> None:
    """Make summaries until cancelled, and nothing else; calls that are under way are then waited for."""
    app = build_app(tools, url)
    rescue = asyncio.create_task(_rescue_for_ever(tools), name="rescue")
    try:
        async with app.open_async(), asyncio.TaskGroup() as engines:
            work = app.run_worker_async(
                queues=[Queue.SUMMARIES],
                concurrency=summarizing.jobs_at_hand(tools.settings),
                install_signal_handlers=False,
                shutdown_graceful_timeout=tools.settings.llm_timeout.total_seconds(),
            )
            engines.create_task(_end_together(work), name="engine summaries")
            engines.create_task(_end_with_the_others(summarizing.begin_turns(tools)), name="turns")
    finally:
        rescue.cancel()
        with suppress(asyncio.CancelledError):
            await rescue


async def work_off(tools: Tools, url: str) -> None:
    """Do the jobs that are due, and those that they lead to, and return; what the schedule would ask for is not among them."""
    app = build_app(tools, url, is_scheduled=False)
    async with app.open_async():
        while True:
            for queue, concurrency in _queues(tools.settings):
                await app.run_worker_async(
                    queues=[queue],
                    wait=False,
                    concurrency=concurrency,
                    install_signal_handlers=False,
                    listen_notify=False,
                )
            async with tools.database.transaction() as session:
                if not await jobs.any_due(session):
                    return


async def _poll_now(tools: Tools) -> None:
    """Ask for the listings that are due, so that a service that was off catches up at once."""
    async with tools.database.transaction() as session:
        now = tools.now()
        for job in await due_jobs(session, tools, now):
            await enqueue_once(session, job)


async def _rescue_for_ever(tools: Tools) -> None:
    while True:
        try:
            async with tools.database.transaction() as session:
                retried, given_up = await jobs.rescue_stalled(session, MAX_ATTEMPTS)
                for job_id in retried:
                    await _lose_calls(session, job_id)
                for job_id in given_up:
                    await _fail_summaries(session, job_id)
            for job_id in retried:
                logger.warning("job %s was left by a dead worker and starts again", job_id)
            for job_id in given_up:
                logger.error("job %s was left by dead workers too often and has failed", job_id)
        except (OSError, SQLAlchemyError) as error:
            # The database is away for a moment; the next look finds what this one missed.
            logger.warning("looking for the jobs of dead workers failed: %s", _first_line(error))
        except Exception:
            logger.exception("looking for the jobs of dead workers failed")
        await asyncio.sleep(RESCUE_EVERY)


async def _sequence_for_ever(tools: Tools) -> None:
    """Keep marks of changes from piling up while nobody reads the log."""
    while True:
        try:
            await changes.sequence(tools.database)
        except (OSError, SQLAlchemyError) as error:
            logger.warning("bringing the log of changes up to date failed: %s", _first_line(error))
        except Exception:
            logger.exception("bringing the log of changes up to date failed")
        await asyncio.sleep(SEQUENCE_EVERY)


async def _lose_calls(session: AsyncSession, job_id: int) -> None:
    """Free the places of a dead worker's calls at once: those who wait for them might keep its jobs from being fetched."""
    job = await jobs.get_job(session, job_id)
    if job.kind == JobKind.SUMMARIZE:
        await summaries.hold(session, job.args["summary_ids"])
        await calls.lose_calls(session, job.args["summary_ids"])


async def _fail_summaries(session: AsyncSession, job_id: int) -> None:
    """Say at the summaries themselves that their job was given up."""
    job = await jobs.get_job(session, job_id)
    if job.kind == JobKind.SUMMARIZE:
        await summarizing.give_up_job(session, job.args["summary_ids"], job.error or "Its worker died too often.")
