"""Similar papers and hybrid search on the older system's archive: quality, recall of the index, speed.

    python -m bench.similar ../shared/data/cn-chat-arxiv/papers [--vectors 65000]

Known items: the one-line summaries of 300 papers, English and Chinese, which are indexed nowhere; the paper is to be among the
first ten (MRR@10). Words are ranked by the sum of their inverse document frequencies, English by word, Chinese by bigram, here in
Python; meaning by the vectors of the English title and abstract. Halves: the first half of an abstract is to find the second.
Beside each time stands its limit from the same run.
"""

import argparse
import asyncio
import math
import random
import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app import embedder, embedding, similar, vectors
from app.archive import import_archive
from app.archive_record import ArchiveRecord, BrokenRecordError, read_record
from app.config import load_settings
from app.db import Database, upgrade
from app.embedder import Kind
from app.models import Paper
from app.papers import get_paper
from app.postgres import EmbeddedPostgres

QUERIES = 300
WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)


def words(line: str) -> set[str]:
    """English words and Chinese bigrams of a text."""
    runs = re.findall(r"[\u4e00-\u9fff]+", line)
    pairs = {run[i : i + 2] for run in runs for i in range(len(run) - 1)}
    return pairs | set(re.findall(r"[a-z0-9]{2,}", line.lower()))


