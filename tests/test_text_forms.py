r"""Over HTTP, a paper's texts are served as arXiv gives them, and beside them in their display form."""

import itertools
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import papers
from app.arxiv.display import display
from app.arxiv.entries import Author
from app.db import Database
from app.ingestion import Tools
from app.papers import PaperRecord
from app.postgres import EmbeddedPostgres
from tests.api import ok, store
from tests.conftest import TEMPLATE, _execute
from tests.feeds import TUESDAY, Item

PAPER = Item(
    "2601.95001",
    title=r"Schr\"odinger {\it Bridges} for $a<b$ \& 100% of cases",
    abstract=r"We \emph{price}~$\alpha$-bridges at 20\%$\unicode{x2014}$at most, and c>d$. See \url{https://x.example/a\_b}.",
    creator=r"Bj\"orn \'Swi\k{a}tek (Universit\'e de Test), J.~P. {\O}re",
)
DISPLAY_TITLE = "Schrödinger Bridges for $a<b$ & 100% of cases"
DISPLAY_ABSTRACT = "We price $\\alpha$-bridges at 20%—at most, and c>d$. See https://x.example/a_b."


async def test_papers_have_both_forms(tools: Tools, client: httpx.AsyncClient, tmp_path: Path) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, PAPER)
    listed = ok(await client.get("/v1/papers"))["items"][0]
    single = ok(await client.get(f"/v1/papers/{PAPER.id}"))
    for paper in (listed, single):
        assert (paper["title"], paper["abstract"]) == (PAPER.title, PAPER.abstract)
        assert (paper["display_title"], paper["display_abstract"]) == (DISPLAY_TITLE, DISPLAY_ABSTRACT)
        assert paper["authors"] == [
            {
                "name": r"Bj\"orn \'Swi\k{a}tek",
                "display_name": "Björn Świątek",
                "affiliations": [r"Universit\'e de Test"],
            },
            {"name": r"J.~P. {\O}re", "display_name": "J. P. Øre", "affiliations": []},
        ]


async def test_digests_have_both_forms(tools: Tools, client: httpx.AsyncClient, tmp_path: Path) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, PAPER)
    created = ok(await client.post("/v1/digests", json={"channel": "cs.CL", "language": "en"}), 201)
    item = created["items"][0]
    assert (item["title"], item["abstract"]) == (PAPER.title, PAPER.abstract)
    assert (item["display_title"], item["display_abstract"]) == (DISPLAY_TITLE, DISPLAY_ABSTRACT)
    assert [author["display_name"] for author in item["authors"]] == ["Björn Świątek", "J. P. Øre"]

    address = f"/v1/digests/{created['id']}"
    markdown = (await client.get(f"{address}.md")).text
    assert f"[{DISPLAY_TITLE.replace('<', '&lt;')}](https://arxiv.org/abs/{PAPER.id})" in markdown
    assert "Björn Świątek (Université de Test), J. P. Øre" in markdown
    page = (await client.get(f"{address}.html")).text
    assert "Schrödinger Bridges for <math>" in page
    assert "bridges at 20%—at most, and c&gt;d$. See https://x.example/a_b." in page
    classic = (await client.get(f"{address}.md", params={"style": "classic"})).text
    assert "Schrödinger" not in classic


@pytest.fixture(scope="module")
async def shared(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """A database for papers of any id."""
    _execute(postgres, f"CREATE DATABASE text_forms TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    database = Database(postgres.url("text_forms"))
    yield database
    await database.close()
    _execute(postgres, "DROP DATABASE text_forms WITH (FORCE)")


numbers = itertools.count(1)
texts = st.sampled_from([None, "", "plain", "L{\\'e}vy", 'Schr\\"odinger', "a -- b"])
records: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    version=st.sampled_from([None, 1, 2]),
    title=texts,
    abstract=texts,
    abstract_is_cut=st.booleans(),
    text_is_converted=st.booleans(),
    authors=st.sampled_from([(), (Author('Bj\\"orn'),), (Author("Ada"), Author("{\\O}re"))]),
    text_as_of=st.sampled_from([None, date(2026, 1, 1), date(2026, 1, 2)]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sources=st.lists(records, min_size=1, max_size=5))
async def test_display_forms_follow_their_texts_whatever_is_merged(
    shared: Database, sources: list[dict[str, Any]]
) -> None:
    arxiv_id = f"2601.{next(numbers):05}"
    for number, source in enumerate(sources):
        record = PaperRecord(
            arxiv_id=arxiv_id,
            primary_category=None,
            categories=(),
            listed_in=(),
            format="test",
            raw=str(number),
            **source,
        )
        for times in range(2):
            async with shared.transaction() as session:
                changed = (await papers.upsert(session, [record])).changed
            assert not (times and changed)
            async with shared.transaction() as session:
                paper = await papers.get_paper(session, arxiv_id)
            for text, shown in ((paper.title, paper.display_title), (paper.abstract, paper.display_abstract)):
                assert shown == (None if text is None or display(text) == text else display(text))
            assert [author["display_name"] for author in paper.authors] == [display(a["name"]) for a in paper.authors]
