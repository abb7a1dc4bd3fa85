"""Listings: one category on one batch date, what it announced, and how its reading went.

What a document says is stored whole in one transaction, or not at all. What it says is not believed blindly: arXiv serves
the former batch under today's date at times, an empty feed that fills later, and cuts long feeds (FACTS 2.2 and 2.6).
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Text, any_, func, literal, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from app import papers
from app.arxiv import calendar, ids, taxonomy
from app.arxiv.entries import AnnounceType, Entry, Feed, Version
from app.arxiv.texts import says_withdrawn
from app.db import copy_rows
from app.errors import FeedRejected
from app.models import Listing, ListingState, Paper
from app.papers import PaperRecord, names_listed

FEED_LIMIT = 2000
"""arXiv cuts a feed at this many items and drops the new papers first (FACTS 2.2)."""

OAI = "oai"
"""The source of announcements and listings that no feed told of."""

JOINED = "joined"
"""Kept of a doubt whether a paper was listed: if it was, then because it joined the category."""

READ = (ListingState.ANNOUNCED, ListingState.TRUNCATED)
"""The states of a listing that named papers."""

STRENGTH = {
    AnnounceType.NEW: 3,
    AnnounceType.CROSS: 2,
    AnnounceType.REPLACE: 1,
    AnnounceType.REPLACE_CROSS: 0,
}
"""A paper that is in several listings of a day counts as its strongest type (FACTS 2.2)."""


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


async def store(
    session: AsyncSession, feed: Feed, category: str, named: Sequence[str], run_id: int, source: str, now: datetime
) -> Stored:
    """Store a checked feed: papers with their raw entries, announcements, listings. The second time changes nothing.

    Of a stale batch nothing is stored but the state of its listing: its papers were announced on another day.
    """
    categories_before = await _categories_before(session, feed, named)
    rows = {name: _announcements(feed, name, named, categories_before) for name in named}
    states = {name: await _judge(session, feed, name, rows[name], now) for name in named}
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


async def _judge(
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

STALE_SHARE = 0.1
"""A batch with more items that were listed before is a former one; a single repeated item is left out (FACTS 2.6)."""


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


def _announcements(
    feed: Feed, name: str, named: Sequence[str], before: Mapping[str, tuple[int, frozenset[str]]]
) -> list[dict[str, Any]]:
    """The announcements that a document makes in one of its categories, with ``corrected`` where a type was impossible.

    A document of one category lists only papers that are in it. Of a combined one (``cs.AI+q-bio.NC``) the paper's own
    categories decide, and the type is made relative to each: ``new`` only where its primary category is (FACTS 2.2).
    """
    rows = []
    names = taxonomy.names_or_same(name)
    for entry in feed.entries:
        if len(named) > 1 and not _lists(entry, name, named):
            continue
        kind = entry.announce_type
        if len(named) > 1:
            kind = _type_in(entry, name)
        elif feed.format != "rss1":  # which names the primary category only, and cross-lists are typed by it alone
            kind = possible_type(kind, entry.version, is_primary=entry.primary_category in names)
        corrected = len(named) == 1 and kind != entry.announce_type
        # Cross-listed or replaced: what an impossible type stood for is told by the paper's history, if at all.
        doubted = (
            corrected and kind == AnnounceType.REPLACE_CROSS and not _had(before.get(entry.arxiv_id), entry, names)
        )
        if doubted and entry.arxiv_id in before and not names & before[entry.arxiv_id][1]:
            kind = AnnounceType.CROSS
        rows.append(
            {
                "arxiv_id": entry.arxiv_id,
                "version": entry.version,
                "category": name,
                "announced_on": entry.announced_on,
                "announce_type": kind,
                "corrected": corrected,
                "doubted": doubted,
                "joined_earlier": kind == AnnounceType.REPLACE_CROSS
                and entry.arxiv_id in before
                and not names & before[entry.arxiv_id][1],
            }
        )
    return rows


def _lists(entry: Entry, name: str, named: Sequence[str]) -> bool:
    """Whether an item of a combined document belongs to this one of its categories."""
    mine = set(entry.categories)
    return bool(taxonomy.names_or_same(name) & mine) or not any(taxonomy.names_or_same(other) & mine for other in named)


def _type_in(entry: Entry, category: str) -> AnnounceType:
    if entry.primary_category in taxonomy.names_or_same(category):
        return entry.announce_type
    if entry.announce_type in (AnnounceType.NEW, AnnounceType.CROSS):
        return AnnounceType.CROSS
    return AnnounceType.REPLACE_CROSS


def possible_type(kind: AnnounceType, version: int | None, *, is_primary: bool) -> AnnounceType:
    """The announce type, corrected where it cannot be true of this version in this category (table in FACTS 2.2).

    A first version is never a replacement, a later one never new, and both words depend on the primary category. A
    cross-list of any version is possible, because a paper may get a category on any day.
    """
    if kind == AnnounceType.CROSS or version is None:
        return kind
    if version == 1:
        return AnnounceType.NEW if is_primary else AnnounceType.CROSS
    return AnnounceType.REPLACE if is_primary else AnnounceType.REPLACE_CROSS


def _had(before: tuple[int, frozenset[str]] | None, entry: Entry, names: frozenset[str]) -> bool:
    """Whether a paper is known to have had the category before its present version."""
    return before is not None and before[0] < (entry.version or 0) and bool(names & before[1])


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


def among(column: InstrumentedAttribute[str], values: Sequence[str]) -> ColumnElement[bool]:
    """A condition that holds for these values, in one array: Postgres takes no more than 32,767 parameters."""
    return column == any_(literal(values, ARRAY(Text)))


def strongest(types: Sequence[str]) -> str:
    """The strongest of several announce types."""
    return types[0] if len(types) == 1 else max(types, key=lambda kind: STRENGTH[AnnounceType(kind)])


def count_types(announced: dict[str, str]) -> dict[str, int]:
    """How many papers of each announce type; every type is there."""
    counted = Counter(announced.values())
    return {str(kind): counted[kind] for kind in AnnounceType}
