"""Reading a listing from load to save; the worker and the command line both come here.

Load (where from), work (fetch and parse, no transaction open), save (everything in one transaction). Whatever goes
wrong in between ends as a failed run with its reason.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from sqlalchemy.ext.asyncio import AsyncSession

from app import channels, listings, runs, summaries
from app.arxiv import taxonomy
from app.arxiv.client import MAX_BYTES, Answer, fetch
from app.arxiv.entries import Feed
from app.arxiv.feed import parse_feed
from app.config import Settings
from app.db import Database
from app.errors import FeedRejected, ZhaiyaoError
from app.jobs import JobKind, NewJob, enqueue_once
from app.listings import Stored
from app.llm import Summariser
from app.models import ListingState, RunState
from app.pacing import wait_turn


@dataclass(frozen=True, slots=True)
class Tools:
    """What an ingestion works with."""

    settings: Settings
    database: Database
    http: httpx.AsyncClient
    summariser: Summariser


async def ingest(
    tools: Tools, category: str, *, source: str | None = None, job_id: int | None = None, compose: bool = True
) -> Stored:
    """Read the listing of ``category`` and store it; ``source`` is a file, ``-`` or an address in place of arXiv's.

    Summaries that are missing are asked for, and the digests of the channels that the listing belongs to, in the same
    transaction. Raises ``FeedRejected`` or ``UnknownCategory``; nothing is stored then but the failed run.
    """
    category = taxonomy.canonical(category)
    where = source or tools.settings.feed_url(category)
    async with tools.database.transaction() as session:
        run_id = await runs.begin_run(session, kind="listing", category=category, source=where, job_id=job_id)
    answer: Answer | None = None
    try:
        answer = await _read(tools, where)
        feed = await asyncio.to_thread(parse_feed, answer.body)
        if answer.status != 200:
            raise FeedRejected("http_status", f"{where} answered with HTTP status {answer.status}.")
        return await _save(tools, feed, category, where, run_id, answer, compose=compose)
    except ZhaiyaoError as error:
        await _record_failure(tools, error, category, where, run_id, answer, is_poll=source is None)
        raise


async def _read(tools: Tools, where: str) -> Answer:
    if where.startswith(("http://", "https://")):
        await wait_turn(tools.database, "arxiv", tools.settings.arxiv_interval)
        return await fetch(tools.http, where)
    return await asyncio.to_thread(_read_file, where)


def _read_file(where: str) -> Answer:
    try:
        if where == "-":
            body = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(where).open("rb") as file:
                body = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise FeedRejected("unreadable_file", f"{where} cannot be read: {error.strerror or error}.") from error
    if len(body) > MAX_BYTES:
        raise FeedRejected("too_large", f"{where} has more than {MAX_BYTES:,} bytes, which no listing has.")
    return Answer(where, 200, body)


async def _save(
    tools: Tools, feed: Feed, category: str, where: str, run_id: int, answer: Answer, *, compose: bool
) -> Stored:
    named = listings.check(feed, category, datetime.now(UTC))
    async with tools.database.transaction() as session:
        stored = await listings.store(session, feed, category, named, run_id, where)
        await summaries.request(session, stored.arxiv_ids, tools.settings.languages, tools.summariser)
        if compose and stored.state != ListingState.EMPTY:
            for job in await _digests_to_compose(session, tools.settings, feed, named):
                await enqueue_once(session, job)
        await runs.end_run(
            session,
            run_id,
            state=RunState.SUCCEEDED,
            outcome=stored.state,
            announced_on=stored.announced_on,
            http_status=answer.status if where.startswith("http") else None,
            bytes=len(answer.body),
            counts=stored.counts(),
        )
    return stored


async def _digests_to_compose(
    session: AsyncSession, settings: Settings, feed: Feed, named: Sequence[str]
) -> list[NewJob]:
    touched: dict[str, str | None] = {name: None for name in named if await channels.find_channel(session, name)}
    for channel in await channels.own_channels(session):
        if set(channels.listing_names(channel)) & set(named):
            touched[channel.slug] = channel.language
    return [
        compose_job(slug, feed.announced_on.isoformat(), language)
        for slug, own in touched.items()
        for language in ([own] if own else settings.languages)
    ]


def compose_job(channel: str, day: str, language: str) -> NewJob:
    """The job that composes a channel's digest of a day, or brings it up to date."""
    return NewJob(
        JobKind.COMPOSE,
        {"channel": channel, "date": day, "language": language},
        queueing_lock=f"compose:{channel}:{day}:{language}",
    )


async def _record_failure(
    tools: Tools,
    error: ZhaiyaoError,
    category: str,
    where: str,
    run_id: int,
    answer: Answer | None,
    *,
    is_poll: bool,
) -> None:
    async with tools.database.transaction() as session:
        await runs.fail_run(session, run_id, error, http_status=answer.status if answer else None)
        if is_poll:
            today = listings.today_eastern(datetime.now(UTC))
            await listings.mark_failed(session, category, today, run_id, where, error.detail)
