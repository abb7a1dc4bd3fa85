"""The table of vectors: made where pgvector can be had; which papers lack a vector of their present text; saving them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.embedder import DIMENSIONS, EXTRA, MODEL, is_installed

TABLE: Final = "paper_embeddings"
OLDEST: Final = (0, 8)
"""pgvector's first release that goes on searching until enough papers fulfil the conditions."""

EXACT_UP_TO: Final = 200_000
"""Rows that are counted; the shares of more are Postgres's own estimates, which cost nothing."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many papers have a vector of the present model, and how many are stored."""

    indexed: int
    stored: int


@dataclass(frozen=True, slots=True)
class Passage:
    """What is embedded of a paper. ``text_hash`` says of which text a vector is."""

    arxiv_id: str
    text_hash: str
    text: str


_FACTS = text(
    """
    SELECT to_regclass(:table) IS NOT NULL AS has_table,
           (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS version,
           has_database_privilege(current_database(), 'CREATE') AS may_create
    """
)
_AVAILABLE = text("SELECT default_version FROM pg_available_extensions WHERE name = 'vector'")


async def find_obstacle(session: AsyncSession, setting: str, *, to: str = "search") -> str | None:
    """Why papers cannot be compared by meaning, as a sentence with what to do; None if they can.

    ``setting`` is ``ZHAIYAO_EMBEDDINGS``. To ``search`` what is stored, the table is needed, but not the model; to ``embed``
    texts, the model and either the table or the means to make it.
    """
    if setting == "off":
        return "ZHAIYAO_EMBEDDINGS is off."
    facts = (await session.execute(_FACTS, {"table": TABLE})).one()
    if facts.version is None:
        return await _why_no_extension(session, facts.may_create) or (_not_yet() if to == "search" else _no_model())
    if _release(facts.version) < OLDEST:
        return f"pgvector {facts.version} is too old; 0.8 or newer is needed (ALTER EXTENSION vector UPDATE)."
    if to == "search":
        return None if facts.has_table else _not_yet()
    return _no_model()


async def _why_no_extension(session: AsyncSession, may_create: bool) -> str | None:
    available = await session.scalar(_AVAILABLE)
    if available is None:
        return "This Postgres has no pgvector; install it on the database's machine."
    if _release(available) < OLDEST:
        return f"This Postgres has pgvector {available}; 0.8 or newer is needed."
    if not may_create:
        return "The database's role may not create extensions: have its owner run CREATE EXTENSION vector."
    return None


def _not_yet() -> str:
    return _no_model() or "No paper has been embedded yet; a worker does so within half an hour."


def _no_model() -> str | None:
    return None if is_installed() else f"The embedding model is not installed: pip install '{EXTRA}'."


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


