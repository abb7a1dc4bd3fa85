"""Freshness and the calendar over HTTP: every unconfirmed day is named, whatever kept it from being confirmed."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.errors import FeedRejected
from app.ingestion import Tools, ingest
from app.main import create_app
from tests.api import at, caller, eastern, execute, ok, problem, store
from tests.feeds import TUESDAY, WEDNESDAY, Item

MONDAY = date(2026, 1, 12)
THURSDAY = date(2026, 1, 15)
FRIDAY = date(2026, 1, 16)
SATURDAY = date(2026, 1, 17)
NEXT_MONDAY = date(2026, 1, 19)
HOLIDAY = date(2026, 1, 20)
"""A Tuesday without a batch: on the evening before there was no mailing."""

PAPER = Item("2601.95001")


async def get(tools: Tools, instant: datetime, path: str = "/v1/freshness", **params: Any) -> Any:
    """What the service says at an instant."""
    async with caller(create_app(at(tools, instant))) as client:
        return ok(await client.get(path, params=params))


async def of_category(tools: Tools, instant: datetime, category: str = "cs.CL") -> dict[str, Any]:
    """How one category stands at an instant."""
    [item] = [one for one in (await get(tools, instant))["items"] if one["category"] == category]
    return dict(item)


async def alerts(tools: Tools, instant: datetime) -> list[tuple[str, str | None]]:
    """The kinds of alerts at an instant and their categories, after checking that each is a sentence that names it."""
    found = (await get(tools, instant))["alerts"]
    for alert in found:
        assert alert["message"].endswith("."), alert
        if alert["category"] is not None:
            assert alert["category"].replace(".", ":") in alert["message"].replace(".", ":")
    return [(alert["kind"], alert["category"]) for alert in found]


async def follow(tools: Tools, *categories: str) -> None:
    """Have a user's channel."""
    async with caller(create_app(tools)) as client:
        ok(await client.post("/v1/channels", json={"slug": "mine", "title": "M", "categories": categories}), 201)


async def put(
    tools: Tools,
    day: date,
    state: str = "announced",
    *,
    category: str = "cs.CL",
    reason: str | None = None,
    verified: bool = False,
) -> None:
    """Have a listing, whatever was there."""
    await execute(
        tools,
        "INSERT INTO listings (category, announced_on, state, reason, announced, source, verified_at, first_read_at)"
        " VALUES (:category, :day, :state, :reason, :announced, 'test', CASE WHEN :verified THEN now() END, :read_at)"
        " ON CONFLICT (category, announced_on) DO UPDATE SET state = excluded.state, reason = excluded.reason,"
        " verified_at = excluded.verified_at",
        category=category, day=day, state=state, reason=reason, verified=verified, read_at=eastern(day, 1),
        announced='{"2601.95001": "new"}' if state == "announced" else "{}",
    )  # fmt: skip


async def confirm(tools: Tools, day: date) -> None:
    """Have OAI-PMH confirm a listing."""
    await execute(tools, "UPDATE listings SET verified_at = now() WHERE announced_on = :day", day=day)


async def harvested(tools: Tools, before: date, set_spec: str = "cs:cs:CL") -> None:
    """Have OAI-PMH harvested up to a day."""
    await execute(
        tools,
        "INSERT INTO coverages (set_spec, covered_from, covered_before, harvested_at)"
        " VALUES (:set_spec, :from_, :before, :at) ON CONFLICT (set_spec) DO UPDATE SET covered_before = :before",
        set_spec=set_spec, from_=date(2026, 1, 1), before=before, at=datetime(2026, 1, 14, 4, 40, tzinfo=UTC),
    )  # fmt: skip


async def rest(tools: Tools, key: str, until: datetime, reason: str = "HTTP status 503.") -> None:
    """Have a source rest."""
    await execute(
        tools,
        "INSERT INTO rests (key, until, failures, reason) VALUES (:key, :until, 1, :reason)",
        key=key,
        until=until,
        reason=reason,
    )


