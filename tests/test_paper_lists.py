"""Lists of papers over HTTP against a plain Python model of the same data: filters, orders, pages, and writers in between."""

import asyncio
import json
import re
import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from app.arxiv import ids, taxonomy
from app.arxiv.entries import Author
from app.models import Announcement, Summary
from app.papers import PaperQuery, PaperRecord, names_listed, read_page, upsert
from app.postgres import EmbeddedPostgres
from tests.api import Service, execute, ok, problem, serving
from tests.conftest import TEMPLATE, _execute

TYPES = ["new", "cross", "replace", "replace-cross"]
CATEGORIES = ["cs.CL", "cs.NA", "math.NA", "stat.ML", "hep-th", "econ.GN", "q-fin.EC"]
NAMES = ["Ada Sample", "Bo Éxample", "Anna-Maria Löwe", "A. Sample", "李 明", "Paul Erdős", "Ada Other"]
FIRST = date(2026, 1, 5)


@dataclass
class Known:
    """A paper as the model knows it."""

    arxiv_id: str
    categories: tuple[str, ...]
    authors: tuple[str, ...]
    submitted_at: datetime | None
    first_announced_on: date | None
    withdrawn: bool
    announcements: list[tuple[str, date, str]] = field(default_factory=list)
    standings: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return ids.order_key(self.arxiv_id)


def invent(chance: Random, arxiv_id: str) -> Known:
    """A paper of which nearly anything may be missing."""
    categories = tuple(chance.sample(CATEGORIES, chance.choice([1, 1, 2, 3])))
    left = chance.choice(CATEGORIES)  # it may have been announced there before its categories were changed
    day = FIRST + timedelta(days=chance.randrange(12))
    announced = {
        (chance.choice([*categories, left]), day + timedelta(days=chance.randrange(3)), chance.choice(TYPES))
        for _ in range(3)
    }
    return Known(
        arxiv_id,
        categories,
        tuple(chance.sample(NAMES, chance.randrange(3))),
        datetime.combine(day, time(chance.randrange(24), 0, 0, chance.choice([0, 1])), UTC) if chance.random() < 0.8 else None,
        day if chance.random() < 0.7 else None,
        chance.random() < 0.2,
        sorted({(name, on): (name, on, kind) for name, on, kind in announced}.values()) if chance.random() < 0.8 else [],
        {language: chance.choice(["done", "pending", "running", "failed"]) for language in ("zh", "fr") if chance.random() < 0.6},
    )  # fmt: skip


async def save(service: Service, known: list[Known]) -> None:
    """Store papers with what belongs to them."""
    records = [
        PaperRecord(
            arxiv_id=one.arxiv_id, version=1, title=f"On {one.arxiv_id}", abstract="We test.", format="test", raw=one.arxiv_id,
            authors=tuple(map(Author, one.authors)), primary_category=one.categories[0], categories=one.categories,
            listed_in=names_listed(one.categories), submitted_at=one.submitted_at, withdrawn=one.withdrawn,
            first_announced_on=one.first_announced_on,
        )
        for one in known
    ]  # fmt: skip
    async with service.tools.database.transaction() as session:
        await upsert(session, records)
        announced = [
            {"arxiv_id": one.arxiv_id, "version": 1, "category": name, "announced_on": on, "announce_type": kind}
            for one in known
            for name, on, kind in one.announcements
        ]
        made = [
            {
                "arxiv_id": one.arxiv_id, "paper_version": 1, "abstract_hash": "h", "language": language, "status": status,
                "origin": "llm", "model": "m", "title": "题目", "tldr": "一句话。", "tldr_en": None,
            }
            for one in known
            for language, status in one.standings.items()
        ]  # fmt: skip
        # What is of an earlier text, or was released, speaks for no paper unless it is done.
        old = [
            {"arxiv_id": one.arxiv_id, "paper_version": 7, "abstract_hash": "o", "language": "de", "status": "failed",
             "origin": "llm", "released_at": None}
            for one in known[::3]
        ] + [
            {"arxiv_id": one.arxiv_id, "paper_version": 1, "abstract_hash": "h", "language": "de", "status": "done",
             "origin": "human", "released_at": datetime(2026, 1, 1, tzinfo=UTC)}
            for one in known[1::3]
        ]  # fmt: skip
        for table, rows in ((Announcement, announced), (Summary, made), (Summary, old)):
            if rows:
                await session.execute(insert(table), rows)


