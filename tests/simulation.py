"""A simulated month under faults: the fake arXiv and the service share a clock that jumps from poll to poll.

Used by ``tests/test_completeness.py`` with a few random schedules, and by ``bench/faults.py`` with hundreds.
"""

from collections import Counter
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import select

from app import tasks
from app.arxiv.client import make_client
from app.db import Database
from app.door import Door
from app.errors import ZhaiyaoError
from app.ingestion import Tools
from app.llm import make_summariser
from app.models import Announcement, Listing, Paper
from tests.conftest import make_settings
from tests.fake_arxiv import FakeArxiv, Faults, Truth, World
from tests.fake_arxiv.world import EASTERN

TICKS = (time(0, 30), time(9), time(16), time(23, 40))
"""When the schedule looks for due work, US Eastern; in life it does so every half hour."""

FEWER_TICKS = (time(0, 30), time(23, 40))
"""The same for less patience."""

HEALTHY_DAYS = 4
"""Days after the month in which nothing fails."""


@dataclass
class Outcome:
    """What is wrong after a month: empty if every announcement is stored as it was, and nothing else is."""

    missing: list[Truth] = field(default_factory=list)
    wrong: list[tuple[str, int | None, str, date, str]] = field(default_factory=list)
    unstored: list[str] = field(default_factory=list)
    lies: list[str] = field(default_factory=list)
    undecidable: list[Truth] = field(default_factory=list)
    proved: int = 0
    listings: int = 0
    requests: int = 0
    sources: Counter[str] = field(default_factory=Counter)

    @property
    def is_right(self) -> bool:
        """Whether the promise was kept."""
        return not (self.missing or self.wrong or self.unstored or self.lies)

    def __str__(self) -> str:
        return (
            f"missing {len(self.missing)}, wrong {len(self.wrong)}, unstored {len(self.unstored)}, lies {len(self.lies)}, "
            f"undecidable {len(self.undecidable)}, proved {self.proved} of {self.listings} days, {self.requests} requests, "
            f"sources {dict(self.sources)}"
        )


async def live_through(
    url: str, folder: object, world: World, faults: Faults, ticks: Sequence[time] = TICKS
) -> Outcome:
    """Follow a world's categories from its first day until some days after its last, on the database at ``url``."""
    fake = FakeArxiv(world, faults=faults)
    outcome = Outcome()
    with fake.running():
        clock = _Clock(fake)
        database = Database(url, pool_size=3)
        http = make_client("mailto:tests@example.org")
        settings = make_settings(folder, fake.url).model_copy(  # type: ignore[arg-type]
            update={"categories": world.categories, "arxiv_oai_url": fake.oai_url, "arxiv_api_url": fake.api_url}
        )
        tools = Tools(settings, database, Door(database, http, timedelta(0), clock.now), make_summariser())
        try:
            for instant in _instants(world, ticks):
                clock.set(instant)
                await _work(tools)
                if instant.astimezone(EASTERN).time() == ticks[-1]:
                    outcome.lies += await _lies(tools, world)
            await _compare(tools, world, outcome)
        finally:
            await http.aclose()
            await database.close()
        outcome.requests = len(fake.requests)
    return outcome


class _Clock:
    def __init__(self, fake: FakeArxiv) -> None:
        self.fake = fake

    def set(self, instant: datetime) -> None:
        self.fake.today_at = instant

    def now(self) -> datetime:
        return self.fake.now()


def _instants(world: World, ticks: Sequence[time]) -> Iterator[datetime]:
    for number in range((world.last_day - world.first_day).days + 1 + HEALTHY_DAYS):
        day = world.first_day + timedelta(days=number)
        for clock in ticks:
            yield datetime.combine(day, clock, EASTERN).astimezone(UTC)


async def _work(tools: Tools) -> None:
    """Do what is due, as a worker would, one job after the other; a failed one is due again."""
    async with tools.database.transaction() as session:
        polls = await tasks.due_polls(session, tools, tools.now())
    for job in polls:
        await _do(tasks.ingest(tools, **job.args))
    async with tools.database.transaction() as session:
        harvests = await tasks.due_harvests(session, tools, tools.now())
    for job in harvests:
        await _do(tasks.harvest(tools, **job.args))


async def _do(work: Awaitable[object]) -> None:
    with suppress(ZhaiyaoError):
        await work


async def _lies(tools: Tools, world: World) -> list[str]:
    """Days that are called complete and are not."""
    lies = []
    async with tools.database.transaction() as session:
        for listing in await session.scalars(select(Listing).where(Listing.verified_at.is_not(None))):
            truth = {one.arxiv_id: one.announce_type for one in world.batch(listing.category, listing.announced_on)}
            if truth != listing.announced:
                odd = dict(set(truth.items()) ^ set(listing.announced.items()))
                lies.append(f"{tools.now():%m-%d}: {listing.category} {listing.announced_on} {listing.source}: {odd}")
    return lies


async def _compare(tools: Tools, world: World, outcome: Outcome) -> None:
    async with tools.database.transaction() as session:
        rows = list(await session.scalars(select(Announcement)))
        stored = set(await session.scalars(select(Paper.arxiv_id)))
        listings = list(await session.scalars(select(Listing)))
    found = {(row.arxiv_id, row.version, row.category, row.announced_on, row.announce_type) for row in rows}
    outcome.sources.update(row.source for row in rows)
    proved = {(row.category, row.announced_on) for row in listings if row.verified_at is not None}
    for truth in world.announcements:
        key = (truth.arxiv_id, truth.version, truth.category, truth.announced_on, truth.announce_type)
        if truth.arxiv_id not in stored:
            outcome.unstored.append(truth.arxiv_id)
        if key in found:
            found.discard(key)
        elif (truth.category, truth.announced_on) in proved:
            outcome.missing.append(truth)
        else:
            outcome.undecidable.append(truth)
    # What is only concluded, on a day that is not called complete, is no promise.
    estimates = {(row.arxiv_id, row.category, row.announced_on) for row in rows if row.source == "oai"}
    estimates |= {(arxiv_id, row.category, row.announced_on) for row in listings for arxiv_id in row.doubts}
    outcome.wrong = sorted(
        (row for row in found if (row[2], row[3]) in proved or (row[0], row[2], row[3]) not in estimates), key=str
    )
    outcome.listings = len(world.batch_days) * len(world.categories)
    outcome.proved = len(proved & {(name, day) for name in world.categories for day in world.batch_days})
