"""Statistics over HTTP: everything that was announced is stored or missing, and summarised, pending, failed or unrequested."""

import asyncio
import json
import random
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.ingestion import Tools
from app.main import create_app
from tests.api import at, caller, eastern, execute, ok, problem, store
from tests.feeds import TUESDAY, WEDNESDAY, Item

MONDAY = date(2026, 1, 12)
THURSDAY = date(2026, 1, 15)
NOW = eastern(THURSDAY, 12)

A = Item("2601.95001")
B = Item("2601.95002", categories=("stat.ML", "cs.CL"))
C = Item("2601.95003", categories=("cs.CL", "stat.ML"))
TYPES = ("new", "cross", "replace", "replace-cross")


async def stats(tools: Tools, instant: datetime = NOW, **params: Any) -> dict[str, Any]:
    """The statistics at an instant, after checking that they add up."""
    async with caller(create_app(at(tools, instant))) as client:
        found: dict[str, Any] = ok(await client.get("/v1/stats", params=params))
    for figures in (found["totals"], *found["categories"].values()):
        adds_up(figures)
    return found


def adds_up(figures: dict[str, Any]) -> None:
    """The promise."""
    assert figures["announced"] == figures["stored"] + figures["missing"] == sum(figures["by_type"].values())
    assert len(figures["missing_ids"]) == min(figures["missing"], 1_000)
    assert figures["withdrawn"] <= figures["stored"]
    for counts in figures["summaries"].values():
        assert figures["stored"] == sum(counts.values())
        assert counts.keys() == {"summarized", "pending", "failed", "unrequested"}
        assert min(counts.values()) >= 0
    days = figures["days"]
    assert sum(gap["days"] for gap in days["gaps"]) == days["unread"] <= days["due"] - days["complete"]
    assert all(gap["from"] <= gap["to"] for gap in days["gaps"])


async def put(tools: Tools, day: date, category: str, announced: dict[str, str], **values: Any) -> None:
    """Have a listing of papers that need not be there."""
    columns = {"state": "announced", "verified_at": None} | values
    await execute(
        tools,
        "INSERT INTO listings (category, announced_on, announced, source, state, verified_at)"
        " VALUES (:category, :day, CAST(:announced AS jsonb), 'test', :state, :verified_at)",
        category=category, day=day, announced=json.dumps(announced), **columns,
    )  # fmt: skip


def zeros(*names: str) -> dict[str, int]:
    return dict.fromkeys(names, 0)


async def test_nothing_was_read(tools: Tools) -> None:
    found = await stats(tools)
    assert found["period"] == {"from": "2026-01-07", "to": "2026-01-15"}
    nothing = {
        "announced": 0, "by_type": zeros(*TYPES), "stored": 0, "missing": 0, "missing_ids": [], "withdrawn": 0,
        "summaries": {"zh": zeros("summarized", "pending", "failed", "unrequested")},
        "announcements": zeros("feed", "oai"),
        "listings": zeros("announced", "empty", "not_yet", "stale", "truncated", "failed"),
        "days": {"due": 7, "complete": 0, "unread": 7,
                 "gaps": [{"from": "2026-01-07", "to": "2026-01-15", "days": 7}]},
    }  # fmt: skip
    assert found["totals"] == nothing
    assert found["categories"] == {"cs.CL": nothing}


