"""When digests are written and written anew, what their revisions hold, and how they are fetched: formats, validators, feeds."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import feedparser
import httpx
import pytest

from app import tasks
from app.ingestion import Tools, ingest
from app.jobs import enqueue_once
from app.render import FORMATS
from app.worker import work_off
from tests.api import at, eastern, execute, ok, problem, statements, store
from tests.fake_arxiv import FakeArxiv
from tests.feeds import TUESDAY, WEDNESDAY, Item, rss
from tests.process_tools import query

Work = Callable[[], Coroutine[Any, Any, None]]
TWO = [Item("2601.95001", title="On $x^2$"), Item("2601.95002", title="On trees")]
MORNING = eastern(TUESDAY, 1)
"""Before the deadline of Tuesday's digest, at 06:00."""


@pytest.fixture
async def read(tools: Tools, tmp_path: Path) -> None:
    """Tuesday's listing of two papers."""
    await store(tools, tmp_path, "cs.CL", TUESDAY, *TWO)


async def make(client: httpx.AsyncClient, status: int = 201, **body: Any) -> Any:
    return ok(await client.post("/v1/digests", json={"channel": "cs.CL", "language": "en"} | body), status)


def revisions(url: str) -> list[Any]:
    return query(url, "SELECT revision FROM digest_revisions ORDER BY revision")


async def schedule(tools: Tools, url: str) -> None:
    """What the schedule does every half hour, but for asking arXiv."""
    async with tools.database.transaction() as session:
        for job in await tasks.due_digests(session, tools, tools.now()):
            await enqueue_once(session, job)
    await work_off(tools, url)


# ------------------------------------------------------------------------------------------ when a digest is written


async def test_a_digest_is_written_when_its_listing_is_read_and_summarised(
    tools: Tools, client: httpx.AsyncClient, fake_arxiv: FakeArxiv, database_url: str
) -> None:
    early = at(tools, MORNING)
    fake_arxiv.serve("cs.CL", rss("cs.CL", TUESDAY, *TWO))
    await ingest(early, "cs.CL")
    await work_off(early, database_url)
    # Composing looked before the summaries were made: nothing was written, and nothing shows a draft.
    assert revisions(database_url) == []
    assert ok(await client.get("/v1/digests"))["items"] == []
    problem(await client.get("/v1/channels/cs.CL/latest.md"), 404)
    [draft] = query(database_url, "SELECT id FROM digests")
    assert "being prepared" in problem(await client.get(f"/v1/digests/{draft}"), 404)["detail"]
    await asyncio.sleep(3.1)
    await work_off(early, database_url)
    digest = ok(await client.get("/v1/channels/cs.CL/latest.json"))
    assert (digest["revision"], digest["receipt"]["summarized"], digest["receipt"]["pending"]) == (1, 2, 0)
    await schedule(at(tools, eastern(TUESDAY, 12)), database_url)
    assert revisions(database_url) == [1]


async def test_at_its_deadline_it_is_written_with_what_there_is_and_once_more_when_the_backlog_clears(
    tools: Tools, client: httpx.AsyncClient, fake_arxiv: FakeArxiv, database_url: str
) -> None:
    early, late = at(tools, MORNING), at(tools, eastern(TUESDAY, 6))
    fake_arxiv.serve("cs.CL", rss("cs.CL", TUESDAY, *(Item(f"2601.9500{n}") for n in range(1, 7))))
    await ingest(early, "cs.CL")
    # The summaries wait, so that only the schedule acts.
    await execute(
        tools, "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 h' WHERE task_name = 'summarize'"
    )
    await schedule(early, database_url)
    assert revisions(database_url) == []
    await schedule(late, database_url)
    digest = ok(await client.get("/v1/channels/cs.CL/latest.json"))
    assert (digest["revision"], digest["receipt"]["pending"], len(digest["items"])) == (1, 6, 6)
    await schedule(late, database_url)
    # One after the other the summaries come, with a look at the digest after each.
    for summary_id in query(database_url, "SELECT id FROM summaries ORDER BY id"):
        assert revisions(database_url) == [1]
        await tasks.summarize(late, [summary_id])
        await execute(tools, "UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE task_name = 'compose'")
        await work_off(late, database_url)
        # So is the whole digest looked at when its listing is read again.
        await tasks.compose(late, channel="cs.CL", date=str(TUESDAY), language="zh")
    assert revisions(database_url) == [1, 2]
    digest = ok(await client.get("/v1/channels/cs.CL/latest.json"))
    assert (digest["receipt"]["summarized"], digest["receipt"]["pending"]) == (6, 0)


