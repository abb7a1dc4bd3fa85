"""Papers, channels and digests over HTTP: finding, paging, creating, revising, rendering."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest

from app.config import Settings
from app.db import Database
from app.door import Door
from app.ingestion import Tools
from app.llm import make_summariser
from app.main import create_app
from app.postgres import EmbeddedPostgres
from tests.api import Service, caller, counts, ok, problem, serving, store
from tests.conftest import TEMPLATE, _execute
from tests.feeds import TUESDAY, WEDNESDAY, Item

Work = Callable[[], Awaitable[None]]
THURSDAY = date(2026, 1, 15)

NEW = "2601.95001"
CROSS = "2601.95002"
NUMERICAL = "2601.95003"
ECON = "2601.95004"
OLD = "hep-th/9901001"
OLD_WITH_CLASS = "math/0309136"


@pytest.fixture(scope="module")
async def library(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service with six papers of two days; the tests that share it only read."""
    _execute(postgres, f"CREATE DATABASE library TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    folder = tmp_path_factory.mktemp("library")
    async with serving(postgres.url("library"), folder) as service:
        first = [Item(NEW), Item(CROSS, type="cross", categories=("stat.ML", "cs.CL"))]
        await store(service.tools, folder, "cs.CL", TUESDAY, *first)
        await store(service.tools, folder, "stat.ML", TUESDAY, Item(CROSS, categories=("stat.ML", "cs.CL")))
        await store(service.tools, folder, "math.NA", WEDNESDAY, Item(NUMERICAL, categories=("math.NA", "cs.NA")))
        await store(service.tools, folder, "econ", WEDNESDAY, Item(ECON, categories=("econ.GN", "q-fin.EC")))
        await store(service.tools, folder, "cs.CL", WEDNESDAY, Item(NEW, version=2, type="replace"))
        await store(
            service.tools, folder, "hep-th", THURSDAY, Item(OLD, version=3, type="replace", categories=("hep-th",))
        )
        old = Item(OLD_WITH_CLASS, version=2, type="replace", categories=("math.GT",))
        await store(service.tools, folder, "math.GT", THURSDAY, old)
        yield service
    _execute(postgres, "DROP DATABASE library WITH (FORCE)")


async def found(client: httpx.AsyncClient, **params: Any) -> list[str]:
    return [paper["arxiv_id"] for paper in ok(await client.get("/v1/papers", params=params))["items"]]


async def test_papers_come_newest_id_first_over_both_schemes(library: Service) -> None:
    page = ok(await library.client.get("/v1/papers"))
    assert [paper["arxiv_id"] for paper in page["items"]] == [ECON, NUMERICAL, CROSS, NEW, OLD_WITH_CLASS, OLD]
    assert page["next_cursor"] is None


@pytest.mark.parametrize(
    ("category", "expected"),
    [
        ("cs.CL", [CROSS, NEW]),
        ("CS.cl", [CROSS, NEW]),
        (" cs.CL ", [CROSS, NEW]),
        ("cmp-lg", [CROSS, NEW]),  # the archive that cs.CL took up
        ("cs", [NUMERICAL, CROSS, NEW]),
        ("math.NA", [NUMERICAL]),
        ("cs.NA", [NUMERICAL]),
        ("math", [NUMERICAL, OLD_WITH_CLASS]),
        ("econ", [ECON]),
        ("q-fin.EC", [ECON]),
        ("q-fin", [ECON]),
        ("hep-th", [OLD]),
        ("astro-ph.GA", []),
    ],
)
async def test_a_category_is_found_under_any_of_its_names(library: Service, category: str, expected: list[str]) -> None:
    assert await found(library.client, category=category) == expected


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"announced_from": "2026-01-14", "announced_to": "2026-01-14"}, [ECON, NUMERICAL, NEW]),
        ({"announced_from": "2026-01-15"}, [OLD_WITH_CLASS, OLD]),
        ({"announced_to": "2026-01-13"}, [CROSS, NEW]),
        ({"announced_from": "2026-01-16"}, []),
        ({"announced_from": "0001-01-01", "announced_to": "9999-12-31", "category": "cs.CL"}, [CROSS, NEW]),
        # In the category *and* on that day, not the one here and the other there.
        ({"category": "cs.CL", "announced_from": "2026-01-14"}, [NEW]),
        ({"category": "stat.ML", "announced_to": "2026-01-13"}, [CROSS]),
        ({"category": "cs.NA", "announced_from": "2026-01-14"}, [NUMERICAL]),
    ],
)
async def test_a_period_is_one_of_announcements(library: Service, params: dict[str, str], expected: list[str]) -> None:
    assert await found(library.client, **params) == expected


