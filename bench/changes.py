"""What the log of changes costs: COPY of papers with and without its triggers, the sequencer, and one poll.

    .venv/bin/python -m bench.changes [papers]

COPY of the same rows into fresh tables of the same shape, with and without the triggers in turns, batch by batch, several times
over; the target of an import is half of COPY, so what the triggers take of it must be small. Beside the ratio stands that of the
tables without triggers against a second set of such tables, which says how far from 1.00 chance alone brings it. Of both the time
and the server's CPU time are given: on a busy machine only the second says something.

A poll that finds nothing, over the log of all these papers, is compared with the cheapest statement on the same connection pool.
The server has the settings of production.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import fmean, median

import asyncpg
import psutil
from sqlalchemy import text

from app import changes
from app.changes import Start
from app.db import Database, upgrade
from app.papers.records import COLUMNS, ENTRY_COLUMNS
from app.postgres import EmbeddedPostgres
from app.snapshot import import_snapshot, open_snapshot
from bench.copying import copy, read_back
from tests.snapshots import arxiv_id, line

BATCH = 1000
ROUNDS = 3
PREFIXES = ("bare", "marking", "again")


async def make_tables(connection: asyncpg.Connection, prefixes: Sequence[str]) -> None:
    """The same empty tables, indexes and foreign key, in this order; the triggers are on the ``marking`` ones."""
    for prefix in prefixes:
        await connection.execute(f"DROP TABLE IF EXISTS {prefix}_paper_entries, {prefix}_papers")
    for prefix in prefixes:
        for table in ("papers", "paper_entries"):
            await connection.execute(f"CREATE TABLE {prefix}_{table} (LIKE {table} INCLUDING ALL)")
            # Its workers would come while one of them is measured, and they would make the rest of them to be planned anew.
            await connection.execute(f"ALTER TABLE {prefix}_{table} SET (autovacuum_enabled = off)")
            if prefix == "marking":
                await connection.execute(
                    f"CREATE TRIGGER mark_insert AFTER INSERT ON marking_{table} REFERENCING NEW TABLE AS new_rows "
                    "FOR EACH STATEMENT EXECUTE FUNCTION mark_changes('paper', 'arxiv_id', '*')"
                )
        await connection.execute(
            f"ALTER TABLE {prefix}_paper_entries ADD FOREIGN KEY (arxiv_id) REFERENCES {prefix}_papers"
        )


async def copy_batch(connection: asyncpg.Connection, prefix: str, papers: bytes, entries: bytes) -> tuple[float, float]:
    """Seconds for one batch in a transaction, and seconds of CPU that the backend took."""
    backend = psutil.Process(connection.get_server_pid())
    begin, busy = time.perf_counter(), sum(backend.cpu_times()[:2])
    async with connection.transaction():
        await copy(connection, f"{prefix}_papers", COLUMNS, papers)
        await copy(connection, f"{prefix}_paper_entries", ENTRY_COLUMNS, entries)
    return time.perf_counter() - begin, sum(backend.cpu_times()[:2]) - busy


async def compare_copying(connection: asyncpg.Connection, count: int) -> None:
    """Print rates and ratios; who comes first changes from batch to batch and from round to round."""
    took: dict[str, list[tuple[float, float]]] = {prefix: [] for prefix in PREFIXES}
    for turn in range(ROUNDS):
        await make_tables(connection, _turned(PREFIXES, turn))
        for number, first in enumerate(range(0, count, BATCH)):
            ids = [arxiv_id(one) for one in range(first, min(first + BATCH, count))]
            papers = await read_back(connection, "papers", COLUMNS, ids)
            entries = await read_back(connection, "paper_entries", ENTRY_COLUMNS, ids)
            for prefix in _turned(PREFIXES, turn + number):
                cost = await copy_batch(connection, prefix, papers, entries)
                if number > 0:  # the first has everything to plan
                    took[prefix].append(cost)
    for what, place in (("elapsed", 0), ("CPU", 1)):
        # Of time the median, which an interruption leaves alone; CPU time is counted in hundredths of a second.
        typical = median if what == "elapsed" else fmean
        per_batch = {prefix: typical([one[place] for one in costs]) for prefix, costs in took.items()}
        bare, marking, again = (per_batch[prefix] for prefix in PREFIXES)
        print(f"COPY, {what}: without triggers {BATCH / bare:,.0f} rows/s, with {BATCH / marking:,.0f} rows/s")
        print(f"ratio, {what}: {bare / marking:.2f} (without triggers against the same once more: {bare / again:.2f})")


def _turned(prefixes: Sequence[str], by: int) -> list[str]:
    return [*prefixes[by % len(prefixes) :], *prefixes[: by % len(prefixes)]]


async def per_second(call: Callable[[], Awaitable[object]], times: int) -> float:
    """Median rate of single calls."""
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        await call()
        took.append(time.perf_counter() - begin)
    return 1 / median(took)


async def poll(database: Database) -> None:
    """Print what a poll costs that finds nothing, and a page of 200 ids, beside SELECT 1."""
    end = Start((await changes.read_changes(database, Start(), limit=1)).place)
    middle = Start(changes.Place(end.place.epoch, end.place.position // 2) if end.place else None)

    async def nothing() -> None:
        async with database.transaction() as session:
            await session.execute(text("SELECT 1"))

    rates: dict[str, list[float]] = {"SELECT 1": [], "poll": [], "page": []}
    for _ in range(5):
        rates["SELECT 1"].append(await per_second(nothing, 200))
        rates["poll"].append(await per_second(lambda: changes.read_changes(database, end, limit=100), 200))
        rates["page"].append(await per_second(lambda: changes.read_changes(database, middle, limit=200), 100))
    limit = median(rates["SELECT 1"])
    for name, found in rates.items():
        print(f"{name}: {median(found):,.0f}/s, ratio {median(found) / limit:.2f}")


async def measure(url: str, folder: Path, count: int) -> None:
    """Import, sequence, copy, poll."""
    database = Database(url)
    file = folder / "papers.jsonl"
    with file.open("wb") as lines:
        lines.writelines(map(line, range(count)))
    with open_snapshot(file) as opened:
        await import_snapshot(database, opened)
    begin = time.perf_counter()
    marks = await changes.sequence(database)
    print(f"sequencer: {marks:,} marks of {count:,} papers, {marks / (time.perf_counter() - begin):,.0f} marks/s")
    connection = await asyncpg.connect(url)
    await compare_copying(connection, count)
    await connection.close()
    await changes.sequence(database)
    await poll(database)
    await database.close()


def main(count: int) -> None:
    """Run it in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder)) as server:
        upgrade(server.url())
        asyncio.run(measure(server.url(), Path(folder), count))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
