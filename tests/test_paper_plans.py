"""No list reads a table from end to end, and a page deep in it costs what the first does: looked at in Postgres's own plans."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import pytest

from app.db import PLANNING, Database, Prepared
from app.papers import Direction, PaperFilter, PaperQuery, Shown, Sort, Standing
from app.papers.reading import _by_ids, _one, _page
from app.postgres import EmbeddedPostgres
from tests.conftest import TEMPLATE, _execute
from tests.corpus import fill

PAPERS = 200_000
TABLES = {"papers", "announcements", "summaries", "paper_entries"}
WIDE = PaperFilter(category="astro-ph.CO")


@pytest.fixture(scope="module")
async def corpus(postgres: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a database of 200,000 papers."""
    _execute(postgres, f"CREATE DATABASE plans TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    await fill(postgres.url("plans"), PAPERS, abstract=100, summarized=0.3)
    connection = await asyncpg.connect(postgres.url("plans"), server_settings=PLANNING)  # as the service has them
    yield connection
    await connection.close()
    _execute(postgres, "DROP DATABASE plans WITH (FORCE)")


async def test_the_service_has_its_lists_planned_so(postgres: EmbeddedPostgres) -> None:
    database = Database(postgres.url("postgres"), pool_size=1)
    row = await database.ask("SELECT current_setting('random_page_cost')")
    assert {"random_page_cost": row[0]} == PLANNING
    await database.close()


@dataclass
class Plan:
    """What Postgres did: which tables it read from end to end, and how many pages of 8 kB it looked at."""

    scanned: set[str]
    buffers: int
    rows: int


async def explain(corpus: asyncpg.Connection, statement: Prepared, **parameters: Any) -> Plan:
    sql = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON, TIMING OFF) {statement.sql}"
    [told] = json.loads(await corpus.fetchval(sql, *statement.values(parameters)))
    top = told["Plan"]
    scanned = {node["Relation Name"] for node in nodes(top) if node["Node Type"] == "Seq Scan"}
    return Plan(scanned & TABLES, top["Shared Hit Blocks"] + top["Shared Read Blocks"], top["Actual Rows"])


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


DAY = date(2019, 5, 10)
FILTERS = {
    "everything": PaperFilter(),
    "a large category": WIDE,
    "a small category": PaperFilter(category="q-fin.TR"),
    "an archive": PaperFilter(category="cs"),
    "a small archive": PaperFilter(category="econ"),
    "primary": PaperFilter(primary="q-fin.TR"),
    "a large primary": PaperFilter(primary="astro-ph.CO"),
    "primary archive": PaperFilter(primary="econ"),
    "author on a day": PaperFilter(author="Ada B. Sample13", announced_from=DAY, announced_to=DAY),
    "announced on a day": PaperFilter(announced_from=DAY, announced_to=DAY),
    "announced since": PaperFilter(announced_from=DAY),
    "announced until": PaperFilter(announced_to=DAY),
    "announced as": PaperFilter(announce_types=("replace",)),
    "announced there on a day": PaperFilter(
        category="cs.CL", announced_from=DAY, announced_to=DAY, announce_types=("new",)
    ),
    "announced there in a year": PaperFilter(
        category="cs.CL", announced_from=date(2019, 1, 1), announced_to=date(2019, 12, 31)
    ),
    "submitted on a day": PaperFilter(submitted_from=DAY, submitted_to=DAY),
    "submitted since": PaperFilter(submitted_from=DAY),
    "submitted until": PaperFilter(submitted_to=DAY),
    "withdrawn": PaperFilter(withdrawn=True),
    "not withdrawn": PaperFilter(withdrawn=False),
    "withdrawn in a category": PaperFilter(category="q-fin.TR", withdrawn=True),
    **{f"summary {standing}": PaperFilter(standing=standing, language="zh") for standing in Standing},
    **{f"English summary {standing}": PaperFilter(standing=standing, language="en") for standing in Standing},
    "done in a category": PaperFilter(category="cs.CL", standing=Standing.DONE, language="zh"),
    "done in a small category": PaperFilter(category="q-fin.TR", standing=Standing.DONE, language="zh"),
    "ids": PaperFilter(arxiv_ids=("2001.00005", "1905.00017", "2601.99999")),
    "ids in a category": PaperFilter(category="cs.CL", arxiv_ids=("2001.00005", "1905.00017")),
}


@pytest.mark.parametrize("sort", [Sort.ID, Sort.ANNOUNCED, Sort.SUBMITTED])
@pytest.mark.parametrize("name", FILTERS)
async def test_no_list_reads_a_table_from_end_to_end(corpus: asyncpg.Connection, name: str, sort: Sort) -> None:
    for direction in Direction:
        statement = _page(PaperQuery(FILTERS[name], sort, direction, Shown(("title",))), False)
        plan = await explain(corpus, statement, limit=21)
        assert not plan.scanned


DEEP = {
    Sort.ID: (None, "201001-00017-5"),
    Sort.ANNOUNCED: (date(2010, 1, 17), "201001-00017-5"),
    Sort.SUBMITTED: (datetime(2010, 1, 17, tzinfo=UTC), "201001-00017-5"),
}


@pytest.mark.parametrize("sort", [Sort.ID, Sort.ANNOUNCED, Sort.SUBMITTED])
@pytest.mark.parametrize(
    "name",
    [
        "everything",
        "a large category",
        "an archive",
        "a large primary",
        "not withdrawn",
        "summary done",
        "announced as",
    ],
)
async def test_a_page_deep_in_a_list_costs_what_the_first_does(
    corpus: asyncpg.Connection, name: str, sort: Sort
) -> None:
    query = PaperQuery(FILTERS[name], sort)
    first = await explain(corpus, _page(query, False), limit=21)
    day, order_key = DEEP[sort]
    deep = await explain(corpus, _page(query, True), limit=21, order_key=order_key, day=day)
    assert (first.rows, deep.rows) == (21, 21)
    assert not deep.scanned
    assert deep.buffers < 2 * first.buffers + 100


async def test_papers_without_a_date_are_paged_by_the_index_too(corpus: asyncpg.Connection) -> None:
    for sort, oldest in ((Sort.ANNOUNCED, date.min), (Sort.SUBMITTED, datetime.min.replace(tzinfo=UTC))):
        statement = _page(PaperQuery(sort=sort), True)
        plan = await explain(corpus, statement, limit=21, order_key="201001-00017-5", day=oldest)
        assert (plan.scanned, plan.rows) == (set(), 21)
        assert plan.buffers < 300


async def test_single_reads_and_batches_take_few_pages(corpus: asyncpg.Connection) -> None:
    assert (await explain(corpus, _one(), arxiv_id="1905.00017")).buffers < 60
    batch = _by_ids(Shown(summaries=True, language="zh"))
    plan = await explain(corpus, batch, arxiv_ids=[f"1905.{n:05}" for n in range(1, 501)])
    assert (plan.scanned, plan.rows) == (set(), 500)
    assert plan.buffers < 500 * 40


async def test_a_statement_that_is_asked_again_and_again_is_planned_for_its_values(corpus: asyncpg.Connection) -> None:
    """The plan for any values would fetch every paper of a category to sort them."""
    statement = _page(PaperQuery(WIDE), False)
    for _ in range(12):
        assert len(await corpus.fetch(statement.sql, *statement.values({"limit": 21}))) == 21
    kept = await corpus.fetchrow("SELECT generic_plans FROM pg_prepared_statements WHERE statement = $1", statement.sql)
    assert kept["generic_plans"] == 0