class Words:
    """Texts ranked by the sum of the inverse document frequencies of the words that they share with a query."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.sets = {arxiv_id: words(line) for arxiv_id, line in texts.items()}
        self.frequency = Counter(word for each in self.sets.values() for word in each)

    def rank(self, query: str, limit: int = 100) -> list[str]:
        asked = {
            word: math.log(1 + len(self.sets) / self.frequency[word]) for word in words(query) if self.frequency[word]
        }
        scores = {one: sum(asked[word] for word in asked.keys() & had) for one, had in self.sets.items()}
        return sorted((one for one in scores if scores[one]), key=lambda one: -scores[one])[:limit]


def mrr(rankings: Iterable[Sequence[str]], targets: Sequence[str]) -> float:
    """Mean reciprocal rank of the targets among the first ten."""
    places = [list(ranking[:10]) for ranking in rankings]
    return statistics.mean(1 / (r.index(t) + 1) if t in r else 0.0 for r, t in zip(places, targets, strict=True))


@dataclass(frozen=True)
class Bench:
    """What is measured on."""

    database: Database
    records: list[ArchiveRecord]
    model: embedder.Embedder

    def embed(self, texts: Sequence[str], kind: Kind = Kind.QUERY) -> list[str]:
        return [embedder.literal(vector) for vector in self.model.embed(texts, kind).tolist()]


async def speed(bench: Bench) -> None:
    """Embedding everything as the worker does, beside the model alone in this process."""
    sample = [f"{one.title}. {one.abstract}" for one in bench.records[:300]]
    begin = time.perf_counter()
    bench.model.embed(sample, Kind.PASSAGE)
    alone = (time.perf_counter() - begin) / len(sample) * 1000
    settings, count, more = load_settings(embeddings="auto"), 0, True
    begin = time.perf_counter()
    while more:
        done = await embedding.embed_lacking(bench.database, settings)
        assert done.obstacle is None, done.obstacle
        count, more = count + done.count, done.more
    whole = (time.perf_counter() - begin) / count * 1000
    print(
        f"embedding: {whole:.1f} s per 1,000 papers with reading and saving; the model alone {alone:.1f} s; {whole / alone:.2f}x"
    )
    taken = []
    for one in bench.records[:100]:
        begin = time.perf_counter()
        bench.embed([one.tldr or one.title])
        taken.append(time.perf_counter() - begin)
    print(f"a query's vector: p50 {statistics.median(taken) * 1000:.1f} ms, max {max(taken) * 1000:.1f} ms")


async def known_items(bench: Bench, session: AsyncSession) -> None:
    """MRR@10 by words, by meaning, and fused with several weights."""
    english = Words({one.arxiv_id: f"{one.title} {one.abstract}" for one in bench.records})
    chinese = Words({one.arxiv_id: f"{one.translated_title} {one.translated_abstract}" for one in bench.records})
    chance = random.Random(5)
    print(f"\nknown items, MRR@10 of {len(bench.records):,} papers; columns: weight of meaning against 1 for words")
    print(f"{'query':<22}{'words':>8}{'meaning':>9}" + "".join(f"{weight:>8}" for weight in WEIGHTS[1:]))
    for name, index, said in (
        ("English summary", english, [(one.arxiv_id, one.tldr_en) for one in bench.records]),
        ("Chinese summary", chinese, [(one.arxiv_id, one.tldr) for one in bench.records]),
        ("Chinese, no Chinese text", english, [(one.arxiv_id, one.tldr) for one in bench.records]),
        ("4 words of English", english, [(one.arxiv_id, _four(one.tldr_en, chance)) for one in bench.records]),
    ):
        asked = [(arxiv_id, query) for arxiv_id, query in said if query][:QUERIES]
        targets = [arxiv_id for arxiv_id, _ in asked]
        lexical = [index.rank(query) for _, query in asked]
        near = [await vectors.nearest(session, one, limit=100) for one in bench.embed([query for _, query in asked])]
        meant = [[one.arxiv_id for one in each] for each in near]
        fused = [
            mrr([_ids(vectors.fuse(pair, weights=[1.0, weight])) for pair in zip(lexical, meant, strict=True)], targets)
            for weight in WEIGHTS[1:]
        ]
        print(
            f"{name:<25}{mrr(lexical, targets):>5.3f}{mrr(meant, targets):>9.3f}"
            + "".join(f"{one:>8.3f}" for one in fused)
        )


def _four(line: str | None, chance: random.Random) -> str | None:
    return " ".join(chance.sample(line.split(), 4)) if line and len(line.split()) > 4 else None


def _ids(fused: list[tuple[str, float]]) -> list[str]:
    return [arxiv_id for arxiv_id, _ in fused]


async def alike(bench: Bench, session: AsyncSession) -> None:
    """Whether what is called similar is of the same primary category, and how long it takes; by words, only the time."""
    category = {one.arxiv_id: one.primary_category for one in bench.records if one.primary_category}
    asked = random.Random(9).sample(sorted(category), min(QUERIES, len(category)))
    of_all = Counter(category.values())
    chance = statistics.mean(of_all[category[one]] / len(category) for one in asked)
    shares, meant, said = [], [], []
    for arxiv_id in asked:
        begin = time.perf_counter()
        near = await vectors.nearest_to_paper(session, arxiv_id, limit=10)
        meant.append(time.perf_counter() - begin)
        shares.append(statistics.mean(category.get(one.arxiv_id) == category[arxiv_id] for one in near))
    for arxiv_id in asked[:60]:
        paper = await get_paper(session, arxiv_id)
        begin = time.perf_counter()
        await similar.by_words(session, paper, limit=10)
        said.append(time.perf_counter() - begin)
    print(
        f"\nof the ten nearest to {len(asked)} papers {statistics.mean(shares):.3f} share the category; by chance {chance:.3f}"
    )
    print(f"p50 by meaning {statistics.median(meant) * 1000:.1f} ms, by words {statistics.median(said) * 1000:.1f} ms")


def halves(bench: Bench) -> None:
    """The first half of an abstract finds the second among those of the others: alike in subject, not in words."""
    pairs = {}
    for one in bench.records:
        sentences = re.split(r"(?<=[.!?])\s+", one.abstract)
        first, second = (
            " ".join(half) for half in (sentences[: len(sentences) // 2], sentences[len(sentences) // 2 :])
        )
        if min(len(first), len(second)) > 200:
            pairs[one.arxiv_id] = (first, second)
    pairs = dict(list(pairs.items())[:600])
    asked = bench.model.embed([one for one, _ in pairs.values()], Kind.QUERY)
    wanted = bench.model.embed([other for _, other in pairs.values()], Kind.PASSAGE)
    names = list(pairs)
    meant = [[names[place] for place in (-row).argsort()[:100]] for row in asked @ wanted.T]
    index = Words({name: other for name, (_, other) in pairs.items()})
    lexical = [index.rank(one) for one, _ in pairs.values()]
    fused = {
        weight: mrr([_ids(vectors.fuse(both, weights=[1, weight])) for both in zip(lexical, meant, strict=True)], names)
        for weight in WEIGHTS[1:]
    }
    print(
        f"\nhalves of {len(pairs)} abstracts, MRR@10: meaning {mrr(meant, names):.3f}, words {mrr(lexical, names):.3f}, fused"
    )
    print("  " + ", ".join(f"{weight}: {score:.3f}" for weight, score in fused.items()))


async def recall(bench: Bench, count: int) -> None:
    """The index against comparing all, over real vectors and noisy copies of them, without and with a condition."""
    async with bench.database.transaction() as session:
        begin = time.perf_counter()
        await session.execute(text(_COPY_PAPERS), {"count": count})
        await session.execute(text(_COPY_VECTORS))
        filled = time.perf_counter() - begin
    async with bench.database.transaction() as session:
        await session.execute(text(f"ANALYZE papers, {vectors.TABLE}"))
        size = await session.scalar(text(f"SELECT pg_size_pretty(pg_relation_size('ix_{vectors.TABLE}_embedding'))"))
        total = await session.scalar(text(f"SELECT count(*) FROM {vectors.TABLE}"))
    print(f"\nindex over {total:,} vectors: {size}, inserting {filled / count * 1000:.1f} s per 1,000")
    chosen = random.Random(4).sample([one.arxiv_id for one in bench.records], 60)
    for name, category in (
        ("no condition", None),
        ("category of 1 in 10", "of10"),
        ("of 1 in 1,000", "of1000"),
        ("of none", "of0"),
    ):
        conditions = [Paper.listed_in.overlap([category])] if category else []
        hits, wanted, fast, slow = 0, 0, [], []
        for arxiv_id in chosen:
            async with bench.database.transaction() as session:
                await session.execute(text("SET LOCAL enable_indexscan = off"))
                begin = time.perf_counter()
                exact = list(await session.scalars(_EXACT, {"id": arxiv_id, "category": category}))
                slow.append(time.perf_counter() - begin)
            async with bench.database.transaction() as session:
                begin = time.perf_counter()
                found = await vectors.nearest_to_paper(session, arxiv_id, limit=10, conditions=conditions)
                fast.append(time.perf_counter() - begin)
            hits, wanted = hits + len({one.arxiv_id for one in found} & set(exact)), wanted + len(exact)
        share = f"{hits / wanted:.3f}" if wanted else "  –  "
        p50, limit = statistics.median(fast) * 1000, statistics.median(slow) * 1000
        p95 = sorted(fast)[int(len(fast) * 0.95)] * 1000
        print(
            f"  {name:<20} recall@10 {share} p50 {p50:6.1f} p95 {p95:6.1f} ms; comparing all {limit:.1f} ms; {p50 / limit:.2f}x"
        )


_COPY_PAPERS = """
    INSERT INTO papers (arxiv_id, order_key, abstract_hash, listed_in)
    SELECT id, id, '', CASE WHEN n % 1000 = 0 THEN '{of1000,of10}' WHEN n % 10 = 0 THEN '{of10}' ELSE '{}' END::text[]
    FROM (SELECT n, 'copy.' || lpad(n::text, 7, '0') AS id FROM generate_series(1, :count) AS n) AS numbered
