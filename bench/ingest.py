"""A listing of 2,000 items: parse and store, beside its limit (lxml parse alone, and COPY of the same rows) in one run.

    .venv/bin/python -m bench.ingest [rounds]

Target (DESIGN section 10): at most 2.5 times the limit.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
from lxml import etree

from app import listings, runs
from app.arxiv.feed import parse_feed
from app.db import Database, upgrade
from app.postgres import EmbeddedPostgres
from tests.feeds import Item, rss

ITEMS = 2000
WORDS = "we propose a method that reads every listing twice and says what it found in one sentence of some length "


def document(round_: int) -> bytes:
    """A full listing; each round has papers of its own, so that every one is an insert."""
    first = 10000 + round_ * ITEMS
    items = (
        Item(f"{2401 + n // 80000:04}.{n % 80000 + 10000:05}", abstract=WORDS * 12, title=f"Paper {n} on listings",
             categories=("cs.CL", "cs.LG", "stat.ML"), creator=", ".join(f"Author {k} of {n}" for k in range(5)))
        for n in range(first, first + ITEMS)
    )  # fmt: skip
    return rss("cs.CL", date(2026, 1, 13), *items)


async def ours(database: Database, body: bytes) -> float:
    """Seconds for parse and store."""
    begin = time.perf_counter()
    feed = parse_feed(body)
    named = listings.check(feed, "cs.CL", datetime.now(UTC))
    async with database.transaction() as session:
        run_id = await runs.begin_run(session, kind="listing", category="cs.CL", source="bench")
        await listings.store(session, feed, "cs.CL", named, run_id, "bench")
    return time.perf_counter() - begin


async def limit(url: str, body: bytes) -> float:
    """Seconds for the bare XML parse and COPY of the same rows into tables with the same indexes."""
    feed = parse_feed(body)
    papers, entries, announcements = rows(feed)
    connection = await asyncpg.connect(url)
    try:
        begin = time.perf_counter()
        for _ in etree.fromstring(body).iter():
            pass
        async with connection.transaction():
            await connection.copy_records_to_table("limit_papers", records=papers, columns=PAPER)
            await connection.copy_records_to_table("limit_entries", records=entries, columns=ENTRY)
            await connection.copy_records_to_table("limit_announcements", records=announcements, columns=ANNOUNCED)
        return time.perf_counter() - begin
    finally:
        await connection.close()


PAPER = ["arxiv_id", "order_key", "version", "title", "abstract", "abstract_hash", "authors", "categories", "listed_in"]
ENTRY = ["arxiv_id", "version", "format", "raw", "raw_hash"]
ANNOUNCED = ["arxiv_id", "version", "category", "announced_on", "announce_type"]


def rows(feed: object) -> tuple[list[Any], list[Any], list[Any]]:
    """The rows that the listing makes, ready to be copied."""
    import json

    from app.papers import _row, text_hash

    papers, entries, announcements = [], [], []
    for record in listings._records(feed, ["cs.CL"]):  # type: ignore[arg-type]
        row = _row(record)
        row["authors"] = json.dumps(row["authors"])
        papers.append(tuple(row[name] for name in PAPER))
        entries.append((record.arxiv_id, record.version, record.format, record.raw, text_hash(record.raw)))
        announcements.append((record.arxiv_id, record.version, "cs.CL", record.text_as_of, "new"))
    return papers, entries, announcements


async def main(rounds: int) -> None:
    """Measure in turns and print the medians and their ratio."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder)) as server:
        url = server.url()
        upgrade(url)
        connection = await asyncpg.connect(url)
        for table in ("papers", "paper_entries", "announcements"):
            name = "limit_" + table.removeprefix("paper_")
            await connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
        await connection.close()
        database = Database(url)
        took: dict[str, list[float]] = {"ours": [], "limit": []}
        for number in range(rounds + 1):
            body = document(number)
            pair = (await ours(database, body), await limit(url, body))
            if number:  # the first is warm-up
                took["ours"].append(pair[0])
                took["limit"].append(pair[1])
        await database.close()
    medians = {name: statistics.median(times) for name, times in took.items()}
    print(f"parse and store {ITEMS} items: {medians['ours'] * 1000:.0f} ms")
    print(f"limit (lxml parse + COPY):  {medians['limit'] * 1000:.0f} ms")
    print(
        f"ratio: {statistics.median(a / b for a, b in zip(took['ours'], took['limit'], strict=True)):.2f} (target 2.5)"
    )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
