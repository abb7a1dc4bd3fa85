"""The index: it names every paper that a query finds, and is always what would be made of the texts from scratch."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from app import papers, search, summaries
from app.db import Database
from app.errors import InvalidQuery, NotFound
from app.models import Paper
from app.postgres import EmbeddedPostgres
from app.search import Extent, candidate, find_papers, find_translations, match, parse, prepare
from app.search.matching import Prepared
from app.search.syntax import Query
from app.summaries import HumanText
from tests.search import corpus

PAPERS = 220
_numbers = itertools.count()


@pytest.fixture(scope="module")
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """Papers that these tests only read."""
    async with corpus.database_of(postgres, "search_index") as database:
        await corpus.fill(database, PAPERS, Random(6))
        yield database


@pytest.fixture(scope="module")
async def prepared(database: Database) -> dict[str, Prepared]:
    """Every paper ready to be matched, newest first."""
    async with database.transaction() as session:
        stored = list(await session.scalars(select(Paper).order_by(Paper.order_key.desc())))
        translations = await find_translations(session, [paper.arxiv_id for paper in stored])
    return {paper.arxiv_id: prepare(candidate(paper, translations.get(paper.arxiv_id))) for paper in stored}


_word = st.sampled_from(corpus.WORDS)
_plain = st.one_of(
    _word,
    _word.map(lambda word: f"{word[:-1]}*"),
    st.lists(_word, min_size=2, max_size=3).map(lambda words: f'"{" ".join(words)}"'),
    st.lists(_word, min_size=2, max_size=3).map("".join),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4),
)
_name = st.one_of(
    st.sampled_from(corpus.NAMES), _word, st.sampled_from(["sam*", "A Sample", "Sample", "xiaoming", "王", "o'neil"])
)
_filter = st.sampled_from(
    [
        "cat:cs.CL",
        "cat:cs.NA",
        "cat:econ",
        "id:2401.00003",
        "has:summary",
        "has:doi",
        "has:withdrawn",
        "announced:2024-01-10..2024-01-20",
        "announced:>=2024-01-15",
        "submitted:2024-01",
        "submitted:..2024-01-05",
    ]
)
_term = st.one_of(
    _plain,
    st.tuples(st.sampled_from(["ti:", "abs:"]), _plain).map("".join),
    _name.map(lambda name: f'au:"{name}"'),
    _filter,
)
_query = st.recursive(
    _term,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(" ".join),
        st.lists(inner, min_size=2, max_size=3).map(" OR ".join),
        inner.map(lambda one: f"-({one})"),
        inner.map(lambda one: f"({one})"),
    ),
    max_leaves=6,
)


def parsed(text: str) -> Query | None:
    """The tree of a text that is a query."""
    try:
        return parse(text)
    except InvalidQuery:
        return None


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(_query.map(parsed).filter(lambda query: query is not None))
async def test_the_index_finds_what_the_matching_finds(
    database: Database, prepared: dict[str, Prepared], query: Query
) -> None:
    expected = [arxiv_id for arxiv_id, paper in prepared.items() if match(query, paper)]
    async with database.transaction() as session:
        found = await find_papers(session, query, limit=None)
    assert [paper.arxiv_id for paper, _ in found] == expected


async def test_every_word_of_every_paper_finds_it(database: Database, prepared: dict[str, Prepared]) -> None:
    """Words, beginnings and pairs as they are printed, among them those of which the language has no other way."""
    chance = Random(1)
    beginnings = {f"{word[: chance.randint(2, 5)]}*" for word in corpus.WORDS if len(word) > 2}
    whole = {f"{word}*" for word in corpus.WORDS}
    for query in [query for one in (*corpus.WORDS, *beginnings, *whole) if (query := parsed(one)) is not None]:
        async with database.transaction() as session:
            found = {paper.arxiv_id for paper, _ in await find_papers(session, query, limit=None)}
        assert found == {arxiv_id for arxiv_id, paper in prepared.items() if match(query, paper)}, str(query)


async def change(database: Database, chance: Random) -> None:
    """Do one of the things that change what is found."""
    keys = list(await corpus.index_of(database))
    async with database.transaction() as session:
        paper = await session.scalar(select(Paper).where(Paper.order_key == chance.choice(keys)))
        assert paper is not None
        match chance.choice(("store", "write", "release", "delete", "forget")):
            case "store":
                some = [corpus.record(chance.randint(1, 15), chance) for _ in range(3)]
                await papers.upsert(session, list({one.arxiv_id: one for one in some}.values()))
            case "write":
                await summaries.put_text(session, paper, chance.choice(("zh", "de")), corpus.human_text(chance))
            case "release":
                with suppress(NotFound):
                    await summaries.release_text(session, paper.arxiv_id, chance.choice(("zh", "de")))
            case "delete":
                await session.delete(paper)
                await session.flush()
            case "forget":
                await session.execute(
                    text("DELETE FROM search_documents WHERE order_key = ANY(:keys)"), {"keys": keys[:3]}
                )
    await search.rebuild(database)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32))
async def test_whatever_happens_the_index_is_as_if_made_from_scratch(postgres: EmbeddedPostgres, seed: int) -> None:
    chance = Random(seed)
    async with corpus.database_of(postgres, f"search_scratch_{next(_numbers)}") as database:
        await corpus.fill(database, 12, chance)
        for _ in range(8):
            await change(database, chance)
        before = await corpus.index_of(database)
        await search.rebuild(database, everything=True)
        assert await corpus.index_of(database) == before


async def test_all_that_is_indexed_counts_while_it_is_made_anew(postgres: EmbeddedPostgres) -> None:
    """A rebuild that is cut off: what it has not come to yet serves as before, and says so."""

    def cut(_done: int) -> None:
        raise KeyboardInterrupt

    async with corpus.database_of(postgres, "search_cut") as database:
        await corpus.fill(database, 12, Random(4))
        with patch.object(search.indexing, "BATCH", 5), pytest.raises(KeyboardInterrupt):
            await search.rebuild(database, everything=True, progress=cut)
        async with database.transaction() as session:
            assert await search.extent(session) == Extent(12, 12)
        assert await search.rebuild(database, everything=True) == 12
        assert await search.rebuild(database) == 0


async def test_two_summaries_that_end_at_once_are_both_found(postgres: EmbeddedPostgres) -> None:
    async with corpus.database_of(postgres, "search_at_once") as database:
        await corpus.store(database, [corpus.record(1, Random(1))])

        async def write(language: str, word: str) -> None:
            async with database.transaction() as session:
                [paper] = await session.scalars(select(Paper))
                await summaries.put_text(session, paper, language, HumanText(word, None, None, None, None))
                await asyncio.sleep(0.1)

        await asyncio.gather(*(write(language, f"only{language}") for language in ("zh", "de", "fr")))
        async with database.transaction() as session:
            for language in ("zh", "de", "fr"):
                assert await find_papers(session, parse(f"ti:only{language}"), limit=None)