@pytest.mark.parametrize("reason", ["budget", "no_credit"])
async def test_what_nobody_makes_now_does_not_keep_a_digest_back(
    tools: Tools, client: httpx.AsyncClient, database_url: str, read: None, reason: str
) -> None:
    late = at(tools, eastern(TUESDAY, 7))
    await execute(
        tools, "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 h' WHERE task_name = 'summarize'"
    )
    await schedule(late, database_url)
    first, second = query(database_url, "SELECT id FROM summaries ORDER BY id")
    await execute(tools, "UPDATE summaries SET reason = :reason WHERE id = :id", reason=reason, id=second)
    await tasks.summarize(late, [first])
    await execute(tools, "UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE task_name = 'compose'")
    await work_off(late, database_url)
    digest = ok(await client.get("/v1/channels/cs.CL/latest.json"))
    assert (digest["revision"], digest["receipt"]["summarized"], digest["receipt"]["pending"]) == (2, 1, 1)


async def test_a_failed_source_has_a_digest_at_its_deadline_and_another_when_it_is_back(
    tools: Tools, client: httpx.AsyncClient, fake_arxiv: FakeArxiv, database_url: str, tmp_path: Path
) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, *TWO)
    await work_off(at(tools, eastern(TUESDAY, 7)), database_url)
    tuesday = ok(await client.get("/v1/channels/cs.CL/latest.json"))
    failing = at(tools, eastern(WEDNESDAY, 1))
    with pytest.raises(Exception, match="404"):
        await ingest(failing, "cs.CL")
    await schedule(failing, database_url)
    assert ok(await client.get("/v1/channels/cs.CL/latest.json"))["period"] == tuesday["period"]
    await schedule(at(tools, eastern(WEDNESDAY, 6)), database_url)
    told = ok(await client.get("/v1/channels/cs.CL/latest.json"))
    assert (told["period"]["to"], told["items"]) == (str(WEDNESDAY), [])
    assert told["receipt"]["incomplete"] == [{"category": "cs.CL", "announced_on": str(WEDNESDAY), "state": "failed"}]
    # The day before is untouched, and the day itself gains its papers when the listing can be read.
    again = ok(await client.get(f"/v1/digests/{tuesday['id']}"))
    assert again["items"] == tuesday["items"] and again["period"] == tuesday["period"]
    await store(at(tools, eastern(WEDNESDAY, 9)), tmp_path, "cs.CL", WEDNESDAY, Item("2601.96001"))
    await work_off(at(tools, eastern(WEDNESDAY, 9)), database_url)
    healed = ok(await client.get(f"/v1/digests/{told['id']}"))
    assert [item["arxiv_id"] for item in healed["items"]] == ["2601.96001"]
    assert healed["receipt"]["incomplete"] == []


async def test_a_service_that_was_off_writes_no_digests_of_days_that_nobody_read(
    tools: Tools, read: None, database_url: str
) -> None:
    await schedule(at(tools, eastern(TUESDAY + timedelta(days=6), 12)), database_url)
    assert query(database_url, "SELECT period_to::text FROM digests") == [str(TUESDAY)]


async def test_weekly_and_own_channels_are_written_when_their_period_is_over(
    tools: Tools, client: httpx.AsyncClient, database_url: str, tmp_path: Path
) -> None:
    weekly = {
        "slug": "weekly",
        "title": "Weekly",
        "categories": ["cs.CL"],
        "schedule": "weekly",
        "weekday": "wednesday",
    }
    ok(await client.post("/v1/channels", json=weekly), 201)
    await execute(tools, "UPDATE channels SET created_at = '2026-01-01'")
    # One that is made later has no digests of the days before.
    ok(await client.post("/v1/channels", json={"slug": "later", "title": "Later", "categories": ["cs.CL"]}), 201)
    await store(tools, tmp_path, "cs.CL", TUESDAY, *TWO)
    await execute(tools, "DELETE FROM procrastinate_jobs WHERE task_name = 'compose'")
    await schedule(at(tools, eastern(WEDNESDAY, 5)), database_url)
    problem(await client.get("/v1/channels/weekly/latest.json"), 404)
    await store(tools, tmp_path, "cs.CL", WEDNESDAY, Item("2601.96001"))
    await execute(tools, "DELETE FROM procrastinate_jobs WHERE task_name = 'compose'")
    await schedule(at(tools, eastern(WEDNESDAY, 7)), database_url)
    problem(await client.get("/v1/channels/later/latest.json"), 404)
    found = ok(await client.get("/v1/channels/weekly/latest.json"))
    assert (found["period"], len(found["items"])) == ({"from": "2026-01-08", "to": "2026-01-14"}, 3)


