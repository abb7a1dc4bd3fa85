"""The worker process: the job engine with its handlers and schedule, and the rescue of dead workers' jobs."""

import asyncio
import logging
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from app import jobs
from app.ingestion import Tools
from app.jobs import enqueue_once
from app.tasks import MAX_ATTEMPTS, build_app, due_harvests, due_polls

logger = logging.getLogger(__name__)

RESCUE_EVERY = 5.0
RESTART_AFTER = 2.0
GRACE = 10.0
"""Seconds that running jobs are given when the worker is asked to stop; what is not done by then is done again."""


async def run_worker(tools: Tools, url: str) -> None:
    """Work until cancelled. An engine that has lost its database is started again until the database is back."""
    rescue = asyncio.create_task(_rescue_for_ever(tools), name="rescue")
    try:
        while True:
            try:
                await _run_engine(tools, url)
            except Exception as error:
                logger.error("the job engine has stopped: %s", _first_line(error))
            logger.warning("the job engine starts again in %g seconds", RESTART_AFTER)
            await asyncio.sleep(RESTART_AFTER)
    finally:
        rescue.cancel()
        with suppress(asyncio.CancelledError):
            await rescue


async def _run_engine(tools: Tools, url: str) -> None:
    """Run the engine; it returns when one of its own tasks has failed, which the engine logs."""
    await _poll_now(tools)
    app = build_app(tools, url)
    async with app.open_async():
        await app.run_worker_async(
            concurrency=tools.settings.worker_concurrency,
            install_signal_handlers=False,
            shutdown_graceful_timeout=GRACE,
        )


def _first_line(error: Exception) -> str:
    """What an error says, with its cause: the engine's own errors only say "Database error."."""
    return " ".join(f"{error.__cause__ or error}".split())[:300] or type(error).__name__


async def work_off(tools: Tools, url: str) -> None:
    """Do the jobs that are due, and those that they lead to, and return."""
    app = build_app(tools, url)
    async with app.open_async():
        while True:
            await app.run_worker_async(
                wait=False,
                concurrency=tools.settings.worker_concurrency,
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
        for job in [*await due_polls(session, tools, now), *await due_harvests(session, tools, now)]:
            await enqueue_once(session, job)


async def _rescue_for_ever(tools: Tools) -> None:
    while True:
        try:
            async with tools.database.transaction() as session:
                retried, given_up = await jobs.rescue_stalled(session, MAX_ATTEMPTS)
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