# One category


async def test_before_anything_was_read(tools: Tools) -> None:
    report = await get(tools, eastern(WEDNESDAY, 9))
    assert (report["now"], report["time_zone"]) == ("2026-01-14T14:00:00Z", "America/New_York")
    [item] = report["items"]
    unread = "No listing of this day was read yet."
    assert item == {
        "category": "cs.CL", "last_batch": None, "age": None, "due_batch": "2026-01-14", "state": "not_yet", "reason": unread,
        "complete": False, "last_complete": None,
        "unsettled": [{"announced_on": "2026-01-14", "state": "not_yet", "reason": unread}],
        "last_read_at": None, "resting_until": None, "resting_reason": None, "harvested_at": None, "covered_before": None,
    }  # fmt: skip
    assert report["alerts"] == []


async def test_a_batch_that_was_read_is_fresh_and_complete_once_it_is_confirmed(tools: Tools, tmp_path: Path) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, PAPER)
    item = await of_category(tools, eastern(TUESDAY, 12))
    assert (item["last_batch"], item["age"], item["state"], item["reason"]) == ("2026-01-13", 0, "announced", None)
    assert (item["complete"], item["last_complete"]) == (False, None)
    assert item["unsettled"] == [
        {"announced_on": "2026-01-13", "state": "announced", "reason": "OAI-PMH has not confirmed it yet."}
    ]
    assert item["last_read_at"] is not None
    await confirm(tools, TUESDAY)
    item = await of_category(tools, eastern(TUESDAY, 12))
    assert (item["complete"], item["last_complete"], item["unsettled"]) == (True, "2026-01-13", [])
    # The next batch is due, and nobody has read it.
    item = await of_category(tools, eastern(WEDNESDAY))
    assert (item["due_batch"], item["state"], item["complete"], item["age"]) == ("2026-01-14", "not_yet", False, 1)
    assert (item["last_batch"], item["last_complete"]) == ("2026-01-13", "2026-01-13")
    assert [one["announced_on"] for one in item["unsettled"]] == ["2026-01-14"]


async def test_a_day_that_nobody_read_is_named_for_two_weeks(tools: Tools) -> None:
    await put(tools, MONDAY, verified=True)
    await put(tools, WEDNESDAY, verified=True)
    await put(tools, FRIDAY, "empty")
    item = await of_category(tools, eastern(FRIDAY, 12))
    assert [(one["announced_on"], one["state"]) for one in item["unsettled"]] == [
        ("2026-01-13", "not_yet"),
        ("2026-01-15", "not_yet"),
        ("2026-01-16", "empty"),
    ]
    assert "a harvest over OAI-PMH can tell" in item["unsettled"][0]["reason"]
    assert (item["last_batch"], item["age"], item["last_complete"]) == ("2026-01-14", 2, "2026-01-14")
    days = [one["announced_on"] for one in (await of_category(tools, eastern(date(2026, 1, 27), 12)))["unsettled"]]
    assert days[0] == "2026-01-13"
    assert "2026-01-20" not in days  # no mailing on the evening before
    assert days[-1] == "2026-01-27"
    assert "2026-01-13" not in [
        one["announced_on"] for one in (await of_category(tools, eastern(date(2026, 1, 28), 12)))["unsettled"]
    ]


async def test_days_before_a_category_was_read_are_nobodys(tools: Tools) -> None:
    await put(tools, THURSDAY, verified=True)
    assert (await of_category(tools, eastern(FRIDAY, 1)))["unsettled"][0]["announced_on"] == "2026-01-16"
    # Read for the first time at a weekend, when nothing is due.
    await put(tools, SATURDAY, "empty", category="cs.LG")
    await follow(tools, "cs.LG")
    item = await of_category(tools, eastern(SATURDAY, 12), "cs.LG")
    assert [one["announced_on"] for one in item["unsettled"]] == ["2026-01-16"]


