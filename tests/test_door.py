"""The one polite door to arXiv: turns over processes, rests, conditional requests, and a row for each request."""

import asyncio
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import select, text

from app.delays import retry_after
from app.door import Door, Source, clean_up
from app.errors import FeedRejected, SourceUnavailable
from app.ingestion import Tools
from app.models import Fetch, FetchOutcome, Rest
from tests.fake_arxiv import FakeArxiv, Reply
from tests.feeds import TUESDAY, Item, rss

ROOT = Path(__file__).resolve().parents[1]
BODY = rss("cs.CL", TUESDAY, Item("2601.95001"))
NOON = datetime(2026, 1, 13, 17, tzinfo=UTC)

KNOCK = """
import asyncio, sys
from datetime import timedelta
from app.arxiv.client import make_client
from app.db import Database
from app.door import Door, Source

async def main(database_url, url):
    database, http = Database(database_url, pool_size=2), make_client("mailto:tests@example.org")
    door = Door(database, http, timedelta(seconds=0.3))
    for _ in range(4):
        await door.fetch(Source.FEED, "cs.CL", url)
    await http.aclose()
    await database.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_three_processes_take_turns(fake_arxiv: FakeArxiv, database_url: str) -> None:
    fake_arxiv.serve("cs.CL", Reply(BODY, delay=0.05))
    arguments = (sys.executable, "-c", KNOCK, database_url, f"{fake_arxiv.url}/cs.CL")
    processes = [await asyncio.create_subprocess_exec(*arguments, cwd=ROOT) for _ in range(3)]
    assert [await process.wait() for process in processes] == [0, 0, 0]
    assert len(fake_arxiv.requests) == 12
    # From the end of one to the begin of the next: never two at once, never sooner than the interval.
    assert min(fake_arxiv.gaps()) > 0.25, fake_arxiv.gaps()
    for request in fake_arxiv.requests:
        assert request.headers["User-Agent"].startswith("zhaiyao/")
        assert "mailto:tests@example.org" in request.headers["User-Agent"]
        assert "gzip" in request.headers["Accept-Encoding"]
        assert request.headers["Connection"].lower() in ("close", "keep-alive")


@pytest.fixture
async def door(tools: Tools) -> Door:
    """A door whose clock stands still."""
    return replace(tools.door, now=lambda: NOON)


async def fetches(tools: Tools) -> list[Fetch]:
    async with tools.database.transaction() as session:
        return list(await session.scalars(select(Fetch).order_by(Fetch.id)))


async def rests(tools: Tools) -> dict[str, timedelta]:
    async with tools.database.transaction() as session:
        return {rest.key: rest.until - NOON for rest in await session.scalars(select(Rest))}


async def test_each_request_leaves_a_row(tools: Tools, door: Door, fake_arxiv: FakeArxiv) -> None:
    fake_arxiv.serve("cs.CL", Reply(BODY, headers={"Via": "1.1 varnish", "X-Cache": "MISS"}))
    await door.fetch(Source.FEED, "cs.CL", f"{fake_arxiv.url}/cs.CL")
    [row] = await fetches(tools)
    assert (row.source, row.target, row.status, row.size, row.outcome) == ("feed", "cs.CL", 200, len(BODY), "ok")
    assert row.started_at == NOON
    assert row.duration is not None
    assert row.headers["x-cache"] == "MISS"
    assert row.body is not None
    assert len(row.body) < len(BODY)
    async with tools.database.transaction() as session:
        await clean_up(session, NOON + timedelta(days=29))
    assert (await fetches(tools))[0].body is not None
    async with tools.database.transaction() as session:
        await clean_up(session, NOON + timedelta(days=31))
    assert [row.body for row in await fetches(tools)] == [None]


@pytest.mark.parametrize("status", [406, 408, 425, 429, 500, 502, 503, 504])
async def test_a_refusal_is_later_and_the_delay_grows(tools: Tools, fake_arxiv: FakeArxiv, status: int) -> None:
    fake_arxiv.serve("cs.CL", Reply(b"", status))
    now = NOON
    delays = []
    for number in range(1, 9):
        door = replace(tools.door, now=lambda at=now: at)  # type: ignore[misc]
        with pytest.raises(SourceUnavailable) as refused:
            await door.fetch(Source.FEED, "cs.CL", f"{fake_arxiv.url}/cs.CL")
        delays.append((refused.value.retry_at - now).total_seconds())
        assert len(fake_arxiv.requests) == number
        # While it rests nobody asks.
        with pytest.raises(SourceUnavailable) as resting:
            await door.fetch(Source.FEED, "cs.CL", f"{fake_arxiv.url}/cs.CL")
        assert (resting.value.reason, resting.value.retry_at) == ("resting", refused.value.retry_at)
        now = refused.value.retry_at
    assert len(fake_arxiv.requests) == 8
    assert 20 < delays[0] < 40
    assert all(later > earlier * 1.1 for earlier, later in pairwise(delays[:5])), delays
    assert max(delays) < 1.26 * 1800
    assert len(set(delays)) == 8  # jittered
    assert {row.outcome for row in await fetches(tools)} == {FetchOutcome.LATER}


async def test_success_ends_a_rest(tools: Tools, fake_arxiv: FakeArxiv) -> None:
    fake_arxiv.serve("cs.CL", Reply(b"", 503), Reply(BODY))
    url = f"{fake_arxiv.url}/cs.CL"
    with pytest.raises(SourceUnavailable):
        await replace(tools.door, now=lambda: NOON).fetch(Source.FEED, "cs.CL", url)
    fetched = await replace(tools.door, now=lambda: NOON + timedelta(hours=1)).fetch(Source.FEED, "cs.CL", url)
    assert fetched.body == BODY
    assert await rests(tools) == {}


async def test_retry_after_is_obeyed_by_the_whole_source(tools: Tools, door: Door, fake_arxiv: FakeArxiv) -> None:
    fake_arxiv.serve("cs.CL", Reply(b"", 429, {"Retry-After": "7200"}))
    fake_arxiv.serve("stat.ML", BODY)
    with pytest.raises(SourceUnavailable) as refused:
        await door.fetch(Source.FEED, "cs.CL", f"{fake_arxiv.url}/cs.CL")
    assert refused.value.retry_at == NOON + timedelta(hours=2)
    with pytest.raises(SourceUnavailable):
        await door.fetch(Source.FEED, "stat.ML", f"{fake_arxiv.url}/stat.ML")
    assert await door.fetch(Source.OAI, "cs:cs:CL", f"{fake_arxiv.url}/stat.ML")


async def test_one_refused_category_does_not_sink_the_rest(tools: Tools, door: Door, fake_arxiv: FakeArxiv) -> None:
    fake_arxiv.serve("cs.CL", Reply(b"", 406))
    fake_arxiv.serve("stat.ML", BODY)
    with pytest.raises(SourceUnavailable):
        await door.fetch(Source.FEED, "cs.CL", f"{fake_arxiv.url}/cs.CL")
    assert (await door.fetch(Source.FEED, "stat.ML", f"{fake_arxiv.url}/stat.ML")).body == BODY


async def test_403_stops_the_source_for_hours_and_says_so(tools: Tools, door: Door, fake_arxiv: FakeArxiv) -> None:
    fake_arxiv.serve("cs.CL", Reply(b"", 403))
    fake_arxiv.serve("stat.ML", BODY)
    with pytest.raises(SourceUnavailable, match="refuses to answer"):
        await door.fetch(Source.FEED, "cs.CL", f"{fake_arxiv.url}/cs.CL")
    with pytest.raises(SourceUnavailable, match="refuses to answer"):
        await door.fetch(Source.FEED, "stat.ML", f"{fake_arxiv.url}/stat.ML")
    assert (await rests(tools))["feed"] > timedelta(hours=4)
    assert [row.outcome for row in await fetches(tools)] == [FetchOutcome.REFUSED]


async def test_a_conditional_request_spares_the_body(tools: Tools, door: Door, fake_arxiv: FakeArxiv) -> None:
    fake_arxiv.serve("cs.CL", Reply(BODY, headers={"ETag": '"abc"'}), Reply(b"", 304))
    url = f"{fake_arxiv.url}/cs.CL"
    first, second = await door.fetch(Source.FEED, "cs.CL", url), await door.fetch(Source.FEED, "cs.CL", url)
    assert "If-None-Match" not in fake_arxiv.requests[0].headers
    assert fake_arxiv.requests[1].headers["If-None-Match"] == '"abc"'
    assert (first.modified, second.modified, second.body) == (True, False, BODY)
    assert [(row.outcome, row.body_of is not None) for row in await fetches(tools)] == [
        ("ok", False), ("not_modified", True),
    ]  # fmt: skip


async def test_each_redirect_waits_for_its_turn(tools: Tools, fake_arxiv: FakeArxiv) -> None:
    fake_arxiv.serve("old", Reply(b"", 301, {"Location": "/rss/cs.CL"}))
    fake_arxiv.serve("cs.CL", BODY)
    door = replace(tools.door, interval=timedelta(seconds=0.3))
    assert (await door.fetch(Source.FEED, "cs.CL", f"{fake_arxiv.url}/old")).body == BODY
    assert min(fake_arxiv.gaps()) > 0.25
    assert [row.outcome for row in await fetches(tools)] == ["redirected", "ok"]


async def test_redirects_without_end_are_refused(tools: Tools, door: Door, fake_arxiv: FakeArxiv) -> None:
    fake_arxiv.serve("a", Reply(b"", 302, {"Location": "a"}))
    with pytest.raises(FeedRejected, match="redirects"):
        await door.fetch(Source.FEED, "a", f"{fake_arxiv.url}/a")


async def test_a_killed_request_leaves_a_trace(tools: Tools, door: Door, fake_arxiv: FakeArxiv) -> None:
    async with tools.database.transaction() as session:
        session.add(Fetch(source="feed", target="cs.CL", url="x", started_at=NOON, outcome=FetchOutcome.RUNNING))
    fake_arxiv.serve("cs.CL", BODY)
    await door.fetch(Source.FEED, "cs.CL", f"{fake_arxiv.url}/cs.CL")
    assert [row.outcome for row in await fetches(tools)] == ["interrupted", "ok"]


async def test_who_holds_the_door_too_long_loses_it(
    tools: Tools, door: Door, fake_arxiv: FakeArxiv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.door._LONGEST_HOLD", timedelta(seconds=1))
    fake_arxiv.serve("cs.CL", BODY)
    async with tools.database.engine.connect() as suspended:
        await suspended.execute(text("SELECT pg_advisory_lock(hashtext('arxiv'))"))
        assert (await door.fetch(Source.FEED, "cs.CL", f"{fake_arxiv.url}/cs.CL")).body == BODY
        await suspended.invalidate()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0), ("", 0), ("120", 120), (" 120 ", 120),
        ("1.0", 1), ("1." + "0" * 20, 0), ("-5", 0), ("soon", 0), ("1e9", 0), ("99999999", 86_400),
        ("Tue, 13 Jan 2026 17:10:00 GMT", 600), ("Tue, 13 Jan 2026 16:00:00 GMT", 0),
    ],
)  # fmt: skip
def test_retry_after(value: str | None, seconds: int) -> None:
    assert retry_after(value, NOON) == timedelta(seconds=seconds)
