"""What a period brought, over all categories and for each: is everything that arXiv announced stored and summarised?

``announced`` is what listings named, and everything is measured against it: announced = stored + missing, and in each
language stored = summarized + pending + failed + unrequested. A day whose listing was not read is named, because it would
otherwise count as a quiet one.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from app import channels, papers
from app.arxiv import calendar, taxonomy
from app.db import hold_moment
from app.listings import READ, STRENGTH
from app.models import ListingState

MAX_NAMED: Final = 1_000
"""Missing papers that are named; all of them are counted."""

DEFAULT_BATCHES: Final = 7
"""How far a period goes back that is given no begin."""

_FIRST: Final = date(1991, 8, 14)
"""arXiv's first day: no batch is due before."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Batch days in a row, from one to another, whose listing was not read."""

    from_: date
    to: date
    days: int


@dataclass(slots=True)
class Days:
    """The batch days of a period that are due: all of them, those confirmed by OAI-PMH, and those without a listing.

    Over several categories a day is complete if it is in each of them, and unread if it is in any.
    """

    due: int = 0
    complete: int = 0
    unread: int = 0
    gaps: list[Gap] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SummaryCounts:
    """How the papers that are stored stand in one language, as a digest would show them now."""

    summarized: int = 0
    pending: int = 0
    failed: int = 0
    unrequested: int = 0


@dataclass(slots=True)
class Figures:
    """The numbers of one category, or of all together, where a paper that is in several counts once.

    ``by_type`` has each paper's strongest type. ``announcements`` are rows, by the source that told of them. ``listings``
    are all of the period, whatever day they are of, by state.
    """

    announced: int = 0
    by_type: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_TYPES, 0))
    stored: int = 0
    missing: int = 0
    missing_ids: list[str] = field(default_factory=list)
    withdrawn: int = 0
    summaries: dict[str, SummaryCounts] = field(default_factory=dict)
    announcements: dict[str, int] = field(default_factory=lambda: {"feed": 0, "oai": 0})
    listings: dict[str, int] = field(default_factory=lambda: {str(state): 0 for state in ListingState})
    days: Days = field(default_factory=Days)


@dataclass(frozen=True, slots=True)
class Statistics:
    """The figures of a period."""

    from_: date
    to: date
    totals: Figures
    categories: dict[str, Figures]


_TYPES: Final[list[str]] = [str(kind) for kind in sorted(STRENGTH, key=lambda kind: STRENGTH[kind], reverse=True)]


def period(from_: date | None, to: date | None, today: date) -> tuple[date, date]:
    """The period that is meant: until today without an end, of the newest batches without a begin.

    ``InvalidInput`` if it ends before it begins.
    """
    papers.check_period(from_, to)
    to = to or max(from_ or today, today)
    return from_ or _batches_back(min(to, today)), to


def _batches_back(day: date) -> date:
    if day < _FIRST:
        return day
    day = calendar.latest_batch(day)
    for _ in range(DEFAULT_BATCHES - 1):
        day = calendar.latest_batch(date.fromordinal(day.toordinal() - 1))
    return day


async def gather(
    session: AsyncSession,
    from_: date,
    to: date,
    *,
    category: str | None,
    languages: Sequence[str],
    configured: Sequence[str],
    today: date,
) -> Statistics:
    """The figures of a period, both days included, for the batches that are due ``today``.

    Of a category, or of each of an archive's; without one, of those that are followed (by the settings, ``configured``, or by
    users' channels) and those with a listing. The session must not have asked anything before: all figures are of one moment.
    """
    await hold_moment(session)
    followed = await channels.followed_categories(session, configured)
    wanted = taxonomy.names(category) if category is not None else None
    scope = {"from_": from_, "to": to, "names": sorted(wanted) if wanted is not None else None}
    listed = (await session.execute(_LISTED, scope)).all()
    names = {row.category for row in listed} | {name for name in followed if wanted is None or name in wanted}
    if not names and category is not None:
        names = {category}
    found = {name: _no_figures(languages) for name in sorted(names)}
    totals = _no_figures(languages)
    due = calendar.batch_days(max(from_, _FIRST), min(to, today))
    # In a thread, so that others have their turn: the days of all categories over all years take tenths of a second.
    await asyncio.to_thread(_count_days, listed, due, found, totals)
    scope = {"from_": from_, "to": to, "categories": list(found)}
    await _count_papers(session, scope, languages, found, totals)
    for name, source, count in await session.execute(_ANNOUNCEMENTS, scope):
        for figures in (found[name], totals):
            figures.announcements[source] = figures.announcements.get(source, 0) + count
    return Statistics(from_, to, totals, found)


