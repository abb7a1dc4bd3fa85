"""The index: written in the transaction that stores the texts, and made again in the background where that is needed.

New papers come with their documents (``insert``). Where a paper's texts, or its summaries, change, ``touch`` has its document
written again at the end of the transaction, from what is then stored. Locks are taken only there, in one order, so that
two transactions that change summaries of the same paper write one after the other, and the second sees what the first wrote.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.arxiv import ids
from app.db import Database, at_the_end, copy_binary
from app.search import lexemes

BATCH: Final = 500
"""Papers that a rebuild indexes in one transaction: a quarter of a second's work."""

AT_ONCE: Final = 50
"""Documents that are made before other threads have their turn."""

_BUCKETS: Final = 64
_HOLD: Final = text(
    """
    SELECT pg_advisory_xact_lock(hashtext('search'), bucket)
    FROM (SELECT DISTINCT abs(hashtext(key) % :buckets) AS bucket FROM unnest(CAST(:keys AS text[])) AS key ORDER BY 1) AS held
    """
)
_TEXTS: Final = text(
    """
    SELECT paper.arxiv_id, paper.title, paper.abstract,
           ARRAY(SELECT author ->> 'name' FROM jsonb_array_elements(paper.authors) AS author) AS authors,
           of_summaries.titles, of_summaries.abstracts
    FROM papers AS paper
    LEFT JOIN LATERAL (
        SELECT array_agg(title ORDER BY id) FILTER (WHERE place = 1) AS titles,
               array_agg(one ORDER BY id, place) AS abstracts
        FROM summaries, unnest(ARRAY[abstract, tldr, tldr_en]) WITH ORDINALITY AS text(one, place)
        WHERE summaries.arxiv_id = paper.arxiv_id AND status = 'done' AND released_at IS NULL
    ) AS of_summaries ON true
    WHERE paper.order_key = ANY(:keys)
    """
)
_FORGET: Final = text("DELETE FROM search_documents WHERE order_key = ANY(:keys)")


def touch(session: AsyncSession, arxiv_ids: Iterable[str]) -> None:
    """Have these papers indexed anew at the end of the transaction, because a text of theirs changes in it."""
    at_the_end(session, write, arxiv_ids)


async def insert(session: AsyncSession, documents: Sequence[bytes]) -> None:
    """Store the documents of papers that this transaction has created."""
    if documents:
        rows = b"".join((lexemes.HEADER, *documents, lexemes.TRAILER))
        await copy_binary(session, "search_documents", lexemes.COLUMNS, rows)


async def write(session: AsyncSession, arxiv_ids: Iterable[str]) -> None:
    """Index these papers, those that are stored, from their texts and summaries as they are now."""
    keys = sorted(map(ids.order_key, arxiv_ids))
    await session.execute(_HOLD, {"keys": keys, "buckets": _BUCKETS})
    # Only now: a statement sees what was committed before it began, and the one before may have waited.
    rows = [tuple(row) for row in await session.execute(_TEXTS, {"keys": keys})]
    await session.execute(_FORGET, {"keys": keys})
    await insert(session, await _documents(rows))


async def _documents(
    rows: Sequence[tuple[str, str | None, str | None, list[str], list[str], list[str]]],
) -> list[bytes]:
    """The documents of papers with these texts, made in a thread, a few at a time."""
    documents: list[bytes] = []
    for first in range(0, len(rows), AT_ONCE):
        documents += await asyncio.to_thread(_make, rows[first : first + AT_ONCE])
    return documents


def _make(rows: Sequence[tuple[Any, ...]]) -> list[bytes]:
    return [_document(*row) for row in rows]


def _document(
    arxiv_id: str,
    title: str | None,
    abstract: str | None,
    authors: Sequence[str],
    titles: Sequence[str | None] | None,
    abstracts: Sequence[str | None] | None,
) -> bytes:
    all_titles, all_abstracts = filter(None, (title, *(titles or ()))), filter(None, (abstract, *(abstracts or ())))
    return lexemes.document(arxiv_id, all_titles, all_abstracts, authors)


@dataclass(frozen=True, slots=True)
class Extent:
    """How many papers are stored, and how many of them are indexed by this release's rules."""

    stored: int
    indexed: int


