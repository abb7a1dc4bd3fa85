"""The log of changes: what is on it, how it is paged, and that a copy made from it is equal, whatever happens."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest
from sqlalchemy import text

from app import changes
from app.api.schemas import DigestListed, PaperDetail, SummaryRead
from app.ingestion import Tools
from app.postgres import EmbeddedPostgres
from app.snapshot import import_snapshot, open_snapshot
from tests.api import Service, execute, ok, problem, serving, store
from tests.conftest import TEMPLATE, _execute
from tests.feeds import TUESDAY, WEDNESDAY, Item
from tests.mirror import Mirror, documented_sync, truth
from tests.snapshots import arxiv_id, line

Work = Callable[[], Awaitable[None]]
IDS = [f"2601.9500{n}" for n in range(1, 6)]
OLD = "hep-th/9901001"
DIGEST = {"channel": "cs.CL", "date": "2026-01-13", "language": "zh"}
TEXT = {"tldr": "一句话。", "tldr_en": "One sentence.", "author": "Ada"}
LOG = "SELECT kind, key, position, is_deleted, changed_at FROM changes ORDER BY position"


@pytest.fixture(scope="module")
async def still(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service with six papers, two summaries and a digest; the tests that share it only read."""
    _execute(postgres, f"CREATE DATABASE still TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    folder = tmp_path_factory.mktemp("still")
    async with serving(postgres.url("still"), folder) as service:
        await store(service.tools, folder, "cs.CL", TUESDAY, *map(Item, IDS))
        await store(service.tools, folder, "hep-th", TUESDAY, Item(OLD, version=2, type="replace"))
        for one in IDS[:2]:
            ok(await service.client.put(f"/v1/papers/{one}/summaries/zh", json=TEXT), 201)
        ok(await service.client.post("/v1/digests", json=DIGEST | {"language": "en"}), 201)
        await changes.sequence(service.tools.database)
        yield service
    _execute(postgres, "DROP DATABASE still WITH (FORCE)")


async def log(tools: Tools) -> list[Any]:
    async with tools.database.transaction() as session:
        return list((await session.execute(text(LOG))).all())


async def marks(tools: Tools) -> int:
    async with tools.database.transaction() as session:
        return int((await session.execute(text("SELECT count(*) FROM change_marks"))).scalar_one())


async def test_from_the_beginning_it_names_everything_at_its_address(still: Service) -> None:
    mirror = Mirror(still.client)
    await mirror.sync()
    assert mirror.things == await truth(still.client)
    assert {kind for kind, _ in mirror.things} == {"paper", "summary", "digest"}
    page = ok(await still.client.get("/v1/changes", params={"limit": 1000}))
    assert len(page["items"]) == len(mirror.things) and not page["has_more"]
    for item in page["items"]:
        assert set(item) == {"kind", "id", "change", "changed_at", "address"}
        body = ok(await still.client.get(item["address"]))
        if item["kind"] != "digest":
            assert body == mirror.things[item["kind"], item["id"]]
    assert any(item["address"] == f"/v1/papers/{OLD}" for item in page["items"])


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
@pytest.mark.parametrize("kinds", [None, "paper", "summary,digest", "digest"])
async def test_pages_come_in_the_order_of_the_log(still: Service, limit: int, kinds: str | None) -> None:
    rows = [row for row in await log(still.tools) if kinds is None or row.kind in kinds]
    mirror = Mirror(still.client, {"limit": limit} | ({"kinds": kinds} if kinds else {}))
    seen = await mirror.sync()
    assert seen == [(row.kind, row.key, "upserted") for row in rows]
    assert await mirror.sync() == []


async def test_the_last_page_keeps_its_place_and_the_link_leads_on(still: Service) -> None:
    answer = await still.client.get("/v1/changes", params={"limit": 5, "start": "beginning"})
    page = ok(answer)
    [address] = [part.split(">")[0].lstrip("<") for part in answer.headers["link"].split(",")]
    assert parse_qs(urlsplit(address).query)["cursor"] == [page["next_cursor"]]
    following = ok(await still.client.get(address))
    assert following["items"] and following["items"][0] not in page["items"]
    end = Mirror(still.client, cursor=page["next_cursor"])
    await end.sync()
    answer = await still.client.get("/v1/changes", params={"cursor": end.cursor})
    assert ok(answer) == {"items": [], "next_cursor": end.cursor, "has_more": False}
    assert "link" not in answer.headers
    again = await still.client.get(
        "/v1/changes", params={"cursor": end.cursor}, headers={"if-none-match": answer.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_it_begins_where_it_is_asked_to(still: Service) -> None:
    whole = ok(await still.client.get("/v1/changes", params={"limit": 1000}))
    now = ok(await still.client.get("/v1/changes", params={"start": "now"}))
    assert now == {"items": [], "next_cursor": whole["next_cursor"], "has_more": False}
    last = whole["items"][-1]["changed_at"]
    since = ok(await still.client.get("/v1/changes", params={"since": last}))
    assert since["items"] == [item for item in whole["items"] if item["changed_at"] >= last]
    later = datetime.fromisoformat(last) + timedelta(microseconds=1)
    assert ok(await still.client.get("/v1/changes", params={"since": later.isoformat()})) == now
    early: dict[str, str | int] = {"since": "1970-01-01T00:00:00Z", "limit": 1000}
    assert ok(await still.client.get("/v1/changes", params=early))["items"] == whole["items"]


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"cursor": "x"}, 400, "invalid_cursor"),
        ({"cursor": ""}, 400, "invalid_cursor"),
        ({"cursor": "é" * 600}, 400, "invalid_cursor"),
        ({"limit": 0}, 422, "invalid_request"),
        ({"limit": 1001}, 422, "invalid_request"),
        ({"limit": "many"}, 422, "invalid_request"),
        ({"limit": 201, "include": "bodies"}, 422, "invalid_input"),
        ({"kinds": "paper,channel"}, 422, "invalid_input"),
        ({"kinds": ""}, 422, "invalid_input"),
        ({"kinds": "paper,"}, 422, "invalid_input"),
        ({"kinds": ["paper", "'; DROP TABLE changes; --"]}, 422, "invalid_input"),
        ({"include": "everything"}, 422, "invalid_request"),
        ({"start": "end"}, 422, "invalid_request"),
        ({"since": "yesterday"}, 422, "invalid_request"),
        ({"since": "2026-01-13T00:00:00"}, 422, "invalid_request"),
        ({"since": "2026-01-13T00:00:00Z", "start": "now"}, 422, "invalid_input"),
    ],
)
async def test_what_cannot_be_asked(still: Service, params: dict[str, Any], status: int, code: str) -> None:
    problem(await still.client.get("/v1/changes", params=params), status, code)


