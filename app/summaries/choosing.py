"""Which of several summaries speaks for a paper."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, BigInteger, ColumnElement, any_, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import among
from app.errors import NotFound
from app.llm import Detail, is_english
from app.models import Paper, Summary, SummaryOrigin, SummaryStatus

_ORIGIN_RANK = {
    SummaryOrigin.HUMAN: 3,
    SummaryOrigin.LLM: 2,
    SummaryOrigin.IMPORTED: 1,
    SummaryOrigin.EXTRACTIVE: 0,
}


@dataclass(frozen=True, slots=True)
class Current:
    """The summary that speaks for a paper; ``stale`` if it was made from an earlier text."""

    summary: Summary
    stale: bool


async def current(session: AsyncSession, papers: dict[str, Paper], language: str) -> dict[str, Current]:
    """For each paper that has any, its best summary in ``language``.

    Done before not done, in the language before one that only brings the English sentence (a stale translation, marked
    as such, is more use to its reader than none); a human's text before all others until its author releases it; then
    made from the present text before stale, by a model, imported, extracted; whole before brief, and the newest. An English
    digest needs only the English sentence, so that any language's summary that has one will do.
    """
    wanted = (Summary.language == language) & Summary.released_at.is_(None)
    if is_english(language):
        wanted |= Summary.tldr_en.is_not(None) & Summary.released_at.is_(None)
    rows = await session.scalars(select(Summary).where(_of(papers), wanted))
    best: dict[str, tuple[tuple[object, ...], Current]] = {}
    for row in rows:
        stale = is_stale(row, papers[row.arxiv_id])
        # An error of an earlier text is no news about the present one.
        if stale and row.status != SummaryStatus.DONE:
            continue
        rank = (
            row.status == SummaryStatus.DONE,
            row.language == language,
            row.tldr is not None,
            row.origin == SummaryOrigin.HUMAN,
            not stale,
            _ORIGIN_RANK[SummaryOrigin(row.origin)],
            row.detail == Detail.FULL,
            row.made_at,
            row.id,
        )
        if row.arxiv_id not in best or rank > best[row.arxiv_id][0]:
            best[row.arxiv_id] = (rank, Current(row, stale))
    return {arxiv_id: chosen for arxiv_id, (_, chosen) in best.items()}


async def list_summaries(session: AsyncSession, arxiv_id: str, language: str | None = None) -> list[Summary]:
    """All summaries of a paper, by language, the newest first."""
    query = select(Summary).where(Summary.arxiv_id == arxiv_id)
    if language is not None:
        query = query.where(Summary.language == language)
    return list(await session.scalars(query.order_by(Summary.language, Summary.made_at.desc(), Summary.id.desc())))


async def get_summaries(session: AsyncSession, summary_ids: Sequence[int]) -> list[tuple[Summary, Paper]]:
    """Those of these summaries that there are, with their papers."""
    wanted = Summary.id == any_(literal(summary_ids, ARRAY(BigInteger)))
    rows = await session.execute(select(Summary, Paper).join(Paper, Paper.arxiv_id == Summary.arxiv_id).where(wanted))
    return [(summary, paper) for summary, paper in rows]


async def get_summary(session: AsyncSession, summary_id: int) -> tuple[Summary, Paper]:
    """A summary with its paper; ``NotFound``."""
    found = await get_summaries(session, [summary_id])
    if not found:
        raise NotFound(f"There is no summary {summary_id}.")
    return found[0]


@dataclass(frozen=True, slots=True)
class SummaryFilter:
    """Which summaries to list; unset conditions do not restrict. ``check`` is one that noticed something."""

    status: SummaryStatus | None = None
    origin: SummaryOrigin | None = None
    language: str | None = None
    reason: str | None = None
    check: str | None = None


async def find_summaries(
    session: AsyncSession, wanted: SummaryFilter, *, limit: int, before: int | None = None
) -> tuple[list[tuple[Summary, Paper]], int | None]:
    """A page of summaries with their papers, newest first, and the number to continue ``before``, or None on the last."""
    query = select(Summary, Paper).join(Paper, Paper.arxiv_id == Summary.arxiv_id)
    for column, value in (
        (Summary.status, wanted.status),
        (Summary.origin, wanted.origin),
        (Summary.language, wanted.language),
        (Summary.reason, wanted.reason),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.check is not None:
        query = query.where(Summary.checks.contains([{"check": wanted.check}]))
    if before is not None:
        query = query.where(Summary.id < before)
    rows = [
        (summary, paper) for summary, paper in await session.execute(query.order_by(Summary.id.desc()).limit(limit + 1))
    ]
    return rows[:limit], rows[limit - 1][0].id if len(rows) > limit else None


def is_stale(summary: Summary, paper: Paper) -> bool:
    """Whether the paper's text has changed since.

    A summary of the same version is not stale even if its abstract differs: the older archive knew only the beginning.
    Where a version is not known it counts as the first.
    """
    return summary.abstract_hash != paper.abstract_hash and (summary.paper_version or 1) != (paper.version or 1)


async def summarized(session: AsyncSession, arxiv_ids: Iterable[str]) -> list[str]:
    """Those of these papers that a summary was ever asked for."""
    return list(await session.scalars(select(Summary.arxiv_id).where(_of(arxiv_ids)).distinct()))


def _of(arxiv_ids: Iterable[str]) -> ColumnElement[bool]:
    return among(Summary.arxiv_id, list(arxiv_ids))
