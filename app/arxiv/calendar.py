"""arXiv's announcement calendar, in US Eastern time (FACTS 7.1).

A *mailing* is an evening at 20:00 on which arXiv announces papers: Sunday to Thursday, but for skipped ones. Its *batch date*
is the next day, Monday to Friday, which is the day that feeds and listings give.

The calendar says what is planned. arXiv puts mailings off at short notice too, and moderation keeps papers back for days, so
that an empty day is no proof of a fault and a paper may come later than ``scheduled_batch`` says, but not earlier.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

EASTERN: Final = ZoneInfo("America/New_York")
"""The zone in which arXiv's deadlines and mailings are set; its offset changes with summer time."""

MAILING: Final = time(20)
"""When a mailing goes out, US Eastern."""

DEADLINE: Final = time(14)
"""When the submissions for a mailing close, US Eastern, Monday to Friday; Friday's are announced on Sunday."""

_ONE_DAY: Final = timedelta(days=1)
_FRIDAY: Final = 4
_SATURDAY: Final = 5


def _days(year: int, *days: str) -> set[date]:
    return {date.fromisoformat(f"{year}-{day}") for day in days}


NO_DEADLINE: Final = frozenset(
    _days(2024, "01-15", "05-22", "06-19", "07-04", "09-02", "10-08", "11-28", "12-25", "12-26", "12-31")
    | _days(2025, "01-01", "01-20", "06-19", "07-04", "07-06", "09-01", "11-27", "12-25", "12-30")
    | _days(2026, "01-01", "01-19", "06-19", "07-03", "09-07", "11-26", "12-25", "12-29", "12-31")
)
"""The days without a deadline, as arXiv keeps them: arxiv-base, arxiv/db/arxiv_holidays_seed.sql, column
``freeze_skip_date`` (FACTS 7.1). They are decided anew each year."""

# A mailing takes what its deadline closed, so a deadline that is left out takes its mailing with it: the same evening, but
# for a Friday the Sunday after. arXiv's own code has the same rule (``is_publish_day`` in arxiv.schedule.calendar of
# arxiv-base), and its list of 2025 names both the Friday 07-04 and the Sunday 07-06.
SKIPPED: Final = frozenset(day + 2 * _ONE_DAY if day.weekday() == _FRIDAY else day for day in NO_DEADLINE)
"""The evenings, Sunday to Thursday, on which there is no mailing although the weekday has one; from ``NO_DEADLINE``."""

KNOWN_YEARS: Final = frozenset(day.year for day in NO_DEADLINE)
"""The years whose skipped mailings are known. In others every function here goes by the weekdays alone."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A mailing: the UTC instant at which it is due, and the US Eastern day that its listings are dated."""

    announced_at: datetime
    batch_date: date


def batch_date(now: datetime) -> date:
    """The US Eastern day of an instant, which is the day that a feed made at that instant is dated.

    The day need not be a batch day: arXiv makes feeds at weekends too, and they are empty (FACTS 2.2). Raises ValueError for a
    time without a zone.
    """
    return _eastern(now).date()


def is_batch_day(day: date) -> bool:
    """Whether listings of this day have papers: Monday to Friday, unless the mailing of the evening before was skipped."""
    return day.weekday() < _SATURDAY and day - _ONE_DAY not in SKIPPED


def announced_at(batch_day: date) -> datetime:
    """The UTC instant at which a batch is due: 20:00 US Eastern on the evening before, which is 00:00 or 01:00 UTC."""
    return datetime.combine(batch_day - _ONE_DAY, MAILING, EASTERN).astimezone(UTC)


def scheduled_batch(submitted_at: datetime) -> date:
    """The first batch that a version submitted at this instant can be in.

    Submissions of Thursday 14:00 to Friday 14:00 are announced on Sunday (batch of Monday), those of Friday 14:00 to Monday
    14:00 on Monday (batch of Tuesday), and so on day by day; what a skipped mailing would have held is in the next one.
    Raises ValueError for a time without a zone.
    """
    local = _eastern(submitted_at)
    closes = local.date()
    # arXiv's table leaves 14:00:00 itself open. It counts to the earlier batch here, the first that can have the paper.
    if local.time() > DEADLINE:
        closes += _ONE_DAY
    if closes.weekday() == _FRIDAY:
        return _batch_from(closes + 3 * _ONE_DAY)
    # No deadline at weekends: Saturday and Sunday pass on to Monday's.
    while closes.weekday() >= _SATURDAY:
        closes += _ONE_DAY
    return next_batch(closes)


def latest_batch(day: date) -> date:
    """The newest batch day on or before ``day``."""
    while not is_batch_day(day):
        day -= _ONE_DAY
    return day


def next_batch(day: date) -> date:
    """The first batch day after ``day``."""
    return _batch_from(day + _ONE_DAY)


def batch_days(from_: date, to: date) -> list[date]:
    """The batch days of a period in order, both ends included; empty if ``to`` is before ``from_``."""
    days = (from_ + number * _ONE_DAY for number in range((to - from_).days + 1))
    return [day for day in days if is_batch_day(day)]


def age(batch_day: date, now: datetime) -> int:
    """How many batches have become due since ``batch_day``: 0 for the newest one, and for one that is still to come.

    A batch is due from midnight US Eastern of its day, when its feed is made (FACTS 2.2), and not from its mailing four hours
    earlier. Raises ValueError for a time without a zone.
    """
    return len(batch_days(batch_day + _ONE_DAY, batch_date(now)))


def next_announcement(now: datetime) -> Announcement:
    """The first mailing that is due after ``now``. Raises ValueError for a time without a zone."""
    batch_day = next_batch(batch_date(now))
    if announced_at(batch_day) <= now:
        batch_day = next_batch(batch_day)
    return Announcement(announced_at(batch_day), batch_day)


def upcoming(now: datetime, count: int) -> list[Announcement]:
    """The mailings that are due next, the first first. Raises ValueError for a time without a zone."""
    found = [next_announcement(now)]
    while len(found) < count:
        batch_day = next_batch(found[-1].batch_date)
        found.append(Announcement(announced_at(batch_day), batch_day))
    return found


def skipped(year: int) -> list[date]:
    """The evenings of a year without a mailing, in order; empty for a year that is not in ``KNOWN_YEARS``."""
    return sorted(day for day in SKIPPED if day.year == year)


def _batch_from(day: date) -> date:
    while not is_batch_day(day):
        day += _ONE_DAY
    return day


def _eastern(at: datetime) -> datetime:
    # utcoffset, because a tzinfo that knows no offset makes a time as naive as none.
    if at.utcoffset() is None:
        raise ValueError(f"{at} has no time zone, so its day at arXiv is not known.")
    return at.astimezone(EASTERN)
