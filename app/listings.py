"""Listings: one category on one batch date, what it announced, and how its reading went.

What a document says is stored whole in one transaction, or not at all.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app import papers
from app.arxiv import taxonomy
from app.arxiv.entries import AnnounceType, Entry, Feed
from app.errors import FeedRejected
from app.models import Listing, ListingState
from app.papers import PaperRecord

EASTERN = ZoneInfo("America/New_York")
"""arXiv announces at 20:00 in this zone and dates its batches in it (FACTS 7.1)."""

FEED_LIMIT = 2000
"""arXiv cuts a feed at this many items and drops the new papers first (FACTS 2.2)."""

STRENGTH = {
    AnnounceType.NEW: 3,
    AnnounceType.CROSS: 2,
    AnnounceType.REPLACE: 1,
    AnnounceType.REPLACE_CROSS: 0,
}
"""A paper that is in several listings of a day counts as its strongest type (FACTS 2.2)."""


def today_eastern(now: datetime) -> date:
    """The batch date of an instant: the day in US Eastern time."""
    return now.astimezone(EASTERN).date()


@dataclass(frozen=True, slots=True)
class Stored:
    """What storing a listing did."""

    category: str
    announced_on: date
    state: ListingState
    items: int
    papers_created: int
    papers_changed: int
    announcements_created: int
    arxiv_ids: list[str] = field(repr=False)

    def counts(self) -> dict[str, int]:
        """The numbers, as a run keeps them."""
        return {
            "items": self.items,
            "papers_created": self.papers_created,
            "papers_changed": self.papers_changed,
            "announcements_created": self.announcements_created,
        }


def check(feed: Feed, category: str, now: datetime) -> tuple[str, ...]:
    """The categories, by their canonical names, that the document is the listing of.

    Raises ``FeedRejected`` if ``category`` is not among them, or if the batch lies in the future.
    """
    named = tuple(dict.fromkeys(taxonomy.canonical_or_same(name) for name in feed.categories)) or (category,)
    if category not in named:
        raise FeedRejected(
            "wrong_category",
            f"The document is the listing of {', '.join(named)}, not of {category}; read it as 'zhaiyao ingest {named[0]}'.",
        )
    # A day of grace, because a machine's clock may be a little behind arXiv's.
    latest = today_eastern(now + timedelta(days=1))
    for announced_on in {feed.announced_on, *(entry.announced_on for entry in feed.entries)}:
        if announced_on > latest:
            raise FeedRejected("future_date", f"The document is dated {announced_on}, which lies in the future.")
    return named


async def store(
    session: AsyncSession, feed: Feed, category: str, named: Sequence[str], run_id: int, source: str
) -> Stored:
    """Store a checked feed: papers with their raw entries, announcements, listings. The second time changes nothing."""
    upserted = await papers.upsert(session, _records(feed, named))
    announced = [row for entry in feed.entries for row in _announcements(entry, named)]
    created = await _announce(session, announced)
    state = ListingState.ANNOUNCED if feed.entries else ListingState.EMPTY
    if len(feed.entries) >= FEED_LIMIT:
        state = ListingState.TRUNCATED
    days = {feed.announced_on, *(entry.announced_on for entry in feed.entries)}
    for name in named:
        for day in sorted(days):
            on_day = {
                row["arxiv_id"]: row["announce_type"]
                for row in announced
                if row["category"] == name and row["announced_on"] == day
            }
            await _store_listing(session, name, day, state if on_day else ListingState.EMPTY, on_day, run_id, source)
    return Stored(
        category=category,
        announced_on=feed.announced_on,
        state=state,
        items=len(feed.entries),
        papers_created=len(upserted.created),
        papers_changed=len(upserted.changed),
        announcements_created=created,
        arxiv_ids=sorted({entry.arxiv_id for entry in feed.entries}),
    )


def _records(feed: Feed, named: Sequence[str]) -> list[PaperRecord]:
    newest: dict[str, Entry] = {}
    for entry in feed.entries:
        known = newest.get(entry.arxiv_id)
        if known is None or (entry.version or 0) > (known.version or 0):
            newest[entry.arxiv_id] = entry
    return [_record(entry, feed.format, named) for entry in newest.values()]


def _record(entry: Entry, format_: str, named: Sequence[str]) -> PaperRecord:
    categories = {taxonomy.canonical_or_same(name) for name in entry.categories} | set(entry.categories)
    listed_in = {row["category"] for row in _announcements(entry, named)}
    first = entry.announce_type == AnnounceType.NEW or (
        entry.announce_type == AnnounceType.CROSS and entry.version == 1
    )
    return PaperRecord(
        arxiv_id=entry.arxiv_id,
        version=entry.version,
        title=entry.title,
        abstract=entry.abstract,
        abstract_is_cut=False,
        authors=entry.authors,
        authors_omitted=entry.authors_omitted,
        primary_category=entry.primary_category,
        categories=entry.categories,
        listed_in=tuple(sorted(categories | listed_in)),
        license=entry.license,
        doi=entry.doi,
        journal_ref=entry.journal_ref,
        first_announced_on=entry.announced_on if first else None,
        text_as_of=entry.announced_on,
        format=format_,
        raw=entry.raw,
    )


def _announcements(entry: Entry, named: Sequence[str]) -> list[dict[str, Any]]:
    """An announcement in each category of the document that the paper is listed in.

    A document of one category lists only papers that are in it. Of a combined one (``cs.AI+q-bio.NC``) the paper's own
    categories decide, and the type is made relative to each: ``new`` only where its primary category is (FACTS 2.2).
    """
    if len(named) == 1:
        parts = list(named)
    else:
        parts = [name for name in named if taxonomy.names_or_same(name) & set(entry.categories)] or list(named)
    return [
        {
            "arxiv_id": entry.arxiv_id,
            "version": entry.version,
            "category": name,
            "announced_on": entry.announced_on,
            "announce_type": _type_in(entry, name) if len(named) > 1 else entry.announce_type,
        }
        for name in parts
    ]


def _type_in(entry: Entry, category: str) -> AnnounceType:
    if entry.primary_category in taxonomy.names_or_same(category):
        return entry.announce_type
    if entry.announce_type in (AnnounceType.NEW, AnnounceType.CROSS):
        return AnnounceType.CROSS
    return AnnounceType.REPLACE_CROSS


async def _announce(session: AsyncSession, rows: list[dict[str, Any]]) -> int:
    if not rows:
        return 0
    inserted = await session.scalars(_ANNOUNCE, {"rows": json.dumps(rows, default=date.isoformat)})
    return len(inserted.all())


_ANNOUNCE = text(
    """
    INSERT INTO announcements (arxiv_id, version, category, announced_on, announce_type)
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS row(arxiv_id text, version int, category text, announced_on date, announce_type text)
    ORDER BY arxiv_id, category
    ON CONFLICT (arxiv_id, version, category, announced_on) DO NOTHING
    RETURNING id
    """
)


# What was announced once stays announced: a later reading that is empty or failed takes nothing away (forerunner's bug).
_STORE_LISTING = text(
    """
    INSERT INTO listings AS old (category, announced_on, state, announced, source, ingestion_id)
    VALUES (:category, :announced_on, :state, CAST(:announced AS jsonb), :source, :ingestion_id)
    ON CONFLICT (category, announced_on) DO UPDATE SET
        state = CASE WHEN old.state IN ('announced', 'truncated') AND excluded.state NOT IN ('announced', 'truncated')
                     THEN old.state ELSE excluded.state END,
        announced = old.announced || excluded.announced,
        source = excluded.source, ingestion_id = excluded.ingestion_id, reason = NULL, last_read_at = now()
    """
)


async def _store_listing(
    session: AsyncSession,
    category: str,
    announced_on: date,
    state: ListingState,
    announced: dict[str, str],
    run_id: int,
    source: str,
) -> None:
    await session.execute(
        _STORE_LISTING,
        {
            "category": category,
            "announced_on": announced_on,
            "state": state,
            "announced": json.dumps(announced),
            "source": source,
            "ingestion_id": run_id,
        },
    )


async def mark_failed(
    session: AsyncSession, category: str, announced_on: date, run_id: int, source: str, reason: str
) -> None:
    """Say that a day's listing could not be read, unless something is known of it already."""
    await session.execute(
        insert(Listing)
        .values(
            category=category,
            announced_on=announced_on,
            state=ListingState.FAILED,
            source=source,
            reason=reason,
            ingestion_id=run_id,
        )
        .on_conflict_do_nothing()
    )


@dataclass(frozen=True, slots=True)
class ListingFilter:
    """Which listings to show; unset conditions do not restrict."""

    category: str | None = None
    announced_from: date | None = None
    announced_to: date | None = None
    state: ListingState | None = None


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
    query = select(func.max(Listing.announced_on)).where(
        Listing.category.in_(names), Listing.state.in_([ListingState.ANNOUNCED, ListingState.TRUNCATED])
    )
    return await session.scalar(query)


async def is_settled(session: AsyncSession, category: str, announced_on: date) -> bool:
    """Whether a day's listing of a category has been read with papers in it, so that polling can stop."""
    listing = await session.get(Listing, (category, announced_on))
    return listing is not None and listing.state in (ListingState.ANNOUNCED, ListingState.TRUNCATED)


def strongest(types: Sequence[str]) -> str:
    """The strongest of several announce types."""
    return max((AnnounceType(kind) for kind in types), key=STRENGTH.__getitem__)


def count_types(announced: dict[str, str]) -> dict[str, int]:
    """How many papers of each announce type; every type is there."""
    counted = Counter(announced.values())
    return {str(kind): counted[kind] for kind in AnnounceType}
