"""Harvesting over OAI-PMH from load to save: page by page, each stored in one transaction together with where to go on.

Killed anywhere, the harvest goes on with the page that was not stored. Day granularity makes the last day of an answer
incomplete, so that the next harvest begins with it; and since tokens are offsets in a list that lives (FACTS 3.5), a
window of several pages is compared with the list of its identifiers at the end.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app import channels, harvests, papers, repair, summaries
from app.arxiv import calendar, oai, taxonomy
from app.door import Source
from app.errors import Conflict, FeedRejected, OaiError, SourceUnavailable, ZhaiyaoError
from app.harvests import Wanted
from app.ingestion import Tools, ask_for_summaries, digests_to_compose
from app.jobs import enqueue_once
from app.models import Harvest, RunState

logger = logging.getLogger(__name__)

RESTARTS = 5
"""Times that a window may begin again because its token expired or its list moved, before the harvest fails."""

BAD_PAGES = 6
"""Pages in a row that may be unreadable (HTML, cut off), before the harvest fails."""

REPAIRED = timedelta(days=90)
"""Announcements further back are not told: too much may have happened to a paper since."""

LOOK_BACK = timedelta(days=14)
"""Days before a harvest that may still be proved by it, if they were covered without a gap."""

COMPLETE = "arXivRaw"
"""The format with versions, from which announcements can be told (FACTS 3.2)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a harvest has come; ``left`` is an estimate of the time that it still takes, None while nothing is known."""

    harvest_id: int
    set_spec: str
    pages: int
    records: int
    window_from: date
    windows_left: int
    left: timedelta | None
    waits_until: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a harvest did."""

    harvest_id: int
    set_spec: str
    pages: int
    records: int
    counts: dict[str, int]
    resumed: bool


async def harvest(
    tools: Tools,
    wanted: Wanted,
    *,
    job_id: int | None = None,
    patient: bool = False,
    progress: Callable[[Progress], None] = lambda progress: None,
) -> Report:
    """Harvest a set, or go on with a harvest of the same set and days that was interrupted.

    With ``patient`` it waits while arXiv does not answer; without, ``SourceUnavailable`` is raised and calling it again goes
    on. Raises ``Conflict`` while another process is at it, ``OaiError`` and ``FeedRejected`` if it has failed for good.
    """
    async with tools.database.transaction() as session:
        row = await harvests.begin(session, wanted, _today(tools), job_id)
    async with _alone(tools, row.id):
        run = _Run(tools, row, patient, progress)
        try:
            return await run.to_end()
        except SourceUnavailable:
            raise
        except ZhaiyaoError as error:
            async with tools.database.transaction() as session:
                await harvests.change(
                    session, row.id, state=RunState.FAILED, detail=error.detail, finished_at=tools.now()
                )
            raise


@asynccontextmanager
async def _alone(tools: Tools, harvest_id: int) -> AsyncIterator[None]:
    """Hold a harvest: two processes that go on with the same one would overtake each other's tokens."""
    lock = {"id": harvest_id}
    async with tools.database.engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        if not await connection.scalar(text("SELECT pg_try_advisory_lock(hashtext('harvests'), :id)"), lock):
            raise Conflict(
                "Another process is harvesting the same set and days now; its progress is in GET /v1/harvests."
            )
        try:
            yield
        finally:
            await connection.execute(text("SELECT pg_advisory_unlock(hashtext('harvests'), :id)"), lock)