@pytest.mark.parametrize("state", ["announced", "empty", "not_yet", "stale", "truncated", "failed"])
async def test_the_state_of_the_batch_that_is_due_is_shown_with_its_reason(tools: Tools, state: str) -> None:
    await put(tools, TUESDAY, verified=True)
    await put(tools, WEDNESDAY, state, reason="The reason why.")
    item = await of_category(tools, eastern(WEDNESDAY, 9))
    assert (item["state"], item["reason"], item["complete"]) == (state, "The reason why.", False)
    assert item["unsettled"] == [{"announced_on": "2026-01-14", "state": state, "reason": "The reason why."}]
    assert item["last_batch"] == ("2026-01-14" if state in ("announced", "truncated") else "2026-01-13")


async def test_a_reading_that_fails_is_a_state_of_its_own(tools: Tools) -> None:
    """The fake arXiv has no such listing: HTTP status 404."""
    now = at(tools, eastern(WEDNESDAY, 1))
    async with caller(create_app(now)) as client:
        with pytest.raises(FeedRejected):
            await ingest(now, "cs.CL")
        [item] = ok(await client.get("/v1/freshness"))["items"]
    assert (item["state"], item["last_batch"], item["complete"]) == ("failed", None, False)
    assert "404" in item["reason"]


@pytest.mark.parametrize(
    ("instant", "due"),
    [
        (eastern(WEDNESDAY, 23, 59), "2026-01-14"),
        (eastern(THURSDAY), "2026-01-15"),  # midnight, not 20:00 of the evening before
        (eastern(SATURDAY, 12), "2026-01-16"),
        (eastern(date(2026, 1, 18), 22), "2026-01-16"),
        (eastern(NEXT_MONDAY), "2026-01-19"),
        (eastern(HOLIDAY, 12), "2026-01-19"),
        (eastern(date(2026, 1, 21), 0, 1), "2026-01-21"),
        (eastern(date(2026, 7, 1)), "2026-07-01"),  # 04:00 UTC in summer
        (eastern(date(2026, 7, 1)) - timedelta(seconds=1), "2026-06-30"),
        (datetime(2026, 1, 15, 4, 59, 59, tzinfo=UTC), "2026-01-14"),  # 05:00 UTC in winter
    ],
)
async def test_a_batch_is_due_from_midnight_us_eastern(tools: Tools, instant: datetime, due: str) -> None:
    assert (await of_category(tools, instant))["due_batch"] == due


async def test_confirmed_days_without_a_batch_are_no_batches(tools: Tools) -> None:
    await put(tools, FRIDAY, verified=True)
    await put(tools, SATURDAY, "empty", verified=True)
    await put(tools, HOLIDAY, "empty", verified=True)
    item = await of_category(tools, eastern(HOLIDAY, 23))
    assert (item["last_complete"], item["due_batch"], item["complete"]) == ("2026-01-16", "2026-01-19", False)


async def test_followed_are_the_settings_categories_and_those_of_channels(tools: Tools) -> None:
    await put(tools, TUESDAY, category="hep-th")
    await follow(tools, "stat.ML", "cs.CL", "econ")
    report = await get(tools, eastern(WEDNESDAY, 9))
    assert [item["category"] for item in report["items"]] == ["cs.CL", "stat.ML", "econ"]


async def test_coverage_is_that_of_the_categorys_set(tools: Tools) -> None:
    await follow(tools, "math.NA")
    await harvested(tools, WEDNESDAY, "math:math:NA")
    await harvested(tools, TUESDAY, "cs:cs")
    item = await of_category(tools, eastern(WEDNESDAY, 9), "math.NA")
    assert (item["covered_before"], item["harvested_at"]) == ("2026-01-14", "2026-01-14T04:40:00Z")
    assert (await of_category(tools, eastern(WEDNESDAY, 9)))["covered_before"] is None


