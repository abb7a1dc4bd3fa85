"""Which days a digest of a channel covers, and when it is due. Days are batch dates (US Eastern)."""

import calendar as months
from datetime import UTC, date, datetime, time, timedelta

from app.arxiv.calendar import EASTERN
from app.models import Channel, Schedule

_WEEK = timedelta(days=7)
_DAY = timedelta(days=1)

Period = tuple[date, date]
"""First and last day, both included."""


def period_of(channel: Channel, day: date) -> Period:
    """The period of a channel's own schedule that a day belongs to."""
    if channel.schedule == Schedule.WEEKLY:
        last = day + timedelta(days=(channel.weekday - day.isoweekday()) % 7)
        return last - _WEEK + _DAY, last
    if channel.schedule == Schedule.MONTHLY:
        return day.replace(day=1), day.replace(day=months.monthrange(day.year, day.month)[1])
    return day, day


def latest_period(channel: Channel, until: date) -> Period:
    """The newest period that ends on or before a day."""
    period = period_of(channel, until)
    return period if period[1] <= until else period_of(channel, period[0] - _DAY)


def is_own_period(channel: Channel, period: Period) -> bool:
    """Whether a period is one of the channel's schedule; any other makes a roll-up."""
    return period == period_of(channel, period[1])


def due_at(last_day: date, deadline: time) -> datetime:
    """When the digest of a period that ends with this day is written with what there is, complete or not."""
    return datetime.combine(last_day, deadline, EASTERN).astimezone(UTC)