async def test_a_paper_in_several_listings_counts_once_as_its_strongest_type(tools: Tools, tmp_path: Path) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, A, Item(B.id, type="cross", categories=B.categories), C)
    await store(tools, tmp_path, "stat.ML", TUESDAY, B, Item(C.id, type="cross", categories=C.categories))
    await store(tools, tmp_path, "cs.CL", WEDNESDAY, Item(A.id, version=2, type="replace", abstract="Another."))
    found = await stats(tools)
    both, here, there = found["totals"], found["categories"]["cs.CL"], found["categories"]["stat.ML"]
    assert (both["announced"], here["announced"], there["announced"]) == (3, 3, 2)
    assert both["by_type"] == {"new": 3, "cross": 0, "replace": 0, "replace-cross": 0}
    assert here["by_type"] == {"new": 2, "cross": 1, "replace": 0, "replace-cross": 0}
    assert there["by_type"] == {"new": 1, "cross": 1, "replace": 0, "replace-cross": 0}
    # Rows, of which the paper that was replaced has two.
    assert both["announcements"] == {"feed": 6, "oai": 0}
    assert here["announcements"] == {"feed": 4, "oai": 0}
    assert (both["listings"]["announced"], here["listings"]["announced"]) == (3, 2)
    assert both["summaries"] == {"zh": {"summarized": 0, "pending": 3, "failed": 0, "unrequested": 0}}
    only_wednesday = await stats(tools, announced_from="2026-01-14", announced_to="2026-01-14")
    assert only_wednesday["totals"]["by_type"] == {"new": 0, "cross": 0, "replace": 1, "replace-cross": 0}
    assert only_wednesday["categories"].keys() == {"cs.CL"}


async def test_papers_that_are_announced_and_not_stored_are_named(tools: Tools, tmp_path: Path) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, A)
    gone = {f"2601.1{n:04}": "new" for n in range(1, 1_501)}
    await put(tools, WEDNESDAY, "cs.CL", gone)
    await put(tools, TUESDAY, "stat.ML", {"2601.10001": "cross", A.id: "cross", "2601.99999": "new"})
    found = await stats(tools)
    both, here, there = found["totals"], found["categories"]["cs.CL"], found["categories"]["stat.ML"]
    assert (both["announced"], both["stored"], both["missing"]) == (1_502, 1, 1_501)
    assert both["missing_ids"] == here["missing_ids"] == sorted(gone)[:1_000]
    assert (here["missing"], there["missing"]) == (1_500, 2)
    assert there["missing_ids"] == ["2601.10001", "2601.99999"]


async def test_withdrawn_papers_and_what_oai_pmh_told_of(tools: Tools, tmp_path: Path) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, A, B)
    await execute(tools, "UPDATE papers SET withdrawn = arxiv_id = :id", id=A.id)
    await execute(tools, "UPDATE announcements SET source = 'oai' WHERE arxiv_id = :id", id=B.id)
    totals = (await stats(tools))["totals"]
    assert totals["withdrawn"] == 1
    assert totals["announcements"] == {"feed": 1, "oai": 1}


SUMMARY = (
    "INSERT INTO summaries (arxiv_id, paper_version, abstract_hash, language, status, origin, model, tldr, tldr_en, made_at)"
    " SELECT arxiv_id, :version, CASE WHEN :of_now THEN abstract_hash ELSE 'old' END, :language, :status, :origin, :model,"
    " :tldr, :tldr_en, :made_at FROM papers WHERE arxiv_id = :id"
)


@pytest.mark.parametrize("seed", range(4))
async def test_summaries_count_as_in_a_digest(tools: Tools, tmp_path: Path, seed: int) -> None:
    """Whatever is stored of them: the numbers are those of the receipt of the same day's digest."""
    chance = random.Random(seed)
    names = [f"2601.95{n:03}" for n in range(1, 81)]
    await store(tools, tmp_path, "cs.CL", TUESDAY, *map(Item, names))
    await execute(tools, "DELETE FROM summaries")
    await execute(tools, "UPDATE papers SET version = NULL WHERE arxiv_id = ANY(:ids)", ids=names[:10])
    await execute(tools, "UPDATE papers SET version = 2 WHERE arxiv_id = ANY(:ids)", ids=names[10:40])
    await execute(tools, """UPDATE listings SET announced = announced || '{"2601.99999": "new"}'""")
    summaries = [
        {
            "id": name,
            "version": chance.choice((None, 1, 2)),
            "of_now": chance.random() < 0.5,
            "language": chance.choice(("zh", "zh", "en", "fr")),
            "status": chance.choice(("pending", "running", "done", "failed", "failed")),
            "origin": chance.choice(("llm", "extractive", "human", "imported")),
            "model": str(number),
            "tldr": chance.choice((None, "Eins.")),
            "tldr_en": chance.choice((None, "One.")),
            "made_at": datetime(2026, 1, 14, chance.randrange(24), tzinfo=UTC),
        }
        for name in names
        for number in range(chance.choice((0, 1, 1, 2, 4)))
    ]
    async with tools.database.transaction() as session:
        await session.execute(text(SUMMARY), summaries)
    async with caller(create_app(at(tools, NOW))) as client:
        for language in ("zh", "en", "fr", "en-GB", "de"):
            found = (await stats(tools, language=language))["totals"]
            assert found["summaries"].keys() == {language}
            counts = found["summaries"][language]
            digest = ok(
                await client.post("/v1/digests", json={"channel": "cs.CL", "date": "2026-01-13", "language": language}),
                201,
            )
            receipt = digest["receipt"]
            assert (found["announced"], found["stored"]) == (receipt["announced"], receipt["stored"]) == (81, 80)
            assert found["missing_ids"] == receipt["missing"]
            assert counts["summarized"] == receipt["summarized"]
            assert counts["failed"] == receipt["failed"]
            assert counts["pending"] + counts["unrequested"] == receipt["pending"]
            # The digest has asked for those that nobody had asked for.
            after = (await stats(tools, language=language))["totals"]["summaries"][language]
            assert after == counts | {"pending": receipt["pending"], "unrequested": 0}