"""
_COPY_VECTORS = f"""
    INSERT INTO {vectors.TABLE} (arxiv_id, model, text_hash, embedding)
    SELECT copy.arxiv_id, real.model, real.text_hash, l2_normalize(real.embedding
        + (SELECT array_agg((random() - 0.5) * 0.15) FROM generate_series(1, {embedder.DIMENSIONS}) WHERE copy.n > 0)::halfvec)
    FROM (SELECT arxiv_id, row_number() OVER () AS n FROM papers WHERE arxiv_id LIKE 'copy.%') AS copy
    JOIN (SELECT *, row_number() OVER () AS n, count(*) OVER () AS all FROM {vectors.TABLE}) AS real
      ON real.n = 1 + copy.n % real.all
"""
_EXACT = text(
    f"""
    SELECT arxiv_id FROM (
        SELECT arxiv_id, embedding <=> (SELECT embedding FROM {vectors.TABLE} WHERE arxiv_id = :id) AS distance
        FROM {vectors.TABLE} JOIN papers USING (arxiv_id)
        WHERE arxiv_id <> :id AND (CAST(:category AS text) IS NULL OR CAST(:category AS text) = ANY(listed_in))) AS every
    ORDER BY distance LIMIT 10
    """
)


def _records(folder: Path) -> list[ArchiveRecord]:
    found = []
    for file in sorted(folder.rglob("*.json")):
        try:
            found.append(read_record(file.read_bytes(), file.stem))
        except BrokenRecordError:
            continue
    random.Random(1).shuffle(found)
    return found


async def main(folder: Path, count: int) -> None:
    """Measure everything in a database of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="zhaiyao-bench-") as data,
        EmbeddedPostgres(Path(data), tests=True) as server,
    ):
        url = server.url("postgres")
        await asyncio.to_thread(upgrade, url)
        database = Database(url)
        await import_archive(database, folder)
        bench = Bench(database, _records(folder), embedder.load())
        await speed(bench)
        async with database.transaction() as session:
            await known_items(bench, session)
            await alike(bench, session)
        halves(bench)
        await recall(bench, count)
        await database.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--vectors", type=int, default=65_000, help="copies of the papers in the index, for its recall")
    given = parser.parse_args()
    asyncio.run(main(given.archive, given.vectors))
