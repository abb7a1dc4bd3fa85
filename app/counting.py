"""Papers and summaries counted: by category over all that is stored, and in groups over what a period announced."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.arxiv import taxonomy
from app.models import Announcement, Paper, Summary, SummaryStatus
from app.papers import PaperFilter, check_period, conditions, standing_of


class GroupBy(StrEnum):
    """What papers, or their summaries, are put together by."""

    CATEGORY = "category"
    DAY = "day"
    STATE = "state"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Group:
    """What has one ``key``; ``language`` where summaries are counted, and what those that are done took (None: not known)."""

    key: str
    papers: int
    language: str | None = None
    summaries: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: Decimal | None = None


async def group(
    session: AsyncSession,
    group_by: GroupBy,
    from_: date,
    to: date,
    *,
    category: str | None,
    languages: Sequence[str],
) -> list[Group]:
    """The stored papers that were announced in a period (both days included), in a category or archive, in groups.

    By category and by day a paper counts in each in which it was announced; by state once in each language, as the filter
    ``summary_status`` finds it; by model are counted the summaries that are done. Ordered by key.
    """
    check_period(from_, to)
    match group_by:
        case GroupBy.CATEGORY:
            return await _by(session, Announcement.category, from_, to, category)
        case GroupBy.DAY:
            return await _by(session, Announcement.announced_on, from_, to, category)
        case GroupBy.STATE:
            wanted = PaperFilter(category=category, announced_from=from_, announced_to=to)
            return [found for language in languages for found in await _by_state(session, wanted, language)]
        case GroupBy.MODEL:
            return await _by_model(session, _announced(from_, to, category), languages)


def _announced(from_: date, to: date, category: str | None) -> Select[Any]:
    rows = select(Announcement.arxiv_id).where(Announcement.announced_on.between(from_, to))
    return rows.where(Announcement.category.in_(sorted(taxonomy.names(category)))) if category else rows


async def _by(session: AsyncSession, key: Any, from_: date, to: date, category: str | None) -> list[Group]:
    count = func.count(Announcement.arxiv_id.distinct())
    rows = _announced(from_, to, category).with_only_columns(key, count).group_by(key).order_by(key)
    return [Group(str(name), papers) for name, papers in await session.execute(rows)]


async def _by_state(session: AsyncSession, wanted: PaperFilter, language: str) -> list[Group]:
    each = select(standing_of(language).label("state")).select_from(Paper).where(*conditions(wanted)).subquery()
    rows = select(each.c.state, func.count()).group_by(each.c.state).order_by(each.c.state)
    return [Group(state, papers, language) for state, papers in await session.execute(rows)]


async def _by_model(session: AsyncSession, announced: Select[Any], languages: Sequence[str]) -> list[Group]:
    # What no model made is known by its origin.
    key = func.coalesce(func.nullif(Summary.answered_by, ""), func.nullif(Summary.model, ""), Summary.origin)
    rows = (
        select(
            key,
            func.count(Summary.arxiv_id.distinct()),
            Summary.language,
            func.count(),
            func.sum(Summary.input_tokens),
            func.sum(Summary.output_tokens),
            func.sum(Summary.cost),
        )
        .where(
            Summary.arxiv_id.in_(announced),
            Summary.status == SummaryStatus.DONE,
            Summary.language.in_(languages),
        )
        .group_by(key, Summary.language)
        .order_by(key, Summary.language)
    )
    return [Group(*row) for row in await session.execute(rows)]


@dataclass(frozen=True, slots=True)
class CategoryCounts:
    """How many stored papers carry a category, under any of its names, and of how many it is the first."""

    papers: int = 0
    primary_papers: int = 0


_PAPERS = text("SELECT name, count(*) FROM papers CROSS JOIN unnest(listed_in) AS name GROUP BY name")


async def count_categories(session: AsyncSession) -> dict[str, CategoryCounts]:
    """The counts of every canonical name that a stored paper carries. Reads all papers: some tenths of a second for 200,000."""
    papers: dict[str, int] = dict((await session.execute(_PAPERS)).all())
    rows = select(Paper.primary_category, func.count()).group_by(Paper.primary_category)
    primary: dict[str, int] = {}
    for name, count in await session.execute(rows):
        if name is not None:
            known = taxonomy.canonical_or_same(name)
            primary[known] = primary.get(known, 0) + count
    return {name: CategoryCounts(papers.get(name, 0), primary.get(name, 0)) for name in {*papers, *primary}}