async def test_a_cursor_belongs_to_its_kinds_and_to_this_log(still: Service) -> None:
    page = ok(await still.client.get("/v1/changes", params={"limit": 1, "kinds": "paper,digest"}))
    ok(await still.client.get("/v1/changes", params={"kinds": ["digest", "paper"], "cursor": page["next_cursor"]}))
    problem(await still.client.get("/v1/changes", params={"cursor": page["next_cursor"]}), 400, "invalid_cursor")
    other = ok(await still.client.get("/v1/papers", params={"limit": 1}))["next_cursor"]
    problem(await still.client.get("/v1/changes", params={"cursor": other}), 400, "invalid_cursor")
    changed = page["next_cursor"][:-2] + ("AA" if page["next_cursor"][-2:] != "AA" else "BB")
    problem(await still.client.get("/v1/changes", params={"cursor": changed, "kinds": "paper,digest"}), 400)
    problem(await still.client.get(f"/v1/summaries/{2**62}"), 404, "not_found")
    problem(await still.client.get("/v1/summaries/x"), 422)


async def test_a_copy_follows_every_kind_of_change(
    client: httpx.AsyncClient, tools: Tools, tmp_path: Path, work: Work
) -> None:
    mirror = Mirror(client, {"include": "bodies", "limit": 3})

    async def followed(*expected: tuple[str, str]) -> None:
        """What has changed came, and the copy is equal."""
        came = {(kind, change) for kind, _, change in await mirror.sync()}
        assert set(expected) <= came, came
        assert mirror.things == await truth(client)
        assert await mirror.sync() == []

    await store(tools, tmp_path, "cs.CL", TUESDAY, *map(Item, IDS))
    await followed(("paper", "upserted"), ("summary", "upserted"))
    await work()
    await followed(("summary", "upserted"), ("digest", "upserted"))
    await store(tools, tmp_path, "stat.ML", TUESDAY, Item(IDS[0], type="cross"))  # only an announcement
    await followed(("paper", "upserted"))
    ok(await client.put(f"/v1/papers/{IDS[0]}/summaries/zh", json=TEXT), 201)
    await work()  # the digest shows the human's text
    await followed(("summary", "upserted"), ("digest", "upserted"))
    new = Item(IDS[0], version=2, type="replace", abstract="We take it back. All of it.")
    await store(tools, tmp_path, "cs.CL", WEDNESDAY, new)  # all summaries of it become stale
    await followed(("paper", "upserted"), ("summary", "upserted"))
    assert any(body.get("stale") for body in mirror.things.values())
    assert (await client.delete(f"/v1/papers/{IDS[0]}/summaries/zh")).status_code == 204
    await work()
    await followed(("summary", "upserted"))

    mine = {"slug": "mine", "title": "Mine", "categories": ["cs.CL"], "language": "zh"}
    ok(await client.post("/v1/channels", json=mine), 201)
    digest = ok(await client.post("/v1/digests", json=DIGEST | {"channel": "mine"}), 201)
    await followed(("digest", "upserted"))
    assert (await client.delete("/v1/channels/mine")).status_code == 204
    assert await mirror.sync() == [("digest", digest["id"], "deleted")]
    ok(await client.post("/v1/channels", json=mine), 201)
    assert ok(await client.post("/v1/digests", json=DIGEST | {"channel": "mine"}), 201)["id"] == digest["id"]
    await followed(("digest", "upserted"))
    assert (await client.delete(f"/v1/digests/{digest['id']}")).status_code == 204
    await followed(("digest", "deleted"))


