"""Periods of days as a query writes them: ``2026-01-12``, ``2026-01``, ``2026``, ``FROM..TO``, ``>=FROM`` and their like."""

import re
from datetime import date, timedelta
from typing import Final

_DATE: Final = r"\d{4}(?:-\d{2}(?:-\d{2})?)?"
_FORMS: Final = re.compile(
    rf"(?P<one>{_DATE})|(?P<from>{_DATE})?\.\.(?P<to>{_DATE})?|(?P<relation>[<>]=?|[≤≥])(?P<other>{_DATE})", re.ASCII
)
_ONE_DAY: Final = timedelta(days=1)


def period(text: str) -> tuple[date | None, date | None] | None:
    """First and last day of a period, None at an end that is open; None for what is no period, or ends before it begins."""
    match = _FORMS.fullmatch(text)
    if match is None:
        return None
    try:
        days = _related(match["relation"], match["other"]) if match["relation"] else _range(match)
    except (ValueError, OverflowError):  # the 31st of February; the day after the last day of all
        return None
    return None if days == (None, None) or (days[0] and days[1] and days[0] > days[1]) else days


def _range(match: re.Match[str]) -> tuple[date | None, date | None]:
    first, last = match["one"] or match["from"], match["one"] or match["to"]
    return _first(first) if first else None, _last(last) if last else None


def _related(relation: str, day: str) -> tuple[date | None, date | None]:
    match relation:
        case ">=" | "≥":
            return _first(day), None
        case "<=" | "≤":
            return None, _last(day)
        case ">":
            return _last(day) + _ONE_DAY, None
        case _:
            return None, _first(day) - _ONE_DAY


def _first(day: str) -> date:
    return date.fromisoformat((day + "-01-01")[:10])


def _last(day: str) -> date:
    """The last day of a year, a month or a day."""
    first = _first(day)
    if len(day) == 4:
        return first.replace(month=12, day=31)
    if len(day) == 7:
        # From any 28th, four days lead into the next month; its first day less one is the last of this.
        following = first.replace(day=28) + timedelta(days=4)
        return following - timedelta(days=following.day)
    return first
