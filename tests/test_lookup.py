"""Searches over HTTP: ``GET /v1/papers?q=``, its pages, what it tells of itself, and what is refused."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.postgres import EmbeddedPostgres
from app.worker import work_off
from tests.api import Service, ok, problem, serving, store
from tests.conftest import TEMPLATE, _execute
from tests.feeds import TUESDAY, WEDNESDAY, Item

MANY = [f"2601.9{number:04}" for number in range(40)]
TEA, MILK, ZH = "2601.80001", "2601.80002", "2601.80003"


@pytest.fixture(scope="module")
async def library(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """Forty papers on graphs, two on teapots, one that has been translated; the tests that share it only read."""
    _execute(postgres, f"CREATE DATABASE lookup TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    folder = tmp_path_factory.mktemp("lookup")
    async with serving(postgres.url("lookup"), folder) as service:
        graphs = [
            Item(one, title=f"Graphs of number {one[-2:]}", abstract="We draw graphs & <b>trees</b>.") for one in MANY
        ]
        await store(service.tools, folder, "cs.CL", TUESDAY, *graphs)
        teapots = [
            Item(
                TEA,
                title="On Teapots",
                abstract="The teapot is a vessel.",
                categories=("math.CO",),
                creator="Ada Sample",
            ),
            Item(
                MILK,
                title="Vessels for Milk",
                abstract="No teapots are used.",
                categories=("math.CO",),
                creator="Bo Other",
            ),
            Item(ZH, title="Retrieval", abstract="We retrieve.", categories=("math.CO",)),
        ]
        await store(service.tools, folder, "math.CO", WEDNESDAY, *teapots)
        written = {
            "title": "检索增强生成",
            "tldr": "本文研究大语言模型的检索增强生成。",
            "abstract": "我们提出一种方法。",
        }
        ok(await service.client.put(f"/v1/papers/{ZH}/summaries/zh", json=written), 201)
        await work_off(service.tools, postgres.url("lookup"))  # counts the words, for those that are misspelt
        yield service
    _execute(postgres, "DROP DATABASE lookup WITH (FORCE)")


async def find(client: httpx.AsyncClient, **params: Any) -> Any:
    return ok(await client.get("/v1/papers", params=params))


def ids(answer: Any) -> list[str]:
    return [paper["arxiv_id"] for paper in answer["items"]]


async def test_a_search_says_how_it_went_and_where_the_words_are(library: Service) -> None:
    answer = await find(library.client, q="teapot")
    assert ids(answer) == [TEA, MILK]
    assert answer["search"] == {
        "mode": "lexical", "matched": "all", "query": None, "indexed": 43, "stored": 43, "meaning": None
    }  # fmt: skip
    first = answer["items"][0]
    assert first["highlight"]["title"] == "On <mark>Teapots</mark>"
    assert first["highlight"]["snippets"] == ["The <mark>teapot</mark> is a vessel."]
    assert first["score"] > answer["items"][1]["score"] >= 0
    # Everything else of the paper is as without a search, and nothing of a search is there without one.
    [same] = (await find(library.client, ids=TEA))["items"]
    assert {name: first[name] for name in same} == same
    assert first.keys() - same.keys() == {"score", "highlight"}


async def test_text_from_outside_is_escaped_where_words_are_marked(library: Service) -> None:
    [paper] = (await find(library.client, q="trees", limit=1))["items"]
    assert paper["highlight"]["snippets"] == ["We draw graphs &amp; &lt;b&gt;<mark>trees</mark>&lt;/b&gt;."]


async def test_chinese_and_english_are_asked_in_one_box(library: Service) -> None:
    for query in ("检索增强", "大语言模型 检索", "ti:检索增强生成", "retrieval 模型", "型"):
        assert ids(await find(library.client, q=query)) == [ZH], query
    assert (await find(library.client, q="检索增强"))["items"][0]["highlight"]["snippets"][
        0
    ] == "<mark>检索增强</mark>生成"


async def test_filters_fields_and_summaries_go_with_a_search(library: Service) -> None:
    client = library.client
    assert ids(await find(client, q="teapots", author="Ada Sample")) == [TEA]
    assert ids(await find(client, q="teapots OR graphs", category="math.CO", sort="id", order="asc")) == [TEA, MILK]
    assert ids(await find(client, q="au:other")) == [MILK]
    assert ids(await find(client, q="teapots", announced_to="2026-01-13")) == []
    [paper] = (await find(client, q="检索", fields="title", include="summaries", language="zh"))["items"]
    assert paper.keys() == {"arxiv_id", "title", "summaries", "score", "highlight"}
    assert paper["summaries"][0]["title"] == "检索增强生成"


@pytest.mark.parametrize("sort", ["relevance", "id", "announced", "submitted"])
async def test_pages_give_every_paper_once(library: Service, sort: str) -> None:
    params: dict[str, Any] = {"q": "graphs", "sort": sort, "limit": 7}
    found, cursor = [], None
    while True:
        answer = await library.client.get("/v1/papers", params=params | ({"cursor": cursor} if cursor else {}))
        page = ok(answer)
        found += ids(page)
        cursor = page["next_cursor"]
        assert ("link" in answer.headers) == (cursor is not None)
        if cursor is None:
            break
    assert sorted(found) == MANY
    assert len(found) == len(MANY)
    whole = await find(library.client, q="graphs", sort=sort, limit=200)
    assert ids(whole) == found


async def test_a_cursor_belongs_to_its_search(library: Service) -> None:
    cursor = (await find(library.client, q="graphs", limit=5))["next_cursor"]
    for params in ({"q": "teapots"}, {}, {"q": "graphs", "sort": "id"}, {"q": "graphs", "category": "cs.CL"}):
        problem(await library.client.get("/v1/papers", params=params | {"cursor": cursor}), 400, "invalid_cursor")
    problem(await library.client.get("/v1/papers", params={"q": "graphs", "cursor": cursor[:-1] + "A"}), 400)


async def test_what_is_misspelt_or_only_partly_there_is_found_and_says_so(library: Service) -> None:
    near = await find(library.client, q="teepots")
    assert (near["search"]["matched"], near["search"]["query"], ids(near)) == ("near", "teapots", [TEA, MILK])
    some = await find(library.client, q="teapots quokkas")
    assert some["search"]["matched"] == "some"
    assert ids(some)[0] in (TEA, MILK)
    nothing = await find(library.client, q="quokkas")
    assert (ids(nothing), nothing["search"]["matched"], nothing["next_cursor"]) == ([], "all", None)


async def test_a_pasted_text_finds_papers_like_it(library: Service) -> None:
    pasted = 'The teapot is a vessel: "a thing (that holds tea. ' * 40
    answer = await find(library.client, q=pasted, limit=1)
    assert (ids(answer), answer["search"]["matched"]) == ([TEA], "some")


@pytest.mark.parametrize(
    ("query", "position"), [("graph OR", 6), ('ti:"open', 0), ("(a", 0), ("cat:cs.XX", 0), ("-", 0)]
)
async def test_a_syntax_error_points_at_the_place(library: Service, query: str, position: int) -> None:
    body = problem(await library.client.get("/v1/papers", params={"q": query}), 400, "invalid_query")
    assert body["position"] == position


async def test_hybrid_says_when_words_alone_had_to_do(library: Service) -> None:
    answer = await find(library.client, q="teapot", mode="hybrid")
    assert ids(answer) == [TEA, MILK]
    assert answer["search"]["mode"] == "lexical"
    assert answer["search"]["meaning"]["reason"] == "ZHAIYAO_EMBEDDINGS is off."
    pages = [await find(library.client, q="graphs", mode="hybrid", limit=25)]
    pages.append(await find(library.client, q="graphs", mode="hybrid", limit=25, cursor=pages[0]["next_cursor"]))
    assert pages[1]["next_cursor"] is None
    assert sorted(one for page in pages for one in ids(page)) == MANY


@pytest.mark.parametrize(
    "params",
    [
        {"sort": "relevance"},
        {"mode": "hybrid"},
        {"q": "a", "mode": "hybrid", "sort": "id"},
        {"q": "a", "order": "asc"},
        {"q": "a", "mode": "magic"},
        {"q": ""},
        {"q": "x" * 20_001},
    ],
)
async def test_what_cannot_be_is_refused(library: Service, params: dict[str, str]) -> None:
    answer = await library.client.get("/v1/papers", params=params)
    assert problem(answer, answer.status_code)["status"] in (414, 422)


async def test_searches_are_streamed_and_come_as_a_table(library: Service) -> None:
    lines = (await library.client.get("/v1/papers.ndjson", params={"q": "graphs", "sort": "id"})).text.splitlines()
    assert [json.loads(line)["arxiv_id"] for line in lines] == MANY[::-1]
    table = (await library.client.get("/v1/papers.csv", params={"q": "teapot", "fields": "title"})).text
    assert table.splitlines()[1:] == [f"{TEA},On Teapots", f"{MILK},Vessels for Milk"]


async def test_the_same_answer_is_not_sent_again(library: Service) -> None:
    first = await library.client.get("/v1/papers", params={"q": "teapot"})
    again = await library.client.get(
        "/v1/papers", params={"q": "teapot"}, headers={"if-none-match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_papers_like_one_are_found_by_their_words(library: Service) -> None:
    answer = ok(await library.client.get(f"/v1/papers/{TEA}/similar", params={"limit": 1}))
    assert ids(answer) == [MILK]
    assert answer["search"]["mode"] == "lexical"
