"""The service's root: each followed channel with its newest digest and the state of today's listing, told apart."""

import re
import time
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import event

from app.arxiv import taxonomy
from app.ingestion import Tools
from tests.api import eastern, execute
from tests.feeds import TUESDAY, WEDNESDAY
from tests.web.conftest import Visit
from tests.web.reading import card, read, seen
from tests.web.scene import put_channel, put_digest, put_listing

SATURDAY = date(2026, 1, 17)


async def test_nothing_was_read_yet(visit: Visit) -> None:
    """The page says what to do, and when something comes by itself."""
    async with visit() as client:
        page = read(await client.get("/"))
    assert "Nothing was read yet" in seen(page)
    assert "zhaiyao ingest cs.CL" in seen(page.find(".//pre"))
    assert "There is no digest yet" in seen(card(page, "cs.CL"))
    assert "not yet announced" in seen(card(page, "cs.CL"))


async def test_a_channel_with_its_newest_digest(visit: Visit, tools: Tools) -> None:
    await put_listing(tools, WEDNESDAY, papers=7)
    await put_digest(tools, TUESDAY)
    newest = await put_digest(tools, WEDNESDAY, summarized=4, pending=2, failed=1, missing=("2601.99999",))
    await put_digest(tools, WEDNESDAY + timedelta(days=1), revision=0, id="draft")
    async with visit() as client:
        page = read(await client.get("/"))
    shown = card(page, "cs.CL")
    assert f"/v1/digests/{newest}.html" in shown.xpath(".//@href")
    for part in (
        "January 14, 2026",
        "Papers 7",
        "summarised 4",
        "pending 2",
        "failed 1",
        "missing 1",
        "announced cs.CL (7)",
    ):
        assert part in seen(shown)
    assert not [one for one in page.xpath("//@href") if "draft" in one]
    assert "Nothing was read yet" not in seen(page)
    for suffix in ("atom", "rss", "json"):
        assert f"/v1/channels/cs.CL/feed.{suffix}" in shown.xpath(".//@href")
        assert page.xpath(f"//link[@rel='alternate'][@href='/v1/channels/cs.CL/feed.{suffix}']/@type")


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("announced", "announced"),
        ("empty", "empty"),
        ("not_yet", "not yet announced"),
        ("stale", "stale"),
        ("truncated", "cut short"),
        ("failed", "failed"),
    ],
)
async def test_each_state_in_words(visit: Visit, tools: Tools, state: str, word: str) -> None:
    await put_listing(tools, WEDNESDAY, state, reason="It was <so> & so." if state in ("failed", "stale") else None)
    async with visit() as client:
        shown = card(read(await client.get("/")), "cs.CL")
    [badge] = shown.xpath(".//*[starts-with(@class, 'state')][not(self::div)]")
    assert seen(badge) == word
    assert ("It was <so> & so." in seen(shown)) == (state in ("failed", "stale"))


async def test_a_day_that_nobody_read_is_no_quiet_day(visit: Visit) -> None:
    """On Saturday, Friday's listing is the one that is due, and can no longer be read."""
    async with visit(eastern(SATURDAY, 12)) as client:
        page = read(await client.get("/"))
    assert "not read" in seen(card(page, "cs.CL"))
    assert "January 16, 2026" in seen(page.find(".//header"))


@pytest.mark.parametrize(
    ("now", "local", "utc"),
    [
        (eastern(WEDNESDAY, 9), "Wed, Jan 14, 2026 20:00", "Thu, Jan 15, 2026 01:00 UTC"),
        (eastern(SATURDAY, 9), "Sun, Jan 18, 2026 20:00", "Mon, Jan 19, 2026 01:00 UTC"),
        (eastern(date(2026, 7, 7), 21), "Wed, Jul 8, 2026 20:00", "Thu, Jul 9, 2026 00:00 UTC"),
    ],
)
async def test_when_the_next_announcement_is_due(visit: Visit, now: datetime, local: str, utc: str) -> None:
    async with visit(now) as client:
        header = seen(read(await client.get("/")).find(".//header"))
    assert local in header
    assert utc in header


async def test_the_channels_of_users_stand_before_categories(visit: Visit, tools: Tools) -> None:
    await put_channel(tools, "mine", "Mine & <b>yours</b>", "cs.CL", "math.NA", "econ")
    await put_listing(tools, WEDNESDAY, papers=4, category="math.NA")
    await put_listing(tools, WEDNESDAY, papers=2, category="econ.EM")
    async with visit() as client:
        page = read(await client.get("/"))
    assert [seen(one) for one in page.xpath("//article/h3")] == [
        "Mine & <b>yours</b>",
        "Computation and Language (cs.CL)",
    ]
    states = seen(card(page, "mine").xpath(".//div[@class='states']")[0])
    assert "announced math.NA (4), econ.EM (2)" in states
    assert "not yet announced cs.CL" in states