async def test_twenty_at_once_make_one_digest(client: httpx.AsyncClient, read: None, database_url: str) -> None:
    answers = await asyncio.gather(
        *(client.post("/v1/digests", json={"channel": "cs.CL", "language": "en"}) for _ in range(20))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.text for answer in answers}) == 1
    assert revisions(database_url) == [1]


# --------------------------------------------------------------------------------------------------------- revisions


async def test_revisions_are_listed_compared_and_kept(
    tools: Tools, client: httpx.AsyncClient, read: None, tmp_path: Path
) -> None:
    first = await make(client)
    text = {"tldr": "A sentence.", "title": "A title"}
    ok(await client.put("/v1/papers/2601.95002/summaries/en", json=text), 201)
    await store(tools, tmp_path, "cs.CL", TUESDAY, *TWO, Item("2601.95003"))
    second = await make(client, 200)
    path = f"/v1/digests/{first['id']}"
    listed = ok(await client.get(f"{path}/revisions", params={"limit": 1}))
    assert [one["revision"] for one in listed["items"]] == [2]
    older = ok(await client.get(f"{path}/revisions", params={"limit": 1, "cursor": listed["next_cursor"]}))
    assert older["next_cursor"] is None
    assert older["items"] == [{name: first[name] for name in ("revision", "created_at", "receipt")}]
    diff = ok(await client.get(f"{path}/revisions/2/diff"))
    assert (diff["against"], diff["added"], diff["removed"]) == (1, ["2601.95003"], [])
    assert diff["changed"] == [
        {"arxiv_id": "2601.95002",
         "fields": ["translated_title", "tldr", "summary_status", "summary"]}
    ]  # fmt: skip
    assert (diff["receipt_before"], diff["receipt_after"]) == (first["receipt"], second["receipt"])
    whole = ok(await client.get(f"{path}/revisions/1/diff"))
    assert (whole["against"], whole["added"], whole["receipt_before"]) == (0, ["2601.95002", "2601.95001"], None)
    back = ok(await client.get(f"{path}/revisions/1/diff", params={"against": 2}))
    assert (back["added"], back["removed"]) == ([], ["2601.95003"])
    assert ok(await client.get(path, params={"revision": 1})) == first
    for wrong in (f"{path}/revisions/3/diff", f"{path}/revisions/1/diff?against=9", "/v1/digests/none/revisions"):
        problem(await client.get(wrong), 404)
    problem(await client.get(f"{path}/revisions/0/diff"), 422)
    # What a paper shows has changed for one of them only.
    stamps = {item["arxiv_id"]: (item["added_at"], item["changed_at"]) for item in second["items"]}
    assert stamps["2601.95001"] == (first["created_at"], first["created_at"])
    assert stamps["2601.95002"] == (first["created_at"], second["created_at"])
    assert stamps["2601.95003"] == (second["created_at"], second["created_at"])
    assert second["first_created_at"] == first["created_at"] == first["first_created_at"]


async def test_refresh_and_delete(client: httpx.AsyncClient, read: None, work: Work) -> None:
    first = await make(client)
    assert ok(await client.post(f"/v1/digests/{first['id']}/refresh")) == first
    await work()
    refreshed = ok(await client.post(f"/v1/digests/{first['id']}/refresh"))
    assert refreshed["receipt"]["summarized"] == 2
    problem(await client.post("/v1/digests/none/refresh"), 404)
    assert (await client.delete(f"/v1/digests/{first['id']}")).status_code == 204
    problem(await client.get(f"/v1/digests/{first['id']}.md"), 404)
    assert (await make(client))["revision"] == 1


# ------------------------------------------------------------------------------------------------ formats, validators