@pytest.mark.parametrize("path", ["/v1/papers", "/v1/listings", "/v1/stats"])
async def test_a_period_that_ends_before_it_begins_is_refused(library: Service, path: str) -> None:
    answer = await library.client.get(path, params={"announced_from": "2026-01-15", "announced_to": "2026-01-13"})
    assert "after its end" in problem(answer, 422, "invalid_input")["detail"]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (NEW, [NEW]),
        (f"{OLD},{NEW}", [NEW, OLD]),
        ([OLD, NEW], [NEW, OLD]),
        ([f"{OLD},{ECON}", NEW], [ECON, NEW, OLD]),
        (f" arXiv:{NEW}v1 , https://arxiv.org/abs/{OLD}v2 ,", [NEW, OLD]),
        (f"{NEW},{NEW}v2,oai:arXiv.org:{NEW}", [NEW]),
        ("math.GT/0309136v1", [OLD_WITH_CLASS]),
        ("2601.99999", []),
        ("", []),
    ],
)
async def test_ids_in_any_form_and_grouping(library: Service, ids: str | list[str], expected: list[str]) -> None:
    assert await found(library.client, ids=ids) == expected


async def test_filters_are_combined(library: Service) -> None:
    assert await found(library.client, ids=[NEW, ECON], category="econ") == [ECON]


@pytest.mark.parametrize(
    ("path", "arxiv_id"),
    [
        (NEW, NEW),
        (f"{NEW}v1", NEW),
        (f"{NEW}v7", NEW),
        (f"arXiv:{NEW}", NEW),
        (f"arXiv%3A{NEW}", NEW),
        (quote(f"https://arxiv.org/abs/{NEW}", safe=""), NEW),
        (OLD, OLD),
        (f"{OLD}v2", OLD),
        ("hep-th%2F9901001", OLD),
        ("HEP-TH/9901001", OLD),
        ("math.GT/0309136v1", OLD_WITH_CLASS),
        ("math/0309136", OLD_WITH_CLASS),
        ("%20" + NEW + "%20", NEW),
    ],
)
async def test_one_paper_in_any_form_of_its_id(library: Service, path: str, arxiv_id: str) -> None:
    paper = ok(await library.client.get(f"/v1/papers/{path}"))
    assert paper["arxiv_id"] == arxiv_id
    assert paper["links"]["abs"] == f"https://arxiv.org/abs/{arxiv_id}"


async def test_a_paper_that_is_not_here_says_how_it_would_come(library: Service) -> None:
    body = problem(await library.client.get("/v1/papers/2601.99999"), 404, "not_found")
    assert "2601.99999" in body["detail"]
    assert "read" in body["detail"]


@pytest.mark.parametrize(
    "path", ["x", "2601.9", "2601.950011", "hep-th", "hep-th/99010011", "2601.95001v0", "2601.00000", ""]
)
async def test_what_is_no_id_is_refused_with_an_example(library: Service, path: str) -> None:
    body = problem(await library.client.get(f"/v1/papers/{path}"), 422, "invalid_arxiv_id")
    assert "2404.02342" in body["detail"]


@pytest.mark.parametrize(("category", "hint"), [("cs.CLL", "cs.CL"), ("sc.CL", "cs.CL"), ("x" * 80, "econ")])
async def test_an_unknown_category_is_refused_with_the_closest(library: Service, category: str, hint: str) -> None:
    for path in ("/v1/papers", "/v1/listings", "/v1/ingestions", "/v1/stats"):
        answer = await library.client.get(path, params={"category": category})
        assert hint in problem(answer, 422, "unknown_category")["detail"]


