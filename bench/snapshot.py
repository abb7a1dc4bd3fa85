"""Import of a snapshot of invented records, beside its limit: COPY of the same rows, the documents
of the search among them, into tables of the same shape.

    .venv/bin/python -m bench.snapshot [records]

Both take turns, slice by slice, in one run. The limit's data is prepared: it is read back from the imported tables in
Postgres' own binary form, untimed, and sent in batches and transactions of the same size. The server has the settings of
production. Target (DESIGN section 10): at least half of the limit's rate; memory of the importing process, and of the one
that prepares lines for it, below 300 MB together.
"""

import asyncio
import multiprocessing
import os
import re
import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import asyncpg

from app.cli.common import collect_seldom
from app.db import Database, upgrade
from app.papers.records import COLUMNS, ENTRY_COLUMNS
from app.postgres import EmbeddedPostgres
from app.search import lexemes
from app.snapshot import import_snapshot, open_snapshot
from app.snapshot.files import BATCH_LINES
from bench.copying import DOCUMENTS, copy, make_limit_tables, read_back
from tests.snapshots import arxiv_id, line

SLICE = 50_000


@dataclass(slots=True)
class Took:
    """Seconds."""

    importing: float = 0
    processor: float = 0
    """Of both processes of the import, without the server's."""
    copying: float = 0
    copying_without_keys: float = 0


def serve_imports(url: str, orders: Connection) -> None:
    """Import each file that is named, in a process of its own, and answer with seconds, those that the processor worked, and peak
    memory in MB.
    """

    async def run(path: Path) -> float:
        database = Database(url)
        begin = time.perf_counter()
        with open_snapshot(path) as file:
            report = await import_snapshot(database, file)
        took = time.perf_counter() - begin
        await database.close()
        assert report.papers_created == report.position.line, report
        return took

    collect_seldom()
    while path := orders.recv():
        worked = _worked()
        took = asyncio.run(run(path))
        # Not ru_maxrss, which begins with what the process had that started this one.
        peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
        helper = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        orders.send((took, _worked() - worked, (int(peak[1] if peak else 0) + helper) / 1000))


def _worked() -> float:
    """Seconds, those of the process that prepared the lines among them, once it has ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


TABLES = {"papers": COLUMNS, "paper_entries": ENTRY_COLUMNS, DOCUMENTS: lexemes.COLUMNS}


async def copy_all(connection: asyncpg.Connection, prefix: str, rows: dict[str, bytes]) -> float:
    """Seconds for one batch."""
    begin = time.perf_counter()
    async with connection.transaction():
        for table, columns in TABLES.items():
            await copy(connection, f"{prefix}_{table}", columns, rows[table])
    return time.perf_counter() - begin


async def measure(url: str, folder: Path, records: int, orders: Connection) -> None:
    """Import and copy in turns, and print what came of it."""
    connection = await asyncpg.connect(url)
    await make_limit_tables(connection, list(TABLES))
    total, peak = Took(), 0.0
    for first in range(0, records, SLICE):
        numbers = range(first, min(first + SLICE, records))
        file = folder / "slice.jsonl"
        with file.open("wb") as lines:
            lines.writelines(map(line, numbers))
        orders.send(file)
        took, worked, memory = await asyncio.to_thread(orders.recv)
        file.unlink()
        total.importing += took
        total.processor += worked
        peak = max(peak, memory)
        for batch in range(numbers.start, numbers.stop, BATCH_LINES):
            ids = [arxiv_id(number) for number in range(batch, min(batch + BATCH_LINES, numbers.stop))]
            rows = {table: await read_back(connection, table, columns, ids) for table, columns in TABLES.items()}
            total.copying += await copy_all(connection, "limit", rows)
            total.copying_without_keys += await copy_all(connection, "bare", rows)
        print(f"{numbers.stop:>9,} records: {_ratio(total)}", file=sys.stderr)
    await connection.close()
    print(f"import: {records / total.importing:,.0f} rows/s, peak memory {peak:.0f} MB")
    print(f"limit (COPY): {records / total.copying:,.0f} rows/s; without the foreign key "
          f"{records / total.copying_without_keys:,.0f} rows/s")  # fmt: skip
    print(f"ratio: {_ratio(total)} (target 0.5)")
    print(f"the import's own work, the server's apart: {total.processor / records * 1e6:.0f} µs a record; "
          f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")  # fmt: skip


def _ratio(total: Took) -> str:
    without = total.copying_without_keys / total.importing
    return f"{total.copying / total.importing:.2f}; to COPY without the foreign key {without:.2f}"


def main(records: int) -> None:
    """Run it in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder)) as server:
        upgrade(server.url())
        spawn = multiprocessing.get_context("spawn")
        orders, theirs = spawn.Pipe()
        importer = spawn.Process(target=serve_imports, args=(server.url(), theirs), daemon=True)
        importer.start()
        asyncio.run(measure(server.url(), Path(folder), records, orders))
        orders.send(None)
        importer.join()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
