"""Harvesting over OAI-PMH: pages, tokens, errors, interruption, and what it fills in and repairs."""

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import func, select

from app.door import Door
from app.errors import FeedRejected, OaiError, SourceUnavailable
from app.harvesting import Report, due_from, harvest
from app.harvests import Wanted, first_window, window_after
from app.ingestion import Tools, ingest
from app.models import Announcement, Coverage, Harvest, Listing, Paper
from tests.fake_arxiv import FakeArxiv, Fault, Reply, World
from tests.fake_arxiv.world import DAY, midnight
from tests.process_tools import CommandLine, ask, query, wait_until

CL = "cs:cs:CL"
WORLD = World(5, categories=("cs.CL", "stat.ML"), per_day=6)
END = WORLD.last_day + DAY
KILLS = int(os.environ.get("KILLS", "3"))


@pytest.fixture
def fake() -> Iterator[FakeArxiv]:
    """The fake arXiv after its month, in pages of ten records."""
    fake = FakeArxiv(WORLD, page_size=10)
    fake.today_at = midnight(END) + timedelta(hours=12)
    with fake.running():
        yield fake


@pytest.fixture
async def arxiv(tools: Tools, fake: FakeArxiv) -> Tools:
    """The application on the fake arXiv and its clock."""
    addresses = {"arxiv_feed_url": fake.url, "arxiv_oai_url": fake.oai_url, "arxiv_api_url": fake.api_url}
    door = Door(tools.database, tools.door.http, timedelta(0), lambda: fake.now())
    return replace(tools, settings=tools.settings.model_copy(update=addresses), door=door)


async def whole(arxiv: Tools, from_on: date = WORLD.first_day, set_spec: str = CL) -> Report:
    return await harvest(arxiv, Wanted(set_spec, from_on))


def visible(fake: FakeArxiv, category: str = "cs.CL", since: date = WORLD.first_day) -> dict[str, int]:
    """The papers of a category that were modified since then, with their newest versions."""
    return {
        paper.arxiv_id: paper.version
        for paper in WORLD.papers_at(fake.now())
        if category in paper.categories and paper.datestamp >= since
    }


async def stored(arxiv: Tools) -> dict[str, int | None]:
    async with arxiv.database.transaction() as session:
        rows = (await session.execute(select(Paper.arxiv_id, Paper.version))).all()
        return {arxiv_id: version for arxiv_id, version in rows}  # noqa: C416


async def test_every_field_is_filled(arxiv: Tools, fake: FakeArxiv) -> None:
    report = await whole(arxiv)
    assert await stored(arxiv) == visible(fake)
    assert report.records == len(visible(fake))
    assert report.pages > 3
    async with arxiv.database.transaction() as session:
        for paper in await session.scalars(select(Paper)):
            truth = WORLD.paper_at(paper.arxiv_id, fake.now())
            assert truth is not None
            assert paper.submitted_at == truth.versions[0].submitted_at.replace(microsecond=0)
            assert paper.updated_at == truth.versions[-1].submitted_at.replace(microsecond=0)
            assert [one["version"] for one in paper.versions] == [one.number for one in truth.versions]
            assert (paper.license, paper.comments, paper.doi) == (truth.license, truth.comments, truth.doi)
            assert (paper.journal_ref, paper.withdrawn) == (truth.journal_ref, truth.withdrawn)
            assert (tuple(paper.categories), paper.datestamp) == (truth.categories, truth.datestamp)


async def test_the_second_run_changes_nothing(arxiv: Tools, fake: FakeArxiv) -> None:
    await whole(arxiv)
    again = await whole(arxiv)
    assert again.counts["papers_created"] == again.counts["papers_changed"] == 0
    assert again.counts.get("announcements_created", 0) == 0


