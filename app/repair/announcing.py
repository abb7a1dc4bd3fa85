"""Storing what a page of records tells of announcements, and what it leaves in doubt."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.arxiv import ids, taxonomy
from app.arxiv.entries import AnnounceType, Record
from app.db import among
from app.listings import JOINED, OAI
from app.models import Announcement, Coverage, Listing, ListingState, Paper
from app.repair.events import (
    Announced,
    Event,
    Evidence,
    Known,
    certain_type,
    events_of,
    is_impossible,
    narrow,
    without_refuted,
)

LOOK_BACK = timedelta(days=14)
"""Days before a harvest in which announcements still tell how ids ran."""


async def look(session: AsyncSession, records: Iterable[Record]) -> dict[str, Known]:
    """What is known of these papers before they are stored anew."""
    columns = (
        Paper.arxiv_id,
        Paper.version,
        Paper.primary_category,
        Paper.listed_in,
        Paper.categories_are_partial,
        Paper.datestamp,
    )
    rows = await session.execute(select(*columns).where(among(Paper.arxiv_id, [record.arxiv_id for record in records])))
    return {
        arxiv_id: Known(version or 0, primary, frozenset(listed_in), partial, datestamp)
        for arxiv_id, version, primary, listed_in, partial, datestamp in rows
    }


async def announce(
    session: AsyncSession,
    records: Sequence[Record],
    known: Mapping[str, Known],
    categories: Sequence[str],
    from_on: date,
) -> dict[str, int]:
    """Store the announcements that these records prove and nobody listed; correct those that they contradict.

    ``categories`` should be every one that is followed, not only those of the set that is harvested: what was known of a
    paper before is the best witness, and is gone once its record is stored.

    Only batches on or after ``from_on`` are told, because of earlier ones the harvest does not have every paper. Returns
    counts: ``announcements_created``, ``announcements_moved``, ``types_corrected``, ``doubts``.
    """
    evidence = await _gather(session, records, known, categories, from_on)
    # A former batch seems whole until OAI-PMH shows when its papers changed: only then it excludes nothing any more.
    evidence = without_refuted(evidence, (event for one in records for event in events_of(one, categories, evidence)))
    events = [event for record in records for event in events_of(record, categories, evidence)]
    id_order = await known_order(session, from_on)
    certain = [(ids.order_key(event.arxiv_id), event.days[0]) for event in events if _tells_order(event)]
    id_order = sorted({*id_order, *certain})
    counts: Counter[str] = Counter()
    doubts: list[Event] = []
    for event in events:
        await _apply(session, narrow(event, id_order), evidence, counts, doubts)
    await _doubt(session, doubts)
    counts["doubts"] = len(doubts)
    return dict(counts)


def _tells_order(event: Event) -> bool:
    return event.kind == AnnounceType.NEW and len(event.all_days or event.days) == 1


async def _gather(
    session: AsyncSession,
    records: Sequence[Record],
    known: Mapping[str, Known],
    categories: Sequence[str],
    from_on: date,
) -> Evidence:
    set_of = {taxonomy.set_of(category): category for category in categories}
    coverages = await session.scalars(select(Coverage).where(Coverage.set_spec.in_(set_of)))
    announced: dict[str, list[Announced]] = defaultdict(list)
    for row in await session.scalars(
        select(Announcement).where(among(Announcement.arxiv_id, [record.arxiv_id for record in records]))
    ):
        kind = AnnounceType(row.announce_type)
        announced[row.arxiv_id].append(Announced(row.id, row.version, row.category, row.announced_on, kind, row.source))
    listings = await session.execute(
        select(Listing.category, Listing.announced_on, Listing.verified_at).where(
            Listing.category.in_(categories),
            Listing.announced_on >= from_on,
            Listing.state == ListingState.ANNOUNCED,
            Listing.source != OAI,
        )
    )
    whole = {(category, day): verified_at for category, day, verified_at in listings}
    return Evidence(
        from_on,
        {set_of[row.set_spec]: (row.covered_from, row.covered_before) for row in coverages},
        known,
        frozenset(whole),
        announced,
        frozenset(key for key, verified_at in whole.items() if verified_at is not None),
    )


async def known_order(session: AsyncSession, from_on: date) -> list[tuple[str, date]]:
    """The order keys of new papers with their days, sorted, where the day is not in doubt."""
    rows = await session.execute(_ORDER, {"since": from_on - LOOK_BACK})
    return [(key, day) for key, day in rows]


_ORDER = text(
    """
    SELECT paper.order_key, announced.announced_on
    FROM announcements AS announced JOIN papers AS paper USING (arxiv_id)
    LEFT JOIN listings AS listing USING (category, announced_on)
    WHERE announced.announced_on >= :since AND announced.announce_type = 'new'
      AND NOT coalesce(listing.doubts ? announced.arxiv_id, false)
    ORDER BY paper.order_key
    """
)


async def _apply(
    session: AsyncSession, event: Event, evidence: Evidence, counts: Counter[str], doubts: list[Event]
) -> None:
    rows = evidence.announced.get(event.arxiv_id, ())
    same = [row for row in rows if row.category == event.category and row.version in (event.version, None)]
    right = [row for row in same if not is_impossible(row, event)]
    if right:
        await _correct_type(session, event, right[0], rows, counts)
        earlier = tuple(day for day in event.days if day < right[0].announced_on)
        if event.certainly_joined and right[0].announce_type != AnnounceType.CROSS and earlier:
            # It was replaced here, so it had joined before, on a day that was not read.
            doubts.append(replace(event, days=(), untold_on=earlier, certainly_joined=False))
        return
    if event.doubted_days:
        doubts.append(event)
    if not event.days:
        return
    day = event.days[0]
    for row in same:
        await session.execute(delete(Announcement).where(Announcement.id == row.id))
        reason = f"Papers of this listing were announced on {day}: arXiv served a former batch under this day's date."
        values = {"category": row.category, "day": row.announced_on, "arxiv_id": event.arxiv_id, "reason": reason}
        await session.execute(_UNLIST, values)
    counts["announcements_moved" if same else "announcements_created"] += 1
    await _insert(session, event, day)
    if event.kind == AnnounceType.NEW or (event.version == 1 and not rows):
        await session.execute(_FIRST_ANNOUNCED, {"arxiv_id": event.arxiv_id, "day": day, "moved": bool(same)})


async def _insert(session: AsyncSession, event: Event, day: date) -> None:
    row = insert(Announcement).values(
        arxiv_id=event.arxiv_id,
        version=event.version,
        category=event.category,
        announced_on=day,
        announce_type=event.kind,
        source=OAI,
    )
    await session.execute(row.on_conflict_do_nothing())


_UNLIST = text(
    """
    UPDATE listings SET announced = announced - CAST(:arxiv_id AS text), verified_at = NULL,
        state = CASE WHEN source = 'oai' THEN state ELSE 'stale' END, reason = :reason
    WHERE category = :category AND announced_on = :day
    """
)
_FIRST_ANNOUNCED = text(
    """
    UPDATE papers SET first_announced_on =
        CASE WHEN :moved THEN CAST(:day AS date) ELSE least(first_announced_on, CAST(:day AS date)) END
    WHERE arxiv_id = :arxiv_id
    """
)


async def _correct_type(
    session: AsyncSession, event: Event, row: Announced, rows: Sequence[Announced], counts: Counter[str]
) -> None:
    kind = certain_type(event, row, rows)
    if kind is None or kind == row.announce_type or row.source == OAI:
        return
    counts["types_corrected"] += 1
    await session.execute(update(Announcement).where(Announcement.id == row.id).values(announce_type=kind))
    await session.execute(
        _RETYPE, {"category": row.category, "day": row.announced_on, "arxiv_id": event.arxiv_id, "kind": kind}
    )


_RETYPE = text(
    """
    UPDATE listings SET announced = announced || jsonb_build_object(CAST(:arxiv_id AS text), CAST(:kind AS text))
    WHERE category = :category AND announced_on = :day AND announced ? CAST(:arxiv_id AS text)
    """
)

# A day in doubt that nobody has read has a listing from here on: it is "not yet" until the harvest is over.
_DOUBT = text(
    """
    INSERT INTO listings AS old (category, announced_on, state, source, doubts)
    SELECT category, announced_on, 'not_yet', 'oai', jsonb_object_agg(arxiv_id, days)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS row(category text, announced_on date, arxiv_id text, days jsonb)
    GROUP BY category, announced_on
    ON CONFLICT (category, announced_on) DO UPDATE SET doubts = old.doubts || excluded.doubts
    """
)


def _kept_days(event: Event) -> Sequence[date | str]:
    """What is kept of a doubt: days, where other announcements may still tell which it is, or that the paper joined."""
    if event.certainly_joined:
        return [JOINED]
    return event.days if event.kind == AnnounceType.NEW and not event.type_in_doubt else []


async def _doubt(session: AsyncSession, events: Sequence[Event]) -> None:
    rows = [
        {
            "category": event.category,
            "announced_on": day,
            "arxiv_id": event.arxiv_id,
            "days": _kept_days(event),
        }
        for event in events
        for day in event.doubted_days
    ]
    if rows:
        await session.execute(_DOUBT, {"rows": json.dumps(rows, default=date.isoformat)})
