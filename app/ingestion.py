"""Reading a listing from load to save; the worker and the command line both come here.

Load (where from), work (fetch and parse, no transaction open), save (everything in one transaction). Whatever goes
wrong in between ends as a failed run with its reason.
"""

import asyncio
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app import channels, digests, listings, runs, search, summaries
from app.arxiv import calendar, taxonomy
from app.arxiv.entries import Feed
from app.arxiv.feed import parse_feed
from app.config import Settings
from app.db import Database, among
from app.door import LIMITS, Door, Fetched, Source
from app.errors import FeedRejected, ZhaiyaoError
from app.jobs import JobKind, NewJob, enqueue_once
from app.listings import Stored
from app.llm import Summariser
from app.models import Channel, Paper, RunState

if TYPE_CHECKING:
    from app.llm.chain import ModelChain


@dataclass(frozen=True, slots=True)
class Tools:
    """What an ingestion works with."""

    settings: Settings
    database: Database
    door: Door
    summariser: "Summariser | ModelChain"

    def now(self) -> datetime:
        """The present, by the clock that everything here goes by."""
        return self.door.now()

    def clock(self) -> digests.Clock:
        """The present as digests see it: with the deadline until which they wait."""
        return digests.Clock(self.now(), self.settings.digest_deadline)


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
    answer: Fetched | None = None
    try:
        answer = await _read(tools, category, where)
        feed = await asyncio.to_thread(parse_feed, answer.body)
        if answer.status != 200:
            raise FeedRejected("http_status", f"{where} answered with HTTP status {answer.status}.")
        return await _save(tools, feed, category, where, run_id, answer, compose=compose)
    except ZhaiyaoError as error:
        await _record_failure(tools, error, category, where, run_id, answer, is_poll=source is None)
        raise


async def _read(tools: Tools, category: str, where: str) -> Fetched:
    if where.startswith(("http://", "https://")):
        return await tools.door.fetch(Source.FEED, category, where)
    return await asyncio.to_thread(_read_file, where)


def _read_file(where: str) -> Fetched:
    max_bytes = LIMITS[Source.FEED].max_bytes
    try:
        if where == "-":
            body = sys.stdin.buffer.read(max_bytes + 1)
        else:
            with Path(where).open("rb") as file:
                body = file.read(max_bytes + 1)
    except OSError as error:
        raise FeedRejected("unreadable_file", f"{where} cannot be read: {error.strerror or error}.") from error
    if len(body) > max_bytes:
        raise FeedRejected("too_large", f"{where} has more than {max_bytes:,} bytes, which no listing has.")
    return Fetched(where, 200, body)


async def _save(
    tools: Tools, feed: Feed, category: str, where: str, run_id: int, answer: Fetched, *, compose: bool
) -> Stored:
    now = tools.now()
    named = listings.check(feed, category, now)
    async with tools.database.transaction() as session:
        stored = await listings.store(session, feed, category, named, run_id, where, now)
        await ask_for_summaries(session, tools, stored.arxiv_ids)
        # A day without a batch has no digest; one with an empty batch has a digest that says so.
        if compose and (stored.arxiv_ids or calendar.is_batch_day(feed.announced_on)):
            for job in await digests_to_compose(session, tools.settings, {feed.announced_on}, named):
                await enqueue_once(session, job)
        for job in await due_indexing(session):
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


async def due_indexing(session: AsyncSession) -> list[NewJob]:
    """The job that indexes what is not, or was by an older release, and counts the words again, if there is something to do."""
    return [] if await search.is_complete(session) else [NewJob(JobKind.INDEX, {}, lock="index", queueing_lock="index")]


async def ask_for_summaries(session: AsyncSession, tools: Tools, arxiv_ids: Collection[str]) -> None:
    """Ask for the summaries that papers lack: in the service's languages, and in those of the channels that take them."""
    own = [
        (channel.language, set(channels.listing_names(channel)))
        for channel in await channels.own_channels(session)
        if channel.language
    ]
    groups: dict[tuple[str, ...], list[str]] = {}
    rows = await session.execute(select(Paper.arxiv_id, Paper.listed_in).where(among(Paper.arxiv_id, list(arxiv_ids))))
    for arxiv_id, listed_in in rows:
        theirs = [language for language, names in own if names & set(listed_in)]
        groups.setdefault(tuple(dict.fromkeys([*tools.settings.languages, *theirs])), []).append(arxiv_id)
    for languages, ids in groups.items():
        await summaries.request(session, ids, languages, tools.summariser, again=tools.settings.resummarize)


async def digests_to_compose(
    session: AsyncSession, settings: Settings, days: Iterable[date], categories: Sequence[str]
) -> list[NewJob]:
    """The jobs that look at every digest which takes one of these categories' listings of these days: those of the channels'
    schedules, and the roll-ups that are written already.
    """
    taking = await channels.channels_of(session, categories)
    wanted = sorted(days)
    found = [
        compose_job(channel, day, language)
        for day in wanted
        for channel in taking
        for language in ([channel.language] if channel.language else settings.languages)
    ]
    rollups = await digests.rollups_over(session, [channel.slug for channel in taking], wanted)
    found += [compose_again_job(digest_id) for digest_id in rollups]
    return list({job.queueing_lock: job for job in found}.values())


def compose_job(channel: Channel, day: date, language: str) -> NewJob:
    """The job that looks whether a channel's digest of the period with this day can be written, or has to be anew."""
    first, _ = digests.period_of(channel, day)
    return NewJob(
        JobKind.COMPOSE,
        {"channel": channel.slug, "date": day.isoformat(), "language": language},
        queueing_lock=f"compose:{channel.slug}:{first}:{language}",
    )


def compose_again_job(digest_id: str) -> NewJob:
    """The job that looks whether an existing digest has to be written anew."""
    return NewJob(JobKind.COMPOSE, {"digest_id": digest_id, "whole": True}, queueing_lock=f"compose:{digest_id}")


async def _record_failure(
    tools: Tools,
    error: ZhaiyaoError,
    category: str,
    where: str,
    run_id: int,
    answer: Fetched | None,
    *,
    is_poll: bool,
) -> None:
    async with tools.database.transaction() as session:
        await runs.fail_run(session, run_id, error, http_status=answer.status if answer else None)
        if is_poll:
            await listings.mark_failed(session, category, run_id, where, error.detail, tools.now())
