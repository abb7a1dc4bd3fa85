"""What a document is to be taken for: arXiv serves the former batch under today's date at times, an empty feed that fills
later, and cuts long feeds (FACTS 2.2 and 2.6).
"""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.arxiv import calendar, ids, taxonomy
from app.arxiv.entries import AnnounceType, Feed
from app.errors import FeedRejected
from app.models import ListingState

FEED_LIMIT = 2000
"""arXiv cuts a feed at this many items and drops the new papers first (FACTS 2.2)."""


STALE_SHARE = 0.1
"""A batch with more items that were listed before is a former one; a single repeated item is left out (FACTS 2.6)."""


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
    latest = calendar.batch_date(now + timedelta(days=1))
    for announced_on in {feed.announced_on, *(entry.announced_on for entry in feed.entries)}:
        if announced_on > latest:
            raise FeedRejected("future_date", f"The document is dated {announced_on}, which lies in the future.")
    return named


async def judge(
    session: AsyncSession, feed: Feed, category: str, rows: list[dict[str, Any]], now: datetime
) -> tuple[ListingState, str | None]:
    """What a document is to be taken for, and why unless it is what it says."""
    day = feed.announced_on
    if not rows:
        if calendar.is_batch_day(day) and day >= calendar.batch_date(now):
            return ListingState.NOT_YET, "The feed is empty on a day with an announcement; it may be filled later."
        return ListingState.EMPTY, None
    stale = await _why_stale(session, category, day, rows)
    if stale:
        return ListingState.STALE, stale
    if len(feed.entries) >= FEED_LIMIT:
        return (
            ListingState.TRUNCATED,
            f"The feed has {len(feed.entries):,} items, where arXiv cuts it: new papers are missing.",
        )
    return ListingState.ANNOUNCED, None


_BEFORE = text(
    """
    SELECT announced_on, arxiv_id, version, announce_type FROM announcements
    LEFT JOIN listings USING (category, announced_on)
    WHERE category = :category AND announced_on < :day AND NOT coalesce(doubts ? arxiv_id, false)
      AND (arxiv_id = ANY(:arxiv_ids) OR announced_on = (
        SELECT max(announced_on) FROM announcements
        WHERE category = :category AND announced_on < :day AND announce_type = 'new'))
    """
)


async def _why_stale(session: AsyncSession, category: str, day: date, rows: list[dict[str, Any]]) -> str | None:
    """A sentence if the batch is a former one served again under this day's date (FACTS 2.6).

    A version is listed in a category once, and ids are given in the order of announcement: a batch whose newest new paper is
    not newer than the former batch's is no batch of its own. Items that were listed before are taken out of ``rows``.
    """
    parameters = {"category": category, "day": day, "arxiv_ids": [row["arxiv_id"] for row in rows]}
    before = (await session.execute(_BEFORE, parameters)).all()
    seen = {(arxiv_id, version): announced_on for announced_on, arxiv_id, version, _ in before}
    repeated = [row for row in rows if (row["arxiv_id"], row["version"]) in seen]
    if len(repeated) > STALE_SHARE * len(rows):
        former = max(seen[row["arxiv_id"], row["version"]] for row in repeated)
        return (
            f"{len(repeated)} of its {len(rows)} items were listed before, the last on {former}: "
            "arXiv serves a former batch under this day's date."
        )
    new = [ids.order_key(row["arxiv_id"]) for row in rows if row["announce_type"] == AnnounceType.NEW]
    former_new = [
        (ids.order_key(row.arxiv_id), row.announced_on) for row in before if row.announce_type == AnnounceType.NEW
    ]
    if new and former_new and max(new) <= max(former_new)[0]:
        return f"Its newest paper is not newer than that of {max(former_new)[1]}: arXiv serves a former batch."
    rows[:] = [row for row in rows if row not in repeated]
    return None