async def test_a_withdrawal_is_seen_and_undone_when_the_paper_comes_back(arxiv: Tools, fake: FakeArxiv) -> None:
    events = [event for event in WORLD.events if event.kind in ("withdrawal", "restoration")]
    restored = next(event for event in events if event.kind == "restoration")
    gone = next(event for event in events if event.arxiv_id == restored.arxiv_id and event.kind == "withdrawal")
    paper = WORLD.paper_at(restored.arxiv_id, fake.now())
    assert paper is not None
    spec = CL if "cs.CL" in paper.categories else "stat:stat:ML"
    assert gone.day is not None
    seen = []
    for day in (gone.day, END):
        fake.today_at = midnight(day) + timedelta(hours=12)
        await whole(arxiv, set_spec=spec)
        async with arxiv.database.transaction() as session:
            row = await session.get_one(Paper, restored.arxiv_id)
            seen.append((row.withdrawn, row.version))
    assert seen == [(True, gone.version), (False, paper.version)]


async def test_an_expired_token_begins_the_window_again(arxiv: Tools, fake: FakeArxiv) -> None:
    fake.faults.add(Fault.expired_token().first(2))
    report = await whole(arxiv)
    assert report.counts["restarts"] >= 1
    assert await stored(arxiv) == visible(fake)


async def test_a_list_that_moves_while_it_is_read_loses_nothing(arxiv: Tools, fake: FakeArxiv) -> None:
    """A token is an offset: behind a record that is edited meanwhile, and so leaves its place, another would be skipped."""
    first, then = (midnight(WORLD.batch_days[number]) + timedelta(hours=3) for number in (10, 13))
    fake.today_at = first
    answer = fake.next_reply

    def move_on(path: str) -> Reply:
        # Long enough for edits and new batches, but on the same day of the token.
        if "resumptionToken" in path and len(fake.requests) == 3:
            fake.faults.clear()
            fake.today_at = then
        return answer(path)

    fake.next_reply = move_on  # type: ignore[method-assign]
    await whole(arxiv)
    await whole(arxiv, from_on=first.date())
    assert (await stored(arxiv)).items() >= visible(fake).items()


@pytest.mark.parametrize(
    "code",
    ["badVerb", "badArgument", "cannotDisseminateFormat", "idDoesNotExist", "noMetadataFormats", "noSetHierarchy"],
)
async def test_a_protocol_error_fails_the_harvest_with_its_word(arxiv: Tools, fake: FakeArxiv, code: str) -> None:
    body = (
        '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><responseDate>2026-02-04T00:00:00Z</responseDate>'
        f'<request>x</request><error code="{code}">Something. Reason: no.</error></OAI-PMH>'
    )
    fake.serve_path("/oai", body.encode())
    with pytest.raises(OaiError) as failed:
        await whole(arxiv)
    assert failed.value.reason == code
    async with arxiv.database.transaction() as session:
        row = (await session.scalars(select(Harvest))).one()
    assert row.state == "failed"
    assert row.detail


async def test_no_records_on_a_day_with_an_announcement_prove_nothing(arxiv: Tools, fake: FakeArxiv) -> None:
    """An early answer that a cache keeps must not make an empty day (FACTS 3.6)."""
    fake.faults.add(Fault.no_records())
    report = await whole(arxiv)
    assert report.records == 0
    async with arxiv.database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Coverage)) == 0
        assert await session.scalar(select(func.count()).select_from(Listing)) == 0


async def test_pages_that_cannot_be_read_are_asked_for_again_and_then_fail(arxiv: Tools, fake: FakeArxiv) -> None:
    fake.faults.add(Fault.html("oai").first(3))
    await whole(arxiv)
    assert await stored(arxiv) == visible(fake)
    fake.faults.add(Fault.html("oai"))
    with pytest.raises(FeedRejected):
        await whole(arxiv, from_on=END - DAY)


async def test_an_interrupted_harvest_goes_on_where_it_was(arxiv: Tools, fake: FakeArxiv) -> None:
    fake.faults.add(Fault.status(503, "oai", retry_after=60).between(fake.now() + DAY, None))
    answer = fake.next_reply
    pages = 0

    def later(path: str) -> Reply:
        nonlocal pages
        pages += 1
        return Reply(b"", 503) if pages == 4 else answer(path)

    fake.next_reply = later  # type: ignore[method-assign]
    with pytest.raises(SourceUnavailable):
        await whole(arxiv)
    asked = len(fake.requests)
    fake.today_at = fake.now() + timedelta(hours=1)
    report = await whole(arxiv)
    assert report.resumed
    assert await stored(arxiv) == visible(fake)
    # The three pages that were stored are not asked for again.
    assert "resumptionToken" in fake.requests[asked].path