LISTS = ["/v1/papers", "/v1/listings", "/v1/channels", "/v1/digests", "/v1/ingestions", "/v1/fetches", "/v1/harvests"]


@pytest.mark.parametrize("path", LISTS)
async def test_limit_goes_from_1_to_200(library: Service, path: str) -> None:
    for size in (1, 200):
        assert len(ok(await library.client.get(path, params={"limit": size}))["items"]) <= size
    for limit in ("0", "201", "-1", "1e3", "x", "", "9" * 30, "9" * 5000):
        body = problem(await library.client.get(path, params={"limit": limit}), 422, "invalid_request")
        assert body["errors"][0]["field"] == "query.limit"


@pytest.mark.parametrize(
    "path", [*LISTS[1:], "/v1/summaries", "/v1/jobs", "/v1/stats", "/v1/backlog", "/v1/categories"]
)
async def test_a_parameter_without_effect_is_refused_everywhere(library: Service, path: str) -> None:
    body = problem(await library.client.get(path, params={"categry": "cs.CL"}), 422, "invalid_request")
    assert body["errors"][0]["field"] == "query.categry"
    if path in LISTS:
        body = problem(await library.client.get(path, params={"limit": ["3", "4"]}), 422, "invalid_request")
        assert "twice" in body["detail"]


async def pages(client: httpx.AsyncClient, path: str, **params: Any) -> list[Any]:
    """Every item of a list, by its ``Link`` headers, which must say the same as ``next_cursor``."""
    items = []
    answer = await client.get(path, params=params)
    while True:
        page = ok(answer)
        items += page["items"]
        if page["next_cursor"] is None:
            assert "link" not in answer.headers
            return items
        following = answer.links["next"]["url"]
        query = parse_qs(urlsplit(following).query)
        assert query.pop("cursor") == [page["next_cursor"]]
        assert query == {name: [str(value)] for name, value in params.items()}
        answer = await client.get(following)


@pytest.mark.parametrize(
    ("path", "params", "key"),
    [
        ("/v1/papers", {"limit": 1}, "arxiv_id"),
        ("/v1/papers", {"limit": 2, "category": "cs", "announced_from": "2026-01-01"}, "arxiv_id"),
        ("/v1/listings", {"limit": 2}, None),
        ("/v1/listings", {"limit": 1, "category": "cs", "state": "announced"}, None),
        ("/v1/channels", {"limit": 37}, "slug"),
        ("/v1/channels", {"limit": 60, "builtin": "true"}, "slug"),
        ("/v1/ingestions", {"limit": 3}, "id"),
        ("/v1/digests", {"limit": 3}, "id"),
    ],
)
async def test_pages_together_are_the_whole_list(
    library: Service, path: str, params: dict[str, Any], key: str | None
) -> None:
    items = await pages(library.client, path, **params)
    everything = await pages(library.client, path, **{**params, "limit": 200})
    assert items == everything
    names = [item[key] if key else (item["category"], item["announced_on"]) for item in items]
    assert len(names) == len(set(names))


