"""Reading listings: over the API and a worker, from a fake arXiv over real HTTP, with its faults."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest

from app import sample
from app.config import Settings
from app.errors import FeedRejected
from app.ingestion import Tools, ingest
from app.tasks import due_polls
from tests.fake_arxiv import FakeArxiv, Reply
from tests.feeds import TUESDAY, WEDNESDAY, Item, rss

Work = Callable[[], Awaitable[None]]
TWO = (Item("2601.95001"), Item("2601.95002", type="cross", categories=("cs.LG", "cs.CL")))


async def read(client: httpx.AsyncClient, work: Work, category: str = "cs.CL") -> dict[str, Any]:
    """Ask for a listing, do the work, and give the job as it ended."""
    answer = await client.post("/v1/ingestions", json={"category": category})
    assert answer.status_code == 202, answer.text
    await work()
    job: dict[str, Any] = (await client.get(answer.headers["Location"])).json()
    return job


async def get(client: httpx.AsyncClient, path: str, **params: Any) -> Any:
    answer = await client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_listing_is_stored_with_all_its_fields(
    client: httpx.AsyncClient, fake_arxiv: FakeArxiv, work: Work
) -> None:
    fake_arxiv.serve("cs.CL", rss("cs.CL", TUESDAY, *TWO))
    job = await read(client, work)
    assert job["status"] == "succeeded"
    assert job["result"] == {
        "category": "cs.CL", "announced_on": "2026-01-13", "state": "announced", "items": 2, "papers_created": 2,
        "papers_changed": 0, "announcements_created": 2, "types_corrected": 0,
    }  # fmt: skip
    paper = await get(client, "/v1/papers/arXiv:2601.95001v1")
    assert paper["title"] == "On Testing"
    assert paper["abstract"] == "We propose a test. It passes."
    bo = {"name": "Bo Example", "display_name": "Bo Example", "affiliations": ["Univ. of Tests, Dept. X"]}
    assert paper["authors"][1] == bo
    assert paper["first_announced_on"] == "2026-01-13"
    assert paper["source"]["format"] == "rss2"
    assert "Announce Type: new" in paper["source"]["raw"]
    [announced] = paper["announcements"]
    assert announced == {
        "category": "cs.CL", "announced_on": "2026-01-13", "announce_type": "new", "version": 1, "source": "feed"
    }  # fmt: skip
    [listing] = (await get(client, "/v1/listings"))["items"]
    assert listing["counts"] == {"new": 1, "cross": 1, "replace": 0, "replace-cross": 0}


async def test_the_second_run_changes_nothing(client: httpx.AsyncClient, fake_arxiv: FakeArxiv, work: Work) -> None:
    fake_arxiv.serve("cs.CL", rss("cs.CL", TUESDAY, *TWO))
    await read(client, work)
    before = await get(client, "/v1/papers")
    job = await read(client, work)
    assert job["result"]["papers_created"] == job["result"]["papers_changed"] == 0
    assert job["result"]["announcements_created"] == 0
    assert await get(client, "/v1/papers") == before


async def test_a_replacement_updates_and_an_old_listing_does_not(
    client: httpx.AsyncClient, fake_arxiv: FakeArxiv, work: Work
) -> None:
    first = rss("cs.CL", TUESDAY, Item("2601.95001", title="Before", creator="Ada Sample"))
    second = rss("cs.CL", WEDNESDAY, Item("2601.95001", version=2, type="replace", title="After", abstract="New text."))
    fake_arxiv.serve("cs.CL", first, second, first)
    for _ in range(3):
        await read(client, work)
    paper = await get(client, "/v1/papers/2601.95001")
    assert (paper["version"], paper["title"], paper["abstract"]) == (2, "After", "New text.")
    assert [a["announce_type"] for a in paper["announcements"]] == ["new", "replace"]
    assert paper["first_announced_on"] == "2026-01-13"


async def test_one_paper_in_two_feeds_is_one_paper(
    client: httpx.AsyncClient, fake_arxiv: FakeArxiv, work: Work
) -> None:
    both = Item("2601.95003", categories=("cs.CL", "stat.ML"))
    fake_arxiv.serve("cs.CL", rss("cs.CL", TUESDAY, both))
    fake_arxiv.serve("stat.ML", rss("stat.ML", TUESDAY, replace(both, type="cross")))
    await read(client, work, "cs.CL")
    await read(client, work, "stat.ML")
    paper = await get(client, "/v1/papers/2601.95003")
    assert {(a["category"], a["announce_type"]) for a in paper["announcements"]} == {
        ("cs.CL", "new"),
        ("stat.ML", "cross"),
    }
    assert len((await get(client, "/v1/papers", category="stat.ML"))["items"]) == 1


FAULTS = {
    "html": (Reply(b"<!DOCTYPE html><html><body>Sorry</body></html>"), "html"),
    "status 503": (Reply(b"busy", 503), "http_status"),
    "status 429": (Reply(b"Rate exceeded.", 429), "http_status"),
    "status 406 without a body": (Reply(b"", 406), "http_status"),
    "empty body": (Reply(b""), "empty_body"),
    "connection cut": (Reply(rss("cs.CL", TUESDAY, *TWO), cut=900), "network"),
    "document cut": (Reply(rss("cs.CL", TUESDAY, *TWO)[:900]), "truncated"),
    "ten megabytes of rubbish": (Reply(random.Random(1).randbytes(10_000_000)), "not_xml"),
    "too large": (Reply(b"<rss>" + b" " * 20_000_001), "too_large"),
    "another category": (Reply(rss("cs.LG", TUESDAY, *TWO)), "wrong_category"),
    "far future": (Reply(rss("cs.CL", date(2999, 1, 1), *TWO)), "future_date"),
    "entity bomb": (Reply(b'<!DOCTYPE r [<!ENTITY a "aaa"><!ENTITY b "&a;&a;">]><rss>&b;</rss>'), "forbidden_xml"),
    "external entity": (
        Reply(b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss>&x;</rss>'),
        "forbidden_xml",
    ),
}


@pytest.mark.parametrize(("reply", "reason"), FAULTS.values(), ids=FAULTS.keys())
async def test_a_fault_stores_nothing_and_says_why(
    client: httpx.AsyncClient, fake_arxiv: FakeArxiv, work: Work, reply: Reply, reason: str
) -> None:
    fake_arxiv.serve("cs.CL", reply)
    job = await read(client, work)
    assert job["status"] == "failed"
    assert job["error"]
    [run] = (await get(client, "/v1/ingestions"))["items"]
    assert (run["state"], run["reason"], run["job_id"]) == ("failed", reason, job["id"])
    assert run["detail"] == job["error"]
    assert (await get(client, "/v1/papers"))["items"] == []
    assert [one["state"] for one in (await get(client, "/v1/listings"))["items"]] == ["failed"]


async def test_an_error_feed_gives_arxivs_own_reason(
    client: httpx.AsyncClient, fake_arxiv: FakeArxiv, work: Work
) -> None:
    body = (
        b"<rss version='2.0'><channel><title>Feed error for query: http://rss.arxiv.org/rss/cs.CL</title>"
        b"<description>Bad subject class 'CL'.</description></channel></rss>"
    )
    fake_arxiv.serve("cs.CL", Reply(body, 400))
    job = await read(client, work)
    assert "Bad subject class" in job["error"]


async def test_an_empty_weekend_feed_is_empty_and_takes_nothing_away(
    client: httpx.AsyncClient, fake_arxiv: FakeArxiv, work: Work
) -> None:
    friday, saturday = date(2026, 1, 16), date(2026, 1, 17)
    fake_arxiv.serve("cs.CL", rss("cs.CL", friday, *TWO), rss("cs.CL", saturday), rss("cs.CL", friday))
    for expected in ("announced", "empty", "empty"):
        assert (await read(client, work))["result"]["state"] == expected
    listings = (await get(client, "/v1/listings"))["items"]
    assert [(one["announced_on"], one["state"], one["announced"]) for one in listings] == [
        ("2026-01-17", "empty", 0),
        ("2026-01-16", "announced", 2),
    ]


async def test_a_full_feed_counts_as_truncated(client: httpx.AsyncClient, fake_arxiv: FakeArxiv, tools: Tools) -> None:
    fake_arxiv.serve("cs.CL", rss("cs.CL", TUESDAY, *(Item(f"2601.{n}") for n in range(90001, 92001))))
    assert (await ingest(tools, "cs.CL")).state == "truncated"
    assert (await get(client, "/v1/listings"))["items"][0]["announced"] == 2000


async def test_an_unknown_category_is_refused_at_the_door(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/ingestions", json={"category": "cs.CX"})
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_category")
    assert "cs.C" in answer.json()["detail"]


async def test_an_alias_is_asked_for_by_its_canonical_name(
    client: httpx.AsyncClient, fake_arxiv: FakeArxiv, work: Work
) -> None:
    fake_arxiv.serve("math.NA", rss("math.NA", TUESDAY, Item("2601.95001", categories=("math.NA", "cs.NA"))))
    assert (await read(client, work, "cs.NA"))["result"]["category"] == "math.NA"
    assert len((await get(client, "/v1/papers", category="cs.NA"))["items"]) == 1


async def test_a_combined_document_is_split_into_its_categories(
    tools: Tools, tmp_path: Any, client: httpx.AsyncClient
) -> None:
    file = tmp_path / "combined.xml"
    items = [
        Item("2601.95001", categories=("cs.CL",)),
        Item("2601.95002", categories=("stat.ML", "cs.CL")),
    ]
    file.write_bytes(rss("cs.CL, stat.ML", TUESDAY, *items))
    await ingest(tools, "stat.ML", source=str(file))
    counts = {one["category"]: one["counts"] for one in (await get(client, "/v1/listings"))["items"]}
    assert (counts["cs.CL"]["new"], counts["cs.CL"]["cross"]) == (1, 1)
    assert (counts["stat.ML"]["new"], counts["stat.ML"]["cross"]) == (1, 0)


async def test_requests_are_spaced_and_say_who_asks(tools: Tools, fake_arxiv: FakeArxiv) -> None:
    fake_arxiv.serve("cs.CL", rss("cs.CL", TUESDAY))
    polite = replace(tools, door=replace(tools.door, interval=timedelta(seconds=0.3)))
    await asyncio.gather(*(ingest(polite, "cs.CL") for _ in range(4)))
    times = sorted(request.at for request in fake_arxiv.requests)
    assert min(b - a for a, b in pairwise(times)) > 0.25
    agent = fake_arxiv.requests[0].headers["User-Agent"]
    assert agent.startswith("zhaiyao/")
    assert "mailto:tests@example.org" in agent


async def test_two_processes_reading_the_same_listing_store_it_once(tools: Tools, client: httpx.AsyncClient) -> None:
    files = sample.files()
    await asyncio.gather(*(ingest(tools, file.category, source=str(file.path)) for file in files * 3))
    papers = (await get(client, "/v1/papers", limit=200))["items"]
    assert len(papers) == len({paper["arxiv_id"] for paper in papers}) == 32
    total = sum(one["announced"] for one in (await get(client, "/v1/listings"))["items"])
    assert total == 41


async def test_a_missing_file_is_a_failed_run(tools: Tools, client: httpx.AsyncClient) -> None:
    with pytest.raises(FeedRejected, match="cannot be read"):
        await ingest(tools, "cs.CL", source="/nowhere/feed.xml")
    [run] = (await get(client, "/v1/ingestions"))["items"]
    assert run["reason"] == "unreadable_file"
    assert (await get(client, "/v1/listings"))["items"] == []


@pytest.mark.parametrize(
    ("moment", "due"),
    [
        ("2026-01-13T05:29:00Z", False),  # Tuesday 00:29 in New York, in winter
        ("2026-01-13T05:30:00Z", True),
        ("2026-07-14T04:30:00Z", True),  # the same in summer time
        ("2026-01-17T12:00:00Z", False),  # Saturday
        ("2026-01-19T04:00:00Z", False),  # Sunday evening there, Monday in UTC
    ],
)
async def test_listings_are_polled_after_the_announcement(tools: Tools, moment: str, due: bool) -> None:
    async with tools.database.transaction() as session:
        polls = await due_polls(session, tools, datetime.fromisoformat(moment).astimezone(UTC))
    assert [job.args for job in polls] == ([{"category": "cs.CL"}] if due else [])


async def test_polling_stops_once_the_day_is_read_and_follows_own_channels(
    tools: Tools, client: httpx.AsyncClient, fake_arxiv: FakeArxiv, work: Work
) -> None:
    await client.post("/v1/channels", json={"slug": "stats", "title": "Stats", "categories": ["stat.ML", "cs.CL"]})
    fake_arxiv.serve("cs.CL", rss("cs.CL", TUESDAY, *TWO))
    await read(client, work)
    noon = datetime(2026, 1, 13, 17, tzinfo=UTC)
    async with tools.database.transaction() as session:
        polls = await due_polls(session, tools, noon)
    assert [job.args["category"] for job in polls] == ["stat.ML"]


def test_the_interval_may_not_be_shorter_for_arxiv_itself() -> None:
    with pytest.raises(ValueError, match="every 3 seconds"):
        Settings(arxiv_interval="1", _env_file=None)


async def test_a_channel_of_an_archive_is_composed_when_one_of_its_categories_is_read(
    client: httpx.AsyncClient, fake_arxiv: FakeArxiv, work: Work
) -> None:
    await client.post("/v1/channels", json={"slug": "economics", "title": "Economics", "categories": ["econ"]})
    fake_arxiv.serve("econ.EM", rss("econ.EM", TUESDAY, Item("2601.95001", categories=("econ.EM",))))
    await read(client, work, "econ.EM")
    for slug in ("economics", "econ.EM"):
        answer = await client.get(f"/v1/channels/{slug}/latest.json")
        assert [item["arxiv_id"] for item in answer.json()["items"]] == ["2601.95001"], slug
