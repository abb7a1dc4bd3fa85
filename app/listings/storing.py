"""Storing what a document says: whole in one transaction, or not at all."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app import papers
from app.arxiv import calendar, taxonomy
from app.arxiv.entries import AnnounceType, Entry, Feed, Version
from app.arxiv.texts import says_withdrawn
from app.db import among, copy_rows
from app.listings.announcing import announcements_of, strongest
from app.listings.finding import JOINED, READ
from app.listings.judging import judge
from app.models import Listing, ListingState, Paper
from app.papers import PaperRecord, names_listed


@dataclass(frozen=True, slots=True)
class Stored:
    """What storing a listing did."""

    category: str
    announced_on: date
    state: ListingState
    reason: str | None
    items: int
    papers_created: int
    papers_changed: int
    announcements_created: int
    types_corrected: int
    arxiv_ids: list[str] = field(repr=False)

    def counts(self) -> dict[str, int]:
        """The numbers, as a run keeps them."""
        return {
            "items": self.items,
            "papers_created": self.papers_created,
            "papers_changed": self.papers_changed,
            "announcements_created": self.announcements_created,
            "types_corrected": self.types_corrected,
        }


async def store(
    session: AsyncSession, feed: Feed, category: str, named: Sequence[str], run_id: int, source: str, now: datetime
) -> Stored:
    """Store a checked feed: papers with their raw entries, announcements, listings. The second time changes nothing.

    Of a stale batch nothing is stored but the state of its listing: its papers were announced on another day.
    """
    categories_before = await _categories_before(session, feed, named)
    rows = {name: announcements_of(feed, name, named, categories_before) for name in named}
    states = {name: await judge(session, feed, name, rows[name], now) for name in named}
    kept = [row for name in named if states[name][0] in READ for row in rows[name]]
    listed = {row["arxiv_id"] for row in kept}
    entries = [entry for entry in feed.entries if entry.arxiv_id in listed]
    upserted = await papers.upsert(session, _records(entries, feed.format, kept, named))
    created = await _announce(session, kept, upserted.created)
    for name in named:
        state, reason = states[name]
        by_day: dict[date, dict[str, str]] = {feed.announced_on: {}}
        for row in rows[name] if state in READ else ():
            by_day.setdefault(row["announced_on"], {})[row["arxiv_id"]] = row["announce_type"]
        for day, on_day in sorted(by_day.items()):
            # Before 26 August 2024 a document could hold more than one day, and of the latest nothing.
            day_state = state if on_day or state not in READ else ListingState.EMPTY
            if day_state == ListingState.ANNOUNCED:
                versions = [f"{row['arxiv_id']}v{row['version']}" for row in rows[name]]
                await session.execute(_UNLIST_DOUBTED, {"category": name, "day": day, "listed": versions})
            if day_state == ListingState.ANNOUNCED:
                joined = [row["arxiv_id"] for row in rows[name] if row["joined_earlier"]]
                await _doubt_before(session, name, day, joined, now)
            doubted = [row["arxiv_id"] for row in rows[name] if row["doubted"] and row["announced_on"] == day]
            await _store_listing(session, name, day, day_state, reason, on_day, doubted, run_id, source, now)
    await _doubt_elsewhere(session, entries, categories_before, named, now)
    state, reason = states[category]
    return Stored(
        category=category,
        announced_on=feed.announced_on,
        state=state,
        reason=reason,
        items=len(feed.entries),
        papers_created=len(upserted.created),
        papers_changed=len(upserted.changed),
        announcements_created=created,
        types_corrected=sum(row["corrected"] for row in kept),
        arxiv_ids=sorted(listed),
    )


def _records(
    entries: Sequence[Entry], format_: str, rows: Sequence[dict[str, Any]], named: Sequence[str]
) -> list[PaperRecord]:
    newest: dict[str, Entry] = {}
    for entry in entries:
        known = newest.get(entry.arxiv_id)
        if known is None or (entry.version or 0) > (known.version or 0):
            newest[entry.arxiv_id] = entry
    types: dict[str, list[str]] = {}
    for row in rows:
        types.setdefault(row["arxiv_id"], []).append(row["announce_type"])
    return [_record(entry, format_, types[entry.arxiv_id], named) for entry in newest.values()]


def _record(entry: Entry, format_: str, types: Sequence[str], named: Sequence[str]) -> PaperRecord:
    kind = strongest(types)
    first = kind == AnnounceType.NEW or (kind == AnnounceType.CROSS and entry.version == 1)
    listed_in = names_listed(entry.categories)
    if all(taxonomy.names_or_same(name).isdisjoint(listed_in) for name in named):
        # The legacy format names the primary category only, so that the listing itself is what is known of the others.
        listed_in = tuple(sorted({*listed_in, *named}))
    return PaperRecord(
        arxiv_id=entry.arxiv_id,
        version=entry.version,
        title=entry.title,
        abstract=entry.abstract,
        authors=entry.authors,
        authors_omitted=entry.authors_omitted,
        primary_category=entry.primary_category,
        categories=entry.categories,
        categories_are_partial=format_ == "rss1",
        listed_in=listed_in,
        license=entry.license,
        doi=entry.doi,
        journal_ref=entry.journal_ref,
        versions=(Version(entry.version),) if entry.version else (),
        withdrawn=True if (entry.version or 0) > 1 and says_withdrawn(entry.abstract) else None,
        first_announced_on=entry.announced_on if first else None,
        text_as_of=entry.announced_on,
        format=format_,
        raw=entry.raw,
    )


_DOUBT_BEFORE = text(
    """
    INSERT INTO listings AS old (category, announced_on, state, source, doubts, first_read_at, last_read_at)
    SELECT :category, day, 'not_yet', 'oai', CAST(:doubts AS jsonb), :now, :now FROM unnest(CAST(:days AS date[])) AS day
    ON CONFLICT (category, announced_on) DO UPDATE SET doubts = old.doubts || excluded.doubts
    WHERE old.verified_at IS NULL AND (old.state <> 'announced' OR old.source = 'oai')
    """
)


async def _doubt_before(
    session: AsyncSession, category: str, day: date, arxiv_ids: Sequence[str], now: datetime
) -> None:
    """Papers that are replaced in a category which they were not known to have joined it on a day that was not read."""
    if not arxiv_ids:
        return
    first = await session.scalar(select(func.min(Listing.announced_on)).where(Listing.category == category))
    since = max(first or day, day - timedelta(days=14))
    days = calendar.batch_days(since, day - timedelta(days=1))
    doubts = json.dumps({arxiv_id: [] for arxiv_id in arxiv_ids})
    await session.execute(_DOUBT_BEFORE, {"category": category, "days": days, "doubts": doubts, "now": now})


_DOUBT_ELSEWHERE = text(
    """
    INSERT INTO listings AS old (category, announced_on, state, source, doubts, first_read_at, last_read_at)
    SELECT category, announced_on, 'not_yet', 'oai', jsonb_object_agg(arxiv_id, jsonb_build_array(CAST(:joined AS text))),
        :now, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS row(category text, announced_on date, arxiv_id text)
    WHERE category IN (SELECT category FROM listings)
    GROUP BY category, announced_on
    ON CONFLICT (category, announced_on) DO UPDATE SET doubts = old.doubts || excluded.doubts
    WHERE old.verified_at IS NULL AND (old.state <> 'announced' OR old.source = 'oai')
    """
)


async def _doubt_elsewhere(
    session: AsyncSession,
    entries: Sequence[Entry],
    before: dict[str, tuple[int, frozenset[str]]],
    named: Sequence[str],
    now: datetime,
) -> None:
    """Papers whose new version brought them into other categories: there they are cross-listed, not replaced.

    From now on the paper is known with them, so that a harvest could not tell any more.
    """
    rows = [
        {"category": name, "announced_on": entry.announced_on, "arxiv_id": entry.arxiv_id}
        for entry in entries
        if entry.arxiv_id in before
        for name in set(names_listed(entry.categories)) - before[entry.arxiv_id][1] - set(named)
    ]
    if rows:
        parameters = {"rows": json.dumps(rows, default=date.isoformat), "joined": JOINED, "now": now}
        await session.execute(_DOUBT_ELSEWHERE, parameters)


async def _categories_before(
    session: AsyncSession, feed: Feed, named: Sequence[str]
) -> dict[str, tuple[int, frozenset[str]]]:
    """The versions and categories in which the replaced and cross-listed papers of a document were known until now.

    OAI-PMH may have shown the paper as it is now on the evening before; what it was then is kept as a doubt.
    """
    asked = [entry.arxiv_id for entry in feed.entries if (entry.version or 0) > 1]
    columns = (Paper.arxiv_id, Paper.version, Paper.listed_in)
    known = await session.execute(select(*columns).where(among(Paper.arxiv_id, asked), ~Paper.categories_are_partial))
    before = {arxiv_id: (version or 0, frozenset(listed_in)) for arxiv_id, version, listed_in in known}
    if len(named) == 1:
        listing = await session.get(Listing, (named[0], feed.announced_on))
        joined = [arxiv_id for arxiv_id, kept in listing.doubts.items() if JOINED in kept] if listing else []
        before |= {arxiv_id: (0, frozenset()) for arxiv_id in joined}
    return before


_ANNOUNCED = ("arxiv_id", "version", "category", "announced_on", "announce_type")


async def _announce(session: AsyncSession, rows: Sequence[dict[str, Any]], created: frozenset[str]) -> int:
    """Store announcements that are not stored yet; those of papers that are new cannot be."""
    fresh = [tuple(row[name] for name in _ANNOUNCED) for row in rows if row["arxiv_id"] in created]
    if fresh:
        await copy_rows(session, "announcements", _ANNOUNCED, fresh)
    others = [{name: row[name] for name in _ANNOUNCED} for row in rows if row["arxiv_id"] not in created]
    if not others:
        return len(fresh)
    parameters = {"rows": json.dumps(others, default=date.isoformat)}
    await session.execute(_UNLIST_ELSEWHERE, parameters)
    inserted: list[int] = list(await session.scalars(_ANNOUNCE, parameters))
    return len(fresh) + sum(inserted)


_ANNOUNCE = text(
    """
    INSERT INTO announcements (arxiv_id, version, category, announced_on, announce_type)
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS row(arxiv_id text, version int, category text, announced_on date, announce_type text)
    ORDER BY arxiv_id, category
    ON CONFLICT (arxiv_id, version, category, announced_on) DO UPDATE
        SET source = 'feed', announce_type = excluded.announce_type WHERE announcements.source <> 'feed'
    RETURNING (xmax = 0)::int
    """
)


# A feed says for certain what OAI-PMH lets only conclude: the day and the type of what it lists ...
_UNLIST_ELSEWHERE = text(
    """
    WITH row AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb))
            AS row(arxiv_id text, version int, category text, announced_on date, announce_type text)
    ), gone AS (
        DELETE FROM announcements AS estimate USING row
        WHERE estimate.source = 'oai' AND estimate.arxiv_id = row.arxiv_id AND estimate.version = row.version
          AND estimate.category = row.category AND estimate.announced_on <> row.announced_on
        RETURNING estimate.arxiv_id, estimate.category, estimate.announced_on
    )
    UPDATE listings SET
        verified_at = CASE WHEN announced ?| gone_ids THEN NULL ELSE verified_at END,
        announced = announced - gone_ids,
        doubts = doubts - gone_ids - ARRAY(
            SELECT key FROM jsonb_each(doubts) WHERE value NOT IN ('[]', '["joined"]')
              AND key IN (SELECT arxiv_id FROM row WHERE row.category = listings.category AND row.version = 1))
    FROM (
        SELECT category, announced_on, ARRAY(
            SELECT arxiv_id FROM gone WHERE gone.category = there.category AND gone.announced_on = there.announced_on
        ) AS gone_ids
        FROM listings AS there
        WHERE category IN (SELECT category FROM row)
          AND (doubts ?| ARRAY(SELECT arxiv_id FROM row) OR (category, announced_on) IN (SELECT category, announced_on FROM gone))
    ) AS there
    WHERE listings.category = there.category AND listings.announced_on = there.announced_on
    """
)


# ... and, when it is whole, that what was in doubt and is not in it does not belong there.
_UNLIST_DOUBTED = text(
    """
    WITH gone AS (
        DELETE FROM announcements AS estimate USING listings AS listing
        WHERE listing.category = :category AND listing.announced_on = :day AND listing.doubts ? estimate.arxiv_id
          AND estimate.category = :category AND estimate.announced_on = :day AND estimate.source = 'oai'
          AND estimate.version <= 5 AND NOT estimate.arxiv_id || 'v' || estimate.version = ANY(:listed)
        RETURNING estimate.arxiv_id
    )
    UPDATE listings SET announced = announced - ARRAY(SELECT arxiv_id FROM gone)
    WHERE category = :category AND announced_on = :day
    """
)


# What was announced once stays announced: a later reading that is empty, stale or failed takes nothing away (forerunner's
# bug), and neither does one that contradicts what OAI-PMH has confirmed. A listing that names more than was confirmed must
# be confirmed again.
_STORE_LISTING = text(
    """
    INSERT INTO listings AS old
        (category, announced_on, state, reason, announced, doubts, source, ingestion_id, first_read_at, last_read_at)
    VALUES (:category, :announced_on, :state, :reason, CAST(:announced AS jsonb), CAST(:doubts AS jsonb), :source,
        :ingestion_id, :now, :now)
    ON CONFLICT (category, announced_on) DO UPDATE SET
        (state, reason, source) = (
            SELECT CASE WHEN keep THEN old.state ELSE excluded.state END,
                   CASE WHEN keep THEN old.reason ELSE excluded.reason END,
                   CASE WHEN keep THEN old.source ELSE excluded.source END
            FROM (SELECT excluded.state NOT IN ('announced', 'truncated')
                         AND (old.state IN ('announced', 'truncated') OR old.verified_at IS NOT NULL)
                         OR excluded.state = 'truncated' AND old.state = 'announced' AS keep) AS choice),
        verified_at = CASE WHEN old.announced @> excluded.announced THEN old.verified_at END,
        doubts = CASE WHEN excluded.state = 'announced' THEN excluded.doubts ELSE old.doubts || excluded.doubts END,
        announced = old.announced || excluded.announced, ingestion_id = excluded.ingestion_id,
        last_read_at = excluded.last_read_at
    """
)


async def _store_listing(
    session: AsyncSession,
    category: str,
    announced_on: date,
    state: ListingState,
    reason: str | None,
    announced: dict[str, str],
    doubted: Sequence[str],
    run_id: int,
    source: str,
    now: datetime,
) -> None:
    await session.execute(
        _STORE_LISTING,
        {
            "category": category,
            "announced_on": announced_on,
            "state": state,
            "reason": reason,
            "announced": json.dumps(announced),
            "doubts": json.dumps({arxiv_id: [] for arxiv_id in doubted}),
            "source": source,
            "ingestion_id": run_id,
            "now": now,
        },
    )


async def mark_failed(
    session: AsyncSession, category: str, run_id: int, source: str, reason: str, now: datetime
) -> None:
    """Say that the present day's listing could not be read, unless something better is known of it already."""
    row = insert(Listing).values(
        category=category,
        announced_on=calendar.batch_date(now),
        state=ListingState.FAILED,
        source=source,
        reason=reason,
        ingestion_id=run_id,
        first_read_at=now,
        last_read_at=now,
    )
    await session.execute(
        row.on_conflict_do_update(
            index_elements=[Listing.category, Listing.announced_on],
            set_={"reason": row.excluded.reason, "ingestion_id": run_id, "last_read_at": now},
            where=Listing.state == ListingState.FAILED,
        )
    )
