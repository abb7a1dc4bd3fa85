"""A listing of 2,000 items: parse and store, beside its limit (lxml parse alone, and COPY of the same rows) in one run.

    .venv/bin/python -m bench.ingest [rounds]

The limit's rows are prepared: they are read back from the service's tables in Postgres' own binary form, untimed. They go
into tables with the same columns, indexes (of the search, too) and foreign keys; what COPY takes
without the foreign keys is printed, too. Target (DESIGN section 10): at most 2.5 times the limit.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from pathlib import Path

import asyncpg
from lxml import etree

from app import listings, runs
from app.arxiv.feed import parse_feed
from app.cli.common import collect_seldom
from app.db import Database, upgrade
from app.papers.records import COLUMNS, ENTRY_COLUMNS
from app.postgres import EmbeddedPostgres
from app.search import lexemes
from bench.copying import DOCUMENTS, copy, make_limit_tables, read_back
from tests.feeds import TUESDAY, Item, rss
from tests.snapshots import record as invented

ITEMS = 2000
TABLES = {
    "papers": COLUMNS,
    "paper_entries": ENTRY_COLUMNS,
    DOCUMENTS: lexemes.COLUMNS,
    "announcements": ("arxiv_id", "version", "category", "announced_on", "announce_type"),
}


@dataclass(slots=True)
class Took:
    """Seconds, one for each round."""

    parsing: list[float] = field(default_factory=list)
    storing: list[float] = field(default_factory=list)
    bare_parsing: list[float] = field(default_factory=list)
    copying: list[float] = field(default_factory=list)
    copying_without_keys: list[float] = field(default_factory=list)


def ids(round_: int) -> list[str]:
    """The papers of a round: new ones each time, so that every one is an insert."""
    numbers = range(round_ * ITEMS, (round_ + 1) * ITEMS)
    return [f"{2401 + number // 80000:04}.{number % 80000 + 10000:05}" for number in numbers]


def document(round_: int, day: date) -> bytes:
    """A full listing."""
    items = (
        Item(arxiv_id, abstract=invented(n)["abstract"], title=f"Paper {arxiv_id} on listings",
             categories=("cs.CL", "cs.LG", "stat.ML"), creator=", ".join(f"Author {k} of {arxiv_id}" for k in range(5)))
        for n, arxiv_id in enumerate(ids(round_), start=round_ * ITEMS)
    )  # fmt: skip
    return rss("cs.CL", day, *items)


async def ours(database: Database, body: bytes, now: datetime, took: Took) -> None:
    """Parse and store."""
    begin = time.perf_counter()
    feed = parse_feed(body)
    named = listings.check(feed, "cs.CL", now)
    parsed = time.perf_counter()
    async with database.transaction() as session:
        run_id = await runs.begin_run(session, kind="listing", category="cs.CL", source="bench")
        await listings.store(session, feed, "cs.CL", named, run_id, "bench", now)
    took.parsing.append(parsed - begin)
    took.storing.append(time.perf_counter() - parsed)


async def limit(connection: asyncpg.Connection, body: bytes, arxiv_ids: list[str], took: Took) -> None:
    """Bare XML parse, and COPY into both kinds of tables."""
    begin = time.perf_counter()
    for _ in etree.fromstring(body).iter():
        pass
    took.bare_parsing.append(time.perf_counter() - begin)
    rows = {table: await read_back(connection, table, columns, arxiv_ids) for table, columns in TABLES.items()}
    for prefix, seconds in (("limit", took.copying), ("bare", took.copying_without_keys)):
        begin = time.perf_counter()
        async with connection.transaction():
            for table, columns in TABLES.items():
                await copy(connection, f"{prefix}_{table}", columns, rows[table])
        seconds.append(time.perf_counter() - begin)


async def main(rounds: int) -> None:
    """Measure in turns, in a process like the service's, and print the medians and their ratio."""
    collect_seldom()
    took = Took()
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder)) as server:
        url = server.url()
        upgrade(url)
        connection = await asyncpg.connect(url)
        await make_limit_tables(connection, list(TABLES))
        database = Database(url)
        for round_ in range(rounds + 1):
            day = TUESDAY + timedelta(weeks=round_)
            body = document(round_, day)
            # The first round is warm-up.
            into = took if round_ else Took()
            await ours(database, body, datetime.combine(day, clock(12), UTC), into)
            await limit(connection, body, ids(round_), into)
        await database.close()
        await connection.close()
    report(took)


def report(took: Took) -> None:
    """Print medians in milliseconds, and the median of the rounds' ratios."""
    ours = [sum(pair) for pair in zip(took.parsing, took.storing, strict=True)]
    limits = {
        "": [sum(pair) for pair in zip(took.bare_parsing, took.copying, strict=True)],
        " without foreign keys": [sum(pair) for pair in zip(took.bare_parsing, took.copying_without_keys, strict=True)],
    }
    print(f"parse and store {ITEMS} items: {_ms(ours)} (parse {_ms(took.parsing)}, store {_ms(took.storing)})")
    print(f"limit: lxml parse {_ms(took.bare_parsing)}, COPY {_ms(took.copying)}, "
          f"COPY without foreign keys {_ms(took.copying_without_keys)}")  # fmt: skip
    for which, times in limits.items():
        ratio = statistics.median(a / b for a, b in zip(ours, times, strict=True))
        print(f"ratio to the limit{which}: {ratio:.2f} (target 2.5)")


def _ms(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.0f} ms"


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 7))