def _no_figures(languages: Sequence[str]) -> Figures:
    return Figures(summaries=dict.fromkeys(languages, SummaryCounts()))


_LISTED = text(
    """
    SELECT category, state, verified_at IS NOT NULL AS is_verified, array_agg(announced_on) AS days
    FROM listings
    WHERE announced_on BETWEEN :from_ AND :to AND (CAST(:names AS text[]) IS NULL OR category = ANY(:names))
    GROUP BY category, state, is_verified
    """
)
_ANNOUNCEMENTS = text(
    """
    SELECT category, source, count(*) FROM announcements
    WHERE category = ANY(:categories) AND announced_on BETWEEN :from_ AND :to
    GROUP BY category, source
    """
)


def _count_days(listed: Sequence[Row[Any]], due: Sequence[date], found: Mapping[str, Figures], totals: Figures) -> None:
    place = {day: number for number, day in enumerate(due)}
    read: dict[str, set[int]] = defaultdict(set)
    complete: dict[str, set[int]] = defaultdict(set)
    for row in listed:
        for figures in (found[row.category], totals):
            figures.listings[row.state] += len(row.days)
        places = {place[day] for day in row.days if day in place}
        if row.is_verified:
            complete[row.category] |= places
        if row.is_verified or row.state in (*READ, ListingState.EMPTY):
            read[row.category] |= places
    for category, figures in found.items():
        figures.days = _days(due, read[category], complete[category])
    totals.days = _days(due, _in_each(read, found), _in_each(complete, found))


def _in_each(places: Mapping[str, set[int]], categories: Collection[str]) -> set[int]:
    counted = Counter(place for category in categories for place in places[category])
    return {place for place, count in counted.items() if count == len(categories)}


def _days(due: Sequence[date], read: set[int], complete: set[int]) -> Days:
    gaps = []
    last = -1
    for place in [*sorted(read), len(due)]:
        if place > last + 1:
            gaps.append(Gap(due[last + 1], due[place - 1], place - last - 1))
        last = place
    return Days(len(due), len(complete), len(due) - len(read), gaps)


# The papers are gathered in tables that end with the transaction, because the planner must know how many they are: of what
# comes out of JSON it expects 200, and would look up half a million of them one by one.
_NAME = text(
    """
    CREATE TEMPORARY TABLE named ON COMMIT DROP AS
    SELECT listing.category, entry.key AS arxiv_id, min(array_position(CAST(:types AS text[]), entry.value)) AS type
    FROM listings AS listing CROSS JOIN LATERAL jsonb_each_text(listing.announced) AS entry
    WHERE listing.category = ANY(:categories) AND listing.announced_on BETWEEN :from_ AND :to
    GROUP BY listing.category, entry.key
    """
)

