"""Search over 65,538 papers: how often it finds the paper that is meant, and how long it takes, for kinds of queries.

    .venv/bin/python -m bench.search [--papers 65538] [--queries 300]
    .venv/bin/python -m bench.search --rows 1000000

**Known items**: the one-line summary of a real paper, in English or Chinese, is the question, that paper the answer; no
one-line summary is in the index. Beside the service's own search stand, in the same run, turn by turn and over the same index,
the methods that ``FINDINGS D`` measured: ``ts_rank_cd`` over all words, and the sum of inverse document frequencies of the
12 rarest words over candidates from the 5 rarest (Chinese: 20 and 8). The archive, ../shared/data/cn-chat-arxiv, has 2,703
papers; the others are invented from its sentences (``bench/searched.py``). Times are those of the function that the API
calls, with snippets. Targets (issue 6): MRR@10 ≥ 0.99 in both languages, p95 ≤ 100 ms.

With ``--rows`` so many invented papers in English are stored, and the plans and times of the kinds of queries are printed. With
``--kept FOLDER`` the filled database stays there, and the next run with it asks at once.
"""

import argparse
import asyncio
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psutil
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession

from app import search
from app.cli.common import collect_seldom
from app.db import Database, upgrade
from app.postgres import EmbeddedPostgres
from app.search import stemming
from app.search.asking import quoted
from app.search.weighing import Weights, lexemes_of, weigh
from bench.searched import Inventor, Text, real, store

ARCHIVE = Path(__file__).resolve().parents[2] / "shared/data/cn-chat-arxiv/papers"
SLOW = 12
"""Queries for the method that takes seconds."""

COMMONEST = ("model", "the", "language", "language model", "we propose", "的", "模型", "语言模型")

Method = Callable[[AsyncSession, str], Awaitable[list[str]]]


@dataclass(slots=True)
class Outcome:
    """Of one method for one kind of query: the place of the paper that was meant (0: not there), and milliseconds.

    ``processor`` is the time that this process and its connection's server process worked, which other work on the machine
    disturbs less.
    """

    places: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    processor: float = 0.0

    def __str__(self) -> str:
        found = [place for place in self.places if place]
        mrr = f"{sum(1 / place for place in found) / len(self.places):.3f}" if self.places else ""
        hit = f"{len(found) / len(self.places):.3f}" if self.places else ""
        times = sorted(self.times)
        p95 = times[min(len(times) - 1, int(len(times) * 0.95))]
        worked = self.processor / len(times)
        return f"{mrr:>6} | {hit:>6} | {statistics.median(times):>6.1f} | {p95:>6.1f} | {worked:>6.1f} | {len(times)}"


async def service(session: AsyncSession, query: str) -> list[str]:
    """The search that the API calls."""
    return [hit.arxiv_id for hit in (await search.search(session, query, limit=20, highlight=True)).hits]


async def _weighed(session: AsyncSession, query: str) -> tuple[list[str], Weights, str]:
    lexemes = lexemes_of(stemming.words(query))
    weights = await weigh(session, lexemes)
    is_chinese = sum(one.is_pair for one in lexemes) * 2 > len(lexemes)
    known = [one for one in lexemes if weights.of(one) and one.is_pair == is_chinese]
    rarest = sorted(known, key=lambda one: -weights.of(one))
    return [one.text for one in rarest], weights, "bigrams" if is_chinese else "words"


async def rank_cd(session: AsyncSession, query: str) -> list[str]:
    """``ts_rank_cd`` over all words."""
    lexemes, _, vector = await _weighed(session, query)
    rows = await session.execute(
        text(f"SELECT paper.arxiv_id FROM search_documents JOIN papers AS paper USING (order_key) "
             f"WHERE {vector} @@ CAST(:query AS tsquery) "
             f"ORDER BY ts_rank_cd({vector}, CAST(:query AS tsquery)) DESC LIMIT 10"),
        {"query": " | ".join(map(quoted, lexemes))},
    )  # fmt: skip
    return list(rows.scalars())


