"""Channels, digests and feeds under attack: odd texts, odd times, odd hosts, and everybody at once."""

import asyncio
import csv
import io
import itertools
import json
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import rispy
from bibtexparser.entrypoint import parse_string
from lxml import etree, html
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.main import create_app
from app.postgres import EmbeddedPostgres
from app.render import FORMATS
from tests.api import Service, caller, execute, ok, problem, serving, store
from tests.conftest import TEMPLATE, _execute
from tests.feeds import TUESDAY, WEDNESDAY, Item
from tests.render.hostile import HOSTILE

Client = httpx.AsyncClient
Answer = httpx.Response
Change = Callable[[AsyncSession], Awaitable[object]]

IDS = [f"2601.95{number:03}" for number in range(1, 6)]
TEXT = {"title": "新的标题", "abstract": "这是一个新的摘要，用中文写成。", "tldr": "新的一句话总结。"}
MINE = {"title": "Mine", "categories": ["cs.CL"], "language": "zh"}

_slugs = (f"c{number}" for number in itertools.count())


@pytest.fixture(scope="module")
async def service(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service with two days of one category. Each test makes its own channels and looks at them alone."""
    _execute(postgres, f"CREATE DATABASE hostile_digests TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    folder = tmp_path_factory.mktemp("hostile_digests")
    async with serving(postgres.url("hostile_digests"), folder, pool_size=10) as running:
        await store(running.tools, folder, "cs.CL", TUESDAY, *map(Item, IDS))
        later = [Item("2601.96001"), Item("2601.96002"), Item(IDS[0], version=2, type="replace")]
        await store(running.tools, folder, "cs.CL", WEDNESDAY, *later)
        yield running
    _execute(postgres, "DROP DATABASE hostile_digests WITH (FORCE)")


@pytest.fixture
def client(service: Service) -> Client:
    """A client on the same machine."""
    return service.client


async def channel(client: Client, **fields: Any) -> str:
    """The slug of a new channel."""
    return str(ok(await client.post("/v1/channels", json=MINE | {"slug": next(_slugs)} | fields), 201)["slug"])


def asked(slug: str, day: date = TUESDAY) -> dict[str, Any]:
    return {"json": {"channel": slug, "date": str(day)}}


async def digest(client: Client, slug: str, day: date = TUESDAY) -> Any:
    """A channel's digest of a day, made or brought up to date."""
    answer = await client.post("/v1/digests", **asked(slug, day))
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


async def named(client: Client, *paper_ids: str, **fields: Any) -> str:
    """The address of a digest over papers that no other test makes."""
    body = {"paper_ids": paper_ids, "title": next(_slugs), "language": "zh"} | fields
    return f"/v1/digests/{ok(await client.post('/v1/digests', json=body), 201)['id']}"


def shown(found: Any) -> list[str]:
    return [item["arxiv_id"] for item in found["items"]]


@pytest.mark.parametrize("since", [
    "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Mon, 99999999999999999999 Jan 2026 00:00:00 GMT",
    "Mon, 01 Jan 2026 00:00:00 +9999999999999999999999", "Mon, 31 Feb 2026 00:00:00 GMT", "9" * 5_000, ",", "", "1 2 3",
])  # fmt: skip
async def test_a_date_that_is_none_asks_for_everything(client: Client, since: str) -> None:
    found = await digest(client, slug := await channel(client))
    for address in (f"digests/{found['id']}.md", f"channels/{slug}/latest", f"channels/{slug}/feed.atom"):
        answer = await client.get(f"/v1/{address}", headers={"if-modified-since": since})
        assert answer.status_code == 200, (address, answer.text[:200])


@pytest.mark.parametrize("schedule", ["announcement", "weekly", "monthly"])
async def test_days_at_the_edges_of_the_calendar(client: Client, schedule: str) -> None:
    slug = await channel(client, schedule=schedule, weekday="monday")
    for day in ("0001-01-01", "1990-12-31", "9999-12-01", "9999-12-28", "9999-12-31"):
        for body in ({"date": day}, {"from": day}, {"to": day}, {"from": day, "to": day}):
            problem(await client.post("/v1/digests", json={"channel": slug} | body), 422)


@pytest.mark.parametrize("query", ["submitted:9999", "submitted:0001-01-01..9999-12-31", "announced:9999"])
async def test_a_query_about_the_last_day_of_all(client: Client, query: str) -> None:
    answer = await client.post("/v1/digests", json={"query": query})
    assert answer.status_code in (200, 201, 400), answer.text


async def test_a_long_roll_up_does_not_swell_the_lists(client: Client) -> None:
    """Each of 9,000 days that nobody read is a line of its receipt."""
    slug = await channel(client)
    answer = await client.post("/v1/digests", json={"channel": slug, "from": "1991-01-01", "to": "2026-01-14"})
    assert answer.status_code in (201, 422), answer.text
    assert len((await client.get("/v1/digests", params={"channel": slug})).content) < 100_000


async def test_a_digest_that_is_made_again_is_another(client: Client) -> None:
    """Its id and its revision are those of the one that was deleted."""
    address = await named(client, IDS[1], title="Again")
    before = {name: await client.get(f"{address}.{name}") for name in FORMATS}
    assert (await client.delete(address)).status_code == 204
    ok(await client.put(f"/v1/papers/{IDS[1]}/summaries/zh", json=TEXT), 201)
    assert await named(client, IDS[1], title="Again") == address
    for name, old in before.items():
        new = await client.get(f"{address}.{name}")
        again = await client.get(f"{address}.{name}", headers={"if-none-match": old.headers["etag"]})
        # "Changed" for what is the same costs an answer; "not modified" for what is not would be wrong for ever.
        assert again.status_code == 200 or new.content == old.content, name
        assert new.headers["etag"] != old.headers["etag"]


async def test_what_is_gone_is_no_reason_to_say_not_modified(service: Service, client: Client) -> None:
    await digest(client, slug := await channel(client))
    # Dates of HTTP count seconds: the two digests must not be of the same.
    for change in ("digest_revisions SET created_at = created_at", "channels SET updated_at = updated_at"):
        await execute(service.tools, f"UPDATE {change} - interval '1 hour'")
    newest = await digest(client, slug, WEDNESDAY)
    addresses = [
        f"/v1/channels/{slug}/latest",
        *(f"/v1/channels/{slug}/feed.{name}" for name in ("atom", "rss", "json")),
    ]
    before = {address: (await client.get(address)).headers for address in addresses}
    await client.delete(f"/v1/digests/{newest['id']}")
    for address, old in before.items():
        for condition in ({"if-none-match": old["etag"]}, {"if-modified-since": old["last-modified"]}):
            assert (await client.get(address, headers=condition)).status_code == 200, (address, condition)


HOSTS = ['evil"><script>alert(1)</script>', "x\r\nSet-Cookie: a=1", "[", "[::1", "a b", "a/b", "a?b", "user:pw@evil",
         "evil:99999", "", "::::", "a\\b", "&<>'", "]]>", "%00", "%0d%0aX:1", "é", "x" * 5_000]  # fmt: skip


async def test_a_host_is_written_as_text_or_not_at_all(client: Client) -> None:
    found = await digest(client, slug := await channel(client))
    addresses = ["/", f"/channels/{slug}", "/v1/channels?limit=1", f"/v1/channels/{slug}/feed.json"]
    addresses += [f"/v1/digests/{found['id']}.{name}" for name in ("md", "html", "txt", "atom", "rss")]
    for host, address in itertools.product(HOSTS, addresses):
        answer = await client.get(address, headers=[(b"host", host.encode())])
        assert answer.status_code in (200, 400, 404), (host, address)
        assert "set-cookie" not in answer.headers and "<script" not in answer.headers.get("link", "")
        assert b"<script>alert" not in answer.content
        if address.endswith(("atom", "rss")):
            etree.fromstring(answer.content)


async def test_tags_follow_the_bytes_over_hosts_and_ids_do_not(client: Client) -> None:
    slug = await channel(client)
    address, other = f"/v1/digests/{(await digest(client, slug))['id']}", {"host": "other.example"}
    for entries in ("digests", "papers"):
        feed = f"/v1/channels/{slug}/feed.json?entries={entries}"
        here, there = ok(await client.get(feed)), ok(await client.get(feed, headers=other))
        assert [one["id"] for one in here["items"]] == [one["id"] for one in there["items"]]
    for name in FORMATS:
        one, two = await client.get(f"{address}.{name}"), await client.get(f"{address}.{name}", headers=other)
        assert (one.content == two.content) == (one.headers["etag"] == two.headers["etag"]), name


async def test_pages_name_the_address_that_is_set(service: Service) -> None:
    settings = service.tools.settings.model_copy(update={"public_url": "https://zhaiyao.example"})
    async with caller(create_app(replace(service.tools, settings=settings))) as client:
        for address in ("/v1/channels/cs.CL/feed.atom", "/channels/cs.CL"):
            answer = await client.get(address, headers={"host": "evil.example"})
            assert "https://zhaiyao.example/channels/cs.CL" in answer.text, address
            assert "evil.example" not in answer.text, address


async def test_twenty_make_one(client: Client) -> None:
    slug = next(_slugs)
    made = await asyncio.gather(*(client.post("/v1/channels", json=MINE | {"slug": slug}) for _ in range(20)))
    assert sorted(answer.status_code for answer in made) == [201] + [409] * 19
    for question in ({"channel": slug, "date": "2026-01-13"}, {"paper_ids": IDS[:1], "title": slug}):
        composed = await asyncio.gather(*(client.post("/v1/digests", json=question) for _ in range(20)))
        assert sorted(answer.status_code for answer in composed) == [200] * 19 + [201]
        assert len({answer.content for answer in composed}) == 1
    changes: list[dict[str, Any]] = [{"size_limit": 3}, {"title": "B"}, {"exclude_words": ["x"]}, {"query": "test"}]
    changed = await asyncio.gather(*(client.patch(f"/v1/channels/{slug}", json=one) for one in changes * 5))
    assert {answer.status_code for answer in changed} == {200}
    now = ok(await client.get(f"/v1/channels/{slug}"))
    assert all(now[name] == value for one in changes for name, value in one.items())


async def waiting(session: AsyncSession, is_enough: Callable[[int], bool] = bool) -> None:
    number = text("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
    async with asyncio.timeout(10):
        while not is_enough(await session.scalar(number)):  # noqa: ASYNC110 — Postgres tells nobody
            await asyncio.sleep(0.01)


async def interrupted(service: Service, lock: str, request: Awaitable[Answer], change: Change) -> Answer:
    """The answer to a request that had to wait for a lock, and meanwhile something changed."""
    async with service.tools.database.transaction() as session:
        await session.execute(text(lock))
        answering = asyncio.ensure_future(request)
        await waiting(session)
        await change(session)
    return await answering


def gone(table: str, column: str, value: str) -> Change:
    return lambda session: session.execute(text(f"DELETE FROM {table} WHERE {column} = '{value}'"))


async def test_a_digest_that_goes_while_it_is_read_is_whole_or_not_there(service: Service, client: Client) -> None:
    address, lock = await named(client, *IDS), "LOCK TABLE digest_items IN ACCESS EXCLUSIVE MODE"
    answer = await interrupted(service, lock, client.get(address), gone("digests", "id", address[12:]))
    assert answer.status_code == 404 or shown(answer.json()) == IDS[::-1], answer.text[:300]


async def test_reading_while_others_delete_and_write(client: Client) -> None:
    slug = await channel(client)
    address, feed = f"/v1/digests/{(await digest(client, slug))['id']}", f"/v1/channels/{slug}/feed.atom?entries=papers"

    async def write() -> None:
        for _ in range(8):
            assert (await client.delete(address)).status_code == 204
            assert (await client.post("/v1/digests", **asked(slug))).status_code == 201

    writing = asyncio.ensure_future(write())
    while not writing.done():
        reading = (client.get(one) for one in (f"{address}.html", f"{address}/revisions/1/diff", feed) * 2)
        assert {answer.status_code for answer in await asyncio.gather(*reading)} <= {200, 404}
    await writing


@pytest.mark.parametrize("table", ["listings", "channel_papers"])
async def test_a_channel_that_goes_while_it_is_composed(service: Service, client: Client, table: str) -> None:
    slug = await channel(client, announce_types=["cross"])
    found = (await digest(client, slug))["id"]
    ok(await client.patch(f"/v1/channels/{slug}", json={"announce_types": None}))
    deleting: list[asyncio.Future[Answer]] = []

    async def delete(session: AsyncSession) -> None:
        deleting.append(asyncio.ensure_future(client.delete(f"/v1/channels/{slug}")))
        await waiting(session, lambda number: number == 2 or deleting[0].done())

    lock, request = f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE", client.post("/v1/digests", **asked(slug))
    composed = await interrupted(service, lock, request, delete)
    assert (await deleting[0]).status_code == 204
    assert composed.status_code in (200, 201, 404), composed.text
    problem(await client.get(f"/v1/digests/{found}"), 404, "not_found")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_channel_that_goes_while_it_is_changed(service: Service, client: Client, method: str) -> None:
    slug = await channel(client)
    lock = f"SELECT FROM channels WHERE slug = '{slug}' FOR UPDATE"
    request = client.request(method, f"/v1/channels/{slug}", json={"title": "x"} if method == "PATCH" else None)
    problem(await interrupted(service, lock, request, gone("channels", "slug", slug)), 404, "not_found")


@pytest.mark.parametrize("again", [True, False], ids=["created again", "refreshed"])
async def test_a_digest_that_goes_while_it_is_composed(service: Service, client: Client, again: bool) -> None:
    found = (await digest(client, slug := await channel(client)))["id"]
    request = client.post("/v1/digests", **asked(slug)) if again else client.post(f"/v1/digests/{found}/refresh")
    lock = f"SELECT FROM digests WHERE id = '{found}' FOR UPDATE"
    answer = await interrupted(service, lock, request, gone("digests", "id", found))
    assert answer.status_code == (201 if again else 404), answer.text
    # What somebody deleted, nobody's refreshing brings back.
    assert (await client.get(f"/v1/digests/{found}")).status_code == (200 if again else 404)


async def test_whatever_changes_nothing_comes_twice_and_the_receipt_is_right(client: Client) -> None:
    slug = await channel(client)
    changes: list[dict[str, Any]] = [
        {}, {"size_limit": 2}, {"announce_types": ["new"]}, {"exclude_words": ["testing"]}, {"exclude_words": None},
        {"query": "test", "order": "relevance"}, {"size_limit": 1}, {"authors": ["Nobody Atall"]}, {"size_limit": None},
    ]  # fmt: skip
    for number, change in enumerate(changes):
        ok(await client.patch(f"/v1/channels/{slug}", json=change))
        days = [TUESDAY, WEDNESDAY] if number % 2 else [WEDNESDAY, TUESDAY]
        found = [await digest(client, slug, day) for day in (*days, days[0])]
        for told, items in ((one["receipt"], one["items"]) for one in found):
            left_out = told["not_matching"] + told["shown_before"] + told["held_over"]
            assert told["stored"] + told["carried_over"] == len(items) + left_out, (change, told)
        papers = shown(found[1]) + shown(found[2])
        assert len(papers) == len(set(papers)), (change, papers)


async def test_a_smaller_limit_keeps_the_first_of_the_order(client: Client) -> None:
    found = await digest(client, slug := await channel(client))
    assert shown(found) == IDS[::-1]
    ok(await client.patch(f"/v1/channels/{slug}", json={"size_limit": 2}))
    assert shown(await digest(client, slug)) == IDS[::-1][:2]


async def test_a_roll_up_whose_period_the_channel_takes_over_is_the_channel_s_own(client: Client) -> None:
    slug = await channel(client)
    week = {"channel": slug, "from": "2026-01-08", "to": "2026-01-14"}
    rolled = ok(await client.post("/v1/digests", json=week), 201)
    ok(await client.patch(f"/v1/channels/{slug}", json={"schedule": "weekly", "weekday": "wednesday"}))
    assert (await digest(client, slug))["id"] == rolled["id"]
    assert len(ok(await client.get(f"/v1/channels/{slug}/feed.json"))["items"]) == 1


async def test_a_title_can_be_seen(client: Client) -> None:
    for title in ("  ", "\u200b\u200d\ufeff", "\u2060", "\u00ad"):
        problem(await client.post("/v1/channels", json=MINE | {"slug": next(_slugs), "title": title}), 422)
        problem(await client.post("/v1/digests", json={"paper_ids": IDS[:1], "title": title}), 422)


of_xml = partial(etree.fromstring, parser=etree.XMLParser(huge_tree=True, resolve_entities=False))
of_html = partial(html.document_fromstring, parser=html.HTMLParser(huge_tree=True))
CONTENT = ("{http://www.w3.org/2005/Atom}content", "{http://purl.org/rss/1.0/modules/content/}encoded")


def running(root: Any) -> Iterator[str]:
    """What would run, or be loaded, in a document that somebody opens."""
    for element in root.iter(etree.Element):
        if etree.QName(element).localname in ("script", "iframe", "object", "embed", "form", "base"):
            yield element.tag
        for name, value in element.attrib.items():
            local = etree.QName(name).localname
            address = "".join(value.lower().split()) if local in ("href", "src") else ""
            if local.startswith("on") or address.startswith(("javascript:", "data:", "vbscript:")):
                yield f"{element.tag} {name}={value[:60]}"


def roots(name: str, content: bytes) -> Iterator[Any]:
    if name == "epub":
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            yield from (of_xml(book.read(one)) for one in book.namelist() if one.endswith(("html", "xml", "opf")))
    elif name in ("rss", "atom"):
        yield (feed := of_xml(content))
        yield from (of_html(one.text) for one in feed.iter(CONTENT))
    elif name == "html":
        yield of_html(content.decode())


def check(name: str, content: bytes, paper_ids: list[str]) -> None:
    assert not [one for root in roots(name, content) for one in running(root)], name
    if name == "csv":
        csv.field_size_limit(2**30)
        rows = [*csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))]
        assert len(rows) == len(paper_ids)
        assert not [cell for row in rows for cell in row.values() if cell.startswith(tuple("=+-@\t\r＝＋－＠"))]
    elif name == "bib":
        library = parse_string(content.decode())
        assert (len(library.entries), library.failed_blocks) == (len(paper_ids), [])
    elif name in ("ris", "json"):
        assert len(rispy.loads(content.decode()) if name == "ris" else json.loads(content)["items"]) == len(paper_ids)
    if name != "epub":  # whose members are compressed
        assert not [one for one in paper_ids if one.encode() not in content], name