# One process makes the table, the others wait and find it. A table for vectors of another length is of no use to anybody.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('paper_embeddings'))")
_TYPE = text(
    "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = to_regclass(:table) AND attname = 'embedding'"
)
_DROP = f"DROP TABLE {TABLE}"
_CREATE = (
    f"""
    CREATE TABLE {TABLE} (
        arxiv_id text PRIMARY KEY REFERENCES papers (arxiv_id) ON DELETE CASCADE,
        model text NOT NULL,
        text_hash uuid NOT NULL,
        embedding halfvec({DIMENSIONS}) NOT NULL,
        embedded_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    f"CREATE INDEX ix_{TABLE}_embedding ON {TABLE} USING hnsw (embedding halfvec_cosine_ops)",
)


async def ensure_table(session: AsyncSession) -> str | None:
    """Make the extension and the table where they are missing; why it cannot be done, or None. What was done before stays."""
    try:
        async with session.begin_nested():
            await session.execute(_LOCK)
            await session.execute(text("SET LOCAL lock_timeout = '5s'"))
            await session.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
            found = await session.scalar(_TYPE, {"table": TABLE})
            if found == f"halfvec({DIMENSIONS})":
                return None
            for statement in ([_DROP] if found else []) + list(_CREATE):
                await session.execute(text(statement))
    except DBAPIError as error:
        reason = " ".join(str(error.orig).split()).partition(">: ")[2] or str(error.orig)
        return f"The table of vectors cannot be made: {reason.rstrip('.')}."
    return None


async def has_table(session: AsyncSession) -> bool:
    """Whether the table is there."""
    return await session.scalar(text("SELECT to_regclass(:table)::text"), {"table": TABLE}) is not None


_COVERAGE = text(
    f"""
    WITH size AS (
        SELECT (SELECT reltuples FROM pg_class WHERE oid = 'papers'::regclass)::bigint AS papers,
               (SELECT reltuples FROM pg_class WHERE oid = '{TABLE}'::regclass)::bigint AS vectors)
    SELECT CASE WHEN vectors <= :exact THEN (SELECT count(*) FROM {TABLE} WHERE model = :model) ELSE vectors END,
           CASE WHEN papers <= :exact THEN (SELECT count(*) FROM papers) ELSE papers END
    FROM size
    """  # noqa: S608 - names of our own
)
_STORED = text(
    """
    SELECT CASE WHEN reltuples <= :exact THEN (SELECT count(*) FROM papers) ELSE reltuples::bigint END
    FROM pg_class WHERE oid = 'papers'::regclass
    """
)


async def coverage(session: AsyncSession) -> Coverage:
    """How much of the corpus can be compared by meaning: exact up to 200,000 papers, estimated beyond.

    A vector of an earlier text of its paper counts: it serves until the new one is there.
    """
    if not await has_table(session):
        return Coverage(0, await session.scalar(_STORED, {"exact": EXACT_UP_TO}) or 0)
    indexed, stored = (await session.execute(_COVERAGE, {"exact": EXACT_UP_TO, "model": MODEL})).one()
    return Coverage(indexed, stored)


# Both texts, not only the abstract: a title is half of what a paper is about. A paper of which only the id is known has none.
_HASH = "md5(coalesce(paper.title, '') || chr(10) || coalesce(paper.abstract, ''))::uuid"
_LACKING = text(
    f"""
    SELECT paper.arxiv_id FROM papers AS paper
    LEFT JOIN {TABLE} AS vector ON vector.arxiv_id = paper.arxiv_id
    WHERE (paper.title IS NOT NULL OR paper.abstract IS NOT NULL)
      AND (vector.arxiv_id IS NULL OR vector.model <> :model OR vector.text_hash <> {_HASH})
    ORDER BY paper.order_key DESC LIMIT :limit
    """  # noqa: S608
)


async def lacking(session: AsyncSession, limit: int) -> list[str]:
    """Papers without a vector of their present text and the present model, the newest first."""
    return list(await session.scalars(_LACKING, {"model": MODEL, "limit": limit}))


_PASSAGES = text(
    f"""
    SELECT paper.arxiv_id, {_HASH}::text AS text_hash,
           concat_ws('. ', rtrim(paper.title, '. '), paper.abstract) AS text
    FROM papers AS paper WHERE arxiv_id = ANY(:arxiv_ids)
    """  # noqa: S608
)


async def passages(session: AsyncSession, arxiv_ids: Sequence[str]) -> list[Passage]:
    """What is to be embedded of papers: the title and the abstract."""
    rows = await session.execute(_PASSAGES, {"arxiv_ids": list(arxiv_ids)})
    return [Passage(row.arxiv_id, row.text_hash, row.text) for row in rows]


# A paper that was deleted meanwhile is left out by the join, and one whose text has changed is still lacking afterwards.
_SAVE = text(
    f"""
    INSERT INTO {TABLE} (arxiv_id, model, text_hash, embedding)
    SELECT new.arxiv_id, :model, new.text_hash::uuid, new.embedding::halfvec({DIMENSIONS})
    FROM unnest(CAST(:arxiv_ids AS text[]), CAST(:hashes AS text[]), CAST(:vectors AS text[]))
        AS new(arxiv_id, text_hash, embedding)
    JOIN papers USING (arxiv_id)
    ORDER BY new.arxiv_id
    ON CONFLICT (arxiv_id) DO UPDATE
    SET model = excluded.model, text_hash = excluded.text_hash, embedding = excluded.embedding, embedded_at = now()
    """  # noqa: S608
)


async def save(session: AsyncSession, made: Sequence[Passage], vectors: Sequence[str]) -> None:
    """Keep the vectors of passages, as pgvector reads them, in the place of those that were."""
    await session.execute(
        _SAVE,
        {
            "model": MODEL,
            "arxiv_ids": [passage.arxiv_id for passage in made],
            "hashes": [passage.text_hash for passage in made],
            "vectors": list(vectors),
        },
    )


async def forget_all(session: AsyncSession) -> None:
    """Have every vector made anew, without doing without meanwhile: their texts no longer count as the present ones."""
    await session.execute(text(f"UPDATE {TABLE} SET text_hash = '{'0' * 32}'::uuid"))  # noqa: S608
