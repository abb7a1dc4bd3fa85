"""The one door to arXiv, for all processes on all machines together (DESIGN promise 7, FACTS 8).

Whoever holds an advisory lock of the database may send a request; the next one starts an interval after its end. A process
that dies loses its connection to the database, and with it the lock. A source that refuses or fails rests for a while, which
everybody sees. Each request has a row in ``fetches`` before it is sent.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urljoin

import httpx
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app.arxiv.client import Answer, Limits, request
from app.config import POLITE_INTERVAL, is_arxivs
from app.db import Database
from app.delays import growing, retry_after
from app.errors import FeedRejected, SourceUnavailable
from app.models import Fetch, FetchOutcome, Rest

KEEP_BODIES = timedelta(days=30)
KEEP_ROWS = timedelta(days=400)

_LATER: Final = frozenset({406, 408, 425, 429})
"""Not "no": "later" (FACTS 8.1). Every 5xx is, too."""

_CAPACITY: Final = frozenset({429, 503})
"""Said to the client, whatever it asked for; the other refusals may be about one address."""

_LONGEST_HOLD = timedelta(seconds=1_000)
"""More than the longest answer may take, with the interval."""

_FIRST_REST = timedelta(seconds=30)
_LONGEST_REST = timedelta(minutes=30)
_REFUSED_REST = timedelta(hours=6)
_REDIRECTS: Final = 5
_KEPT_HEADERS: Final = (
    "age",
    "cache-control",
    "content-type",
    "etag",
    "last-modified",
    "location",
    "retry-after",
    "via",
    "x-cache",
)
_VALIDATORS: Final = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}


class Source(StrEnum):
    """arXiv's interfaces; each rests by itself."""

    FEED = "feed"
    OAI = "oai"
    API = "api"


