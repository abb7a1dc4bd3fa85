"""Harvests over OAI-PMH as rows: where each stands, and which days of a set are covered without a gap."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.arxiv import taxonomy
from app.errors import InvalidInput, NotFound, UnknownCategory
from app.models import Coverage, Harvest, RunState

EARLIEST = date(2005, 9, 16)
"""arXiv's OAI-PMH knows no modification before (FACTS 3.1)."""

WINDOW = timedelta(days=30)
"""Days asked for at a time. A token expires at midnight UTC, and with it only the window at work begins again."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to harvest: modifications of a set from one day to another (UTC), both included; until now without an end."""

    set_spec: str
    from_on: date
    until_on: date | None = None
    prefix: str = "arXivRaw"


def check_set(name: str) -> str:
    """The set that is meant by a set's name, or by that of a category or archive; ``UnknownCategory``."""
    try:
        return taxonomy.set_of(name.strip())
    except UnknownCategory as error:
        raise UnknownCategory(f"{error.detail} A set is written like cs:cs:CL.") from None


def check(wanted: Wanted, today: date) -> Wanted:
    """The same, or ``InvalidInput`` for days that arXiv has no answer for; ``today`` is the UTC day."""
    if wanted.from_on < EARLIEST:
        raise InvalidInput(
            f"arXiv's OAI-PMH knows no modification before {EARLIEST}; begin there, not on {wanted.from_on}."
        )
    if wanted.until_on is not None and wanted.until_on < wanted.from_on:
        raise InvalidInput(f"The harvest begins on {wanted.from_on}, after its end on {wanted.until_on}.")
    if max(wanted.from_on, wanted.until_on or wanted.from_on) > today:
        raise InvalidInput(
            f"The harvest lies in the future: today (UTC) is {today}. Without an end it goes on until now."
        )
    return wanted


def first_window(wanted: Wanted, today: date) -> tuple[date, date | None]:
    """The first window of a harvest; see ``window_after``."""
    return _window(max(wanted.from_on, EARLIEST), wanted.until_on, today)


def window_after(harvest: Harvest, today: date) -> tuple[date, date | None] | None:
    """The window that follows the one at work; None after the last."""
    if harvest.window_until is None or harvest.window_until == harvest.until_on:
        return None
    return _window(harvest.window_until + timedelta(days=1), harvest.until_on, today)


def _window(first: date, until_on: date | None, today: date) -> tuple[date, date | None]:
    last = first + WINDOW - timedelta(days=1)
    # arXiv refuses an end in the future, and advises to name none (FACTS 3.4): the last window is open.
    if last >= (until_on or today):
        return first, until_on
    return first, last


def windows_left(harvest: Harvest, today: date) -> int:
    """How many windows follow the one at work."""
    if harvest.window_until is None:
        return 0
    return max(0, -(-((harvest.until_on or today) - harvest.window_until).days // WINDOW.days))


async def begin(session: AsyncSession, wanted: Wanted, today: date, job_id: int | None) -> Harvest:
    """The harvest that was interrupted before its end, or a new one."""
    window_from, window_until = first_window(wanted, today)
    await session.execute(
        insert(Harvest)
        .values(
            set_spec=wanted.set_spec,
            prefix=wanted.prefix,
            from_on=wanted.from_on,
            until_on=wanted.until_on,
            state=RunState.RUNNING,
            window_from=window_from,
            window_until=window_until,
            job_id=job_id,
        )
        .on_conflict_do_nothing()
    )
    same = (
        Harvest.set_spec == wanted.set_spec,
        Harvest.prefix == wanted.prefix,
        Harvest.from_on == wanted.from_on,
        Harvest.until_on.is_not_distinct_from(wanted.until_on),
        Harvest.state == RunState.RUNNING,
    )
    return (await session.scalars(select(Harvest).where(*same))).one()


async def change(session: AsyncSession, harvest_id: int, **values: Any) -> Harvest:
    """Write down how far a harvest has come."""
    changed = update(Harvest).where(Harvest.id == harvest_id).values(updated_at=func.now(), **values).returning(Harvest)
    harvest: Harvest = (await session.scalars(changed)).one()
    return harvest


async def find_coverage(session: AsyncSession, set_spec: str) -> Coverage | None:
    """Which days of a set were harvested without a gap; None if none was."""
    return await session.get(Coverage, set_spec)


async def find_coverages(session: AsyncSession, set_specs: Iterable[str]) -> dict[str, Coverage]:
    """The coverage of each of these sets that has any."""
    rows = await session.scalars(select(Coverage).where(Coverage.set_spec.in_(list(set_specs))))
    return {row.set_spec: row for row in rows}


async def last_success_at(session: AsyncSession, set_spec: str) -> datetime | None:
    """When a set was last harvested until then, and to the end; a harvest of former days does not count."""
    until_then = (Harvest.set_spec == set_spec, Harvest.state == RunState.SUCCEEDED, Harvest.until_on.is_(None))
    return await session.scalar(select(func.max(Harvest.finished_at)).where(*until_then))


_COVER = text(
    """
    INSERT INTO coverages AS old (set_spec, covered_from, covered_before, harvested_at)
    VALUES (:set_spec, :covered_from, :covered_before, :now)
    ON CONFLICT (set_spec) DO UPDATE SET
        covered_from = CASE WHEN excluded.covered_from <= old.covered_before AND excluded.covered_before >= old.covered_from
                            THEN least(old.covered_from, excluded.covered_from)
                            WHEN excluded.covered_before > old.covered_before THEN excluded.covered_from
                            ELSE old.covered_from END,
        covered_before = greatest(old.covered_before, excluded.covered_before),
        harvested_at = excluded.harvested_at
    """
)


async def cover(session: AsyncSession, set_spec: str, from_: date, before: date, now: datetime) -> None:
    """Record that every modification from one day on, and before another, is stored.

    Two stretches that touch become one; of two with a gap between them, the later counts.
    """
    if from_ < before:
        await session.execute(
            _COVER, {"set_spec": set_spec, "covered_from": from_, "covered_before": before, "now": now}
        )


async def list_harvests(
    session: AsyncSession, *, limit: int, before: int | None = None
) -> tuple[list[Harvest], int | None]:
    """A page of harvests, newest first, and the number to continue ``before``, or None on the last page."""
    query = select(Harvest).order_by(Harvest.id.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(Harvest.id < before)
    rows = list(await session.scalars(query))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def get_harvest(session: AsyncSession, harvest_id: int) -> Harvest:
    """One harvest; ``NotFound`` if there is none."""
    harvest = await session.get(Harvest, harvest_id)
    if harvest is None:
        raise NotFound(f"There is no harvest {harvest_id}.")
    return harvest