async def test_every_category_of_arxiv_is_one_link_away(visit: Visit) -> None:
    async with visit() as client:
        page = read(await client.get("/"))
    linked = {one.removeprefix("/channels/") for one in page.xpath("//section[@aria-labelledby='all']//@href")}
    expected = {one.canonical for one in taxonomy.CATEGORIES if one.active}
    expected |= {one.canonical for one in taxonomy.ARCHIVES if one.active}
    assert linked == expected
    for address in ("/docs", "/openapi.json"):
        assert page.xpath(f"//a[@href='{address}']")


async def test_the_backlog_and_what_stops_it(visit: Visit, tools: Tools) -> None:
    await execute(
        tools,
        "INSERT INTO papers (arxiv_id, order_key, abstract_hash) SELECT n, n, 'h' FROM unnest(ARRAY['a', 'b', 'c']) AS n",
    )
    await execute(
        tools,
        "INSERT INTO summaries (arxiv_id, abstract_hash, language, status, origin) SELECT n, 'h', 'zh', s, 'llm'"
        " FROM unnest(ARRAY['a', 'b', 'c'], ARRAY['pending', 'running', 'failed']) AS one(n, s)",
    )
    await execute(
        tools, "INSERT INTO model_states (name, stopped_at, reason) VALUES ('gpt <x>', now(), 'The key is refused.')"
    )
    await execute(
        tools,
        "INSERT INTO rests (key, until, reason, failures) VALUES ('feed:cs.CL', '2026-01-14 18:00+00', 'it answered 503 <b>', 1)",
    )
    async with visit() as client:
        header = seen(read(await client.get("/")).find(".//header"))
    assert "Summaries waiting 2" in header
    assert "gpt <x> (The key is refused.)" in header
    assert "it answered 503 <b>" in header


async def test_of_two_languages_the_readers(visit: Visit, tools: Tools) -> None:
    for language in ("zh", "en", "zh-Hant"):
        await put_digest(tools, WEDNESDAY, language=language)
    async with visit() as client:
        for language, expected in (("en", "-en"), ("zh-CN", "-zh"), ("zh-TW", "-zh-hant")):
            page = read(await client.get("/", params={"language": language}))
            [link] = card(page, "cs.CL").xpath(".//a[starts-with(@href, '/v1/digests/')]/@href")
            assert link.endswith(f"{expected}.html")


async def test_the_same_page_is_not_sent_twice(visit: Visit, tools: Tools) -> None:
    await put_listing(tools, WEDNESDAY)
    async with visit() as client:
        first = await client.get("/")
        tag = first.headers["etag"]
        assert re.fullmatch(r'"[0-9a-f]{32}"', tag)
        again = await client.get("/", headers={"If-None-Match": f'"other", W/{tag}'})
        assert again.status_code == 304 and not again.content and again.headers["etag"] == tag
        assert again.headers["vary"] == "Accept-Language" and again.headers["cache-control"] == "no-cache"
        head = await client.head("/")
        assert head.status_code == 200 and not head.content and head.headers["etag"] == tag
        await put_digest(tools, WEDNESDAY)
        changed = await client.get("/", headers={"If-None-Match": tag})
        assert changed.status_code == 200 and changed.headers["etag"] != tag


async def test_a_few_statements_however_much_is_followed(visit: Visit, tools: Tools) -> None:
    """155 channels, 1,000 digests: as many statements as for one channel."""
    categories = [one.id for one in taxonomy.CATEGORIES if one.id == one.canonical]
    for number, category in enumerate(categories):
        await put_channel(tools, f"c{number:03}", f"Channel {number}", category, "cs.CL")
    await execute(
        tools,
        "INSERT INTO digests (id, kind, channel, title, period_from, period_to, language, revision)"
        " SELECT 'd' || n, 'channel', 'c' || lpad((n % 150)::text, 3, '0'), 'D', day, day, 'zh', 1"
        " FROM generate_series(1, 1000) AS n, LATERAL (SELECT date '2026-01-14' - n / 150 AS day) AS one",
    )
    await execute(
        tools,
        "INSERT INTO digest_revisions (digest_id, revision, content_hash, receipt) SELECT id, 1, 'x', CAST(:receipt AS jsonb)"
        " FROM digests",
        receipt='{"announced": 1, "stored": 1, "summarized": 1, "pending": 0, "failed": 0, "missing": []}',
    )
    asked: list[str] = []
    engine = tools.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    async with visit() as client:
        read(await client.get("/"))
        home, asked[:] = asked[:], []
        started = time.perf_counter()
        page = read(await client.get("/"))
        assert time.perf_counter() - started < 5  # about a tenth of a second on an idle machine
        asked.clear()
        read(await client.get("/channels/c000"))
    assert len(page.xpath("//article")) == len(categories) + 1
    assert len(home) <= 6, home
    assert len(asked) <= 6, asked
