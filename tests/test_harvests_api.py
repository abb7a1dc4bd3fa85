"""Harvests, fetches by id and single requests over HTTP; and what they bring into lists of papers and listings."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.ingestion import Tools
from app.main import create_app
from app.worker import work_off
from tests.api import at, caller, counts, eastern, execute, ok, problem, store
from tests.fake_arxiv import FakeArxiv, World
from tests.feeds import TUESDAY, WEDNESDAY, Item

HARVEST = {"set": "cs.CL", "from": "2026-01-05", "until": "2026-01-14"}
NOW = eastern(date(2026, 1, 20), 12)


@pytest.fixture
async def then(tools: Tools) -> AsyncIterator[httpx.AsyncClient]:
    """The service on 20 January 2026."""
    async with caller(create_app(at(tools, NOW))) as client:
        yield client


# Asking for a harvest


async def test_a_harvest_is_a_job_and_asked_for_twice_the_same(then: httpx.AsyncClient, tools: Tools) -> None:
    answer = await then.post("/v1/harvests", json=HARVEST)
    job = ok(answer, 202)
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["kind"], job["status"]) == ("harvest", "queued")
    assert job["args"] == {
        "set_spec": "cs:cs:CL", "from_on": "2026-01-05", "until_on": "2026-01-14", "prefix": "arXivRaw"
    }  # fmt: skip
    before = await counts(tools)
    for same in ("cs:cs:CL", "CMP-LG", " cs.CL "):
        assert ok(await then.post("/v1/harvests", json=HARVEST | {"set": same}), 202)["id"] == job["id"]
    assert await counts(tools) == before


async def test_other_days_are_another_harvest(then: httpx.AsyncClient) -> None:
    """Otherwise who asks for years would get the job of last night, and nobody would notice."""
    bodies: list[dict[str, Any]] = [
        HARVEST,
        HARVEST | {"from": "2020-01-01"},
        HARVEST | {"until": None},
        HARVEST | {"until": "2026-01-13"},
        HARVEST | {"format": "arXiv"},
        HARVEST | {"set": "cs"},
    ]
    jobs = [ok(await then.post("/v1/harvests", json=body), 202) for body in bodies]
    assert len({job["id"] for job in jobs}) == len(bodies)
    assert [job["args"]["until_on"] for job in jobs[:4]] == ["2026-01-14", "2026-01-14", None, "2026-01-13"]
    assert jobs[5]["args"]["set_spec"] == "cs:cs"


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"from": "2005-09-15"}, "invalid_input", "2005-09-16"),
        ({"from": "0001-01-01"}, "invalid_input", "2005-09-16"),
        ({"until": "2026-01-04"}, "invalid_input", "after its end"),
        ({"from": "2026-01-21", "until": None}, "invalid_input", "future"),
        ({"until": "2026-01-21"}, "invalid_input", "future"),
        ({"until": "9999-12-31"}, "invalid_input", "future"),
        ({"set": "cs:cs:XX"}, "unknown_category", "cs:cs:CL"),
        ({"set": "cs.CLL"}, "unknown_category", "did you mean cs.CL?"),
        ({"set": ""}, "unknown_category", "cs:cs:CL"),
        ({"set": "cs.CL&until=2020-01-01"}, "unknown_category", "cs:cs:CL"),
        ({"set": "physics:physics:optics;x"}, "unknown_category", "cs:cs:CL"),
        ({"format": "oai_marc"}, "invalid_request", "arXivRaw"),
        ({"from": None}, "invalid_request", "2026-01-13"),
        ({"from": "2026-01-05T00:00:00Z"}, "invalid_request", "2026-01-13"),
    ],
)
async def test_what_cannot_be_harvested_is_refused(
    then: httpx.AsyncClient, tools: Tools, change: dict[str, Any], code: str, says: str
) -> None:
    before = await counts(tools)
    assert says in problem(await then.post("/v1/harvests", json=HARVEST | change), 422, code)["detail"]
    assert await counts(tools) == before


async def test_the_first_and_the_last_day_that_can_be_harvested(then: httpx.AsyncClient) -> None:
    for body in ({"from": "2005-09-16"}, {"from": "2026-01-20"}, {"from": "2026-01-20", "until": "2026-01-20"}):
        ok(await then.post("/v1/harvests", json={"set": "hep-th", **body}), 202)


async def test_today_is_the_day_in_utc(tools: Tools) -> None:
    late = datetime.combine(date(2026, 1, 21), time(3), UTC)  # 22:00 of the 20th at arXiv
    async with caller(create_app(at(tools, late))) as client:
        ok(await client.post("/v1/harvests", json={"set": "cs.CL", "from": "2026-01-21"}), 202)


# What came of it


async def test_a_harvest_its_requests_and_what_it_proved(tools: Tools, database_url: str, tmp_path: Path) -> None:
    world = World(first_day=date(2026, 1, 5), days=10, categories=("cs.CL",), per_day=3)
    with FakeArxiv(world, page_size=20).running() as fake:
        fake.today_at = NOW
        settings = tools.settings.model_copy(
            update={"arxiv_feed_url": fake.url, "arxiv_oai_url": fake.oai_url, "arxiv_api_url": fake.api_url}
        )
        there = replace(at(tools, NOW), settings=settings)
        async with caller(create_app(there)) as client:
            answer = await client.post("/v1/harvests", json={"set": "cs.CL", "from": "2026-01-05"})
            known = world.ids[:3]
            fetched = await client.post("/v1/papers/fetch", json={"ids": [*known, "2601.99999"]})
            await work_off(there, database_url)
            job = ok(await client.get(answer.headers["location"]))
            assert (job["status"], job["error"]) == ("succeeded", None)
            [harvest] = ok(await client.get("/v1/harvests"))["items"]
            assert ok(await client.get(f"/v1/harvests/{job['result']['harvest_id']}")) == harvest
            assert (harvest["set"], harvest["format"], harvest["state"]) == ("cs:cs:CL", "arXivRaw", "succeeded")
            assert (harvest["from"], harvest["until"]) == ("2026-01-05", None)
            assert harvest["window"] == {"from": "2026-01-05", "until": None}
            assert harvest["records"] == job["result"]["records"] > 0
            assert harvest["pages"] > 1
            assert harvest["detail"] is None
            assert harvest["finished_at"] is not None

            fetches = ok(await client.get("/v1/fetches", params={"limit": 200}))["items"]
            assert [one["id"] for one in fetches] == sorted((one["id"] for one in fetches), reverse=True)
            of_oai = ok(await client.get("/v1/fetches", params={"source": "oai", "target": "cs:cs:CL", "limit": 200}))
            assert of_oai["items"] == [one for one in fetches if one["source"] == "oai"]
            first = of_oai["items"][-1]
            assert first["url"].startswith(f"{fake.oai_url}?verb=ListRecords&metadataPrefix=arXivRaw&from=2026-01-05")
            assert (first["outcome"], first["status"], first["target"]) == ("ok", 200, "cs:cs:CL")
            assert first["started_at"] == "2026-01-20T17:00:00Z"
            assert first["bytes"] > 1_000
            assert first["duration_ms"] >= 0
            assert "xml" in first["headers"]["content-type"]
            assert "body" not in first
            [of_api] = ok(await client.get("/v1/fetches", params={"source": "api", "limit": 1}))["items"]
            assert of_api["target"] == "id_list"
            assert ok(await client.get("/v1/fetches", params={"target": "cs.CL"}))["items"] == []

            found = ok(await client.get(fetched.headers["location"]))
            assert (found["status"], found["result"]["unknown_ids"]) == ("succeeded", ["2601.99999"])
            assert found["result"]["found"] == 3

            proved = ok(await client.get("/v1/listings", params={"complete": True, "limit": 200}))["items"]
            assert proved
            for listing in proved:
                assert (listing["complete"], listing["reason"]) == (True, None)
                assert listing["verified_at"] == "2026-01-20T17:00:00Z"
            others = ok(await client.get("/v1/listings", params={"complete": False, "limit": 200}))["items"]
            assert all(not one["complete"] and one["verified_at"] is None for one in others)
            everything = ok(await client.get("/v1/listings", params={"limit": 200}))["items"]
            assert len(everything) == len(proved) + len(others)
            freshness = ok(await client.get("/v1/freshness"))["items"][0]
            assert freshness["covered_before"] == "2026-01-20"
            assert freshness["harvested_at"] == "2026-01-20T17:00:00Z"
            stats = ok(await client.get("/v1/stats", params={"announced_from": "2026-01-05", "category": "cs.CL"}))
            assert stats["totals"]["announcements"]["oai"] > 0
            assert stats["totals"]["days"]["complete"] == len(
                [one for one in proved if one["announced_on"] != "2026-01-20"]
            )


async def test_a_request_that_failed_is_there_with_its_reason(tools: Tools, then: httpx.AsyncClient) -> None:
    await execute(
        tools,
        "INSERT INTO fetches (source, target, url, started_at, outcome, detail, status, headers, duration)"
        " VALUES ('feed', 'cs.CL', 'https://rss.arxiv.org/rss/cs.CL', :now, 'later', 'It answered 503.', 503, '{}', '1.2345 s'),"
        " ('oai', 'cs:cs:CL', 'https://oaipmh.arxiv.org/oai', :now, 'running', NULL, NULL, '{}', NULL)",
        now=NOW,
    )
    [running, failed] = ok(await then.get("/v1/fetches"))["items"]
    assert (running["outcome"], running["duration_ms"], running["status"], running["bytes"]) == (
        "running",
        None,
        None,
        None,
    )
    assert (failed["outcome"], failed["duration_ms"], failed["detail"]) == ("later", 1234, "It answered 503.")
    for params in ({"outcome": "later"}, {"source": "feed"}, {"target": "cs.CL"}):
        assert ok(await then.get("/v1/fetches", params=params))["items"] == [failed]
    assert ok(await then.get("/v1/fetches", params={"source": "feed", "outcome": "running"}))["items"] == []
    for params in ({"outcome": "broken"}, {"source": "rss"}, {"target": "x" * 81}):
        problem(await then.get("/v1/fetches", params=params), 422, "invalid_request")


async def test_pages_of_harvests_and_fetches(tools: Tools, then: httpx.AsyncClient) -> None:
    await execute(
        tools,
        "INSERT INTO harvests (set_spec, prefix, from_on, state, window_from, counts)"
        " SELECT 'cs:cs:CL', 'arXivRaw', '2026-01-05', 'failed', '2026-01-05', '{\"restarts\": 2}' FROM generate_series(1, 7)",
    )
    await execute(
        tools,
        "INSERT INTO fetches (source, target, url, started_at, outcome, headers)"
        " SELECT 'feed', 'cs.CL', 'https://rss.arxiv.org/rss/cs.CL', now(), 'ok', '{}' FROM generate_series(1, 7)",
    )
    for path in ("/v1/harvests", "/v1/fetches"):
        everything = ok(await then.get(path))["items"]
        assert len(everything) == 7
        seen: list[dict[str, Any]] = []
        answer = await then.get(path, params={"limit": 3})
        while True:
            page = ok(answer)
            seen += page["items"]
            if page["next_cursor"] is None:
                break
            answer = await then.get(answer.links["next"]["url"])
        assert seen == everything
    cursor = ok(await then.get("/v1/fetches", params={"limit": 1}))["next_cursor"]
    problem(await then.get("/v1/harvests", params={"cursor": cursor}), 400, "invalid_cursor")
    problem(await then.get("/v1/fetches", params={"cursor": cursor, "source": "feed"}), 400, "invalid_cursor")
    assert ok(await then.get("/v1/harvests"))["items"][0]["counts"] == {"restarts": 2}
    problem(await then.get("/v1/harvests/999"), 404, "not_found")


# Papers by id


async def test_papers_are_fetched_by_a_job(then: httpx.AsyncClient, tools: Tools) -> None:
    answer = await then.post("/v1/papers/fetch", json={"ids": ["arXiv:2404.02342v2", "HEP-TH/9901001", "2404.02342"]})
    job = ok(answer, 202)
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["kind"], job["args"]) == ("fetch", {"arxiv_ids": ["2404.02342", "hep-th/9901001"]})
    same = await then.post("/v1/papers/fetch", json={"ids": ["https://arxiv.org/abs/2404.02342", "hep-th/9901001v3"]})
    assert ok(same, 202)["id"] == job["id"]
    assert ok(await then.post("/v1/papers/fetch", json={"ids": ["2404.02342"]}), 202)["id"] != job["id"]


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        (["2404.02342", "nonsense"], "invalid_arxiv_id"),
        ([""], "invalid_arxiv_id"),
        (["x" * 5_000], "invalid_arxiv_id"),
        ([], "invalid_request"),
        (["2404.02342"] * 2_001, "invalid_request"),
        ("2404.02342", "invalid_request"),
        (None, "invalid_request"),
        ([5], "invalid_request"),
    ],
)
async def test_what_is_no_list_of_papers_is_refused(then: httpx.AsyncClient, tools: Tools, ids: Any, code: str) -> None:
    before = await counts(tools)
    problem(await then.post("/v1/papers/fetch", json={"ids": ids}), 422, code)
    assert await counts(tools) == before


# Finding papers by what harvests bring


async def found(client: httpx.AsyncClient, **params: Any) -> list[str]:
    return [paper["arxiv_id"] for paper in ok(await client.get("/v1/papers", params=params))["items"]]


@pytest.fixture
async def library(tools: Tools, tmp_path: Path) -> None:
    """Three papers: one withdrawn, of two one announced as a cross-list elsewhere."""
    first = [Item("2601.95001"), Item("2601.95002", type="cross", categories=("stat.ML", "cs.CL"))]
    await store(tools, tmp_path, "cs.CL", TUESDAY, *first)
    await store(tools, tmp_path, "stat.ML", TUESDAY, Item("2601.95002", categories=("stat.ML", "cs.CL")))
    await store(tools, tmp_path, "cs.CL", WEDNESDAY, Item("2601.95001", version=2, type="replace"), Item("2601.95003"))
    await execute(
        tools,
        "UPDATE papers SET withdrawn = true, submitted_at = '2026-01-11T23:59:59.999999Z', updated_at = '2026-01-13T10:00:00Z',"
        ' versions = \'[{"version": 1, "submitted_at": "2026-01-11T23:59:59+00:00", "size": "13kb"},'
        ' {"version": 2, "submitted_at": "2026-01-13T10:00:00+00:00", "size": "0kb", "source_type": "AI"}]\''
        " WHERE arxiv_id = '2601.95001'",
    )
    await execute(tools, "UPDATE papers SET submitted_at = '2026-01-12T00:00:00Z' WHERE arxiv_id = '2601.95002'")


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"withdrawn": "true"}, [1]),
        ({"withdrawn": "false"}, [3, 2]),
        ({"withdrawn": "true", "category": "stat.ML"}, []),
        ({"submitted_from": "2026-01-12"}, [2]),
        ({"submitted_to": "2026-01-11"}, [1]),
        ({"submitted_from": "2026-01-11", "submitted_to": "2026-01-12"}, [2, 1]),
        ({"submitted_from": "0001-01-01", "submitted_to": "9999-12-31"}, [2, 1]),
        ({"submitted_from": "9999-12-31"}, []),
        ({"submitted_to": "0001-01-01"}, []),
        ({"announce_type": "new"}, [3, 2, 1]),
        ({"announce_type": "cross"}, [2]),
        ({"announce_type": ["cross", "replace"]}, [2, 1]),
        ({"announce_type": "replace-cross"}, []),
        ({"announce_type": "new", "category": "cs.CL"}, [3, 1]),  # in that category
        ({"announce_type": "new", "category": "cs.CL", "announced_from": "2026-01-14"}, [3]),  # and in that period
        ({"announce_type": "replace", "announced_to": "2026-01-13"}, []),
        ({"announce_type": "replace", "withdrawn": "true", "submitted_to": "2026-01-11"}, [1]),
    ],
)
async def test_papers_by_submission_withdrawal_and_type(
    client: httpx.AsyncClient, params: dict[str, Any], expected: list[int]
) -> None:
    assert await found(client, **params) == [f"2601.9500{number}" for number in expected]


@pytest.mark.usefixtures("library")
async def test_filters_are_part_of_the_question(client: httpx.AsyncClient) -> None:
    cursor = ok(await client.get("/v1/papers", params={"announce_type": ["new", "cross"], "limit": 1}))["next_cursor"]
    same = {"announce_type": ["cross", "new", "new"], "cursor": cursor}
    assert await found(client, **same) == ["2601.95002", "2601.95001"]
    for other in ({"announce_type": "new"}, {"withdrawn": "false"}, {"submitted_from": "2026-01-01"}, {}):
        problem(await client.get("/v1/papers", params={"cursor": cursor, **other}), 400, "invalid_cursor")
    upside_down = {"submitted_from": "2026-01-13", "submitted_to": "2026-01-12"}
    assert (
        "after its end" in problem(await client.get("/v1/papers", params=upside_down), 422, "invalid_input")["detail"]
    )
    for wrong in ({"announce_type": "NEW"}, {"announce_type": ""}, {"withdrawn": "perhaps"}, {"submitted_to": "today"}):
        problem(await client.get("/v1/papers", params=wrong), 422, "invalid_request")


@pytest.mark.usefixtures("library")
async def test_a_paper_shows_its_versions(client: httpx.AsyncClient) -> None:
    paper = ok(await client.get("/v1/papers/2601.95001"))
    assert (paper["submitted_at"], paper["updated_at"]) == ("2026-01-11T23:59:59.999999Z", "2026-01-13T10:00:00Z")
    assert paper["versions"] == [
        {"version": 1, "submitted_at": "2026-01-11T23:59:59Z", "size": "13kb", "source_type": None, "withdrawn": False},
        {"version": 2, "submitted_at": "2026-01-13T10:00:00Z", "size": "0kb", "source_type": "AI", "withdrawn": True},
    ]
    [listed] = ok(await client.get("/v1/papers", params={"withdrawn": True}))["items"]
    assert listed["versions"] == paper["versions"]
    # Of a paper that only a feed told of, little is known.
    assert ok(await client.get("/v1/papers/2601.95003"))["versions"] == [
        {"version": 1, "submitted_at": None, "size": None, "source_type": None, "withdrawn": False}
    ]