async def test_a_cursor_that_was_changed_or_is_of_another_list_is_refused(library: Service) -> None:
    cursors = {}
    for path in ("/v1/papers", "/v1/listings", "/v1/channels", "/v1/ingestions"):
        cursors[path] = ok(await library.client.get(path, params={"limit": 1}))["next_cursor"]
        assert cursors[path]
    for path in (*cursors, "/v1/digests"):
        for other, cursor in cursors.items():
            if path != other:
                body = problem(await library.client.get(path, params={"cursor": cursor}), 400, "invalid_cursor")
                assert "without a cursor" in body["detail"]
    cursor = cursors["/v1/papers"]
    changed = [cursor[:n] + ("A" if cursor[n] != "A" else "B") + cursor[n + 1 :] for n in range(len(cursor))]
    changed += [
        "",
        "x",
        cursor + "=",
        cursor + "A",
        cursor[:-1],
        cursor * 100,
        "\u0663",
        "🙂",
        "-" + cursor,
        cursor + "\n",
    ]
    for wrong in changed:
        problem(await library.client.get("/v1/papers", params={"cursor": wrong}), 400, "invalid_cursor")
    for other_query in ({"category": "cs.CL"}, {"ids": NEW}, {"announced_from": "2026-01-01"}):
        answer = await library.client.get("/v1/papers", params={"cursor": cursor, **other_query})
        problem(answer, 400, "invalid_cursor")
    # The size of a page is no part of the question, nor is the spelling of its category.
    assert ok(await library.client.get("/v1/papers", params={"cursor": cursor, "limit": 7}))["items"]
    of_category = ok(await library.client.get("/v1/papers", params={"limit": 1, "category": "cs.CL"}))["next_cursor"]
    assert await found(library.client, category="CMP-LG", cursor=of_category) == [NEW]


async def test_nothing_is_twice_or_missing_while_papers_arrive_between_the_pages(
    client: httpx.AsyncClient, tools: Tools, tmp_path: Path
) -> None:
    first = [f"2601.9{n:04}" for n in range(1, 24, 2)]
    await store(tools, tmp_path, "cs.CL", TUESDAY, *(Item(arxiv_id) for arxiv_id in first))
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        answer = ok(await client.get("/v1/papers", params={"category": "cs.CL", "limit": 5, **cursor}))
        seen += [paper["arxiv_id"] for paper in answer["items"]]
        if answer["next_cursor"] is None:
            break
        cursor = {"cursor": answer["next_cursor"]}
        # Newer than all, in the middle of what was read, and in the middle of what is still to be read.
        arriving = [f"2601.95{len(seen):03}", f"2601.9{23 - 2 * len(seen) + 3:04}", f"2601.9{2 * len(seen) % 12:04}"]
        await store(tools, tmp_path, "cs.CL", WEDNESDAY, *(Item(arxiv_id) for arxiv_id in dict.fromkeys(arriving)))
    assert len(seen) == len(set(seen))
    assert set(first) <= set(seen)
    assert seen == sorted(seen, reverse=True)


# Channels


async def test_every_category_and_archive_is_a_channel_under_all_its_names(library: Service) -> None:
    for name, slug in {
        "cs.CL": "cs.CL",
        "CS.cl": "cs.CL",
        "cs.NA": "math.NA",
        "cmp-lg": "cs.CL",
        "econ": "econ",
    }.items():
        channel = ok(await library.client.get(f"/v1/channels/{name}"))
        assert (channel["slug"], channel["builtin"]) == (slug, True)
    builtin = await pages(library.client, "/v1/channels", limit=200, builtin="true")
    assert {"cs.CL", "math.NA", "econ", "econ.GN", "hep-th"} <= {channel["slug"] for channel in builtin}
    assert not {"cs.NA", "cmp-lg"} & {channel["slug"] for channel in builtin}
    assert await pages(library.client, "/v1/channels", builtin="false") == []


async def test_a_channel_is_created_read_and_listed(client: httpx.AsyncClient) -> None:
    body = {"slug": "nlp-and-stats", "title": " 语言　与统计 – می‌خواهم ", "categories": ["cs.cl", "cmp-lg", "stat.ML"]}
    answer = await client.post("/v1/channels", json=body)
    created = ok(answer, 201)
    assert answer.headers["location"] == "/v1/channels/nlp-and-stats"
    assert created["title"] == body["title"].strip()  # type: ignore[attr-defined]
    assert created["categories"] == ["cs.CL", "stat.ML"]
    assert created["announce_types"] == ["new", "cross", "replace", "replace-cross"]
    assert (created["language"], created["builtin"]) == (None, False)
    assert ok(await client.get("/v1/channels/nlp-and-stats")) == created
    assert ok(await client.get("/v1/channels", params={"builtin": False}))["items"] == [created]


