"""Finding listings, and what their states mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app import papers
from app.arxiv import taxonomy
from app.models import Listing, ListingState

OAI = "oai"
"""The source of announcements and listings that no feed told of."""


JOINED = "joined"
"""Kept of a doubt whether a paper was listed: if it was, then because it joined the category."""


READ = (ListingState.ANNOUNCED, ListingState.TRUNCATED)
"""The states of a listing that named papers."""


@dataclass(frozen=True, slots=True)
class ListingFilter:
    """Which listings to show; unset conditions do not restrict."""

    category: str | None = None
    announced_from: date | None = None
    announced_to: date | None = None
    state: ListingState | None = None
    complete: bool | None = None


async def list_listings(
    session: AsyncSession, wanted: ListingFilter, *, limit: int, before: tuple[date, str] | None = None
) -> tuple[list[Listing], tuple[date, str] | None]:
    """A page of listings, newest day first, and the (day, category) to continue ``before``, or None on the last page."""
    papers.check_period(wanted.announced_from, wanted.announced_to)
    query = select(Listing).order_by(Listing.announced_on.desc(), Listing.category.collate("C").desc()).limit(limit + 1)
    if wanted.category:
        query = query.where(Listing.category.in_(taxonomy.names(wanted.category)))
    if wanted.announced_from:
        query = query.where(Listing.announced_on >= wanted.announced_from)
    if wanted.announced_to:
        query = query.where(Listing.announced_on <= wanted.announced_to)
    if wanted.state:
        query = query.where(Listing.state == wanted.state)
    if wanted.complete is not None:
        query = query.where(Listing.verified_at.is_not(None) if wanted.complete else Listing.verified_at.is_(None))
    if before is not None:
        day, category = before
        query = query.where(
            (Listing.announced_on < day) | ((Listing.announced_on == day) & (Listing.category.collate("C") < category))
        )
    rows = list(await session.scalars(query))
    last = rows[limit - 1] if len(rows) > limit else None
    return rows[:limit], (last.announced_on, last.category) if last else None


async def find_listings(session: AsyncSession, names: Sequence[str], from_: date, to: date) -> list[Listing]:
    """The listings of these categories in a period, both days included."""
    query = select(Listing).where(Listing.category.in_(names), Listing.announced_on.between(from_, to))
    return list(await session.scalars(query.order_by(Listing.announced_on, Listing.category)))


async def latest_announced_on(session: AsyncSession, names: Sequence[str]) -> date | None:
    """The newest day on which one of these categories announced anything."""
    query = select(func.max(Listing.announced_on)).where(Listing.category.in_(names), Listing.state.in_(READ))
    return await session.scalar(query)


async def first_read_at(session: AsyncSession, category: str) -> datetime | None:
    """When a listing of a category was read, or tried to be, for the first time."""
    return await session.scalar(select(func.min(Listing.first_read_at)).where(Listing.category == category))


async def is_settled(session: AsyncSession, category: str, announced_on: date) -> bool:
    """Whether a day's listing of a category needs no further poll: it was read with papers in it, or none are expected."""
    listing = await session.get(Listing, (category, announced_on))
    return listing is not None and (listing.state in (*READ, ListingState.EMPTY) or listing.verified_at is not None)