async def test_what_is_shown_with_a_paper_is_a_change_of_it(
    client: httpx.AsyncClient, tools: Tools, tmp_path: Path
) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, *map(Item, IDS))
    mirror = Mirror(client)
    await mirror.sync()
    for statement in (
        "UPDATE announcements SET announce_type = 'cross' WHERE arxiv_id = :id",
        "INSERT INTO announcements (arxiv_id, category, announced_on, announce_type) VALUES (:id, 'x', '2026-01-14', 'new')",
        "DELETE FROM announcements WHERE arxiv_id = :id",
        "INSERT INTO paper_entries (arxiv_id, format, raw, raw_hash) VALUES (:id, 'rss2', 'again', 'hash')",
        "DELETE FROM paper_entries WHERE arxiv_id = :id",
    ):
        await execute(tools, statement, id=IDS[2])
        assert await mirror.sync() == [("paper", IDS[2], "upserted")], statement
        assert mirror.things == await truth(client)
    # A digest is there when its first revision is.
    await execute(
        tools,
        "INSERT INTO digests (id, kind, title, language, revision) VALUES ('draft', 'papers', 'Not yet', 'en', 0)",
    )
    assert await mirror.sync() == []


async def test_what_no_caller_sees_is_no_change(client: httpx.AsyncClient, tools: Tools, tmp_path: Path) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, *map(Item, IDS))
    ok(await client.post("/v1/digests", json=DIGEST), 201)
    mirror = Mirror(client)
    await mirror.sync()
    await store(tools, tmp_path, "cs.CL", TUESDAY, *map(Item, IDS))  # the same listing once more
    ok(await client.post("/v1/digests", json=DIGEST))
    assert await marks(tools) == 0
    for statement in (
        "UPDATE papers SET listed_in = '{x}', text_as_of = '2026-01-01', datestamp = '2026-01-01'",
        "UPDATE papers SET title = title",
        "UPDATE digests SET waiting_for = '{x}', definition = '{}'",
        "UPDATE summaries SET tokens = 7",
        "UPDATE papers SET title = 'x' WHERE false",
        "DELETE FROM papers WHERE arxiv_id = 'nobody'",
    ):
        await execute(tools, statement)
        assert await marks(tools) == 0, statement
    assert await mirror.sync() == []