async def test_languages_and_types_are_kept_in_one_spelling(client: httpx.AsyncClient) -> None:
    body = {"slug": "new-only", "title": "N", "categories": ["econ"], "announce_types": ["cross", "new", "new"]}
    created = ok(await client.post("/v1/channels", json=body | {"language": "ZH-hant"}), 201)
    assert (created["language"], created["announce_types"]) == ("zh-Hant", ["new", "cross"])


async def test_a_taken_slug_is_a_conflict(client: httpx.AsyncClient, tools: Tools) -> None:
    body = {"slug": "mine", "title": "Mine", "categories": ["cs.CL"]}
    ok(await client.post("/v1/channels", json=body), 201)
    before = await counts(tools)
    for slug in ("mine", "econ", "cmp-lg"):
        answer = await client.post("/v1/channels", json=body | {"slug": slug})
        assert "choose another" in problem(answer, 409, "conflict")["detail"]
    problem(
        await client.post("/v1/channels", json=body | {"slug": "other", "categories": ["cs.XX"]}),
        422,
        "unknown_category",
    )
    assert await counts(tools) == before


# Digests


async def test_an_empty_service_answers_with_empty_lists(client: httpx.AsyncClient) -> None:
    for path in ("/v1/papers", "/v1/listings", "/v1/digests", "/v1/ingestions", "/v1/fetches", "/v1/harvests"):
        answer = await client.get(path)
        assert ok(answer) == {"items": [], "next_cursor": None}
        assert "link" not in answer.headers
    assert "no digest" in problem(await client.get("/v1/channels/cs.CL/latest.md"), 404, "not_found")["detail"]
    unread = problem(await client.post("/v1/digests", json={"channel": "cs.CL"}), 409, "listing_not_read")
    assert "/v1/ingestions" in unread["detail"]


async def test_a_digest_over_papers_is_made_once(client: httpx.AsyncClient, tools: Tools, tmp_path: Path) -> None:
    await store(
        tools, tmp_path, "cs.CL", TUESDAY, Item(NEW), Item(CROSS, type="cross", categories=("stat.ML", "cs.CL"))
    )
    body = {"paper_ids": [NEW, CROSS], "title": "My papers", "language": "zh"}
    answer = await client.post("/v1/digests", json=body)
    made = ok(answer, 201)
    assert answer.headers["location"] == f"/v1/digests/{made['id']}"
    assert (made["title"], made["channel"], made["period"], made["revision"]) == ("My papers", None, None, 1)
    assert [item["arxiv_id"] for item in made["items"]] == [CROSS, NEW]
    assert [item["announce_type"] for item in made["items"]] == [None, None]
    after = await counts(tools)
    again = [
        body,
        body | {"paper_ids": [f"arXiv:{NEW}v1", NEW, f"https://arxiv.org/abs/{CROSS}"]},
        body | {"language": "ZH"},
    ]
    for same in again:
        answer = await client.post("/v1/digests", json=same)
        assert ok(answer) == made
        assert answer.headers["location"] == f"/v1/digests/{made['id']}"
    assert await counts(tools) == after
    assert ok(await client.get(f"/v1/digests/{made['id']}")) == made
    others = [body | {"paper_ids": [CROSS, NEW]}, body | {"title": "Other"}, body | {"language": "en"}]
    ids = {ok(await client.post("/v1/digests", json=other), 201)["id"] for other in others}
    assert len(ids | {made["id"]}) == 4