async def test_every_format_has_its_type_its_validators_and_few_statements(
    tools: Tools, client: httpx.AsyncClient, read: None
) -> None:
    digest = await make(client)
    tags = set()
    for name, form in FORMATS.items():
        for style in (None, *form.styles):
            for math in (None, *form.math) if style is None else (None,):
                asked = {key: value for key, value in (("style", style), ("math", math)) if value}
                with statements(tools) as sent:
                    got = await client.get(f"/v1/digests/{digest['id']}.{name}", params=asked)
                assert got.status_code == 200, (name, asked, got.text)
                assert got.headers["content-type"].split(";")[0] == form.media_type
                assert len(sent) <= 3, sent
                assert got.headers["x-content-type-options"] == "nosniff"
                assert (got.headers["etag"], got.headers["cache-control"]) != ("", "")
                tags.add(got.headers["etag"])
                for header in (
                    {"If-None-Match": got.headers["etag"]},
                    {"If-None-Match": f'"other", W/{got.headers["etag"]}'},
                    {"If-None-Match": "*"},
                    {"If-Modified-Since": got.headers["last-modified"]},
                ):
                    with statements(tools) as sent:
                        again = await client.get(f"/v1/digests/{digest['id']}.{name}", params=asked, headers=header)
                    assert (again.status_code, again.content) == (304, b""), (name, header)
                    assert again.headers["etag"] == got.headers["etag"]
                    assert len(sent) == 1, sent
                stale = {"If-None-Match": '"other"', "If-Modified-Since": got.headers["last-modified"]}
                assert (await client.get(f"/v1/digests/{digest['id']}.{name}", params=asked, headers=stale)).is_success
    # Every rendering has a tag of its own, the default kind of formulas the same as when it is named.
    assert len(tags) == sum(max(len(form.math), 1) + len(form.styles) for form in FORMATS.values())


async def test_the_tag_changes_with_the_revision_and_the_address(
    client: httpx.AsyncClient, read: None, work: Work
) -> None:
    digest = await make(client)
    path = f"/v1/digests/{digest['id']}.html"
    before = (await client.get(path)).headers["etag"]
    assert (await client.get(path, headers={"Host": "other.example"})).headers["etag"] != before
    await work()
    await client.post(f"/v1/digests/{digest['id']}/refresh")
    after = await client.get(path, headers={"If-None-Match": before})
    assert (after.status_code, after.headers["etag"] == before) == (200, False)
    assert (await client.get(path, params={"revision": 1})).headers["etag"] == before


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("application/atom+xml", "application/atom+xml"),
        ("application/epub+zip, text/csv;q=0.5", "application/epub+zip"),
        ("text/*;q=0.5, text/csv", "text/csv"),
        ("text/markdown;q=0.2, application/json;q=0.1", "text/markdown"),
        ("application/json, text/plain, */*", "application/json"),
        ("nonsense", "application/json"),
    ],
)
async def test_accept_chooses(client: httpx.AsyncClient, read: None, accept: str | None, media_type: str) -> None:
    digest = await make(client)
    client.headers.pop("accept")
    for path in (f"/v1/digests/{digest['id']}", "/v1/channels/cs.CL/latest"):
        got = await client.get(path, headers={"Accept": accept} if accept is not None else {})
        assert (got.status_code, got.headers["content-type"].split(";")[0]) == (200, media_type)
        assert got.headers["vary"] == "Accept"
        assert f"/v1/digests/{digest['id']}." in got.headers["content-location"]


async def test_what_cannot_be_given_is_a_406(client: httpx.AsyncClient, read: None) -> None:
    digest = await make(client)
    for accept in ("image/png", "application/json;q=0, text/html;q=0"):
        told = problem(
            await client.get(f"/v1/digests/{digest['id']}", headers={"Accept": accept}), 406, "not_acceptable"
        )
        assert "application/epub+zip" in told["detail"]
    for asked in ({"math": "latex"}, {"style": "modern"}, {"style": "classic", "math": "tex"}):
        problem(await client.get(f"/v1/digests/{digest['id']}.md", params=asked), 422, "invalid_input")


# ------------------------------------------------------------------------------------------------------------- feeds


async def feed_of(client: httpx.AsyncClient, format: str, **asked: Any) -> Any:
    got = await client.get(f"/v1/channels/cs.CL/feed.{format}", params={"language": "en"} | asked)
    assert got.status_code == 200, got.text
    if format == "json":
        return got.json()
    return feedparser.parse(got.content)