def test_the_triggers_look_at_all_that_is_shown(database_url: str) -> None:
    """A column that becomes visible must be told to the triggers."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT tgrelid::regclass::text, encode(tgargs, 'escape') FROM pg_trigger WHERE tgname = 'mark_update'"
        ).fetchall()
    looked_at = {table: set(arguments.split("\\000")[2].split(", ")) for table, arguments in rows}
    paper = set(PaperDetail.model_fields) - {"links", "announcements", "source"}
    assert looked_at["papers"] == paper
    assert looked_at["summaries"] == set(SummaryRead.model_fields) - {"stale"} | {"answered_by", "abstract_hash"}
    named = {"period": {"period_from", "period_to"}, "receipt": set()}
    digest = set().union(*(named.get(name, {name}) for name in DigestListed.model_fields))
    assert looked_at["digests"] == digest


async def test_deleted_papers_stay_as_deleted(client: httpx.AsyncClient, tools: Tools, tmp_path: Path) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, *map(Item, IDS))
    mirror = Mirror(client)
    await mirror.sync()
    summaries = [key for kind, key in mirror.things if kind == "summary"]
    await execute(tools, "DELETE FROM papers WHERE arxiv_id <> :kept", kept=IDS[0])
    came = await mirror.sync()
    assert {key for kind, key, change in came if (kind, change) == ("paper", "deleted")} == set(IDS[1:])
    assert len([key for kind, key, change in came if (kind, change) == ("summary", "deleted")]) == len(summaries) - 1
    assert mirror.things == await truth(client)
    # Whoever begins now hears of them too, and once.
    late = Mirror(client)
    assert sorted(await late.sync()) == sorted(set(late.seen))
    assert late.things == mirror.things
    assert ("paper", IDS[1], "deleted") in late.seen
    # Back again, under a key that had been deleted; and one whose key changes.
    await store(tools, tmp_path, "cs.CL", WEDNESDAY, Item(IDS[1], type="replace"))
    assert ("paper", IDS[1], "upserted") in await mirror.sync()
    for table in ("summaries", "announcements", "paper_entries", "search_documents"):
        await execute(tools, f"DELETE FROM {table}")
    await execute(tools, "UPDATE papers SET arxiv_id = '2601.99999', order_key = 'x' WHERE arxiv_id = :id", id=IDS[1])
    assert {("paper", IDS[1], "deleted"), ("paper", "2601.99999", "upserted")} <= set(await mirror.sync())
    assert mirror.things == await truth(client)
    await execute(tools, "TRUNCATE papers CASCADE")
    await mirror.sync()
    assert mirror.things == await truth(client) == {}
    # What was made and deleted between two looks is not told at all.
    await execute(tools, "INSERT INTO papers (arxiv_id, order_key, abstract_hash) VALUES ('2601.00009', 'a', 'b')")
    await execute(tools, "DELETE FROM papers")
    assert await mirror.sync() == []


async def test_a_body_that_is_gone_already_is_called_deleted(
    client: httpx.AsyncClient, tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, *map(Item, IDS))
    await changes.sequence(tools.database)
    await execute(tools, "DELETE FROM papers WHERE arxiv_id = :id", id=IDS[0])  # not in the log yet: the page was full
    page = ok(await client.get("/v1/changes", params={"include": "bodies", "limit": 5, "kinds": "paper"}))
    assert [(one["change"], one["body"] is None) for one in page["items"] if one["id"] == IDS[0]] == [("deleted", True)]
    assert page["has_more"]


def test_the_documented_copy_waits_when_it_is_told_to(tmp_path: Path) -> None:
    item = {"kind": "paper", "id": OLD, "change": "upserted", "body": {"title": "x"}}
    answers = [
        httpx.Response(429, headers={"Retry-After": "0"}),
        httpx.Response(200, json={"items": [item], "next_cursor": "a", "has_more": True}),
        httpx.Response(429, headers={"Retry-After": "0"}),
        httpx.Response(200, json={"items": [], "next_cursor": "b", "has_more": False}),
    ]
    asked: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get("cursor"))
        return answers[len(asked) - 1]

    copy = sqlite3.connect(tmp_path / "copy.sqlite")
    with httpx.Client(base_url="http://test", transport=httpx.MockTransport(answer)) as service:
        documented_sync()(service, copy)
    assert asked == [None, None, "a", "a"]
    assert copy.execute("SELECT id FROM things").fetchall() == [(OLD,)]
    copy.close()


async def test_an_import_of_thousands_is_taken_in_batches(
    client: httpx.AsyncClient, tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "BATCH", 700)
    monkeypatch.setattr(changes, "READER_MARKS", 1500)
    count = 3000
    file = tmp_path / "snapshot.jsonl"
    file.write_bytes(b"".join(map(line, range(count))))
    with open_snapshot(file) as opened:
        await import_snapshot(tools.database, opened)
    before = await marks(tools)
    assert before == 2 * count  # the paper, and its raw record
    mirror = Mirror(client, {"limit": 1000})
    page = await mirror.page()
    assert len(page["items"]) == 1000 and page["has_more"]
    assert 0 < before - await marks(tools) <= 2100  # a reader does not do all of the work
    await mirror.sync()
    assert {key for _, key in mirror.things} == {arxiv_id(number) for number in range(count)}
    assert len(mirror.seen) <= 2 * count
    assert await marks(tools) == 0
    positions = [row.position for row in await log(tools)]
    assert len(set(positions)) == count


async def test_a_cursor_from_a_time_that_was_undone_is_refused(
    client: httpx.AsyncClient, tools: Tools, tmp_path: Path, postgres: EmbeddedPostgres, database_url: str
) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, *map(Item, IDS[:2]))
    mirror = Mirror(client)
    await mirror.sync()
    kept, things = mirror.cursor, dict(mirror.things)
    await tools.database.close()
    _execute(postgres, f"CREATE DATABASE restored TEMPLATE {urlsplit(database_url).path[1:]}")
    await store(tools, tmp_path, "cs.CL", TUESDAY, *map(Item, IDS[:3]))
    await mirror.sync()
    async with serving(postgres.url("restored"), tmp_path) as restored:
        undone = Mirror(restored.client, things=mirror.things, cursor=mirror.cursor)
        problem(await restored.client.get("/v1/changes", params={"cursor": undone.cursor}), 410, "cursor_expired")
        await store(restored.tools, tmp_path, "cs.CL", TUESDAY, *map(Item, [*IDS[:2], *IDS[3:]]))
        await Mirror(restored.client).sync()  # its log is longer now than the one that the cursor is from
        problem(await restored.client.get("/v1/changes", params={"cursor": undone.cursor}), 410, "cursor_expired")
        before = Mirror(restored.client, things=things, cursor=kept)
        came = await before.sync()
        assert {key for kind, key, _ in came if kind == "paper"} >= set(IDS[3:])
        assert before.things == await truth(restored.client)
        assert ("paper", IDS[0], "upserted") not in came
        problem(await client.get("/v1/changes", params={"cursor": before.cursor}), 410, "cursor_expired")
    _execute(postgres, "DROP DATABASE restored WITH (FORCE)")


async def test_a_read_only_database_serves_what_the_log_has(
    tools: Tools, tmp_path: Path, postgres: EmbeddedPostgres, client: httpx.AsyncClient, database_url: str
) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, *map(Item, IDS[:2]))
    mirror = Mirror(client)
    await mirror.sync()
    await store(tools, tmp_path, "cs.CL", WEDNESDAY, Item(IDS[3]))
    name = urlsplit(database_url).path[1:]
    await tools.database.close()
    _execute(postgres, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert await mirror.sync() == []
    late = Mirror(client)
    await late.sync()
    assert set(late.things) == set(mirror.things)
    await tools.database.close()
    _execute(postgres, f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert ("paper", IDS[3], "upserted") in await mirror.sync()
    assert mirror.things == await truth(client)


async def test_changed_at_grows_with_the_position_even_if_the_clock_goes_back(
    client: httpx.AsyncClient, tools: Tools, tmp_path: Path
) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, *map(Item, IDS[:3]))
    await Mirror(client).sync()
    ahead = datetime.now(UTC) + timedelta(days=1)
    await execute(tools, "UPDATE changes SET changed_at = :ahead WHERE key = :id", ahead=ahead, id=IDS[2])
    await execute(tools, "UPDATE changes SET position = 1000 WHERE key = :id", id=IDS[2])
    await execute(tools, "ALTER SEQUENCE changes_position_seq RESTART 1001")
    await execute(tools, "UPDATE papers SET title = 'Later' WHERE arxiv_id = :id", id=IDS[0])
    await Mirror(client).sync()
    last = (await log(tools))[-1]
    assert (last.key, last.changed_at) == (IDS[0], ahead)
    assert ok(await client.get("/v1/changes", params={"start": "now"}))["items"] == []