@dataclass
class World:
    """A service and the model of what it stores."""

    service: Service
    known: list[Known]


NUMBERS = [f"26{month:02}.{number:05}" for month in (1, 2) for number in range(1, 61)]
OLD = ["hep-th/9901001", "math/0309136", "cs/0701001", "cmp-lg/9512901"]


@pytest.fixture(scope="module")
async def world(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A service with a random world; tests add to it, and to the model, but take nothing away."""
    _execute(postgres, f"CREATE DATABASE paper_lists TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    async with serving(postgres.url("paper_lists"), tmp_path_factory.mktemp("lists")) as service:
        chance = Random(7)
        known = [invent(chance, arxiv_id) for arxiv_id in [*chance.sample(NUMBERS, 70), *OLD]]
        await save(service, known)
        yield World(service, known)
    _execute(postgres, "DROP DATABASE paper_lists WITH (FORCE)")


# The model


def folded(name: str) -> list[str]:
    bare = "".join(c for c in unicodedata.normalize("NFKD", name.lower()) if not unicodedata.combining(c))
    return re.findall(r"[^\W_]+", bare)


def is_author(wanted: str, name: str) -> bool:
    tokens = folded(name)
    return all(
        any(token == word or (len(word) == 1 and token.startswith(word)) for token in tokens) for word in folded(wanted)
    )


def passes(one: Known, asked: dict[str, Any]) -> bool:
    names = taxonomy.names(asked["category"]) if "category" in asked else None
    of_announcement = {"announced_from", "announced_to", "announce_type"} & asked.keys()
    if names is not None and not of_announcement and not names & {*names_listed(one.categories)}:
        return False
    if "primary" in asked and one.categories[0] not in taxonomy.names(asked["primary"]):
        return False
    if "author" in asked and not any(is_author(asked["author"], name) for name in one.authors):
        return False
    if of_announcement and not any(
        str(asked.get("announced_from", "0001-01-01")) <= str(on) <= str(asked.get("announced_to", "9999-12-31"))
        and kind in asked.get("announce_type", TYPES)
        and (names is None or name in names)
        for name, on, kind in one.announcements
    ):
        return False
    if {"submitted_from", "submitted_to"} & asked.keys() and not (
        one.submitted_at is not None
        and str(asked.get("submitted_from", "0001-01-01"))
        <= str(one.submitted_at.date())
        <= str(asked.get("submitted_to", "9999-12-31"))
    ):
        return False
    if "summary_status" in asked and one.standings.get(asked.get("language", "zh"), "none") != asked["summary_status"]:
        return False
    if "withdrawn" in asked and one.withdrawn != asked["withdrawn"]:
        return False
    return "ids" not in asked or one.arxiv_id in asked["ids"]


def ordered(known: list[Known], asked: dict[str, Any]) -> list[str]:
    """The ids of the papers that pass, in order; a missing date is the oldest."""

    def key(one: Known) -> tuple[Any, ...]:
        if asked.get("sort") == "announced":
            return (one.first_announced_on or date.min, one.key)
        if asked.get("sort") == "submitted":
            return (one.submitted_at or datetime.min.replace(tzinfo=UTC), one.key)
        return (one.key,)

    found = sorted((one for one in known if passes(one, asked)), key=key, reverse=asked.get("order") != "asc")
    return [one.arxiv_id for one in found]


days = st.integers(-1, 15).map(lambda n: str(FIRST + timedelta(days=n)))


def has_periods(asked: dict[str, Any]) -> bool:
    """No period ends before it begins."""
    return all(asked.get(f"{kind}_from", "0") <= asked.get(f"{kind}_to", "9") for kind in ("announced", "submitted"))


_questions: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {},
    optional={
        "category": st.sampled_from(["cs.CL", "cs", "math.NA", "cs.NA", "math", "hep-th", "econ", "q-fin", "astro-ph"]),
        "primary": st.sampled_from(["cs.CL", "cs", "math.NA", "hep-th", "econ.GN"]),
        "author": st.sampled_from(
            ["ada sample", "Sample, A.", "example", "B. EXAMPLE", "Löwe", "maria", "明", "Erdos", "x y zz"]
        ),
        "announced_from": days,
        "announced_to": days,
        "announce_type": st.lists(st.sampled_from(TYPES), min_size=1, max_size=3),
        "submitted_from": days,
        "submitted_to": days,
        "summary_status": st.sampled_from(["done", "pending", "running", "failed", "none"]),
        "language": st.sampled_from(["zh", "fr", "de"]),
        "withdrawn": st.booleans(),
        "ids": st.lists(st.sampled_from([*NUMBERS, *OLD]), max_size=40),
        "sort": st.sampled_from(["id", "announced", "submitted"]),
        "order": st.sampled_from(["asc", "desc"]),
    },
)
questions: st.SearchStrategy[dict[str, Any]] = _questions.filter(has_periods)


def parameters(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: ",".join(value) if name == "ids" else value for name, value in asked.items()}


async def walk(world: World, asked: dict[str, Any], limit: int) -> AsyncIterator[list[str]]:
    """Every page of a list."""
    answer = await world.service.client.get(
        "/v1/papers", params={**parameters(asked), "limit": limit, "fields": "title"}
    )
    while True:
        page = ok(answer)
        yield [one["arxiv_id"] for one in page["items"]]
        if page["next_cursor"] is None:
            assert "link" not in answer.headers
            return
        answer = await world.service.client.get(answer.links["next"]["url"])


FUZZY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@FUZZY
@given(asked=questions, limit=st.sampled_from([1, 2, 7, 40, 200]))
async def test_any_question_is_answered_as_by_the_model(world: World, asked: dict[str, Any], limit: int) -> None:
    found = [arxiv_id async for page in walk(world, asked, limit) for arxiv_id in page]
    assert found == ordered(world.known, asked)


@settings(FUZZY, max_examples=40)
@given(
    asked=questions.filter(lambda asked: "ids" not in asked), limit=st.sampled_from([3, 9]), seed=st.integers(0, 10**6)
)
async def test_nothing_is_skipped_or_twice_while_papers_arrive(
    world: World, asked: dict[str, Any], limit: int, seed: int
) -> None:
    """Papers come before, among and behind what was read; others change without moving."""
    chance = Random(seed)
    there = {*ordered(world.known, asked)}
    found: list[str] = []
    async for page in walk(world, asked, limit):
        found += page
        free = [one for one in NUMBERS if one not in {known.arxiv_id for known in world.known}]
        if free:
            fresh = [invent(chance, arxiv_id) for arxiv_id in chance.sample(free, 1)]
            await save(world.service, fresh)
            world.known += fresh
        some = chance.choice(world.known).arxiv_id
        await execute(
            world.service.tools,
            "UPDATE papers SET comments = 'changed', changed_at = now() WHERE arxiv_id = :id",
            id=some,
        )
    assert len(found) == len(set(found))
    assert there <= {*found} <= {*ordered(world.known, asked)}
    assert found == [one for one in ordered(world.known, asked) if one in {*found}]


@settings(FUZZY, max_examples=25)
@given(asked=questions)
async def test_streams_say_the_same_as_pages(world: World, asked: dict[str, Any]) -> None:
    answer = await world.service.client.get("/v1/papers.ndjson", params=parameters(asked))
    assert answer.status_code == 200, answer.text
    assert [json.loads(line)["arxiv_id"] for line in answer.text.splitlines()] == ordered(world.known, asked)


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"categry": "cs.CL"}, "query.categry"),
        ({"q": ""}, "query.q"),
        ({"sort": "relevance"}, "query.sort"),
        ({"sort": ""}, "query.sort"),
        ({"order": "up"}, "query.order"),
        ({"author": ""}, "query.author"),
        ({"author": " "}, "query.author"),
        ({"author": "x" * 201}, "query.author"),
        ({"author": "a\nb"}, "query.author"),
        ({"announced_from": ""}, "query.announced_from"),
        ({"submitted_to": "2026-02-30"}, "query.submitted_to"),
        ({"announce_type": "news"}, "query.announce_type.0"),
        ({"announce_type": ""}, "query.announce_type.0"),
        ({"summary_status": "made"}, "query.summary_status"),
        ({"language": "chinese"}, "query.language"),
        ({"withdrawn": ""}, "query.withdrawn"),
        ({"fields": "title,titel"}, "query.fields.1"),
        ({"fields": ""}, "query.fields.0"),
        ({"fields": "summaries"}, "query.fields.0"),
        ({"include": "authors"}, "query.include.0"),
        ({"limit": "0"}, "query.limit"),
        ({"category": ["cs.CL", "cs.LG"]}, "query.category"),
        ({"cursor": ["a", "b"]}, "query.cursor"),
        ({"limit": ["1", "1"]}, "query.limit"),
    ],
)
async def test_what_would_be_without_effect_is_refused(world: World, params: dict[str, Any], field: str) -> None:
    for path in ("/v1/papers", "/v1/papers.ndjson", "/v1/papers.csv"):
        body = problem(await world.service.client.get(path, params=params), 422, "invalid_request")
        there = [one["field"] for one in body["errors"]]
        assert field in there, there
        assert all(len(one["message"]) < 600 for one in body["errors"])


async def test_parameters_without_end_are_refused(world: World) -> None:
    answer = await world.service.client.get("/v1/papers?" + "&".join(["ids=2601.00001"] * 500))
    problem(answer, 422, "invalid_request")


async def test_a_single_paper_takes_no_parameters(world: World) -> None:
    one = world.known[0].arxiv_id
    for form in (one, f"arXiv:{one}"):
        answer = await world.service.client.get(f"/v1/papers/{form}?fields=title")
        assert problem(answer, 422, "invalid_request")["errors"][0]["field"] == "query.fields"


async def test_what_is_no_utf8_is_not_looked_for(world: World) -> None:
    client = world.service.client
    one = world.known[0].arxiv_id
    for text in ("graph%ff", "%E9", "%ED%A0%80x", "%C0%AF"):
        for address in ("papers?q=", "papers?author=sample ", f"papers/{one}?", "papers.ndjson?q=", "digests?channel="):
            problem(await client.get(f"/v1/{address}{text}"), 422, "invalid_request")
        # Whoever passes on a feed's address may have added to it.
        assert (await client.get(f"/v1/channels/cs.CL/feed.atom?from={text}")).status_code == 200
        assert (await client.get(f"/v1/channels/cs.CL/latest.md?from={text}")).status_code == 404


async def test_a_name_without_a_word_in_full_is_refused(world: World) -> None:
    for author in ("A.", "a b c", "...", " ".join(["word"] * 30)):
        problem(await world.service.client.get("/v1/papers", params={"author": author}), 422, "invalid_input")


async def test_types_and_fields_are_lists_either_way(world: World) -> None:
    async def found(query: str) -> Any:
        return ok(await world.service.client.get(f"/v1/papers?{query}"))

    assert await found("announce_type=new,cross") == await found("announce_type=cross&announce_type=new")
    first = (await found("fields=title&fields=authors,links"))["items"][0]
    assert first.keys() == {"arxiv_id", "title", "authors", "links"}


async def test_a_cursor_belongs_to_its_filters_and_its_order(world: World) -> None:
    client = world.service.client
    asked: dict[str, Any] = {"category": "cs", "sort": "announced", "limit": 1}
    cursor = ok(await client.get("/v1/papers", params=asked))["next_cursor"]
    other: dict[str, Any]
    for other in ({"category": "math"}, {"sort": "submitted"}, {"sort": "id"}, {"order": "asc"}, {"withdrawn": "true"}):
        answer = await client.get("/v1/papers", params={**asked, **other, "cursor": cursor})
        problem(answer, 400, "invalid_cursor")
    same: dict[str, Any]
    for same in ({"limit": 50}, {"fields": "title"}, {"include": "summaries"}, {"category": "CS"}):
        assert ok(await client.get("/v1/papers", params={**asked, **same, "cursor": cursor}))["items"]


async def test_included_summaries_are_those_of_the_language(world: World) -> None:
    async def included(**params: Any) -> dict[str, list[str]]:
        params = {"include": "summaries", "fields": "title", "limit": 200, **params}
        page = ok(await world.service.client.get("/v1/papers", params=params))
        return {one["arxiv_id"]: [summary["language"] for summary in one["summaries"]] for one in page["items"]}

    done = {
        one.arxiv_id: sorted(name for name, state in one.standings.items() if state == "done") for one in world.known
    }
    assert await included() == done
    assert await included(language="zh") == {
        arxiv_id: [name for name in names if name == "zh"] for arxiv_id, names in done.items()
    }


async def test_a_page_that_the_caller_has_is_not_sent_again(world: World) -> None:
    client, known = world.service.client, world.known[0]
    params: dict[str, str]
    for params in ({"ids": known.arxiv_id}, {"ids": known.arxiv_id, "include": "summaries"}):
        first = await client.get("/v1/papers", params=params)
        tag = first.headers["etag"]
        again = await client.get("/v1/papers", params=params, headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        await execute(
            world.service.tools, "UPDATE papers SET comments = :it WHERE arxiv_id = :id", id=known.arxiv_id, it=tag
        )
        changed = await client.get("/v1/papers", params=params, headers={"If-None-Match": tag})
        assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)
    params = {"ids": known.arxiv_id, "include": "summaries"}
    tag = (await client.get("/v1/papers", params=params)).headers["etag"]
    await execute(
        world.service.tools,
        "INSERT INTO summaries (arxiv_id, paper_version, abstract_hash, language, status, origin, tldr)"
        " VALUES (:id, 1, 'h', 'ja', 'done', 'llm', 'x')",
        id=known.arxiv_id,
    )
    known.standings["ja"] = "done"
    assert (await client.get("/v1/papers", params=params, headers={"If-None-Match": tag})).status_code == 200


async def test_a_restored_copy_gives_no_tag_of_what_it_was_made_from(world: World) -> None:
    """Its transactions may have the numbers that other ones had."""
    database = world.service.tools.database
    started = await database.ask("SELECT pg_postmaster_start_time()::text")
    page = await read_page(database, PaperQuery(), limit=1)
    assert page.version is not None
    assert started[0] in page.version


async def test_one_papers_tag_changes_with_all_that_is_told_of_it(world: World) -> None:
    client, known = world.service.client, world.known[1]
    path = f"/v1/papers/{known.arxiv_id}"
    for change in (
        "UPDATE papers SET title = title || '!' WHERE arxiv_id = :id",
        "INSERT INTO announcements (arxiv_id, version, category, announced_on, announce_type)"
        " VALUES (:id, 9, 'cs.CL', '2026-03-02', 'replace')",
        "DELETE FROM announcements WHERE arxiv_id = :id AND version = 9",
        "INSERT INTO paper_entries (arxiv_id, version, format, raw, raw_hash) VALUES (:id, 1, 'rss2', 'new', 'new')",
    ):
        tag = (await client.get(path)).headers["etag"]
        same = await client.get(path, headers={"If-None-Match": f'"x", W/{tag}'})
        assert (same.status_code, same.content) == (304, b"")
        await execute(world.service.tools, change, id=known.arxiv_id)
        assert (await client.get(path, headers={"If-None-Match": tag})).status_code == 200


async def test_processes_that_start_together_sign_alike(empty_database_url: str, tmp_path_factory: Any) -> None:
    from app.db import Database, upgrade
    from app.shared_secrets import get_secret

    await asyncio.to_thread(upgrade, empty_database_url)
    database = Database(empty_database_url)

    async def ask() -> bytes:
        async with database.transaction() as session:
            return await get_secret(session, "cursors")

    keys = set(await asyncio.gather(*(ask() for _ in range(10))))
    assert len(keys) == 1
    assert len(keys.pop()) == 32
    await database.close()


def test_the_model_can_tell_papers_apart() -> None:
    """The world is worth asking: every filter leaves some papers and takes others."""
    chance = Random(7)
    known = [invent(chance, arxiv_id) for arxiv_id in [*chance.sample(NUMBERS, 70), *OLD]]
    for asked in (
        {"category": "cs"}, {"primary": "cs.CL"}, {"author": "sample"}, {"announced_from": "2026-01-10"},
        {"announce_type": ["new"]}, {"submitted_to": "2026-01-10"}, {"summary_status": "failed"}, {"withdrawn": True},
    ):  # fmt: skip
        assert 0 < len(ordered(known, asked)) < len(known), asked


@pytest.mark.parametrize("language", ["zh", "fr", "de"])
async def test_each_standing_alone_is_as_by_the_model(world: World, language: str) -> None:
    """What was released, or failed for an earlier text, speaks for no paper."""
    for standing in ("done", "pending", "running", "failed", "none"):
        asked = {"summary_status": standing, "language": language}
        found = [arxiv_id async for page in walk(world, asked, 200) for arxiv_id in page]
        assert found == ordered(world.known, asked)