async def test_feeds_have_an_entry_for_each_digest_or_paper(
    tools: Tools, client: httpx.AsyncClient, read: None, tmp_path: Path
) -> None:
    await store(tools, tmp_path, "cs.CL", WEDNESDAY, Item("2601.95001", version=2, type="replace"), Item("2601.96001"))
    made = [await make(client, date=str(day)) for day in (TUESDAY, WEDNESDAY)]
    for format in ("atom", "rss"):
        read_back = await feed_of(client, format)
        assert not read_back.bozo
        assert [entry.title for entry in read_back.entries] == [digest["title"] for digest in reversed(made)]
        papers = await feed_of(client, format, entries="papers")
        assert len(papers.entries) == 3
        assert len({entry.id for entry in papers.entries}) == 3
    as_json = await feed_of(client, "json", entries="papers")
    assert {item["title"] for item in as_json["items"]} == {"On Testing", "On trees"}
    assert as_json["feed_url"] == "http://zhaiyao.test/v1/channels/cs.CL/feed.json?entries=papers&language=en"
    older = await feed_of(client, "json", limit=1, page=2)
    assert [item["title"] for item in older["items"]] == [made[0]["title"]]
    first = await feed_of(client, "json", limit=1)
    assert first["next_url"] == "http://zhaiyao.test/v1/channels/cs.CL/feed.json?language=en&limit=1&page=2"
    assert "next_url" not in older
    assert (await feed_of(client, "json", page=9))["items"] == []


async def test_ids_never_change_and_dates_move_only_with_content(
    client: httpx.AsyncClient, read: None, tools: Tools
) -> None:
    await make(client)

    async def seen() -> dict[str, tuple[str, str, str]]:
        items = (await feed_of(client, "json", entries="papers"))["items"]
        return {item["title"]: (item["id"], item["date_published"], item["date_modified"]) for item in items}

    before = await seen()
    ok(await client.put("/v1/papers/2601.95002/summaries/en", json={"tldr": "A sentence."}), 201)
    await make(client, 200)
    after = await seen()
    assert after["On x²"] == before["On x²"]
    assert after["On trees"][:2] == before["On trees"][:2]
    assert after["On trees"][2] > before["On trees"][2]


async def test_a_feed_is_not_sent_twice(client: httpx.AsyncClient, tools: Tools, read: None) -> None:
    empty = await client.get("/v1/channels/cs.CL/feed.atom")
    assert (empty.status_code, feedparser.parse(empty.content).entries) == (200, [])
    await make(client, language="zh")
    got = await client.get("/v1/channels/cs.CL/feed.atom", headers={"If-None-Match": empty.headers["etag"]})
    assert got.status_code == 200
    assert got.headers["cache-control"] == "public, max-age=300"
    for header in ({"If-None-Match": got.headers["etag"]}, {"If-Modified-Since": got.headers["last-modified"]}):
        with statements(tools) as sent:
            again = await client.get("/v1/channels/cs.CL/feed.atom", headers=header)
        assert (again.status_code, again.content) == (304, b"")
        assert len(sent) == 1
    other = await client.get("/v1/channels/cs.CL/feed.atom", params={"entries": "papers"})
    assert other.headers["etag"] != got.headers["etag"]
    for path, asked in (
        ("feed.xml", {}),
        ("feed.atom", {"entries": "x"}),
        ("feed.atom", {"math": "x"}),
        ("feed.rss", {"page": 0}),
    ):
        problem(await client.get(f"/v1/channels/cs.CL/{path}", params=asked), 422)
    problem(await client.get("/v1/channels/none/feed.atom"), 404)
    alias = await client.get("/v1/channels/cmp-lg/feed.atom", headers={"If-None-Match": got.headers["etag"]})
    assert alias.status_code == 304


async def test_the_public_address_is_in_the_links(client: httpx.AsyncClient, tools: Tools, read: None) -> None:
    digest = await make(client, language="zh")
    public = tools.settings.model_copy(update={"public_url": "https://digests.example.org/"})
    client._transport.app.state.tools = replace(tools, settings=public)  # type: ignore[attr-defined]
    atom = feedparser.parse((await client.get("/v1/channels/cs.CL/feed.atom")).content)
    assert atom.feed.link == "https://digests.example.org/channels/cs.CL"
    assert atom.entries[0].link == f"https://digests.example.org/v1/digests/{digest['id']}.html"
    page = (await client.get(f"/v1/digests/{digest['id']}.html")).text
    assert "https://digests.example.org/v1/channels/cs.CL/feed.atom" in page