async def test_two_at_once_is_a_conflict_and_harms_nothing(arxiv: Tools, fake: FakeArxiv) -> None:
    results = await asyncio.gather(whole(arxiv), whole(arxiv), return_exceptions=True)
    assert any(isinstance(result, Report) for result in results)
    assert await stored(arxiv) == visible(fake)


async def test_lost_announcements_are_made_good_and_marked(arxiv: Tools, fake: FakeArxiv) -> None:
    """The feed of one day was never read: its papers are announced all the same, on their day, with their types."""
    lost, read = WORLD.batch_days[3], WORLD.batch_days[4]
    for day in (*WORLD.batch_days[:3], read):
        fake.today_at = midnight(day) + timedelta(hours=3)
        await ingest(arxiv, "cs.CL", compose=False)
        fake.today_at = midnight(day + DAY) - timedelta(minutes=20)
        await harvest(arxiv, Wanted(CL, WORLD.first_day - DAY))
    async with arxiv.database.transaction() as session:
        rows = (await session.scalars(select(Announcement).where(Announcement.announced_on == lost))).all()
        listing = await session.get_one(Listing, ("cs.CL", lost))
    truth = {one.arxiv_id: one.announce_type for one in WORLD.batch("cs.CL", lost) if one.announce_type == "new"}
    assert truth.items() <= {row.arxiv_id: row.announce_type for row in rows}.items()
    assert {row.source for row in rows} == {"oai"}
    assert (listing.state, listing.source) == ("announced", "oai")


def test_windows_follow_one_another_without_a_gap() -> None:
    today = date(2026, 2, 4)
    wanted = Wanted(CL, date(2025, 11, 1), date(2026, 1, 31))
    row = Harvest(set_spec=CL, prefix="arXivRaw", from_on=wanted.from_on, until_on=wanted.until_on)
    days: list[date] = []
    window: tuple[date, date | None] | None = first_window(wanted, today)
    while window is not None:
        row.window_from, row.window_until = window
        assert row.window_until is not None
        days += [row.window_from + number * DAY for number in range((row.window_until - row.window_from).days + 1)]
        window = window_after(row, today)
    assert days == [wanted.from_on + number * DAY for number in range(92)]
    assert due_from(None, today) == date(2026, 1, 28)
    assert due_from(date(2026, 2, 3), today) == date(2026, 2, 2)


async def test_a_harvest_that_is_killed_again_and_again_ends_complete(
    database_url: str, fake: FakeArxiv, tmp_path: Path
) -> None:
    chance = Random(f"kills of {database_url[-3:]}")
    fake.faults.add(Fault.slow("oai", delay=0.1, pause=0.0))
    commands = CommandLine(tmp_path, database_url=database_url, arxiv_feed_url=fake.url, arxiv_oai_url=fake.oai_url)
    harvesting = ("harvest", "--set", "cs.CL", "--from", "2026-01-05", "--until", "2026-02-03")
    try:
        for _ in range(KILLS):
            running = commands.start(*harvesting)
            asked = len(fake.requests)
            await asyncio.to_thread(wait_until, lambda asked=asked: len(fake.requests) > asked, "a request")
            await asyncio.sleep(chance.uniform(0, 0.6))
            running.process.kill()
            assert await asyncio.to_thread(running.process.wait) in (0, -signal.SIGKILL)
        done = await asyncio.to_thread(commands.run, *harvesting)
    finally:
        commands.end()
    assert done.code == 0, done
    found = visible(fake)
    assert set(query(database_url, "SELECT arxiv_id FROM papers")) == found.keys()
    assert ask(database_url, "SELECT count(*) - count(DISTINCT (arxiv_id, raw_hash)) FROM paper_entries") == 0
    repeated = "SELECT count(*) - count(DISTINCT (arxiv_id, version, category)) FROM announcements"
    assert ask(database_url, repeated) == 0
    assert ask(database_url, "SELECT count(*) FROM harvests WHERE state = 'running'") == 0
