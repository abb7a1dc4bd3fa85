"""Searches as the API asks for them: what is found, in which order and on which page, and what is said of it."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from datetime import UTC, date, datetime
from random import Random
from typing import Any
from weakref import WeakKeyDictionary

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession

from app import search
from app.archive import import_archive
from app.arxiv.entries import Author
from app.db import Database
from app.errors import InvalidQuery
from app.ingestion import Tools
from app.models import Paper
from app.papers import PaperRecord
from app.postgres import EmbeddedPostgres
from app.search import Candidate, Key, Results, find_papers, indexing, ordering, parse, prepare, ranking, searching
from app.search.correcting import respelled
from app.search.lexemes import lexeme
from app.search.matching import Line
from app.search.snippets import marked, passage, sought
from app.search.weighing import terms_of
from tests.api import ok
from tests.search import corpus

ABSTRACT = (
    "Retrieval-augmented generation (RAG) grounds answers in documents: it lowers \"hallucination\". We study where retrieved "
    "passages mislead a reader - and how a calibrated verifier, trained on contradictions, notices it in time. "
)  # fmt: skip
PAPERS: dict[str, dict[str, Any]] = {
    "2401.00001": {"title": "Attention in Transformers", "abstract": "We study attention heads of language models."},
    "2401.00002": {
        "title": "A Survey of Diffusion",
        "abstract": "Attention is all one needs, says this survey of hoping.",
    },
    "2401.00003": {"title": "Calibrated Verifiers", "abstract": ABSTRACT * 2, "categories": ("cs.CL",)},
    "2401.00004": {
        "title": "Large Pre-training",
        "abstract": "Pre-training BERT, happy; sensibility of dying skies.",
    },
    "2401.00005": {
        "title": "<b>Bold</b> & $\\alpha$ \\emph{rock'n'roll}",
        "abstract": "言模 x 模型 <script>alert(1)</script>",
    },
    "2401.00006": {
        "title": "Transformers and Attention",
        "abstract": "语言模型",
        "authors": (Author("Ada M. Sample"),),
    },
}
CASES = {
    "hopi*": [2], "happy*": [4], "sensibility*": [4], "dyin*": [4], "skie*": [4],
    '"pretraining bert"': [4], '"large pretraining"': [4], '"pre training bert"': [4], "pre-train*": [4],
    "言模型": [6], "言模 -言模型": [5], "模": [6, 5], "型": [6, 5], "语": [6],
    "au:sample": [6], 'au:"Sample, Ada"': [6], "au:sam*": [6],
    "attention -ti:attention": [2], "attention -abs:attention": [6], "survey OR (bert -survey)": [4, 2],
    "2401.00003": [3], "cat:cs.CL": [3], "-attention -bert -言模": [3],
}  # fmt: skip


def record(arxiv_id: str, **fields: Any) -> PaperRecord:
    """A paper of which only this is known."""
    categories = fields.get("categories", ())
    own: dict[str, Any] = {
        "version": 1,
        "abstract": None,
        "primary_category": None,
        "categories": (),
        "listed_in": categories,
    }
    return PaperRecord(**{"arxiv_id": arxiv_id, "format": "test", "raw": arxiv_id, **own, **fields})


@pytest.fixture(scope="module")
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """Six papers, which these tests only read."""
    async with corpus.database_of(postgres, "search_six") as database:
        await corpus.store(database, [record(arxiv_id, **fields) for arxiv_id, fields in PAPERS.items()])
        await search.rebuild(database)
        yield database


def line(shown: str) -> Line:
    """A text as it is read."""
    return (prepare(Candidate(arxiv_id="", title=shown)).titles or (Line("", "", None),))[0]


async def found(database: Database, query: str, **options: Any) -> Results:
    async with database.transaction() as session:
        return await search.search(session, query, **options)


def numbers(results: Results) -> list[int]:
    return [int(hit.arxiv_id[-5:]) for hit in results.hits]


@pytest.mark.parametrize(("query", "expected"), CASES.items())
async def test_cases(database: Database, query: str, expected: list[int]) -> None:
    results = await found(database, query, sort="id")
    assert (numbers(results), results.matched) == (expected, "all")


async def test_titles_count_and_then_the_newest(database: Database) -> None:
    assert numbers(await found(database, "attention")) == [6, 1, 2]
    assert numbers(await found(database, "attention", sort="id", descending=False)) == [1, 2, 6]


async def test_what_nobody_has_is_searched_as_it_may_be_meant(database: Database) -> None:
    results = await found(database, "atention transformr")
    assert (numbers(results), results.matched) == ([6, 1], "near")
    assert results.searched is not None
    assert sorted(results.searched.split()) == ["attention", "transformers"]
    assert numbers(await found(database, results.searched)) == [6, 1]


def test_authors_and_exclusions_are_not_put_right() -> None:
    query = parse('atention au:atention -atention OR "x atention"')
    assert str(respelled(query, {lexeme("atention"): "attention"})) == str(
        parse('attention au:atention -atention OR "x attention"')
    )


async def test_some_of_the_words_where_no_paper_has_all(database: Database) -> None:
    results = await found(database, "attention in calibrated teapots")
    assert results.matched == "some"
    assert numbers(results)[0] == 3
    assert numbers(await found(database, "attention calibrated teapots -survey")) != []
    assert 2 not in numbers(await found(database, "attention calibrated teapots -survey"))
    assert numbers(await found(database, "attention calibrated teapots au:sample")) == [6]
    assert numbers(await found(database, "attention calibrated teapots cat:cs.CL")) == [3]
    assert numbers(await found(database, "attention calibrated teapots (cat:cs.CL OR cat:math.CO)")) == [3]
    assert numbers(await found(database, "attention calibrated teapots (au:sample OR au:nobody)")) == [6]
    assert numbers(await found(database, "attention calibrated teapots", sort="id")) == []


@pytest.mark.parametrize(
    "pasted",
    [
        pytest.param(ABSTRACT.strip(), id="an abstract"),
        pytest.param(ABSTRACT * 20, id="longer than any query"),
        pytest.param(ABSTRACT + 'and "a quote that is never closed', id="a stray quote"),
        pytest.param(ABSTRACT.replace("answers", "answers:right"), id="a colon"),
        pytest.param("(" + ABSTRACT, id="a bracket"),
    ],
)
async def test_a_pasted_text_finds_its_paper_first(database: Database, pasted: str) -> None:
    assert numbers(await found(database, pasted))[0] == 3


@pytest.mark.parametrize(
    "query", ['"open', "ti:", "(a", "cat:nonsense a b c d e f g h i j k l m", "x" * 20_001, "", " \0 "]
)
async def test_a_query_that_cannot_be_read_is_refused(database: Database, query: str) -> None:
    with pytest.raises(InvalidQuery):
        await found(database, query)


async def test_snippets_are_escaped_and_marked(database: Database) -> None:
    [hit] = (await found(database, "bold 模型 script", highlight=True)).hits
    assert hit.title_html == "&lt;b&gt;<mark>Bold</mark>&lt;/b&gt; &amp; $\\alpha$ rock&#x27;n&#x27;roll"
    assert hit.snippets == ("言模 x <mark>模型</mark> &lt;<mark>script</mark>&gt;alert(1)&lt;/<mark>script</mark>&gt;",)


def test_the_best_passage_has_most_of_the_words() -> None:
    padding = "Nothing of interest stands in this sentence, and it is long. " * 6
    shown = passage(
        line(f"{padding}A verifier. {padding}A calibrated verifier works. {padding}"),
        sought(terms_of(parse("calibrated verifier")), apart=False),
    )
    assert shown is not None
    assert "<mark>calibrated</mark> <mark>verifier</mark> works" in shown
    assert shown.startswith("… ") and shown.endswith(" …")
    assert len(re.sub("</?mark>", "", shown)) < 300


@pytest.mark.parametrize(
    ("query", "title", "expected"),
    [
        ("pretraining", "Large Pre-training of X", "Large <mark>Pre-training</mark> of X"),
        ("pre-training", "Pretraining it", "<mark>Pretraining</mark> it"),
        ('"of x"', "x of of X", "x of <mark>of X</mark>"),
        ('"a b"', "so a < b", "so <mark>a &lt; b</mark>"),
        ("quan*", "Quantised and quant", "<mark>Quantised</mark> and <mark>quant</mark>"),
        ("语言模型", "大语言模型", "大<mark>语言模型</mark>"),
        ("erdos", "Erd\\H{o}s's", "<mark>Erdős&#x27;s</mark>"),
    ],
)
def test_marks(query: str, title: str, expected: str) -> None:
    assert marked(line(title), sought(terms_of(parse(query)), apart=False))[0] == expected


@given(st.text(max_size=60), st.sampled_from(["a", "model language", "模型", "ab*", '"a b"']))
def test_a_snippet_is_its_text_whatever_that_is(shown: str, query: str) -> None:
    html, _ = marked(line(shown), sought(terms_of(parse(query)), apart=True))
    assert set(re.findall("<[^>]*>?", html)) <= {"<mark>", "</mark>"}
    assert html.count("<mark>") == html.count("</mark>")


@pytest.fixture(scope="module")
async def many(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """Papers with words of which many have each."""
    async with corpus.database_of(postgres, "search_many") as database:
        await corpus.fill(database, 150, Random(2))
        await search.rebuild(database)
        yield database


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(
        ["model", "the OR of", "-model", "模 OR model", "has:summary", "ti:model OR language", "model zzz the 模型 of"]
    ),
    st.sampled_from(["relevance", "id", "announced", "submitted"]),
    st.booleans(),
    st.integers(1, 9),
)
async def test_pages_are_the_whole_list_once(
    many: Database, query: str, sort: Any, descending: bool, size: int
) -> None:
    whole = await found(many, query, sort=sort, descending=descending, limit=200)
    assert whole.next is None
    paged: list[str] = []
    after: Key | None = None
    for _ in range(200):
        page = await found(many, query, sort=sort, descending=descending, limit=size, after=after)
        assert page.matched == whole.matched
        paged += [hit.arxiv_id for hit in page.hits]
        # What comes after the page was made does not move what was already weighed.
        after = Key(**{**asdict(page.next), "papers": tuple(page.next.papers)}) if page.next else None
        if after is None:
            break
    assert paged == [hit.arxiv_id for hit in whole.hits]
    if whole.matched == "all":
        async with many.transaction() as session:
            exact = await find_papers(session, parse(query), limit=None)
        assert sorted(paged) == sorted(paper.arxiv_id for paper, _ in exact)
        if sort == "announced":
            days = {paper.arxiv_id: paper.first_announced_on or date.min for paper, _ in exact}
            assert [days[one] for one in paged] == sorted((days[one] for one in paged), reverse=descending)
        if sort == "submitted":
            instants = {paper.arxiv_id: paper.submitted_at or datetime.min.replace(tzinfo=UTC) for paper, _ in exact}
            assert [instants[one] for one in paged] == sorted((instants[one] for one in paged), reverse=descending)


async def test_what_is_beyond_the_budget_tells_apart_what_is_within(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A paper with all of the words but one, among more newer ones with the rarest two than are ranked."""
    monkeypatch.setattr(ranking, "BUDGET", 100)
    titles = ["alpha beta gamma delta", *["gamma delta"] * 150, *["alpha beta"] * 120]
    titles += ["模型语言", *["语言"] * 150, *["模型"] * 120]
    async with corpus.database_of(postgres, "search_budget") as database:
        await corpus.store(database, [record(f"2401.{n:05}", title=title) for n, title in enumerate(titles, 1)])
        assert numbers(await found(database, "alpha beta gamma delta teapot"))[0] == 1
        monkeypatch.setattr(ranking, "BUDGET_OF_TWO", 200)
        assert numbers(await found(database, "模型 语言 茶壶"))[0] == 272