async def test_a_channels_day_is_one_digest_however_it_is_asked_for(
    client: httpx.AsyncClient, tools: Tools, tmp_path: Path
) -> None:
    items = [Item(NEW), Item(NUMERICAL, type="replace", version=2)]
    await store(tools, tmp_path, "cs.CL", TUESDAY, *items)
    made = ok(await client.post("/v1/digests", json={"channel": "cs.CL", "date": "2026-01-13", "language": "zh"}), 201)
    assert made["period"] == {"from": "2026-01-13", "to": "2026-01-13"}
    assert made["receipt"] == {
        "announced": 2, "stored": 2, "summarized": 0, "pending": 2, "failed": 0, "untranslated": 0, "missing": [],
        "incomplete": [], "not_matching": 0, "shown_before": 0, "held_over": 0, "carried_over": 0,
    }  # fmt: skip
    assert [(item["arxiv_id"], item["announce_type"]) for item in made["items"]] == [
        (NUMERICAL, "replace"),
        (NEW, "new"),
    ]
    for same in (
        {"channel": "cs.CL"},
        {"channel": "CS.cl", "date": "2026-01-13"},
        {"channel": "cmp-lg", "from": "2026-01-13"},
        {"channel": "cs.CL", "to": "2026-01-13", "language": "ZH"},
        {"channel": "cs.CL", "from": "2026-01-13", "to": "2026-01-13", "date": None, "title": None},
    ):
        assert ok(await client.post("/v1/digests", json=same)) == made
    await store(tools, tmp_path, "cs.CL", WEDNESDAY, Item(ECON))
    assert ok(await client.post("/v1/digests", json={"channel": "cs.CL"}), 201)["period"]["to"] == "2026-01-14"
    both = ok(
        await client.post("/v1/digests", json={"channel": "cs.CL", "from": "2026-01-01", "to": "2026-01-31"}), 201
    )
    assert both["receipt"]["announced"] == 3
    archive = ok(await client.post("/v1/digests", json={"channel": "cs", "date": "2026-01-13"}), 201)
    assert [item["arxiv_id"] for item in archive["items"]] == [NUMERICAL, NEW]


async def test_a_channel_takes_only_its_announce_types(client: httpx.AsyncClient, tools: Tools, tmp_path: Path) -> None:
    await store(
        tools, tmp_path, "cs.CL", TUESDAY, Item(NEW), Item(CROSS, type="cross"), Item(ECON, version=2, type="replace")
    )
    channel = {
        "slug": "only-new",
        "title": "Only new",
        "categories": ["cs.CL"],
        "announce_types": ["new"],
        "language": "en",
    }
    ok(await client.post("/v1/channels", json=channel), 201)
    digest = ok(await client.post("/v1/digests", json={"channel": "only-new"}), 201)
    assert [item["arxiv_id"] for item in digest["items"]] == [NEW]
    assert (digest["language"], digest["receipt"]["announced"]) == ("en", 1)


async def test_a_revision_never_changes_and_news_make_a_new_one(
    client: httpx.AsyncClient, tools: Tools, tmp_path: Path, work: Work
) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, Item(NEW, title="Before"))
    body = {"paper_ids": [NEW], "language": "en"}
    first = ok(await client.post("/v1/digests", json=body), 201)
    address = f"/v1/digests/{first['id']}"
    assert first["items"][0]["summary_status"] == "pending"
    rendered = {form: (await client.get(f"{address}.{form}")).content for form in ("md", "html", "json")}

    await work()  # the summary arrives
    second = ok(await client.post("/v1/digests", json=body))
    assert second["revision"] == 2
    assert second["items"][0]["summary_status"] == "done"
    assert second["items"][0]["tldr"]
    assert second["receipt"]["summarized"] == 1
    assert second["created_at"] > first["created_at"]
    assert ok(await client.post("/v1/digests", json=body)) == second

    await store(
        tools, tmp_path, "cs.CL", WEDNESDAY, Item(NEW, version=2, type="replace", title="After", abstract="New.")
    )
    assert ok(await client.get(address)) == second  # nothing changes before somebody composes it again
    third = ok(await client.post("/v1/digests", json=body))
    assert (third["revision"], third["items"][0]["title"], third["items"][0]["version"]) == (3, "After", 2)
    assert third["items"][0]["summary"] is None or third["items"][0]["summary"]["stale"]

    for revision, known in ((1, first), (2, second), (3, third)):
        assert ok(await client.get(address, params={"revision": revision})) == known
    for form, content in rendered.items():
        assert (await client.get(f"{address}.{form}", params={"revision": 1})).content == content
    assert "its newest is 3" in problem(await client.get(address, params={"revision": 4}), 404, "not_found")["detail"]


