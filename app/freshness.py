"""How fresh and how complete each followed category is, and what deserves somebody's attention (FACTS 12.9).

A batch is complete once OAI-PMH has confirmed its listing (``listings.verified_at``). Every batch of the last days that is
not is named, whether it was read or not: a day that nobody read is no quiet day.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import load_only

from app import channels, door, harvests
from app.arxiv import calendar, oai
from app.db import hold_moment
from app.door import Source
from app.listings import OAI, READ
from app.models import Coverage, Listing, ListingState, Rest

LOOK_BACK: Final = timedelta(days=14)
"""How far back unsettled days are named."""

LATE: Final = time(10)
"""US Eastern: a batch that has announced nothing by then is late (FACTS 12.9)."""

OVERDUE: Final = timedelta(hours=36)
"""OAI-PMH is harvested every night, so that one of two nights may fail unnoticed, but not both."""

_SKIPPED: Final = [day + timedelta(days=1) for day in sorted(calendar.SKIPPED)]
"""Weekdays that are no batch day."""


class AlertKind(StrEnum):
    """What is the matter."""

    LATE = "late"
    STALE = "stale"
    EMPTY = "empty"
    UNHARVESTED = "unharvested"
    RESTING = "resting"


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that deserves attention; without a category it concerns a whole source."""

    kind: AlertKind
    category: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A batch that is due and not confirmed by OAI-PMH, and why."""

    announced_on: date
    state: ListingState
    reason: str


@dataclass(frozen=True, slots=True)
class Freshness:
    """How one category stands.

    ``last_batch`` is the newest batch with papers, ``age`` how many batches have become due since; ``state``, ``reason`` and
    ``complete`` are of the newest batch that is due. The days before ``covered_before`` (UTC) are harvested without a gap.
    """

    category: str
    last_batch: date | None
    age: int | None
    due_batch: date
    state: ListingState
    reason: str | None
    complete: bool
    last_complete: date | None
    unsettled: tuple[Unsettled, ...]
    last_read_at: datetime | None
    resting_until: datetime | None
    resting_reason: str | None
    harvested_at: datetime | None
    covered_before: date | None


@dataclass(frozen=True, slots=True)
class Report:
    """Every followed category, and what is the matter with them."""

    items: list[Freshness]
    alerts: list[Alert]


# Each answer is at one end of a category's rows in the primary key, so that years of listings cost no more than a month's.
_ENDS = text(
    """
    SELECT followed.category, oldest.announced_on AS first_batch, oldest.first_read_at, newest.last_read_at,
           with_papers.announced_on AS last_batch, confirmed.announced_on AS last_complete
    FROM unnest(CAST(:categories AS text[])) AS followed(category)
    LEFT JOIN LATERAL (
        SELECT announced_on, first_read_at FROM listings
        WHERE category = followed.category ORDER BY announced_on LIMIT 1) AS oldest ON true
    LEFT JOIN LATERAL (
        SELECT last_read_at FROM listings
        WHERE category = followed.category AND ingestion_id IS NOT NULL ORDER BY announced_on DESC LIMIT 1) AS newest ON true
    LEFT JOIN LATERAL (
        SELECT announced_on FROM listings
        WHERE category = followed.category AND state IN ('announced', 'truncated')
        ORDER BY announced_on DESC LIMIT 1) AS with_papers ON true
    LEFT JOIN LATERAL (
        SELECT announced_on FROM listings
        WHERE category = followed.category AND verified_at IS NOT NULL
          AND extract(isodow FROM announced_on) < 6 AND announced_on <> ALL(:skipped)
        ORDER BY announced_on DESC LIMIT 1) AS confirmed ON true
    """
)


async def report(session: AsyncSession, configured: Sequence[str], now: datetime) -> Report:
    """How the categories of the settings and of users' channels stand at an instant.

    The session must not have asked anything before: everything is of one moment.
    """
    await hold_moment(session)
    followed = await channels.followed_categories(session, configured)
    today = calendar.batch_date(now)
    days = calendar.batch_days(min(today - LOOK_BACK, calendar.latest_batch(today)), today)
    ends = {row.category: row for row in await session.execute(_ENDS, {"categories": followed, "skipped": _SKIPPED})}
    recent = await _recent(session, followed, days[0], days[-1])
    coverages = await harvests.find_coverages(session, map(oai.set_of, followed))
    rests = await door.list_rests(session, now)
    items, alerts = [], [*_resting(rests, followed)]
    for category in followed:
        coverage = coverages.get(oai.set_of(category))
        item = _freshness(category, ends[category], recent[category], days, coverage, rests, now)
        items.append(item)
        alerts += _alerts(item, recent[category], days, ends[category].first_read_at, now)
    return Report(items, alerts)


_SHOWN: Final = (
    Listing.state,
    Listing.source,
    Listing.reason,
    Listing.verified_at,
    Listing.ingestion_id,
    Listing.last_read_at,
)


async def _recent(
    session: AsyncSession, categories: Sequence[str], from_: date, to: date
) -> dict[str, dict[date, Listing]]:
    query = (
        select(Listing)
        .options(load_only(*_SHOWN))
        .where(Listing.category.in_(categories), Listing.announced_on.between(from_, to))
    )
    found: dict[str, dict[date, Listing]] = defaultdict(dict)
    for row in await session.scalars(query):
        found[row.category][row.announced_on] = row
    return found


def _freshness(
    category: str,
    ends: Row[Any],
    recent: Mapping[date, Listing],
    days: Sequence[date],
    coverage: Coverage | None,
    rests: Sequence[Rest],
    now: datetime,
) -> Freshness:
    due = days[-1]
    row = recent.get(due)
    rest = max(_of_feed(rests, category), key=lambda one: one.until, default=None)
    # What OAI-PMH alone told of was not read.
    read_at = [one.last_read_at for one in recent.values() if one.ingestion_id is not None]
    read_at += [ends.last_read_at] if ends.last_read_at else []
    # A category that was never read is unread since the batch that is due.
    since = min(ends.first_batch or due, due)
    return Freshness(
        category=category,
        last_batch=ends.last_batch,
        age=calendar.age(ends.last_batch, now) if ends.last_batch else None,
        due_batch=due,
        state=ListingState(row.state) if row else ListingState.NOT_YET,
        reason=_reason(due, row, now),
        complete=_is_confirmed(row),
        last_complete=ends.last_complete,
        unsettled=tuple(
            _unsettled(day, recent.get(day), now) for day in days if day >= since and not _is_confirmed(recent.get(day))
        ),
        last_read_at=max(read_at, default=None),
        resting_until=rest.until if rest else None,
        resting_reason=rest.reason if rest else None,
        harvested_at=coverage.harvested_at if coverage else None,
        covered_before=coverage.covered_before if coverage else None,
    )


def _of_feed(rests: Iterable[Rest], category: str) -> list[Rest]:
    return [rest for rest in rests if rest.key in (Source.FEED, f"{Source.FEED}:{category}")]


def _is_confirmed(row: Listing | None) -> bool:
    return row is not None and row.verified_at is not None


def _unsettled(day: date, row: Listing | None, now: datetime) -> Unsettled:
    state = ListingState(row.state) if row else ListingState.NOT_YET
    return Unsettled(day, state, _reason(day, row, now) or "OAI-PMH has not confirmed it yet.")


def _reason(day: date, row: Listing | None, now: datetime) -> str | None:
    if row is not None and (row.reason or row.state != ListingState.NOT_YET):
        return row.reason
    return _why_unread(day, now)


def _why_unread(day: date, now: datetime) -> str:
    if day >= calendar.batch_date(now):
        return "No listing of this day was read yet."
    return "No listing of this day was read, and arXiv's feed has only the newest; a harvest over OAI-PMH can tell."


def _alerts(
    item: Freshness,
    recent: Mapping[date, Listing],
    days: Sequence[date],
    first_read_at: datetime | None,
    now: datetime,
) -> Iterable[Alert]:
    """What is the matter with one category; confirmed days never are, however few papers they have."""
    category, due, today = item.category, item.due_batch, calendar.batch_date(now)
    # Of a category that was never read, a batch of days ago was nobody's to read.
    was_read = first_read_at is not None
    if item.state == ListingState.STALE and not item.complete:
        yield Alert(AlertKind.STALE, category, f"{category}: the listing of {due} is stale. {item.reason}")
    elif item.state not in READ and not item.complete and _is_late(due, now) and (was_read or due == today):
        because = f" {item.reason}" if item.reason else ""
        yield Alert(
            AlertKind.LATE,
            category,
            f"{category}: no papers of {due} by {LATE:%H:%M} US Eastern; the listing is {item.state}.{because}",
        )
    ended = [day for day in days if _is_late(day, now)][-2:]
    if len(ended) == 2 and all(_is_empty(recent.get(day)) for day in ended):
        yield Alert(
            AlertKind.EMPTY,
            category,
            f"{category}: the listings of {ended[0]} and {ended[1]}, two batch days in a row, are empty.",
        )
    if item.covered_before is None:
        if first_read_at is not None and now - first_read_at > OVERDUE:
            yield Alert(
                AlertKind.UNHARVESTED,
                category,
                f"{category}: it was never harvested over OAI-PMH, so that none of its days is confirmed.",
            )
    elif now - datetime.combine(item.covered_before, time(), UTC) > OVERDUE:
        yield Alert(
            AlertKind.UNHARVESTED,
            category,
            f"{category}: OAI-PMH was last harvested up to {item.covered_before} (UTC), more than 36 hours ago.",
        )


def _is_late(day: date, now: datetime) -> bool:
    return now >= datetime.combine(day, LATE, calendar.EASTERN)


def _is_empty(row: Listing | None) -> bool:
    """Whether a feed was read and had nothing in it; a row that OAI-PMH alone made says nothing of the feed."""
    if row is None or _is_confirmed(row):
        return False
    return row.state == ListingState.EMPTY or (row.state == ListingState.NOT_YET and row.source != OAI)


def _resting(rests: Sequence[Rest], followed: Sequence[str]) -> Iterable[Alert]:
    """An alert for each source that rests, or part of one, with the followed category that it is about."""
    about = {f"{Source.FEED}:{category}": category for category in followed}
    about |= {f"{Source.OAI}:{oai.set_of(category)}": category for category in followed}
    for rest in rests:
        yield Alert(AlertKind.RESTING, about.get(rest.key), door.describe(rest))