async def test_papers_that_the_index_names_in_vain_are_not_looked_at_forever(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with corpus.database_of(postgres, "search_vain") as database:
        await corpus.store(database, [record(f"2401.{n:05}", title="beta alpha") for n in range(1, 61)])
        assert numbers(await found(database, 'ti:"alpha beta"', sort="id")) == []
        monkeypatch.setattr(searching, "MAX_LOOKED_AT", 30)
        assert len(numbers(await found(database, 'ti:"beta alpha"', limit=60))) == 60
        with pytest.raises(InvalidQuery, match="something rarer"):
            await found(database, 'ti:"alpha beta"')


async def test_the_papers_are_not_counted_by_every_search_at_once(
    many: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = 0
    count = indexing.extent

    async def counting(session: AsyncSession) -> indexing.Extent:
        nonlocal counted
        counted += 1
        await asyncio.sleep(0.2)
        return await count(session)

    monkeypatch.setattr(indexing, "extent", counting)
    monkeypatch.setattr(searching, "_extents", WeakKeyDictionary())
    monkeypatch.setattr(searching, "EXTENT_SECONDS", -1.0)
    before = await found(many, "model")
    monkeypatch.setattr(searching, "EXTENT_SECONDS", 60.0)
    counted = 0
    answers = await asyncio.gather(*(found(many, "model") for _ in range(4)))
    assert counted == 1
    assert {answer.indexed for answer in answers} == {before.indexed}


@pytest.mark.parametrize("query", ["model", "model OR language", "model -the", "abs:the"])
async def test_common_words_have_the_same_order_however_it_is_made(
    many: Database, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """Of common words the index is read in order, of others all papers are found and sorted."""
    sorted_ = await found(many, query, limit=200)
    monkeypatch.setattr(ordering, "FEW", -1)
    paged: list[tuple[str, float]] = []
    after: Key | None = None
    while True:
        page = await found(many, query, limit=3, after=after)
        paged += [(hit.arxiv_id, hit.score) for hit in page.hits]
        after = page.next
        if after is None:
            break
    assert paged == [(hit.arxiv_id, hit.score) for hit in sorted_.hits]


async def test_new_papers_do_not_shift_the_next_page(postgres: EmbeddedPostgres) -> None:
    """What is rare in the corpus is common on the next page: the order stays that of the first."""
    both = [("alpha", "beta"), ("beta", "alpha")] * 10
    papers = [record(f"2401.{n:05}", title=title, abstract=abstract) for n, (title, abstract) in enumerate(both, 1)]
    async with corpus.database_of(postgres, "search_shift") as database:
        await corpus.store(database, [*papers, *(record(f"2312.{n:05}", title="beta") for n in range(1, 20))])
        first = await found(database, "alpha beta", limit=5)
        await corpus.store(database, [record(f"2402.{n:05}", title="alpha") for n in range(1, 200)])
        await search.rebuild(database, everything=True)
        second = await found(database, "alpha beta", limit=100, after=first.next)
        assert sorted([*numbers(first), *numbers(second)]) == list(range(1, 21))


async def test_conditions_hold_for_every_way(database: Database) -> None:
    only = [Paper.arxiv_id == "2401.00001"]
    for query in ("attention", "atention", "attention teapots", ABSTRACT * 20 + " attention"):
        for sort in ("relevance", "id"):
            results = await found(database, query, conditions=only, sort=sort)
            assert set(numbers(results)) <= {1}, query
        assert numbers(await found(database, query, conditions=only)) == [1], query


async def test_papers_like_a_text(database: Database) -> None:
    async with database.transaction() as session:
        best = await search.like(session, 'Attention: "calibrated', limit=3)  # no query, and none that could be read
        assert best[0][0] == "2401.00003"
        assert [score for _, score in best] == sorted((score for _, score in best), reverse=True)
        assert len(await search.like(session, "attention", limit=2)) == 2


async def test_what_people_write_and_take_back_is_found_and_not(tools: Tools, client: httpx.AsyncClient) -> None:
    await corpus.store(tools.database, [record("2401.00001", title="A title", abstract="English.")])
    written = {"title": "Ein Titel über Zebras", "abstract": "Inhalt.", "tldr": "Satz.", "tldr_en": "About giraffes."}
    for query in ("zebras", "giraffes"):
        ok(await client.put("/v1/papers/2401.00001/summaries/de", json=written), 201 if query == "zebras" else 200)
        assert numbers(await found(tools.database, query)) == [1]
    assert numbers(await found(tools.database, "ti:zebras")) == [1]
    assert (await client.delete("/v1/papers/2401.00001/summaries/de")).status_code == 204
    assert numbers(await found(tools.database, "zebras")) == []
    assert numbers(await found(tools.database, "title")) == [1]


async def test_what_the_worker_summarises_is_found(
    tools: Tools, client: httpx.AsyncClient, work: Callable[[], Any]
) -> None:
    abstract = "Everything before was slow. We show that okapis can be counted from space by a small network."
    await corpus.store(tools.database, [record("2401.00001", title="On animals", abstract=abstract)])
    async with tools.database.transaction() as session:
        await session.execute(text("UPDATE papers SET abstract = NULL"))
        await search.indexing.write(session, ["2401.00001"])
        await session.execute(text("UPDATE papers SET abstract = :abstract"), {"abstract": abstract})
    assert numbers(await found(tools.database, "okapis")) == []
    await client.post("/v1/papers/2401.00001/summaries", json={"language": "en"})
    await work()
    assert numbers(await found(tools.database, "okapis")) == [1]


async def test_the_worker_indexes_what_an_older_release_left(tools: Tools, database_url: str) -> None:
    from app.ingestion import due_indexing
    from app.jobs import enqueue_once
    from app.worker import work_off

    await corpus.store(tools.database, [record("2401.00001", title="Zebras"), record("2401.00002", title="Zebras")])
    async with tools.database.transaction() as session:
        await session.execute(text("DELETE FROM search_documents WHERE order_key LIKE '%1-5'"))
        await session.execute(text("UPDATE search_documents SET made_by = 0, words = ''"))
    assert (await found(tools.database, "zebras")).hits == []
    async with tools.database.transaction() as session:
        [job] = await due_indexing(session)
        await enqueue_once(session, job)
    await work_off(tools, database_url)
    assert numbers(await found(tools.database, "zebras")) == [2, 1]
    async with tools.database.transaction() as session:
        assert await due_indexing(session) == []


async def test_an_oversized_paper_is_stored_and_found(tools: Tools) -> None:
    words = " ".join(f"w{n}" for n in range(30_000))
    long = record(
        "2401.00001", title="Long " + "x" * 900, abstract=f"{words} {'again ' * 400} the end {'模型' * 9_000}终"
    )
    authors = tuple(Author(f"Person{n} Family{n}") for n in range(40_000))
    await corpus.store(tools.database, [long, record("2401.00002", title="Crowd", authors=authors)])
    for query in (
        '"the end"',
        "w29999",
        '"w29998 w29999"',
        "终",
        "again",
        "x" * 900,
        "au:family39999",
        "abs:w3",
        "w2999*",
    ):
        async with tools.database.transaction() as session:
            assert len(await find_papers(session, parse(query), limit=None)) == 1, query


async def test_the_archive_is_found_by_its_one_line_summaries(tools: Tools, archive_papers: Any) -> None:
    await import_archive(
        tools.database, archive_papers / "24" / "01" if (archive_papers / "24" / "01").exists() else archive_papers
    )
    async with tools.database.transaction() as session:
        rows = (
            await session.execute(
                text("SELECT arxiv_id, tldr FROM summaries WHERE tldr IS NOT NULL ORDER BY 1 LIMIT 20")
            )
        ).all()
    assert len(rows) == 20
    for arxiv_id, tldr in rows:
        assert (await found(tools.database, re.sub(r'[":()-]', " ", tldr))).hits[0].arxiv_id == arxiv_id


_FILL = """
    INSERT INTO papers (arxiv_id, order_key, title, abstract, abstract_hash)
    SELECT '9' || n, lpad(n::text, 8, '0'), 'common r' || n % 5000 || ' 模型语' || chr(20000 + n % 900),
           'common w' || n % 7 || ' r' || n % 5000 || ' u' || n, '' FROM generate_series(1, :rows) AS n;
    INSERT INTO search_documents (order_key, words, title_words, bigrams, title_bigrams, author_words, made_by)
    SELECT lpad(n::text, 8, '0'), array_to_tsvector(ARRAY['common', 'w' || n % 7, 'r' || n % 5000, 'u' || n]),
           array_to_tsvector(ARRAY['common', 'r' || n % 5000]),
           array_to_tsvector(ARRAY['模型', '型语', '语' || chr(20000 + n % 900), chr(20000 + n % 900)]), '',
           array_to_tsvector(ARRAY['name' || n % 3000]), 1
    FROM generate_series(1, :rows) AS n;
    INSERT INTO search_terms (term, papers) VALUES ('common', :rows), ('', :rows)
"""


async def test_no_search_scans_a_table(postgres: EmbeddedPostgres) -> None:
    async with corpus.database_of(postgres, "search_plans") as database:
        for statement in _FILL.split(";"):
            async with database.transaction() as session:
                await session.execute(text(statement), {"rows": 40_000})
        async with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            await connection.execute(text("VACUUM ANALYZE"))
        queries = ["common", "r17", "common r17", "common w1 -w2", "r1*", "模型", "模", "语", "au:name7", "ti:r17", "abs:r17",
                   "common -r17", "-w1", "id:2401.00001", "common OR r17", "common zzz r17 w1", "r17 模型",
                   "ti:common"]  # fmt: skip
        for query in queries:
            for sort in ("relevance", "id"):
                for plan in await plans(database, query, sort):
                    assert query != "ti:common" or "Bitmap" not in plan, plan  # read in order, not all found and sorted
                    assert not re.search("Seq Scan on (search_documents|papers|summaries)", plan), (query, sort, plan)


async def plans(database: Database, query: str, sort: Any) -> list[str]:
    """The plan of each statement of a search that reads the tables."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if (
            re.search("FROM .*(search_documents|papers)", statement, re.DOTALL)
            and "count(*) FROM papers" not in statement
        ):
            seen.append((statement, parameters))

    async with database.transaction() as session:
        event.listen(database.engine.sync_engine, "before_cursor_execute", note)
        try:
            await search.search(session, query, sort=sort, limit=5)
        finally:
            event.remove(database.engine.sync_engine, "before_cursor_execute", note)
        raw: Any = (await (await session.connection()).get_raw_connection()).driver_connection
        return ["\n".join(row[0] for row in await raw.fetch(f"EXPLAIN {one}", *values)) for one, values in seen]