async def idf_sum(session: AsyncSession, query: str) -> list[str]:
    """The method that FINDINGS D recommends."""
    lexemes, weights, vector = await _weighed(session, query)
    ranked, named = (20, 8) if vector == "bigrams" else (12, 5)
    terms = [(quoted(one), weights.papers[one]) for one in lexemes[:ranked]]
    score = " + ".join(
        f"CASE WHEN {vector} @@ $q${query}$q$::tsquery THEN {weights.total / papers:.6f}::float8 ELSE 1 END"
        for query, papers in terms
    )
    score = score.replace("CASE", "ln(CASE").replace("END", "END)")
    rows = await session.execute(
        text(f"SELECT paper.arxiv_id FROM search_documents JOIN papers AS paper USING (order_key) "
             f"WHERE {vector} @@ CAST(:query AS tsquery) ORDER BY {score.replace(':', chr(92) + ':')} DESC LIMIT 10"),
        {"query": " | ".join(map(quoted, lexemes[:named]))},
    )  # fmt: skip
    return list(rows.scalars())


async def measure(
    database: Database, queries: Sequence[tuple[str, str | None]], methods: dict[str, Method]
) -> dict[str, Outcome]:
    """Ask each query by every method, one after the other."""
    outcomes = {name: Outcome() for name in methods}
    for number, (query, meant) in enumerate(queries):
        for name, method in methods.items():
            if method is rank_cd and number >= SLOW:
                continue
            async with database.transaction() as session:
                server = psutil.Process(await session.scalar(text("SELECT pg_backend_pid()")))
                worked, begin = _worked(server), time.perf_counter()
                found = await method(session, query)
                outcomes[name].times.append((time.perf_counter() - begin) * 1000)
                outcomes[name].processor += (_worked(server) - worked) * 1000
            if meant is not None:
                outcomes[name].places.append(found.index(meant) + 1 if meant in found[:10] else 0)
    return outcomes


def _worked(server: psutil.Process) -> float:
    """Seconds, those of the server in hundredths."""
    times = server.cpu_times()
    return time.process_time() + float(times.user + times.system)


def kinds(texts: Sequence[Text], count: int) -> dict[str, list[tuple[str, str | None]]]:
    """The queries of each kind, with the paper that is meant, where one is."""
    chance = Random(6)
    english = chance.sample([one for one in texts if one.tldr_en], min(count, 2_000))
    chinese = chance.sample([one for one in texts if one.tldr_zh and one.abstract_zh], min(count, 2_000))
    titles = chance.sample([one for one in texts if len(one.title.split()) > 4], count)

    def some(words: list[str], least: int, most: int) -> str:
        length = chance.randint(least, most)
        first = chance.randrange(max(1, len(words) - length))
        return " ".join(words[first : first + length])

    def characters(one: Text, length: int) -> str:
        run = chance.choice([found for found in re.findall(r"[一-鿿]+", one.abstract_zh or "") if len(found) >= length])
        first = chance.randrange(len(run) - length + 1)
        return str(run[first : first + length])

    words = [re.findall(r"[A-Za-z]{3,}", one.title) for one in titles]
    words = [found for found in words if len(found) > 3]
    return {
        "one line, English": [(_plain(one.tldr_en or ""), one.arxiv_id) for one in english],
        "one line, Chinese": [(_plain(one.tldr_zh or ""), one.arxiv_id) for one in chinese],
        "pasted abstract": [(one.abstract, one.arxiv_id) for one in english],
        "pasted abstract, Chinese": [(one.abstract_zh or "", one.arxiv_id) for one in chinese],
        "1 to 3 words": [(some(found, 1, 3), None) for found in words],
        "phrase": [(f'"{some(found, 2, 3)}"', None) for found in words],
        "Chinese, 1 to 4 characters": [(characters(one, chance.randint(1, 4)), None) for one in chinese],
        "commonest words": [(word, None) for word in COMMONEST for _ in range(5)],
        "misspelt": [(_misspelt(some(found, 1, 2), chance), None) for found in words],
    }


def _plain(line: str) -> str:
    """A line as a question: colons and quotes in it are not meant as the language has them."""
    return re.sub(r"[\"“”:()-]", " ", line)


def _misspelt(words: str, chance: Random) -> str:
    place = chance.randrange(1, len(words) - 1)
    return words[:place] + words[place + 1 :]