LIMITS: Final = {
    # Ten times the largest listing that arXiv can send (2,000 items of 4 kB).
    Source.FEED: Limits(read_seconds=60, total_seconds=300, max_bytes=20_000_000),
    # OAI-PMH was seen to take more than 90 seconds for a page of 2,500 records (FACTS 3.6).
    Source.OAI: Limits(read_seconds=240, total_seconds=900, max_bytes=64_000_000),
    Source.API: Limits(read_seconds=60, total_seconds=300, max_bytes=64_000_000),
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer that says something: status 200, or 400 with arXiv's own explanation (FACTS 2.1).

    ``modified`` is False if arXiv answered 304, and ``body`` is what it sent before.
    """

    url: str
    status: int
    body: bytes
    modified: bool = True


@dataclass(frozen=True, slots=True)
class Door:
    """What a request goes through. ``now`` is the clock that rests and rows are written by."""

    database: Database
    http: httpx.AsyncClient
    interval: timedelta
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def fetch(self, source: Source, target: str, url: str) -> Fetched:
        """Get ``url`` when it is this process's turn; ``target`` is what of the source it is, such as a category.

        Raises ``SourceUnavailable`` with the time to try again, or ``FeedRejected`` (``too_large``, ``http_status``) where
        that would not help.
        """
        for _ in range(_REDIRECTS):
            answer, fetched = await self._fetch_once(source, target, url)
            if fetched is not None:
                return fetched
            url = urljoin(url, answer.headers["location"])
        raise FeedRejected("http_status", f"{url} was reached over more than {_REDIRECTS} redirects.")

    async def _fetch_once(self, source: Source, target: str, url: str) -> tuple[Answer, Fetched | None]:
        await self._refuse_while_resting(source, target)
        async with self._turn(max(self.interval, POLITE_INTERVAL) if is_arxivs(url) else self.interval):
            # It may have been refused to somebody else while this process was waiting.
            await self._refuse_while_resting(source, target)
            async with self.database.transaction() as session:
                known = await _known_answer(session, url)
                row_id = await _begin(session, source, target, url, self.now())
            begin = asyncio.get_running_loop().time()
            try:
                answer = await request(self.http, url, LIMITS[source], known.conditions if known else {})
            except FeedRejected as error:
                raise await self._failed(source, target, row_id, error, _seconds_since(begin)) from error
            return answer, await self._answered(source, target, row_id, answer, known, _seconds_since(begin))

    @asynccontextmanager
    async def _turn(self, interval: timedelta) -> AsyncIterator[None]:
        """Hold the door, from the end of the last request's interval on."""
        async with self.database.engine.connect() as connection:
            connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await _lock(connection)
            try:
                seconds = await connection.scalar(_WAIT)
                await asyncio.sleep(max(0.0, seconds or 0.0))
                await connection.execute(_NEXT, {"interval": interval})
                try:
                    yield
                finally:
                    await connection.execute(_NEXT, {"interval": interval})
            finally:
                await connection.execute(_UNLOCK)

    async def _refuse_while_resting(self, source: Source, target: str) -> None:
        async with self.database.transaction() as session:
            rest = await find_rest(session, source, target, self.now())
        if rest is not None:
            raise SourceUnavailable("resting", describe(rest), rest.until)

    async def _answered(
        self, source: Source, target: str, row_id: int, answer: Answer, known: "_Known | None", took: timedelta
    ) -> Fetched | None:
        """Record an answer, and give what it says; None for a redirect. Raises as ``fetch`` does."""
        status = answer.status
        if status == 304 and known is not None:
            outcome, fetched = FetchOutcome.NOT_MODIFIED, Fetched(answer.url, 200, known.body, modified=False)
        elif status == 200 or (status == 400 and answer.body):
            outcome = FetchOutcome.OK if status == 200 else FetchOutcome.REJECTED
            fetched = Fetched(answer.url, status, answer.body)
        elif 300 <= status < 400 and answer.headers.get("location", "").strip():
            await self._end(row_id, FetchOutcome.REDIRECTED, took, answer=answer)
            return None
        else:
            raise await self._refused(source, target, row_id, answer, took)
        async with self.database.transaction() as session:
            await _end(
                session,
                row_id,
                outcome,
                took,
                answer=answer,
                body_of=known.fetch_id if known and status == 304 else None,
            )
            await session.execute(delete(Rest).where(Rest.key.in_(_keys(source, target))))
        return fetched

    async def _refused(self, source: Source, target: str, row_id: int, answer: Answer, took: timedelta) -> FeedRejected:
        status = answer.status
        error = FeedRejected("http_status", f"{answer.url} answered with HTTP status {status}.")
        if status == 403:
            await self._end(row_id, FetchOutcome.REFUSED, took, answer=answer, detail=error.detail)
            # Further requests would be taken for an attack (FACTS 8.2).
            reason = "arXiv refuses to answer (HTTP status 403). Write to arXiv's support before anything else."
            return await self._rest(source, reason, first=_REFUSED_REST, longest=4 * _REFUSED_REST)
        if status in _LATER or status >= 500:
            await self._end(row_id, FetchOutcome.LATER, took, answer=answer, detail=error.detail)
            wait = retry_after(answer.headers.get("retry-after"), self.now())
            key = source if status in _CAPACITY or wait else f"{source}:{target}"
            return await self._rest(key, error.detail, at_least=wait)
        await self._end(row_id, FetchOutcome.REJECTED, took, answer=answer, detail=error.detail)
        return error

    async def _failed(
        self, source: Source, target: str, row_id: int, error: FeedRejected, took: timedelta
    ) -> FeedRejected:
        """Record that there was no whole answer, and give the error that says what follows."""
        if error.reason == "too_large":
            await self._end(row_id, FetchOutcome.TOO_LARGE, took, detail=error.detail)
            return error
        await self._end(row_id, FetchOutcome.CUT, took, detail=error.detail)
        return await self._rest(f"{source}:{target}", error.detail, word=error.reason)

    async def _end(
        self,
        row_id: int,
        outcome: FetchOutcome,
        took: timedelta,
        *,
        answer: Answer | None = None,
        detail: str | None = None,
    ) -> None:
        async with self.database.transaction() as session:
            await _end(session, row_id, outcome, took, answer=answer, detail=detail)

    async def _rest(
        self,
        key: str,
        reason: str,
        *,
        at_least: timedelta = timedelta(0),
        first: timedelta = _FIRST_REST,
        longest: timedelta = _LONGEST_REST,
        word: str = "http_status",
    ) -> SourceUnavailable:
        """Let a source rest, twice as long as the last time, give or take a quarter."""
        async with self.database.transaction() as session:
            failures = await session.scalar(_COUNT_FAILURE, {"key": key, "reason": reason, "now": self.now()}) or 1
            until = self.now() + max(growing(first, failures, longest), at_least)
            await session.execute(update(Rest).where(Rest.key == key).values(until=until))
        return SourceUnavailable(word, f"{reason.rstrip('.')}. It is asked again at {_shown(until)}.", until)


async def _lock(connection: AsyncConnection) -> None:
    """Take the lock. Who holds it for longer than any answer may take is suspended or cut off, and loses it."""
    await connection.execute(text(f"SET lock_timeout = '{_LONGEST_HOLD.total_seconds():.0f}s'"))
    while True:
        holder = await connection.scalar(_HOLDER)
        try:
            await connection.execute(_LOCK)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            if holder is not None and holder == await connection.scalar(_HOLDER):
                await connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": holder})
        else:
            await connection.execute(text("RESET lock_timeout"))
            return


_LOCK_NOT_AVAILABLE: Final = "55P03"
_LOCK = text("SELECT pg_advisory_lock(hashtext('arxiv'))")
_HOLDER = text(
    """
    SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (classid::bigint << 32) | objid::bigint = hashtext('arxiv')::bigint
    """
)
_UNLOCK = text("SELECT pg_advisory_unlock(hashtext('arxiv'))")
_WAIT = text("SELECT extract(epoch FROM next_at - clock_timestamp())::float FROM rate_limits WHERE key = 'arxiv'")
_NEXT = text(
    """
    INSERT INTO rate_limits (key, next_at) VALUES ('arxiv', clock_timestamp() + :interval)
    ON CONFLICT (key) DO UPDATE SET next_at = excluded.next_at
    """
)
_COUNT_FAILURE = text(
    """
    INSERT INTO rests (key, until, failures, reason, since) VALUES (:key, :now, 1, :reason, :now)
    ON CONFLICT (key) DO UPDATE SET failures = rests.failures + 1, reason = excluded.reason
    RETURNING failures
    """
)


@dataclass(frozen=True, slots=True)
class _Known:
    """An earlier answer of the same address that arXiv may say is still current."""

    fetch_id: int
    conditions: dict[str, str]
    body: bytes


async def _known_answer(session: AsyncSession, url: str) -> _Known | None:
    query = select(Fetch).where(Fetch.url == url, Fetch.outcome == FetchOutcome.OK).order_by(Fetch.id.desc()).limit(1)
    fetch = await session.scalar(query)
    if fetch is None or fetch.body is None:
        return None
    conditions = {_VALIDATORS[name]: value for name, value in fetch.headers.items() if name in _VALIDATORS}
    return _Known(fetch.id, conditions, zlib.decompress(fetch.body)) if conditions else None


async def _begin(session: AsyncSession, source: Source, target: str, url: str, now: datetime) -> int:
    # Nobody else can be at it while this process holds the door.
    interrupted = update(Fetch).where(Fetch.outcome == FetchOutcome.RUNNING)
    await session.execute(
        interrupted.values(outcome=FetchOutcome.INTERRUPTED, detail="The process ended before its answer.")
    )
    fetch = Fetch(source=source, target=target, url=url, started_at=now, outcome=FetchOutcome.RUNNING)
    session.add(fetch)
    await session.flush()
    return fetch.id


async def _end(
    session: AsyncSession,
    row_id: int,
    outcome: FetchOutcome,
    took: timedelta,
    *,
    answer: Answer | None = None,
    detail: str | None = None,
    body_of: int | None = None,
) -> None:
    values: dict[str, object] = {"outcome": outcome, "duration": took, "detail": detail, "body_of": body_of}
    if answer is not None:
        values["status"] = answer.status
        values["size"] = len(answer.body)
        values["headers"] = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
        values["body"] = await asyncio.to_thread(zlib.compress, answer.body) if answer.body else None
    await session.execute(update(Fetch).where(Fetch.id == row_id).values(values))


async def find_rest(session: AsyncSession, source: str, target: str, now: datetime) -> Rest | None:
    """The rest that keeps a target of a source from being asked; the longest, if the source rests as well."""
    query = (
        select(Rest).where(Rest.key.in_(_keys(source, target)), Rest.until > now).order_by(Rest.until.desc()).limit(1)
    )
    rest: Rest | None = await session.scalar(query)
    return rest


async def list_rests(session: AsyncSession, now: datetime) -> list[Rest]:
    """Every source, or target of one, that rests now."""
    return list(await session.scalars(select(Rest).where(Rest.until > now).order_by(Rest.key)))


def describe(rest: Rest) -> str:
    """What rests, until when and why, as a sentence."""
    return f"{_named(rest.key)} rests until {_shown(rest.until)}: {rest.reason}"


async def clean_up(session: AsyncSession, now: datetime) -> None:
    """Forget bodies after 30 days, rows after 400, and rests that have long been over."""
    old = Fetch.started_at < now - KEEP_BODIES
    await session.execute(update(Fetch).where(old, Fetch.body.is_not(None)).values(body=None))
    await session.execute(delete(Fetch).where(Fetch.started_at < now - KEEP_ROWS))
    await session.execute(delete(Rest).where(Rest.until < now - KEEP_BODIES))


def _keys(source: str, target: str) -> list[str]:
    return [source, f"{source}:{target}"]


def _named(key: str) -> str:
    source, _, target = key.partition(":")
    name = {"feed": "arXiv's feed", "oai": "arXiv's OAI-PMH", "api": "arXiv's search API"}[source]
    return f"{name} of {target}" if target else name


def _shown(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _seconds_since(begin: float) -> timedelta:
    return timedelta(seconds=asyncio.get_running_loop().time() - begin)
