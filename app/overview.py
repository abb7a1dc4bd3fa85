"""What a person who opens the service wants to see first: the channels and how each stands, and one channel's digests by day.

The queries of the reading pages. Days are batch dates, US Eastern. Drafts (digests without a revision) are never shown.
"""

import re
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from app import door, summaries
from app.arxiv import calendar, taxonomy
from app.channels import Rules, followed_categories, get_channel, rules_of
from app.models import ListingState
from app.summaries import Backlog

DIGESTS_A_PAGE: Final = 20
"""Digests in a channel's list before it goes on on another page."""

UNREAD: Final = "unread"
"""The state of a listing that is due and of which nothing is known, as in a receipt's ``incomplete``."""

NO_BATCH: Final = "no_batch"
"""The state of a day on which arXiv announces nothing: a weekend or a holiday."""

COMING: Final = "coming"
"""The state of a batch that is not due yet."""

_WORST_FIRST: Final = (
    ListingState.FAILED,
    ListingState.STALE,
    ListingState.TRUNCATED,
    UNREAD,
    ListingState.NOT_YET,
    ListingState.ANNOUNCED,
    ListingState.EMPTY,
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A digest as a list shows it, in its newest revision; ``incomplete`` counts the listings that were not read whole."""

    id: str
    title: str
    period_from: date
    period_to: date
    language: str
    revision: int
    announced: int
    summarized: int
    pending: int
    failed: int
    missing: int
    incomplete: int

    @property
    def papers(self) -> int:
        """How many papers it shows."""
        return self.summarized + self.pending + self.failed


@dataclass(frozen=True, slots=True)
class Standing:
    """The listing of a category on a day: its state (of ``ListingState``, or ``unread``), the papers that it named, and why
    it is not whole (in English, as the service keeps it).
    """

    category: str
    state: str
    papers: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Followed:
    """A channel whose listings are read: its newest digest, if it has one, and how the listings that are due stand."""

    slug: str
    title: str
    newest: Shown | None
    standings: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class HomePage:
    """Every followed channel. ``due`` is the newest batch day that is due; ``resting`` are sentences about sources of arXiv
    that are left alone for a while; ``categories`` are those of the settings; ``is_new`` tells that nothing was read yet.
    """

    today: date
    due: date
    next: calendar.Announcement
    channels: tuple[Followed, ...]
    backlog: Backlog
    resting: tuple[str, ...]
    categories: tuple[str, ...]
    is_new: bool


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a channel: the digest that ends on it, or else the state of the listings and how many papers they named."""

    day: date
    state: str
    papers: int = 0
    digest: Shown | None = None


@dataclass(frozen=True, slots=True)
class ChannelPage:
    """A channel, what it takes, and its digests: a page of the list, ``older`` being the cursor of the next one, and the days
    of a month.

    ``month`` is the month's first day. ``is_followed`` tells whether the listings that the channel takes are read each day.
    """

    slug: str
    title: str
    language: str | None
    schedule: str
    weekday: int
    rules: Rules
    is_followed: bool
    today: date
    digests: tuple[Shown, ...]
    older: str | None
    month: date
    days: tuple[Day, ...]


_CURSOR: Final = re.compile(r"(\d{4}-\d{2}-\d{2})_(\d{1,18})", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True)
class Before:
    """Where a page of a channel's list begins: after the digest with this end of its period and this position."""

    period_to: date
    position: int

    @classmethod
    def parse(cls, cursor: str) -> "Before":
        """Read ``2026-01-13_42``; ``ValueError`` for anything else."""
        match = _CURSOR(cursor)
        if match is None:
            raise ValueError(f"{cursor[:40]!r} is no place in a list of digests")
        return cls(date.fromisoformat(match[1]), int(match[2]))


_DIGEST: Final = """
    digest.id, digest.title, digest.period_from, digest.period_to, digest.language, digest.revision, digest.position,
    revision.receipt
"""

_JOINED: Final = """
    digests AS digest JOIN digest_revisions AS revision
      ON revision.digest_id = digest.id AND revision.revision = digest.revision AND digest.revision > 0
"""

_FOLLOWED: Final = text(
    f"""
    SELECT channel.slug, channel.title AS channel_title, channel.categories, newest.*
    FROM channels AS channel LEFT JOIN LATERAL (
        SELECT {_DIGEST} FROM {_JOINED}
        WHERE digest.channel = channel.slug
        ORDER BY digest.period_to DESC, digest.language LIKE ANY(:spoken) DESC, digest.position DESC LIMIT 1
    ) AS newest ON true
    WHERE NOT channel.builtin OR channel.slug = ANY(:configured)
    ORDER BY channel.builtin, channel.slug COLLATE "C"
    """  # noqa: S608 — both parts are written above
)

_LISTINGS: Final = text(
    """
    SELECT category, announced_on, state, reason, (SELECT count(*) FROM jsonb_object_keys(announced)) AS papers
    FROM listings WHERE announced_on BETWEEN :from AND :to AND category = ANY(:names)
    """
)


async def home(session: AsyncSession, configured: Sequence[str], now: datetime, spoken: Sequence[str]) -> HomePage:
    """How everything that is followed stands: the categories of the settings (``configured``) and the channels of users.

    ``spoken`` are the reader's languages as patterns of SQL's LIKE: of two digests of a period the one in them is taken.
    """
    today = calendar.batch_date(now)
    due = calendar.latest_batch(today)
    rows = (await session.execute(_FOLLOWED, {"spoken": list(spoken), "configured": list(configured)})).all()
    names = {name for row in rows for category in row.categories for name in taxonomy.names_or_same(category)}
    known = await _listings(session, names, due, due)
    return HomePage(
        today=today,
        due=due,
        next=calendar.next_announcement(now),
        channels=tuple(
            Followed(
                row.slug,
                row.channel_title,
                _shown(row) if row.id is not None else None,
                tuple(
                    _in_time(standing, due, today)
                    for category in row.categories
                    for standing in _standings(category, known.get(due, {}))
                ),
            )
            for row in rows
        ),
        backlog=await summaries.backlog(session),
        resting=tuple(door.describe(rest) for rest in await door.list_rests(session, now)),
        categories=tuple(configured),
        is_new=not known and not any(row.id is not None for row in rows),
    )


_LISTED: Final = text(
    f"""
    SELECT {_DIGEST} FROM {_JOINED}
    WHERE digest.channel = :slug AND digest.period_to IS NOT NULL
      AND (CAST(:day AS date) IS NULL OR (digest.period_to, digest.position) < (CAST(:day AS date), CAST(:position AS bigint)))
    ORDER BY digest.period_to DESC, digest.position DESC LIMIT :limit
    """  # noqa: S608
)

_OF_MONTH: Final = text(
    f"""
    SELECT DISTINCT ON (digest.period_to) {_DIGEST} FROM {_JOINED}
    WHERE digest.channel = :slug AND digest.period_to BETWEEN :from AND :to
    ORDER BY digest.period_to, digest.period_from DESC, digest.language LIKE ANY(:spoken) DESC, digest.position DESC
    """  # noqa: S608
)


async def channel(
    session: AsyncSession,
    slug: str,
    configured: Sequence[str],
    now: datetime,
    spoken: Sequence[str],
    *,
    before: Before | None = None,
    month: date | None = None,
) -> ChannelPage:
    """A channel's digests, the newest period first, and a month of them: the one asked for, or that of the first digest shown.

    ``NotFound`` for a channel that does not exist.
    """
    row = await get_channel(session, slug)
    rules = rules_of(row)
    today = calendar.batch_date(now)
    followed = await followed_categories(session, configured)
    parameters = {
        "slug": row.slug,
        "day": before.period_to if before else None,
        "position": before.position if before else None,
        "limit": DIGESTS_A_PAGE + 1,
    }
    found = (await session.execute(_LISTED, parameters)).all()
    last = found[DIGESTS_A_PAGE - 1] if len(found) > DIGESTS_A_PAGE else None
    first = (month or (found[0].period_to if found else today)).replace(day=1)
    return ChannelPage(
        slug=row.slug,
        title=row.title,
        language=row.language,
        schedule=row.schedule,
        weekday=row.weekday,
        rules=rules,
        is_followed=not row.builtin or row.slug in followed,
        today=today,
        digests=tuple(map(_shown, found[:DIGESTS_A_PAGE])),
        older=f"{last.period_to}_{last.position}" if last else None,
        month=first,
        days=await _month(session, row.slug, rules, first, today, spoken),
    )


async def _month(
    session: AsyncSession, slug: str, rules: Rules, first: date, today: date, spoken: Sequence[str]
) -> tuple[Day, ...]:
    last = first.replace(day=monthrange(first.year, first.month)[1])
    parameters = {"slug": slug, "from": first, "to": last, "spoken": list(spoken)}
    digests = {one.period_to: _shown(one) for one in await session.execute(_OF_MONTH, parameters)}
    known = await _listings(session, rules.listing_names, first, last)
    days = (first + timedelta(days=number) for number in range(last.day))
    return tuple(_day(day, today, rules.categories, known.get(day, {}), digests.get(day)) for day in days)


def _day(day: date, today: date, categories: Sequence[str], known: Mapping[str, Standing], digest: Shown | None) -> Day:
    standings = [_in_time(standing, day, today) for category in categories for standing in _standings(category, known)]
    papers = sum(standing.papers for standing in standings)
    # What arXiv's old feeds named on a Sunday counts; that a weekend's feed is empty is no news.
    if not calendar.is_batch_day(day) and not papers and digest is None:
        return Day(day, NO_BATCH)
    if day > today and digest is None:
        return Day(day, COMING)
    return Day(day, min((one.state for one in standings), key=_WORST_FIRST.index), papers, digest)


def _in_time(standing: Standing, day: date, today: date) -> Standing:
    """Today's listing is not unread yet: the day is not over."""
    return replace(standing, state=ListingState.NOT_YET) if standing.state == UNREAD and day >= today else standing


async def _listings(
    session: AsyncSession, names: Iterable[str], from_: date, to: date
) -> dict[date, dict[str, Standing]]:
    """What is known of these categories' listings, by day and category."""
    found: dict[date, dict[str, Standing]] = {}
    parameters = {"from": from_, "to": to, "names": sorted(names)}
    for row in await session.execute(_LISTINGS, parameters):
        found.setdefault(row.announced_on, {})[row.category] = Standing(row.category, row.state, row.papers, row.reason)
    return found


def _standings(category: str, known: Mapping[str, Standing]) -> list[Standing]:
    """How a category stands; an archive whose own listing is not read stands as those of its categories that are."""
    if category in known:
        return [known[category]]
    others = sorted(taxonomy.names_or_same(category) & known.keys())
    return [known[name] for name in others] or [Standing(category, UNREAD)]


def _shown(row: Row[Any]) -> Shown:
    receipt = row.receipt
    return Shown(
        id=row.id,
        title=row.title,
        period_from=row.period_from,
        period_to=row.period_to,
        language=row.language,
        revision=row.revision,
        announced=receipt["announced"],
        summarized=receipt["summarized"],
        pending=receipt["pending"],
        failed=receipt["failed"],
        missing=len(receipt["missing"]),
        incomplete=len(receipt.get("incomplete", ())),
    )