# A summary counts as in a digest (``summaries.current``): done before not done, one that is not done only if it is of the
# present text, and of several of those the better origin and the later. Whether a done one is stale changes nothing here.
_KNOW = text(
    """
    CREATE TEMPORARY TABLE known ON COMMIT DROP AS
    WITH announced AS MATERIALIZED (
        SELECT one.arxiv_id, one.type, paper.arxiv_id IS NOT NULL AS stored, paper.withdrawn, paper.abstract_hash,
               coalesce(paper.version, 1) AS version
        FROM (SELECT arxiv_id, min(type) AS type FROM named GROUP BY arxiv_id) AS one
        LEFT JOIN papers AS paper USING (arxiv_id)
    ), best AS (
        SELECT DISTINCT ON (summary.arxiv_id, wanted.language) summary.arxiv_id, wanted.language, summary.status
        FROM announced AS paper
        JOIN summaries AS summary USING (arxiv_id)
        JOIN unnest(CAST(:languages AS text[])) AS wanted(language)
          ON summary.language = wanted.language
          OR split_part(wanted.language, '-', 1) = 'en' AND summary.tldr_en IS NOT NULL
        WHERE summary.released_at IS NULL
          AND (summary.status = 'done' OR summary.abstract_hash = paper.abstract_hash
               OR coalesce(summary.paper_version, 1) = paper.version)
        ORDER BY summary.arxiv_id, wanted.language, summary.status = 'done' DESC, summary.language = wanted.language DESC,
                 summary.tldr IS NOT NULL DESC,
                 array_position(ARRAY['human', 'llm', 'imported', 'extractive'], summary.origin),
                 summary.made_at DESC, summary.id DESC
    ), told AS (
        SELECT arxiv_id, string_agg(language || ' ' || status, ',' ORDER BY language) AS standings FROM best GROUP BY arxiv_id
    )
    SELECT arxiv_id, type, stored, withdrawn, standings FROM announced LEFT JOIN told USING (arxiv_id)
    """
)
# Papers that are alike are counted together, of whatever language: to count each number by itself takes three times as long.
_COUNT = text(
    """
    SELECT category, named.type, stored, withdrawn, standings, count(*) FROM named JOIN known USING (arxiv_id)
    GROUP BY category, named.type, stored, withdrawn, standings
    UNION ALL
    SELECT NULL, type, stored, withdrawn, standings, count(*) FROM known GROUP BY type, stored, withdrawn, standings
    """
)
_MISSING = text(
    """
    SELECT category, (array_agg(arxiv_id ORDER BY arxiv_id))[1 : CAST(:most AS int)] AS arxiv_ids
    FROM (SELECT category, arxiv_id FROM named UNION ALL SELECT DISTINCT NULL, arxiv_id FROM named) AS counted
    WHERE arxiv_id IN (SELECT arxiv_id FROM known WHERE NOT stored)
    GROUP BY category
    """
)


async def _count_papers(
    session: AsyncSession,
    scope: Mapping[str, Any],
    languages: Sequence[str],
    found: Mapping[str, Figures],
    totals: Figures,
) -> None:
    await session.execute(_NAME, {**scope, "types": _TYPES})
    await session.execute(text("ANALYZE named"))
    await session.execute(_KNOW, {"languages": list(languages)})
    standing: Counter[tuple[str | None, str, str]] = Counter()
    for category, type_, stored, withdrawn, standings, count in await session.execute(_COUNT):
        figures = totals if category is None else found[category]
        figures.announced += count
        figures.by_type[_TYPES[type_ - 1]] += count
        figures.stored += count if stored else 0
        figures.withdrawn += count if withdrawn else 0
        for told in standings.split(",") if standings else ():
            language, status = told.split(" ")
            standing[category, language, status] += count
    for category, figures in (*found.items(), (None, totals)):
        figures.missing = figures.announced - figures.stored
        for language in languages:
            done, waiting, running, failed = (
                standing[category, language, status] for status in ("done", "pending", "running", "failed")
            )
            figures.summaries[language] = SummaryCounts(
                done, waiting + running, failed, figures.stored - done - waiting - running - failed
            )
    if totals.missing:
        for category, arxiv_ids in await session.execute(_MISSING, {"most": MAX_NAMED}):
            figures = totals if category is None else found[category]
            figures.missing_ids = arxiv_ids