async def test_each_of_the_services_languages_is_counted(tools: Tools, tmp_path: Path) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, A, B)
    await execute(tools, "UPDATE summaries SET status = 'done', tldr_en = 'One.' WHERE arxiv_id = :id", id=A.id)
    both = at(tools, NOW)
    object.__setattr__(both, "settings", tools.settings.model_copy(update={"languages": ("zh", "en", "fr")}))
    async with caller(create_app(both)) as client:
        totals = ok(await client.get("/v1/stats"))["totals"]
    adds_up(totals)
    assert totals["summaries"] == {
        "zh": {"summarized": 1, "pending": 1, "failed": 0, "unrequested": 0},
        "en": {"summarized": 1, "pending": 0, "failed": 0, "unrequested": 1},
        "fr": {"summarized": 0, "pending": 0, "failed": 0, "unrequested": 2},
    }


# Days


async def test_days_are_complete_read_or_named(tools: Tools) -> None:
    await put(tools, date(2026, 1, 5), "cs.CL", {}, state="empty", verified_at=NOW)
    await put(tools, date(2026, 1, 6), "cs.CL", {})
    for day, state in ((7, "failed"), (8, "stale"), (12, "truncated"), (13, "empty"), (14, "not_yet")):
        await put(tools, date(2026, 1, day), "cs.CL", {}, state=state)
    await put(tools, THURSDAY, "cs.CL", {}, state="not_yet", verified_at=NOW)
    await put(tools, date(2026, 1, 10), "cs.CL", {}, state="empty", verified_at=NOW)  # a Saturday
    found = await stats(tools, announced_from="2026-01-05", announced_to="2026-01-31")
    [figures] = found["categories"].values()
    assert figures["days"] == {
        "due": 9,  # what is to come is not due, nor are weekends
        "complete": 2,
        "unread": 4,
        "gaps": [
            {"from": "2026-01-07", "to": "2026-01-09", "days": 3},  # failed, stale, and nothing at all
            {"from": "2026-01-14", "to": "2026-01-14", "days": 1},
        ],
    }
    assert figures["listings"] == {"announced": 1, "empty": 3, "not_yet": 2, "stale": 1, "truncated": 1, "failed": 1}
    assert found["totals"]["days"] == figures["days"]
    assert found["period"] == {"from": "2026-01-05", "to": "2026-01-31"}


