"""Bringing listings to what is known after a whole harvest, and proving those that leave no doubt."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.arxiv import calendar
from app.db import among
from app.listings import JOINED, OAI, strongest
from app.models import Announcement, Listing, ListingState, Paper
from app.repair.announcing import known_order
from app.repair.events import between_neighbours


@dataclass(slots=True)
class Settled:
    """What settling did: days proved, the days of each category that changed, and the papers on them."""

    verified: int = 0
    changed: dict[str, set[date]] = field(default_factory=dict)
    arxiv_ids: set[str] = field(default_factory=set)


async def settle(
    session: AsyncSession, categories: Sequence[str], from_on: date, before: date, now: datetime
) -> Settled:
    """Bring the listings of every batch from one day on, and before another, to what is known after a whole harvest.

    A batch is in OAI-PMH completely once the harvest's answer is from a later day (UTC). A day is proved (``verified_at``)
    when OAI-PMH has every paper that its listing names, and its announcements leave no doubt.
    """
    settled = Settled()
    id_order = await known_order(session, from_on)
    for category in categories:
        await _place_by_neighbours(session, category, from_on, id_order)
        await _move_stale(session, category, from_on)
        in_period = (Listing.category == category, Listing.announced_on >= from_on, Listing.announced_on < before)
        listed = {row.announced_on: row for row in await session.scalars(select(Listing).where(*in_period))}
        announced = await _announced(session, category, from_on, before)
        for day in sorted({*calendar.batch_days(from_on, before - timedelta(days=1)), *listed, *announced}):
            await _settle_day(session, category, day, listed.get(day), announced.get(day, {}), now, settled)
    return settled


async def _place_by_neighbours(
    session: AsyncSession, category: str, from_on: date, id_order: Sequence[tuple[str, date]]
) -> None:
    """Give new papers whose day was in doubt the one that the papers around them leave, if it is one."""
    doubted: dict[str, list[date]] = {}
    in_doubt = (Listing.category == category, Listing.announced_on >= from_on, Listing.doubts != {})
    for doubts in await session.scalars(select(Listing.doubts).where(*in_doubt)):
        doubted |= {
            arxiv_id: list(map(date.fromisoformat, days))
            for arxiv_id, days in doubts.items()
            if days and days != [JOINED]
        }
    for arxiv_id, days in doubted.items():
        left = between_neighbours(arxiv_id, days, id_order)
        if len(left) == 1:
            values = {"arxiv_id": arxiv_id, "category": category, "day": left[0]}
            for statement in (_PLACE, _TAKE_OFF, _FIRST_ANNOUNCED):
                await session.execute(statement, values)


_PLACE = text(
    """
    UPDATE announcements SET announced_on = :day
    WHERE arxiv_id = :arxiv_id AND category = :category AND version = 1 AND source = 'oai'
    """
)
_TAKE_OFF = text(
    """
    UPDATE listings SET doubts = doubts - CAST(:arxiv_id AS text),
        announced = CASE WHEN announced_on = :day THEN announced ELSE announced - CAST(:arxiv_id AS text) END
    WHERE category = :category AND doubts ? CAST(:arxiv_id AS text)
    """
)
_FIRST_ANNOUNCED = text("UPDATE papers SET first_announced_on = :day WHERE arxiv_id = :arxiv_id AND :category <> ''")


async def _move_stale(session: AsyncSession, category: str, from_on: date) -> None:
    """Move what is left of a batch that proved to be a former one: to the day that most of its papers were moved to.

    Of papers that have changed since, OAI-PMH alone cannot tell; but a batch that was served again was so whole.
    """
    stale = (Listing.category == category, Listing.announced_on >= from_on, Listing.state == ListingState.STALE)
    for listing in list(await session.scalars(select(Listing).where(*stale))):
        day = _day_in(listing.reason)
        if day is None or not listing.announced:
            continue
        left = await session.scalars(
            select(Announcement).where(
                Announcement.category == category,
                Announcement.announced_on == listing.announced_on,
                Announcement.source != OAI,
            )
        )
        rows = list(left)
        papers = await session.scalars(select(Paper).where(among(Paper.arxiv_id, [row.arxiv_id for row in rows])))
        submitted = {paper.arxiv_id: paper.versions for paper in papers}
        for row in rows:
            if _due(submitted.get(row.arxiv_id, []), row.version) <= day:
                await session.execute(_REDATE, {"id": row.id, "day": day})
                await session.execute(
                    _DROP, {"category": category, "day": listing.announced_on, "arxiv_id": row.arxiv_id}
                )


def _day_in(reason: str | None) -> date | None:
    found = re.search(r"announced on (\d{4}-\d\d-\d\d)", reason or "")
    return date.fromisoformat(found[1]) if found else None


def _due(versions: Sequence[dict[str, str]], number: int | None) -> date:
    """The batch that a version was due for; the end of time if nobody said when it was submitted."""
    for version in versions:
        if int(version["version"]) == number and version.get("submitted_at"):
            return calendar.scheduled_batch(datetime.fromisoformat(version["submitted_at"]))
    return date.max


_REDATE = text(
    """
    WITH moved AS (
        DELETE FROM announcements WHERE id = :id RETURNING arxiv_id, version, category, announce_type
    )
    INSERT INTO announcements (arxiv_id, version, category, announced_on, announce_type, source)
    SELECT arxiv_id, version, category, :day, announce_type, 'oai' FROM moved
    ON CONFLICT DO NOTHING
    """
)
_DROP = text(
    "UPDATE listings SET announced = announced - CAST(:arxiv_id AS text) WHERE category = :category AND announced_on = :day"
)


async def _announced(
    session: AsyncSession, category: str, from_on: date, before: date
) -> dict[date, dict[str, list[str]]]:
    found: dict[date, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    rows = await session.execute(
        select(Announcement.announced_on, Announcement.arxiv_id, Announcement.announce_type).where(
            Announcement.category == category,
            Announcement.announced_on >= from_on,
            Announcement.announced_on < before,
        )
    )
    for day, arxiv_id, kind in rows:
        found[day][arxiv_id].append(kind)
    return found


async def _settle_day(
    session: AsyncSession,
    category: str,
    day: date,
    row: Listing | None,
    announced: Mapping[str, Sequence[str]],
    now: datetime,
    settled: Settled,
) -> None:
    names: dict[str, str] = dict(row.announced) if row is not None else {}
    names |= {arxiv_id: strongest(kinds) for arxiv_id, kinds in announced.items()}
    unseen = await _not_harvested(session, names, day)
    if row is not None and row.verified_at is not None and row.announced == names and not unseen:
        return
    reason = _why_not_proved(unseen, len(row.doubts) if row is not None else 0)
    state = ListingState.ANNOUNCED if names else ListingState.EMPTY
    values = {
        "state": state,
        "announced": names,
        "reason": reason,
        "verified_at": now if reason is None else None,
    }
    if row is None or row.state != ListingState.ANNOUNCED:
        values["source"] = OAI
    await session.execute(
        insert(Listing)
        .values(category=category, announced_on=day, first_read_at=now, last_read_at=now, **({"source": OAI} | values))
        .on_conflict_do_update(index_elements=[Listing.category, Listing.announced_on], set_=values)
    )
    settled.verified += reason is None
    if row is None or row.announced != names or row.state != state:
        settled.arxiv_ids.update(names)
        # A day without a batch has no digest, and a day that nobody had tried to read needs none to say that it was empty.
        if names or (row is not None and calendar.is_batch_day(day)):
            settled.changed.setdefault(category, set()).add(day)


def _why_not_proved(unseen: int, doubts: int) -> str | None:
    if unseen:
        return f"OAI-PMH has not shown {_papers(unseen)} of this listing since."
    if doubts:
        return (
            f"The feed was not read whole, and OAI-PMH leaves open on which day, or as what, it had {_papers(doubts)}."
        )
    return None


async def _not_harvested(session: AsyncSession, named: Mapping[str, str], day: date) -> int:
    """How many papers that a listing names OAI-PMH has not shown since that day."""
    if not named:
        return 0
    shown = await session.scalars(
        select(Paper.arxiv_id).where(among(Paper.arxiv_id, list(named)), Paper.datestamp >= day)
    )
    return len(named) - len(shown.all())


def _papers(count: int) -> str:
    return "1 paper" if count == 1 else f"{count:,} papers"
