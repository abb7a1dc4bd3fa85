"""Finding papers again as rows: one, several, and what belongs to them. As JSON they are read by ``reading``."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ARRAY, Text, any_, literal, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import among
from app.models import Announcement, Paper, PaperEntry
from app.papers.reading import not_stored


async def get_paper(session: AsyncSession, arxiv_id: str) -> Paper:
    """One paper by its canonical id; ``NotFound`` if it is not stored."""
    paper = await session.get(Paper, arxiv_id)
    if paper is None:
        raise not_stored(arxiv_id)
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