async def test_over_several_categories_a_day_is_complete_in_each_and_unread_in_any(tools: Tools) -> None:
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        await put(tools, day, "cs.CL", {}, verified_at=NOW)
    await put(tools, TUESDAY, "hep-th", {}, verified_at=NOW)
    await put(tools, WEDNESDAY, "hep-th", {})
    found = await stats(tools, announced_from="2026-01-12", announced_to="2026-01-14")
    assert found["categories"].keys() == {"cs.CL", "hep-th"}
    assert found["categories"]["cs.CL"]["days"] == {"due": 3, "complete": 3, "unread": 0, "gaps": []}
    monday = [{"from": "2026-01-12", "to": "2026-01-12", "days": 1}]
    assert found["categories"]["hep-th"]["days"] == {"due": 3, "complete": 1, "unread": 1, "gaps": monday}
    assert found["totals"]["days"] == {"due": 3, "complete": 1, "unread": 1, "gaps": monday}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ("2026-01-07", "2026-01-15", 7)),
        ({"announced_to": "2026-01-13"}, ("2026-01-05", "2026-01-13", 7)),
        ({"announced_to": "2026-01-11"}, ("2025-12-30", "2026-01-11", 7)),  # a Sunday; holidays before
        ({"announced_to": "2026-01-31"}, ("2026-01-07", "2026-01-31", 7)),
        ({"announced_from": "2026-01-13"}, ("2026-01-13", "2026-01-15", 3)),
        ({"announced_from": "2026-01-17", "announced_to": "2026-01-18"}, ("2026-01-17", "2026-01-18", 0)),
        ({"announced_from": "2026-02-01"}, ("2026-02-01", "2026-02-01", 0)),
        ({"announced_from": "9999-12-31"}, ("9999-12-31", "9999-12-31", 0)),
        ({"announced_to": "0001-01-01"}, ("0001-01-01", "0001-01-01", 0)),
        ({"announced_to": "1991-08-14"}, ("1991-08-06", "1991-08-14", 1)),
        ({"announced_to": "9999-12-31"}, ("2026-01-07", "9999-12-31", 7)),
        ({"announced_from": "2026-01-14", "announced_to": "9999-12-31"}, ("2026-01-14", "9999-12-31", 2)),
    ],
)
async def test_periods(tools: Tools, params: dict[str, Any], expected: tuple[str, str, int]) -> None:
    found = await stats(tools, **params)
    assert (found["period"]["from"], found["period"]["to"], found["totals"]["days"]["due"]) == expected


async def test_all_of_time_is_one_gap_and_takes_no_time(tools: Tools, tmp_path: Path) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, A)
    begun = time.monotonic()
    found = await stats(tools, announced_from="0001-01-01", announced_to="9999-12-31")
    assert time.monotonic() - begun < 2
    assert [(gap["from"], gap["to"]) for gap in found["totals"]["days"]["gaps"]] == [
        ("1991-08-14", "2026-01-12"),
        ("2026-01-14", "2026-01-15"),
    ]
    assert found["totals"]["announced"] == 1


async def test_a_period_upside_down_is_refused(client: httpx.AsyncClient) -> None:
    for period in (("2026-01-14", "2026-01-13"), ("9999-12-31", "0001-01-01")):
        params = {"announced_from": period[0], "announced_to": period[1]}
        assert "after its end" in problem(await client.get("/v1/stats", params=params), 422, "invalid_input")["detail"]


# Categories


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("cs.CL", ["cs.CL"]),
        ("CMP-LG", ["cs.CL"]),
        ("cs.NA", ["math.NA"]),
        ("cs", ["cs.CL", "math.NA"]),  # what is in cs under the name of cs.NA
        ("math", ["math.NA"]),
        ("econ", ["econ"]),  # nothing of it was read
        ("hep-th", ["hep-th"]),
    ],
)
async def test_a_category_under_any_name(tools: Tools, tmp_path: Path, category: str, expected: list[str]) -> None:
    await store(tools, tmp_path, "math.NA", TUESDAY, Item("2601.95004", categories=("math.NA", "cs.NA")))
    found = await stats(tools, category=category)
    assert list(found["categories"]) == expected
    assert found["totals"]["announced"] == ("math.NA" in expected)
    for figures in found["categories"].values():
        assert figures["days"]["due"] == 7