_EXTENT: Final = text(
    """
    SELECT (SELECT count(*) FROM papers), (SELECT count(*) FROM search_documents WHERE made_by = :made_by)
    """
)
_WINDOW: Final = text(
    """
    SELECT paper.arxiv_id, paper.order_key, document.order_key IS NULL AS lacks
    FROM (SELECT arxiv_id, order_key FROM papers WHERE order_key > :after ORDER BY order_key LIMIT :size) AS paper
    LEFT JOIN search_documents AS document ON document.order_key = paper.order_key AND document.made_by = :made_by
    ORDER BY paper.order_key
    """
)


_NOBODY: Final = -1
"""Rules by which no document was made."""


async def extent(session: AsyncSession) -> Extent:
    """How much is indexed. It counts, which takes a second for millions of papers."""
    stored, indexed = (await session.execute(_EXTENT, {"made_by": lexemes.MADE_BY})).one()
    return Extent(stored, indexed)


async def is_complete(session: AsyncSession) -> bool:
    """Whether every paper is indexed by this release's rules, and the terms are counted well enough."""
    now = await extent(session)
    return now.indexed == now.stored and not await _counts_are_old(session)


async def rebuild(
    database: Database, *, everything: bool = False, progress: Callable[[int], None] = lambda done: None
) -> int:
    """Index the papers that are not, or were by older rules (or, on wish, all), and count the terms if that is due.

    Each batch is a transaction; cut off and run again, it goes on where it was, unless everything is wanted. Returns how
    many papers were indexed; ``progress`` is told after each batch.
    """
    done, after = 0, ""
    while True:
        async with database.transaction() as session:
            window = {"made_by": _NOBODY if everything else lexemes.MADE_BY, "after": after, "size": BATCH}
            rows = (await session.execute(_WINDOW, window)).all()
            if lacking := [row.arxiv_id for row in rows if row.lacks]:
                await write(session, lacking)
        if not rows:
            break
        done, after = done + len(lacking), rows[-1].order_key
        progress(done)
    async with database.transaction() as session:
        if everything or await _counts_are_old(session):
            await count_terms(session)
        await tidy(session)
    return done


async def tidy(session: AsyncSession) -> None:
    """Move what was written last into the index proper. Until then every search reads all of it, up to 4 MB; to write it there
    at once would make an import four times as slow.
    """
    await session.execute(text("SELECT gin_clean_pending_list('ix_search_documents_vectors')"))


_COUNTED: Final = text(
    """
    CREATE TEMPORARY TABLE counted ON COMMIT DROP AS
    SELECT word AS term, ndoc AS papers FROM ts_stat('SELECT words FROM search_documents') WHERE ndoc > 1
    UNION ALL
    SELECT word, ndoc FROM ts_stat('SELECT bigrams FROM search_documents') WHERE ndoc > 1
    UNION ALL
    SELECT '', count(*) FROM search_documents
    """
)
# Three letters in a row, with two blanks before and one behind the word, as pg_trgm has them; of words that can be misspelt.
_KEEP_COUNTS: Final = text(
    """
    INSERT INTO search_terms (term, papers, trigrams)
    SELECT term, papers, CASE WHEN term ~ '^[a-z]{4,40}$' THEN
        ARRAY(SELECT DISTINCT substr('  ' || term || ' ', place, 3) FROM generate_series(1, length(term) + 1) AS place) END
    FROM counted
    ON CONFLICT (term) DO UPDATE SET papers = excluded.papers WHERE search_terms.papers <> excluded.papers
    """
)
_FORGET_COUNTS: Final = text(
    "DELETE FROM search_terms WHERE NOT EXISTS (SELECT FROM counted WHERE counted.term = search_terms.term)"
)


async def count_terms(session: AsyncSession) -> None:
    """Count in how many papers each word and bigram is; those of one paper only are left out, misspellings among them."""
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtext('search_terms'))"))
    await session.execute(_COUNTED)
    for statement in (text("ANALYZE counted"), _KEEP_COUNTS, _FORGET_COUNTS):
        await session.execute(statement)


async def _counts_are_old(session: AsyncSession) -> bool:
    """Whether a tenth of the papers have come or gone since the terms were counted."""
    query = text("SELECT (SELECT count(*) FROM search_documents), (SELECT papers FROM search_terms WHERE term = '')")
    now, then = (await session.execute(query)).one()
    return bool(abs(now - (then or 0)) * 10 > (then or 0))