async def test_a_feed_that_rests_is_shown_until_it_is_over(tools: Tools) -> None:
    await follow(tools, "stat.ML")
    now = eastern(WEDNESDAY, 9)
    await rest(tools, "feed:cs.CL", now + timedelta(minutes=5), "HTTP status 500.")
    await rest(tools, "oai", now + timedelta(hours=2))
    assert (await of_category(tools, now))["resting_until"] == "2026-01-14T14:05:00Z"
    assert (await of_category(tools, now, "stat.ML"))["resting_until"] is None
    await rest(tools, "feed", now + timedelta(hours=1), "arXiv refuses to answer (HTTP status 403).")
    for category in ("cs.CL", "stat.ML"):
        item = await of_category(tools, now, category)
        assert item["resting_until"] == "2026-01-14T15:00:00Z"
        assert "403" in item["resting_reason"]
    assert (await of_category(tools, now + timedelta(hours=1)))["resting_until"] is None


async def test_what_oai_pmh_alone_told_of_was_not_read(tools: Tools) -> None:
    """Harvesting another set can tell that a paper was announced here, before anybody has read the feed."""
    for day in (TUESDAY, WEDNESDAY):
        await put(tools, day, "not_yet")
    await execute(tools, "UPDATE listings SET source = 'oai'")
    item = await of_category(tools, eastern(WEDNESDAY, 12))
    assert (item["state"], item["reason"]) == ("not_yet", "No listing of this day was read yet.")
    assert [one["reason"][:11] for one in item["unsettled"]] == ["No listing "] * 2
    assert item["last_read_at"] is None
    assert await alerts(tools, eastern(WEDNESDAY, 12)) == [("late", "cs.CL")]


# Alerts


async def test_no_papers_by_ten_is_late(tools: Tools) -> None:
    assert await alerts(tools, eastern(WEDNESDAY, 9, 59)) == []
    assert await alerts(tools, eastern(WEDNESDAY, 10)) == [("late", "cs.CL")]
    assert await alerts(tools, eastern(SATURDAY, 12)) == []  # followed since the weekend, perhaps
    await put(tools, TUESDAY)
    await harvested(tools, SATURDAY)
    assert await alerts(tools, eastern(SATURDAY, 4)) == [("late", "cs.CL")]  # Friday's, at any time of a Saturday
    for state in ("not_yet", "empty", "failed"):
        await put(tools, WEDNESDAY, state, reason="Because of this.")
        assert await alerts(tools, eastern(WEDNESDAY, 10)) == [("late", "cs.CL")]
        [alert] = (await get(tools, eastern(WEDNESDAY, 10)))["alerts"]
        assert "2026-01-14" in alert["message"]
        assert alert["message"].endswith("Because of this.")
    for state in ("announced", "truncated"):
        await put(tools, WEDNESDAY, state)
        assert await alerts(tools, eastern(WEDNESDAY, 10)) == []
    await put(tools, WEDNESDAY, "empty", verified=True)  # so nothing was to be announced
    assert await alerts(tools, eastern(WEDNESDAY, 10)) == []


async def test_a_holiday_is_not_late(tools: Tools) -> None:
    await put(tools, NEXT_MONDAY)
    assert await alerts(tools, eastern(HOLIDAY, 12)) == []


async def test_stale_is_told_at_once(tools: Tools) -> None:
    await put(tools, WEDNESDAY, "stale", reason="arXiv serves a former batch.")
    for hour in (1, 12):
        assert await alerts(tools, eastern(WEDNESDAY, hour)) == [("stale", "cs.CL")]