async def test_unknown_papers_are_named_and_nothing_is_stored(
    client: httpx.AsyncClient, tools: Tools, tmp_path: Path
) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, Item(NEW))
    before = await counts(tools)
    missing = [f"2601.99{n:03}" for n in range(1, 15)]
    body = problem(await client.post("/v1/digests", json={"paper_ids": [NEW, *missing]}), 422, "unknown_papers")
    assert body["unknown"] == missing
    assert missing[0] in body["detail"]
    assert "and 4 more" in body["detail"]
    assert NEW not in body["detail"]
    answer = await client.post("/v1/digests", json={"paper_ids": [NEW, "nonsense"]})
    problem(answer, 422, "invalid_arxiv_id")
    assert await counts(tools) == before


async def test_a_day_that_was_not_read_or_is_to_come_is_refused(
    client: httpx.AsyncClient, tools: Tools, tmp_path: Path
) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, Item(NEW))
    before = await counts(tools)
    unread = problem(
        await client.post("/v1/digests", json={"channel": "cs.CL", "date": "2026-01-12"}), 409, "listing_not_read"
    )
    assert "2026-01-12" in unread["detail"]
    future = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    for period in ({"date": future}, {"from": "2026-01-13", "to": future}, {"from": "0001-01-01", "to": "9999-12-31"}):
        body = problem(await client.post("/v1/digests", json={"channel": "cs.CL", **period}), 422, "invalid_input")
        assert "future" in body["detail"]
    upside_down = {"channel": "cs.CL", "from": "2026-01-14", "to": "2026-01-13"}
    problem(await client.post("/v1/digests", json=upside_down), 422, "invalid_input")
    problem(await client.post("/v1/digests", json={"channel": "cs.XX"}), 404, "not_found")
    assert await counts(tools) == before


async def test_an_empty_listing_makes_an_empty_digest(client: httpx.AsyncClient, tools: Tools, tmp_path: Path) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY)
    digest = ok(await client.post("/v1/digests", json={"channel": "cs.CL", "date": "2026-01-13"}), 201)
    assert (digest["items"], digest["receipt"]["announced"]) == ([], 0)
    for form in ("md", "html", "json"):
        assert (await client.get(f"/v1/digests/{digest['id']}.{form}")).status_code == 200


async def test_a_digest_is_rendered_in_each_format(client: httpx.AsyncClient, tools: Tools, tmp_path: Path) -> None:
    hostile = Item(
        NEW, title="<script>alert(1)</script> | [x](y) `z` & 摘要 🙂", abstract="A <b>bold</b> claim about $a<b$."
    )
    await store(tools, tmp_path, "cs.CL", TUESDAY, hostile)
    digest = ok(await client.post("/v1/digests", json={"channel": "cs.CL"}), 201)
    for address in (f"/v1/digests/{digest['id']}", "/v1/channels/cs.CL/latest"):
        md = await client.get(f"{address}.md")
        assert (md.status_code, md.headers["content-type"]) == (200, "text/markdown; charset=utf-8")
        assert "| Ref | Title | Summary |" in md.text
        html = await client.get(f"{address}.html")
        assert (html.status_code, html.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "<script>alert" not in html.text
        as_json = await client.get(f"{address}.json")
        assert as_json.headers["content-type"] == "application/json"
        assert as_json.json() == digest
        classic = await client.get(f"{address}.md", params={"style": "classic"})
        assert (classic.status_code, classic.headers["content-type"]) == (200, "text/markdown; charset=utf-8")
        for form in ("pdf", "MD", "md2", "%7Bformat%7D"):
            assert "md, html, json" in problem(await client.get(f"{address}.{form}"), 422, "invalid_input")["detail"]
        problem(await client.get(f"{address}.{'x' * 5000}"), 422, "invalid_request")
        for form, style in (("md", "modern"), ("html", "classic"), ("json", "classic"), ("md", "")):
            problem(await client.get(f"{address}.{form}", params={"style": style}), 422, "invalid_input")
    problem(await client.get("/v1/digests/unknown.md"), 404, "not_found")
    problem(await client.get("/v1/channels/unknown/latest.md"), 404, "not_found")


async def test_latest_is_the_newest_period_in_the_language_asked_for(
    client: httpx.AsyncClient, tools: Tools, tmp_path: Path
) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, Item(NEW))
    await store(tools, tmp_path, "cs.CL", WEDNESDAY, Item(CROSS))
    wednesday = ok(
        await client.post("/v1/digests", json={"channel": "cs.CL", "date": "2026-01-14", "language": "zh"}), 201
    )
    tuesday = ok(
        await client.post("/v1/digests", json={"channel": "cs.CL", "date": "2026-01-13", "language": "en"}), 201
    )
    latest = "/v1/channels/cmp-lg/latest.json"
    assert ok(await client.get(latest))["id"] == wednesday["id"]
    assert ok(await client.get(latest, params={"language": "EN"}))["id"] == tuesday["id"]
    assert "in fr" in problem(await client.get(latest, params={"language": "fr"}), 404, "not_found")["detail"]


