"""How long to wait before something is tried again: what the other side asks for, or longer each time."""

import random
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LONGEST_RETRY_AFTER = timedelta(days=1)


def growing(first: timedelta, failures: int, longest: timedelta, spread: float = 0.25) -> timedelta:
    """``first`` after one failure, twice as long after each more, up to ``longest``; give or take this part of it by chance,
    so that what failed together does not come back together.
    """
    chance: float = random.uniform(1 - spread, 1 + spread)  # noqa: S311 - no secret
    return min(longest, first * 2.0 ** min(max(failures - 1, 0), 20)) * chance


def retry_after(value: str | None, now: datetime) -> timedelta:
    """How long a ``Retry-After`` header asks to wait: seconds, or an HTTP date; nothing sensible is no time, a day the most."""
    if value is None:
        return timedelta(0)
    value = value.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):  # models' endpoints write fractions, too
        wait = timedelta(seconds=float(value))
    else:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return timedelta(0)
        wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    return min(max(wait, timedelta(0)), LONGEST_RETRY_AFTER)
