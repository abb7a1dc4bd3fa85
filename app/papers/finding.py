"""Finding papers again: one, several, a page of a filtered list."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from sqlalchemy import ARRAY, ColumnElement, Text, and_, any_, exists, literal, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from app.arxiv import taxonomy
from app.db import among
from app.errors import InvalidInput, NotFound
from app.models import Announcement, Paper, PaperEntry


def check_period(from_: date | None, to: date | None) -> None:
    """Raise ``InvalidInput`` for a period that ends before it begins: it would look like a quiet time."""
    if from_ is not None and to is not None and from_ > to:
        raise InvalidInput(f"The period begins on {from_}, after its end on {to}.")


@dataclass(frozen=True, slots=True)
class PaperFilter:
    """Which papers to list; unset conditions do not restrict."""

    category: str | None = None
    announced_from: date | None = None
    announced_to: date | None = None
    announce_types: tuple[str, ...] | None = None
    submitted_from: date | None = None
    submitted_to: date | None = None
    withdrawn: bool | None = None
    arxiv_ids: tuple[str, ...] | None = None


async def list_papers(
    session: AsyncSession, wanted: PaperFilter, *, limit: int, before: str | None = None
) -> tuple[list[Paper], str | None]:
    """A page of papers, newest id first, and the ``order_key`` to continue ``before``, or None on the last page.

    ``category`` finds papers that carry the category (under any of its names) or were announced in it; with
    ``announced_from``, ``announced_to`` or ``announce_types`` it means announced there, in that period (both days included), as
    one of these types. The days of submission are UTC, and of the first version.
    """
    query = select(Paper).where(*conditions(wanted)).order_by(Paper.order_key.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(Paper.order_key < before)
    rows = list(await session.scalars(query))
    more = len(rows) > limit
    return rows[:limit], rows[limit - 1].order_key if more else None


def conditions(wanted: PaperFilter) -> list[ColumnElement[bool]]:
    """The conditions on ``Paper`` that a filter describes; ``InvalidInput`` for a period that ends before it begins."""
    check_period(wanted.announced_from, wanted.announced_to)
    check_period(wanted.submitted_from, wanted.submitted_to)
    conditions: list[ColumnElement[bool]] = []
    names = sorted(taxonomy.names(wanted.category)) if wanted.category else None
    if names:
        conditions.append(Paper.listed_in.overlap(names))
    if wanted.announced_from or wanted.announced_to or wanted.announce_types:
        announced: list[ColumnElement[bool]] = [Announcement.arxiv_id == Paper.arxiv_id]
        if wanted.announced_from:
            announced.append(Announcement.announced_on >= wanted.announced_from)
        if wanted.announced_to:
            announced.append(Announcement.announced_on <= wanted.announced_to)
        if wanted.announce_types:
            announced.append(Announcement.announce_type.in_(wanted.announce_types))
        if names:
            announced.append(Announcement.category.in_(names))
        conditions.append(exists().where(and_(*announced)))
    if wanted.submitted_from:
        conditions.append(Paper.submitted_at >= datetime.combine(wanted.submitted_from, time.min, UTC))
    if wanted.submitted_to:
        conditions.append(Paper.submitted_at <= datetime.combine(wanted.submitted_to, time.max, UTC))
    if wanted.withdrawn is not None:
        conditions.append(Paper.withdrawn == wanted.withdrawn)
    if wanted.arxiv_ids is not None:
        conditions.append(Paper.arxiv_id.in_(wanted.arxiv_ids))
    return conditions


async def newest_beside(
    session: AsyncSession, paper: Paper, *, limit: int, conditions: Sequence[ColumnElement[bool]] = ()
) -> list[str]:
    """Ids of the newest papers that share a category with one, without itself."""
    query = select(Paper.arxiv_id).where(
        Paper.listed_in.overlap(paper.listed_in), Paper.arxiv_id != paper.arxiv_id, *conditions
    )
    return list(await session.scalars(query.order_by(Paper.order_key.desc()).limit(limit)))


async def get_paper(session: AsyncSession, arxiv_id: str) -> Paper:
    """One paper by its canonical id; ``NotFound`` if it is not stored."""
    paper = await session.get(Paper, arxiv_id)
    if paper is None:
        raise NotFound(
            f"There is no paper {arxiv_id} here. It is stored when a listing or an archive that has it is read."
        )
    return paper


async def find_papers(session: AsyncSession, arxiv_ids: Iterable[str]) -> dict[str, Paper]:
    """The stored ones of these papers, by id."""
    # One array, because Postgres takes 32,767 parameters, and a quarter of an archive has more papers.
    rows = await session.scalars(select(Paper).where(Paper.arxiv_id == any_(literal(list(arxiv_ids), ARRAY(Text)))))
    return {paper.arxiv_id: paper for paper in rows}


async def list_announcements(session: AsyncSession, arxiv_id: str) -> list[Announcement]:
    """When and where a paper was announced, the first first."""
    query = select(Announcement).where(Announcement.arxiv_id == arxiv_id)
    return list(await session.scalars(query.order_by(Announcement.announced_on, Announcement.category)))


async def announcements_of(session: AsyncSession, arxiv_ids: Sequence[str]) -> dict[str, list[Announcement]]:
    """When and where each of these papers was announced, the first first; without those that never were."""
    query = select(Announcement).where(among(Announcement.arxiv_id, arxiv_ids))
    found: dict[str, list[Announcement]] = defaultdict(list)
    for row in await session.scalars(query.order_by(Announcement.announced_on, Announcement.category)):
        found[row.arxiv_id].append(row)
    return found


@dataclass(frozen=True, slots=True)
class Source:
    """The newest record of a paper as it was received."""

    format: str
    received_at: datetime
    raw: str


async def find_source(session: AsyncSession, arxiv_id: str) -> Source | None:
    """The raw record that came last; earlier ones are kept in ``paper_entries``."""
    query = select(PaperEntry).where(PaperEntry.arxiv_id == arxiv_id).order_by(PaperEntry.id.desc()).limit(1)
    entry = await session.scalar(query)
    return Source(entry.format, entry.received_at, entry.raw) if entry else None


async def sources_of(session: AsyncSession, arxiv_ids: Sequence[str]) -> dict[str, Source]:
    """As ``find_source``, of each of these papers that has one."""
    newest = (
        select(PaperEntry)
        .ext(distinct_on(PaperEntry.arxiv_id))
        .where(among(PaperEntry.arxiv_id, arxiv_ids))
        .order_by(PaperEntry.arxiv_id, PaperEntry.id.desc())
    )
    rows = await session.scalars(newest)
    return {row.arxiv_id: Source(row.format, row.received_at, row.raw) for row in rows}


async def find_datestamps(session: AsyncSession, arxiv_ids: Iterable[str]) -> dict[str, date]:
    """When OAI-PMH last saw each of these papers modified, for those that it gave."""
    query = select(Paper.arxiv_id, Paper.datestamp).where(
        Paper.arxiv_id == any_(literal(list(arxiv_ids), ARRAY(Text))), Paper.datestamp.is_not(None)
    )
    return {arxiv_id: day for arxiv_id, day in await session.execute(query) if day is not None}