async def test_without_one_those_that_are_followed_and_those_with_a_listing(
    client: httpx.AsyncClient, tools: Tools
) -> None:
    body = {"slug": "mine", "title": "Mine", "categories": ["stat.ML", "econ"]}
    ok(await client.post("/v1/channels", json=body), 201)
    await put(tools, TUESDAY, "hep-th", {})
    await put(tools, date(2025, 12, 1), "hep-ex", {})
    assert list((await stats(tools))["categories"]) == ["cs.CL", "econ", "hep-th", "stat.ML"]


@pytest.mark.parametrize("category", ["cs.CLL", "", "cs.CL,stat.ML", "'; DROP TABLE papers; --", "x" * 80])
async def test_an_unknown_category(client: httpx.AsyncClient, category: str) -> None:
    problem(await client.get("/v1/stats", params={"category": category}), 422, "unknown_category")
    problem(await client.get("/v1/stats", params={"category": "x" * 81}), 422, "invalid_request")


# Together


async def test_some_hundred_listings_of_forty_categories(tools: Tools) -> None:
    await execute(
        tools,
        "INSERT INTO papers (arxiv_id, order_key, version, abstract_hash, withdrawn)"
        " SELECT '2601.' || n, '202601-' || n || '-5', 1, md5(n::text), n % 50 = 0 FROM generate_series(10001, 16000) AS n",
    )
    await execute(
        tools,
        "INSERT INTO listings (category, announced_on, state, announced, source, verified_at)"
        " SELECT slug, day, 'announced', (SELECT jsonb_object_agg("
        " '2601.' || (10000 + (k * 37 + hashtext(slug || day)) % 6500 + 6500),"
        " CASE k % 4 WHEN 0 THEN 'new' WHEN 1 THEN 'cross' WHEN 2 THEN 'replace' ELSE 'replace-cross' END)"
        " FROM generate_series(1, 100) AS k), 'test', now()"
        " FROM (SELECT slug FROM channels WHERE slug LIKE '%.%' ORDER BY slug LIMIT 40) AS category,"
        " generate_series(date '2026-01-07', '2026-01-15', interval '1 day') AS day",
    )
    await execute(
        tools,
        "INSERT INTO summaries (arxiv_id, paper_version, abstract_hash, language, status, origin, tldr)"
        " SELECT arxiv_id, 1, abstract_hash, 'zh', CASE WHEN arxiv_id LIKE '%7' THEN 'failed' ELSE 'done' END, 'llm', 'x'"
        " FROM papers WHERE arxiv_id NOT LIKE '%3'",
    )
    begun = time.monotonic()
    found = await stats(tools)
    assert time.monotonic() - begun < 5
    named: dict[str, set[str]] = {}
    async with tools.database.transaction() as session:
        for category, announced in await session.execute(text("SELECT category, announced FROM listings")):
            named.setdefault(category, set()).update(announced)
        stored = set(await session.scalars(text("SELECT arxiv_id FROM papers")))
    assert found["totals"]["announced"] == len(set().union(*named.values()))
    assert found["totals"]["stored"] == len(set().union(*named.values()) & stored)
    assert len(found["categories"]) == 40  # cs.CL is one of them
    for category, names in named.items():
        figures = found["categories"][category]
        assert (figures["announced"], figures["stored"]) == (len(names), len(names & stored))
        assert figures["summaries"]["zh"]["unrequested"] == sum(name.endswith("3") for name in names & stored)
        assert figures["summaries"]["zh"]["failed"] == sum(name.endswith("7") for name in names & stored)


async def test_numbers_are_of_one_moment_while_listings_arrive(tools: Tools, tmp_path: Path) -> None:
    async def arrive() -> None:
        for number in range(8):
            folder = tmp_path / str(number)
            folder.mkdir()
            await store(tools, folder, "cs.CL", TUESDAY, *(Item(f"2601.9{n:04}") for n in range(1, 40 * (number + 1))))

    async def look() -> None:
        for _ in range(8):
            totals = (await stats(tools))["totals"]
            assert totals["missing"] == 0
            assert totals["announcements"]["feed"] == totals["announced"]
            assert totals["summaries"]["zh"]["unrequested"] == 0

    await asyncio.gather(arrive(), look(), look())
    assert (await stats(tools))["totals"]["announced"] == 319