async def test_one_empty_batch_is_accepted_and_two_are_not(tools: Tools) -> None:
    await put(tools, TUESDAY, "empty")
    await put(tools, WEDNESDAY, "not_yet")
    assert await alerts(tools, eastern(WEDNESDAY, 9)) == []
    assert await alerts(tools, eastern(WEDNESDAY, 10)) == [("late", "cs.CL"), ("empty", "cs.CL")]
    await put(tools, TUESDAY, "empty", verified=True)
    assert await alerts(tools, eastern(WEDNESDAY, 10)) == [("late", "cs.CL")]
    # A weekend between them makes no difference, and an empty weekend is no batch.
    await put(tools, WEDNESDAY)
    for day in (FRIDAY, SATURDAY, NEXT_MONDAY):
        await put(tools, day, "empty")
    await harvested(tools, NEXT_MONDAY)
    assert await alerts(tools, eastern(SATURDAY, 12)) == [("late", "cs.CL")]
    assert await alerts(tools, eastern(NEXT_MONDAY, 12)) == [("late", "cs.CL"), ("empty", "cs.CL")]


async def test_oai_pmh_may_be_36_hours_behind(tools: Tools) -> None:
    await put(tools, TUESDAY)
    await harvested(tools, TUESDAY)
    midnight = datetime(2026, 1, 13, tzinfo=UTC)
    assert await alerts(tools, midnight + timedelta(hours=36)) == []
    assert ("unharvested", "cs.CL") in await alerts(tools, midnight + timedelta(hours=36, seconds=1))
    await harvested(tools, WEDNESDAY)
    assert await alerts(tools, midnight + timedelta(hours=36, seconds=1)) == []


async def test_a_category_that_is_never_harvested_is_told_after_its_second_night(tools: Tools) -> None:
    await put(tools, TUESDAY)  # first read at 01:00
    await put(tools, WEDNESDAY)
    assert await alerts(tools, eastern(WEDNESDAY, 13)) == []
    assert await alerts(tools, eastern(WEDNESDAY, 13, 1)) == [("unharvested", "cs.CL")]


async def test_what_rests_is_told_once(tools: Tools) -> None:
    await follow(tools, "stat.ML")
    now = eastern(WEDNESDAY, 9)
    for key in ("feed", "oai:stat:stat:ML", "feed:cs.CL", "oai:cs:cs", "api"):
        await rest(tools, key, now + timedelta(minutes=5))
    # One for each source or part of one; that of a set which only a harvest asked for is of no followed category.
    assert sorted(map(str, await alerts(tools, now))) == sorted(
        map(str, [("resting", None)] * 3 + [("resting", "cs.CL"), ("resting", "stat.ML")])
    )
    messages = [alert["message"] for alert in (await get(tools, now))["alerts"]]
    assert "arXiv's feed of cs.CL rests until 2026-01-14 14:05:00 UTC: HTTP status 503." in messages


async def test_many_categories_with_years_of_listings(tools: Tools) -> None:
    await execute(
        tools,
        "INSERT INTO channels (slug, title, categories, announce_types)"
        " SELECT 'many', 'Many', array_agg(DISTINCT slug), '{new}' FROM channels WHERE slug LIKE '%.%'",
    )
    await execute(
        tools,
        "INSERT INTO listings (category, announced_on, state, source, verified_at)"
        " SELECT slug, day, 'announced', 'test', now() FROM channels,"
        " generate_series(date '2024-01-01', date '2026-01-14', interval '1 day') AS day WHERE slug LIKE '%.%'",
    )
    report = await get(tools, eastern(WEDNESDAY, 9))
    assert len(report["items"]) > 130
    for item in report["items"]:
        assert (item["last_batch"], item["complete"], item["unsettled"]) == ("2026-01-14", True, [])


# The calendar


async def test_the_calendar_of_an_ordinary_day(tools: Tools) -> None:
    found = await get(tools, eastern(WEDNESDAY, 9), "/v1/calendar")
    assert (found["time_zone"], found["now"]) == ("America/New_York", "2026-01-14T14:00:00Z")
    assert (found["today"], found["is_batch_day"], found["latest_batch"]) == ("2026-01-14", True, "2026-01-14")
    assert found["next_announcement"] == {
        "announced_at": "2026-01-15T01:00:00Z",
        "announced_at_local": "2026-01-14T20:00:00-05:00",
        "batch_date": "2026-01-15",
    }
    assert found["upcoming"][0] == found["next_announcement"]
    assert [one["batch_date"][5:] for one in found["upcoming"]] == [
        "01-15", "01-16", "01-19", "01-21", "01-22", "01-23", "01-26", "01-27", "01-28", "01-29"
    ]  # fmt: skip
    assert "short notice" in found["caution"]