async def check_every_format(client: Client, paper_ids: list[str]) -> None:
    address = await named(client, *paper_ids, title="</title><script>alert(1)</script> ]]> =1+1 %0d \u05d0 {\\a} $")
    for name, form in FORMATS.items():
        for query in [f"math={one}" for one in form.math] + [f"style={one}" for one in form.styles] + [""]:
            answer = await client.get(f"{address}.{name}?{query}")
            assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, form.media_type)
            if not query.startswith("style"):
                check(name, answer.content, paper_ids)
        head, whole = await client.head(f"{address}.{name}"), await client.get(f"{address}.{name}")
        assert (head.content, head.headers["content-length"]) == (b"", str(len(whole.content)))
        assert {**head.headers, "x-request-id": ""} == {**whole.headers, "x-request-id": ""}


async def test_hostile_papers_in_every_format(service: Service, client: Client, tmp_path: Path) -> None:
    texts = [one.replace("\0", "").encode(errors="ignore").decode() for one in HOSTILE]
    numbered = {f"2602.{number:05}": one for number, one in enumerate(texts, 1)}
    await store(service.tools, tmp_path, "cs.DM", TUESDAY, *(Item(one, categories=("cs.DM",)) for one in numbered))
    paper = "title = :t, abstract = :t, comments = :s, journal_ref = :s, doi = :s, authors = CAST(:a AS jsonb)"
    summary = "title = :s, abstract = :t, tldr = :s, tldr_en = :s"
    for paper_id, told in numbered.items():
        ok(await client.put(f"/v1/papers/{paper_id}/summaries/zh", json=TEXT), 201)
        values = {"t": told, "s": told[:500], "id": paper_id}
        authors = json.dumps([{"name": told[:500], "affiliations": [told[:500]]}])
        await execute(service.tools, f"UPDATE papers SET {paper} WHERE arxiv_id = :id", a=authors, **values)
        await execute(service.tools, f"UPDATE summaries SET {summary} WHERE arxiv_id = :id", **values)
    await check_every_format(client, [*numbered])


async def test_papers_that_gave_trouble(service: Service, client: Client, samples: Path, tmp_path: Path) -> None:
    told = [json.loads(line) for line in (samples / "text-edge-cases.jsonl").read_text("utf-8").splitlines()]
    items = [Item(one["id"], title=one["title"], abstract=one["abstract"], categories=("cs.DS",)) for one in told]
    await store(service.tools, tmp_path, "cs.DS", TUESDAY, *items)
    await check_every_format(client, [one["id"] for one in told])