async def test_digests_are_listed_with_their_receipts(client: httpx.AsyncClient, tools: Tools, tmp_path: Path) -> None:
    await store(tools, tmp_path, "math.NA", TUESDAY, Item(NUMERICAL, categories=("math.NA", "cs.NA")))
    made = [
        ok(await client.post("/v1/digests", json={"channel": "math.NA", "language": language}), 201)
        for language in ("zh", "en", "fr")
    ]
    made += [
        ok(await client.post("/v1/digests", json={"paper_ids": [NUMERICAL], "title": str(n)}), 201) for n in range(4)
    ]
    listed = await pages(client, "/v1/digests", limit=2)
    assert [one["id"] for one in listed] == [one["id"] for one in reversed(made)]
    assert listed[0].keys() == made[0].keys() - {"items", "first_created_at"} | {"kind"}
    assert [one["kind"] for one in listed] == ["papers"] * 4 + ["channel"] * 3
    assert listed[0]["receipt"] == made[-1]["receipt"]
    of_channel = await pages(client, "/v1/digests", channel="cs.NA", limit=1)
    assert [one["language"] for one in of_channel] == ["fr", "en", "zh"]
    assert len(await pages(client, "/v1/digests", language="ZH")) == 5


async def test_a_digest_of_more_papers_than_a_statement_has_parameters(client: httpx.AsyncClient, tools: Tools) -> None:
    """A quarter of an archive such as cs has more papers than Postgres takes as single parameters (32,767)."""
    announced = json.dumps({f"2601.{n:05}": "new" for n in range(1, 33_001)})
    async with tools.database.engine.begin() as connection:
        await connection.exec_driver_sql(
            "INSERT INTO listings (category, announced_on, state, announced, source)"
            f" VALUES ('cs.CL', '2026-01-13', 'announced', '{announced}', 'test')"
        )
    digest = ok(await client.post("/v1/digests", json={"channel": "cs.CL"}), 201)
    assert digest["receipt"]["announced"] == len(digest["receipt"]["missing"]) == 33_000


# Operation


async def test_ready_or_not(client: httpx.AsyncClient) -> None:
    assert ok(await client.get("/readyz")) == ok(await client.get("/healthz")) == {"status": "ok"}


async def test_not_ready_without_this_releases_schema(settings: Settings, empty_database_url: str) -> None:
    database = Database(empty_database_url)
    async with httpx.AsyncClient() as outward:
        app = create_app(Tools(settings, database, Door(database, outward, timedelta(0)), make_summariser()))
        async with caller(app) as client:
            body = problem(await client.get("/readyz"), 503, "schema_outdated")
            assert "zhaiyao db upgrade" in body["detail"]
            assert ok(await client.get("/healthz")) == {"status": "ok"}
            async with database.engine.begin() as connection:
                await connection.exec_driver_sql("CREATE TABLE alembic_version (version_num text)")
                await connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('0000')")
            assert "0000" in problem(await client.get("/readyz"), 503, "schema_outdated")["detail"]
    await database.close()
