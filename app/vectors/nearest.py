"""The papers nearest to a vector, under any conditions on papers.

The index is approximate: it walks a graph, looks at what it meets, and applies the conditions afterwards. It is told to walk on
until enough papers fulfil them; where they are too rare for that, all papers that fulfil them are compared, which is exact.
Recall against the exact answer: ``bench/similar.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Float, Text, column, func, literal, select, table
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import UserDefinedType

from app.embedder import DIMENSIONS, MODEL
from app.models import Paper
from app.vectors.table import TABLE

EF_SEARCH: Final = 100
"""Candidates that the walk keeps, twice as many as are asked for at least: 40, pgvector's own, loses one of twenty."""

MAX_EF_SEARCH: Final = 1000
"""pgvector's limit."""


@dataclass(frozen=True, slots=True)
class Near:
    """A paper and the cosine of its angle to what was asked for, 1.0 for the same direction."""

    arxiv_id: str
    score: float


class _HalfVector(UserDefinedType[str]):
    """pgvector's half-precision vectors, written and read as text."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return f"HALFVEC({DIMENSIONS})"


_vectors = table(TABLE, column("arxiv_id", Text), column("model", Text), column("embedding", _HalfVector()))


async def has_vector(session: AsyncSession, arxiv_id: str) -> bool:
    """Whether a paper has a vector of the present model. The table must be there."""
    query = select(_vectors.c.arxiv_id).where(_vectors.c.arxiv_id == arxiv_id, _vectors.c.model == MODEL)
    return await session.scalar(query) is not None


async def nearest_to_paper(
    session: AsyncSession, arxiv_id: str, *, limit: int, conditions: Sequence[ColumnElement[bool]] = ()
) -> list[Near]:
    """The papers nearest to one that has a vector, the nearest first, without itself. The table must be there."""
    own = select(_vectors.c.embedding).where(_vectors.c.arxiv_id == arxiv_id).scalar_subquery()
    return await _nearest(session, own, limit, [*conditions, Paper.arxiv_id != arxiv_id])


async def nearest(
    session: AsyncSession, vector: str, *, limit: int, conditions: Sequence[ColumnElement[bool]] = ()
) -> list[Near]:
    """The papers nearest to a vector (as pgvector reads it), the nearest first. The table must be there."""
    return await _nearest(session, literal(vector, Text).cast(_HalfVector()), limit, conditions)


async def _nearest(
    session: AsyncSession, target: ColumnElement[str], limit: int, conditions: Sequence[ColumnElement[bool]]
) -> list[Near]:
    distance = _vectors.c.embedding.op("<=>", return_type=Float())(target)
    # The order of a walk that goes on is not quite that of the distances, so what it found is put in order again.
    found = (
        select(_vectors.c.arxiv_id, distance.label("distance"))
        .join(Paper, Paper.arxiv_id == _vectors.c.arxiv_id)
        .where(_vectors.c.model == MODEL, *conditions)
        .order_by("distance")
        .limit(limit)
        .cte("found")
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    query = select(found.c.arxiv_id, (1 - found.c.distance).label("score")).order_by(
        found.c.distance, found.c.arxiv_id.desc()
    )
    await _configure(session, limit)
    near = [Near(arxiv_id, score) for arxiv_id, score in await session.execute(query)]
    if len(near) == limit or not conditions:
        return near
    # The walk ended before it had enough: so few fulfil the conditions that all of them can be compared.
    await session.execute(select(func.set_config("enable_indexscan", "off", True)))
    near = [Near(arxiv_id, score) for arxiv_id, score in await session.execute(query)]
    await session.execute(select(func.set_config("enable_indexscan", "on", True)))
    return near


async def _configure(session: AsyncSession, limit: int) -> None:
    """Settings of this transaction alone."""
    await session.execute(
        select(
            func.set_config("hnsw.iterative_scan", "relaxed_order", True),
            func.set_config("hnsw.ef_search", str(min(max(EF_SEARCH, 2 * limit), MAX_EF_SEARCH)), True),
        )
    )