@pytest.mark.parametrize(
    ("instant", "today", "is_batch_day", "latest", "following"),
    [
        (eastern(SATURDAY, 12), "2026-01-17", False, "2026-01-16", "2026-01-19"),
        (eastern(NEXT_MONDAY, 12), "2026-01-19", True, "2026-01-19", "2026-01-21"),
        (eastern(HOLIDAY, 12), "2026-01-20", False, "2026-01-19", "2026-01-21"),
        (eastern(WEDNESDAY, 19, 59), "2026-01-14", True, "2026-01-14", "2026-01-15"),
        (eastern(WEDNESDAY, 20), "2026-01-14", True, "2026-01-14", "2026-01-16"),
        (eastern(WEDNESDAY, 23, 59), "2026-01-14", True, "2026-01-14", "2026-01-16"),
        (eastern(THURSDAY), "2026-01-15", True, "2026-01-15", "2026-01-16"),
    ],
)
async def test_the_next_mailing(
    tools: Tools, instant: datetime, today: str, is_batch_day: bool, latest: str, following: str
) -> None:
    found = await get(tools, instant, "/v1/calendar")
    assert (found["today"], found["is_batch_day"], found["latest_batch"]) == (today, is_batch_day, latest)
    assert found["next_announcement"]["batch_date"] == following


async def test_mailings_keep_their_hour_over_the_change_of_the_clocks(tools: Tools) -> None:
    upcoming = (await get(tools, eastern(date(2026, 3, 5), 12), "/v1/calendar"))["upcoming"]
    times = {one["batch_date"]: (one["announced_at"][11:], one["announced_at_local"][11:]) for one in upcoming}
    assert times["2026-03-06"] == ("01:00:00Z", "20:00:00-05:00")
    assert times["2026-03-09"] == ("00:00:00Z", "20:00:00-04:00")  # the clocks changed on the day of the mailing


async def test_skipped_mailings_of_a_year(tools: Tools) -> None:
    every = await get(tools, eastern(WEDNESDAY, 9), "/v1/calendar")
    assert every["known_years"] == [2024, 2025, 2026]
    assert every["skipped_mailings"] == sorted(every["skipped_mailings"])
    assert {day[:4] for day in every["skipped_mailings"]} == {"2024", "2025", "2026"}
    of_2026 = (await get(tools, eastern(WEDNESDAY, 9), "/v1/calendar", year=2026))["skipped_mailings"]
    assert of_2026 == ["2026-01-01", "2026-01-19", "2026-06-19", "2026-07-03", "2026-09-07", "2026-11-26",
                       "2026-12-25", "2026-12-29", "2026-12-31"]  # fmt: skip
    for year in (1, 1999, 9999):
        assert (await get(tools, eastern(WEDNESDAY, 9), "/v1/calendar", year=year))["skipped_mailings"] == []


@pytest.mark.parametrize("year", ["0", "-1", "10000", "1e3", "x", "", "２０２６", "9" * 5000])
async def test_what_is_no_year(client: httpx.AsyncClient, year: str) -> None:
    body = problem(await client.get("/v1/calendar", params={"year": year}), 422, "invalid_request")
    assert body["errors"][0]["field"] == "query.year"


async def test_neither_asks_arxiv(client: httpx.AsyncClient, tools: Tools) -> None:
    """The answer comes from what is known, so that looking often is no burden."""
    broken = replace(tools, settings=tools.settings.model_copy(update={"arxiv_feed_url": "http://127.0.0.1:9/"}))
    async with caller(create_app(broken)) as other:
        assert ok(await other.get("/v1/freshness")).keys() == ok(await client.get("/v1/freshness")).keys()