class _Run:
    """One process at work on a harvest. What must survive it is in its row; this holds only counters."""

    def __init__(
        self,
        tools: Tools,
        row: Harvest,
        patient: bool,
        progress: Callable[[Progress], None],
    ) -> None:
        self.tools = tools
        self.row = row
        self.patient = patient
        self.progress = progress
        self.resumed = row.pages > 0
        self.restarts = 0
        self.bad_pages = 0
        self.begun = asyncio.get_running_loop().time()
        self.windows_done = 0
        self.base = tools.settings.arxiv_oai_url

    async def to_end(self) -> Report:
        while True:
            page = await self._ask(self._page_url(), oai.parse_page)
            if page is None:
                continue
            whole = page.token is None and await self._is_whole(page)
            await self._store(page, ends_window=whole)
            if page.token is None and not whole:
                await self._restart("records moved while the window was read")
                continue
            if whole:
                self.windows_done += 1
                following = harvests.window_after(self.row, _today(self.tools))
                if following is None:
                    return await self._finish()
                await self._change(
                    window_from=following[0], window_until=following[1], token=None, window_pages=0, responded_on=None
                )
                self.restarts = 0
            self._tell()

    def _page_url(self) -> str:
        if self.row.token is not None:
            return oai.resume_url(self.base, self.row.token)
        return oai.records_url(
            self.base,
            set_spec=self.row.set_spec,
            from_on=self.row.window_from,
            until_on=self.row.window_until,
            prefix=self.row.prefix,
        )

    async def _ask(self, url: str, parse: Callable[[bytes], Any]) -> Any:
        """One answer, read; None if it is to be asked for anew from where the row stands."""
        try:
            fetched = await self.tools.door.fetch(Source.OAI, self.row.set_spec, url)
            parsed = await asyncio.to_thread(parse, fetched.body)
            if fetched.status != 200:
                raise FeedRejected("http_status", f"{url} answered with HTTP status {fetched.status}.")
        except SourceUnavailable as error:
            if not self.patient:
                raise
            self._tell(error)
            await asyncio.sleep(max(1.0, (error.retry_at - self.tools.now()).total_seconds()))
            return None
        except OaiError as error:
            if error.reason != "badResumptionToken" or self.row.token is None:
                raise
            await self._restart("arXiv no longer knows the token")
            return None
        except FeedRejected:
            # A page that cannot be read says nothing; it may be whole the next time.
            self.bad_pages += 1
            if self.bad_pages > BAD_PAGES:
                raise
            return None
        self.bad_pages = 0
        return parsed

    async def _restart(self, why: str) -> None:
        """Begin the window again; what it gave so far is stored, and comes again unchanged."""
        self.restarts += 1
        if self.restarts > RESTARTS:
            raise FeedRejected(
                "unstable",
                f"The window from {self.row.window_from} of {self.row.set_spec} began {RESTARTS} times again, because {why}.",
            )
        counts = dict(self.row.counts)
        counts["restarts"] = counts.get("restarts", 0) + 1
        await self._change(token=None, window_pages=0, counts=counts)

    async def _is_whole(self, last: oai.Page) -> bool:
        """Whether a window of several pages has every record that the list of its identifiers names."""
        if self.row.window_pages == 0:
            return True
        listed: dict[str, date | None] = {}
        url = oai.identifiers_url(
            self.base,
            set_spec=self.row.set_spec,
            from_on=self.row.window_from,
            until_on=self.row.window_until,
            prefix=self.row.prefix,
        )
        while True:
            try:
                answer = await self._ask(url, oai.parse_identifiers)
            except OaiError as error:
                logger.warning("the identifiers of %s cannot be listed: %s", self.row.set_spec, error.detail)
                return True
            if answer is None:
                continue
            listed.update((header.arxiv_id, header.datestamp) for header in answer.headers if not header.deleted)
            if answer.token is None:
                break
            url = oai.resume_url(self.base, answer.token, verb="ListIdentifiers")
        for record in last.records:
            listed.pop(record.arxiv_id, None)
        # What was modified after the window's first answer belongs to the next harvest.
        since = self.row.responded_on or _today(self.tools)
        due = {arxiv_id: day for arxiv_id, day in listed.items() if day is not None and day < since}
        async with self.tools.database.transaction() as session:
            stored = await papers.find_datestamps(session, due)
        return all(stored.get(arxiv_id, date.min) >= day for arxiv_id, day in due.items())

    async def _store(self, page: oai.Page, *, ends_window: bool) -> None:
        records = list({record.arxiv_id: record for record in page.records}.values())
        async with self.tools.database.transaction() as session:
            before = await repair.look(session, records) if self.row.prefix == COMPLETE else None
            upserted = await papers.upsert(session, [papers.of_record(record) for record in records])
            await ask_for_summaries(session, self.tools, await summaries.summarized(session, upserted.changed))
            counts = {"papers_created": len(upserted.created), "papers_changed": len(upserted.changed)}
            counts["deleted"] = len(page.deleted)
            if before is not None:
                categories = await told_categories(session, self.tools.settings.categories, self.row.set_spec)
                counts |= await repair.announce(session, records, before, categories, self._told_from())
            total = {name: self.row.counts.get(name, 0) + counts.get(name, 0) for name in {*self.row.counts, *counts}}
            values: dict[str, Any] = {}
            if self.row.responded_on is None or self.row.window_pages == 0:
                values["responded_on"] = page.responded_at.astimezone(UTC).date()
            self.row = await harvests.change(
                session,
                self.row.id,
                token=page.token,
                window_pages=self.row.window_pages + (0 if ends_window else 1),
                pages=self.row.pages + 1,
                records=self.row.records + len(records),
                counts=total,
                **values,
            )

    def _told_from(self) -> date:
        """The first day whose announcements this harvest tells of."""
        return max(self.row.from_on, _today(self.tools) - REPAIRED)

    async def _finish(self) -> Report:
        """Record what is covered now, and settle the listings of the days that are."""
        row, tools = self.row, self.tools
        counts = dict(row.counts)
        async with tools.database.transaction() as session:
            if row.prefix == COMPLETE:
                counts["days_verified"] = await self._settle(session)
            self.row = await harvests.change(
                session, row.id, state=RunState.SUCCEEDED, token=None, counts=counts, finished_at=tools.now()
            )
        self._tell()
        return Report(row.id, row.set_spec, row.pages, row.records, counts, self.resumed)

    async def _settle(self, session: AsyncSession) -> int:
        """How many days of listings are proved now; summaries and digests of those that changed are asked for."""
        row, tools = self.row, self.tools
        before = row.responded_on or _today(tools)
        if row.until_on is not None:
            before = min(before, row.until_on + timedelta(days=1))
        if row.records == 0 and calendar.batch_days(row.from_on, before - timedelta(days=1)):
            # An early "noRecordsMatch" may stick in a cache (FACTS 3.6), and a category without any change on a day with an
            # announcement is rare: what is not covered now, the next harvest asks for again.
            return 0
        await harvests.cover(session, row.set_spec, row.from_on, before, tools.now())
        coverage = await harvests.find_coverage(session, row.set_spec)
        covered_from = coverage.covered_from if coverage else row.from_on
        from_on = min(self._told_from(), max(covered_from, before - LOOK_BACK))
        categories = await categories_of(session, tools.settings.categories, row.set_spec)
        settled = await repair.settle(session, categories, from_on, before, tools.now())
        await ask_for_summaries(session, tools, settled.arxiv_ids)
        for category, days in settled.changed.items():
            for job in await digests_to_compose(session, tools.settings, days, [category]):
                await enqueue_once(session, job)
        return settled.verified

    async def _change(self, **values: Any) -> None:
        async with self.tools.database.transaction() as session:
            self.row = await harvests.change(session, self.row.id, **values)

    def _tell(self, waits: SourceUnavailable | None = None) -> None:
        """Report progress; windows differ little in size, so that those done tell how long the others take."""
        left = harvests.windows_left(self.row, _today(self.tools))
        took = asyncio.get_running_loop().time() - self.begun
        known = self.windows_done > 0 and left > 0
        self.progress(
            Progress(
                harvest_id=self.row.id,
                set_spec=self.row.set_spec,
                pages=self.row.pages,
                records=self.row.records,
                window_from=self.row.window_from,
                windows_left=left,
                left=timedelta(seconds=took / self.windows_done * left) if known else None,
                waits_until=waits.retry_at if waits else None,
                reason=waits.detail if waits else None,
            )
        )


async def told_categories(session: AsyncSession, configured: Sequence[str], set_spec: str) -> list[str]:
    """The categories that a set's records may tell of: the set's own, and every one that is followed."""
    followed = await channels.followed_categories(session, configured)
    return list(dict.fromkeys([*await categories_of(session, configured, set_spec), *followed]))


async def categories_of(session: AsyncSession, configured: Sequence[str], set_spec: str) -> list[str]:
    """The categories whose listings a set's records tell of: the set's own, and followed ones inside of it."""
    own = taxonomy.category_of(set_spec)
    names = taxonomy.names_or_same(own) if own else frozenset()
    followed = await channels.followed_categories(session, configured)
    inside = [name for name in followed if name in names or f"{taxonomy.OAI_SETS[name]}:".startswith(f"{set_spec}:")]
    return list(dict.fromkeys(([own] if own else []) + inside))


def due_from(covered_before: date | None, today: date) -> date:
    """Where a nightly harvest begins: a day before what is covered, or a week back the first time."""
    if covered_before is None:
        return today - timedelta(days=7)
    return covered_before - timedelta(days=1)


def _today(tools: Tools) -> date:
    return tools.now().astimezone(UTC).date()