@asynccontextmanager
async def filled(
    kept: Path | None, texts: Sequence[Text], invented: int, *, with_chinese: bool
) -> AsyncIterator[Database]:
    """A database with these and invented papers, made now unless it was kept."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(kept or Path(folder)) as server:
        upgrade(server.url())
        database = Database(server.url())
        async with database.transaction() as session:
            is_filled = await session.scalar(text("SELECT EXISTS (SELECT FROM search_terms)"))
        if not is_filled:
            await fill(database, texts, invented, with_chinese=with_chinese)
        yield database
        await database.close()


async def main(papers: int, queries: int, kept: Path | None) -> None:
    """Store, index, ask, print."""
    texts = real(ARCHIVE)
    async with filled(kept, texts, papers - len(texts), with_chinese=True) as database:
        await ask(database, texts, queries)
    print(f"the machine: {os.cpu_count()} processors, load {os.getloadavg()[1]:.1f}", file=sys.stderr)


async def ask(database: Database, texts: Sequence[Text], queries: int) -> None:
    """Ask the queries of each kind, and print what came of it."""
    print("kind | method | MRR@10 | hit@10 | p50 ms | p95 ms | CPU ms | queries")
    for kind, asked in kinds(texts, queries).items():
        methods: dict[str, Method] = {"service": service}
        if "one line" in kind:
            methods |= {"idf sum of D": idf_sum, "ts_rank_cd": rank_cd}
        await measure(database, asked[:5], {"service": service})
        for name, outcome in (await measure(database, asked, methods)).items():
            print(f"{kind} | {name} | {outcome}", flush=True)


async def fill(database: Database, texts: Sequence[Text], invented: int, *, with_chinese: bool = True) -> None:
    """Store the archive and invented papers, and index them; those without Chinese, which are many, as they are stored."""
    begin = time.perf_counter()
    await store(database, texts)
    await store(database, Inventor(texts).papers(invented, with_chinese=with_chinese), is_indexed=not with_chinese)
    stored = time.perf_counter()
    done = await search.rebuild(database)
    took = time.perf_counter() - stored
    await run_alone(database, "VACUUM ANALYZE")
    print(f"{len(texts) + invented:,} papers made and stored in {stored - begin:.0f} s; {done:,} indexed in {took:.0f} s "
          f"({done / took:,.0f}/s)", file=sys.stderr)  # fmt: skip
    async with database.transaction() as session:
        sizes = await session.execute(text(
            "SELECT relname, pg_size_pretty(pg_total_relation_size(oid)) FROM pg_class WHERE relname IN "
            "('papers', 'search_documents', 'ix_search_documents_vectors', 'search_terms') ORDER BY 1"))  # fmt: skip
        print("; ".join(f"{name} {size}" for name, size in sizes), file=sys.stderr)


async def run_alone(database: Database, statement: str) -> None:
    """Run a statement that Postgres takes outside transactions only."""
    async with database.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text(statement))


async def plans(rows: int, kept: Path | None) -> None:
    """Store many papers, and print the plans and times of the kinds of queries."""
    texts = real(ARCHIVE)
    async with filled(kept, texts, rows - len(texts), with_chinese=False) as database:
        sequential: list[str] = []
        for kind, asked in kinds(texts, 60).items():
            outcome = (await measure(database, asked, {"service": service}))["service"]
            print(f"{kind} | service | {outcome}", flush=True)
            for query, _ in asked[:3]:
                for statement, plan in await explained(database, query):
                    if re.search(r"Seq Scan on (?:search_documents|papers|summaries)", plan):
                        sequential.append(f"{query!r}: {statement}\n{plan}")
        print("\n".join(sequential) or "no sequential scan")


async def explained(database: Database, query: str) -> list[tuple[str, str]]:
    """Every statement of a search, with its plan."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    async with database.transaction() as session:
        event.listen(database.engine.sync_engine, "before_cursor_execute", note)
        await service(session, query)
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)
        raw: Any = (await (await session.connection()).get_raw_connection()).driver_connection
        found = []
        for statement, parameters in seen:
            if "search_documents" in statement or "FROM papers" in statement:
                lines = await raw.fetch(f"EXPLAIN {statement}", *parameters)
                found.append((statement, "\n".join(line[0] for line in lines)))
        return found


if __name__ == "__main__":
    if not ARCHIVE.exists():
        sys.exit(
            "bench.search needs the real archive, ../shared/data/cn-chat-arxiv, which is not on this machine: skipped."
        )
    collect_seldom()
    options = argparse.ArgumentParser()
    options.add_argument("--papers", type=int, default=65_538)
    options.add_argument("--queries", type=int, default=300)
    options.add_argument("--rows", type=int)
    options.add_argument("--kept", type=Path, help="keep the filled database in this folder")
    given = options.parse_args()
    asyncio.run(plans(given.rows, given.kept) if given.rows else main(given.papers, given.queries, given.kept))
