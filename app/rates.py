"""Rates: so many requests in a window of time, as settings and keys name them."""

import re
from dataclasses import dataclass
from functools import lru_cache

_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``count`` requests in each window of ``seconds``; a count of 0 is no limit."""

    count: int
    seconds: int

    def __str__(self) -> str:
        """As it is written in settings: ``600/minute``, or ``none``."""
        unit = next(name for name, seconds in _SECONDS.items() if seconds == self.seconds)
        return f"{self.count}/{unit}" if self.count else "none"


UNLIMITED = Rate(0, 60)


@lru_cache(maxsize=1_000)
def parse_rate(text: str) -> Rate:
    """A rate from ``600/minute`` or ``none``; ``ValueError`` if it is neither."""
    if text.strip().lower() == "none":
        return UNLIMITED
    match = re.fullmatch(r"\s*([0-9]{1,9})\s*/\s*(second|minute|hour|day)\s*", text, re.ASCII | re.IGNORECASE)
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{text[:40]!r} is no rate such as 600/minute (or second, hour, day), and not none")
    return Rate(int(match[1]), _SECONDS[match[2].lower()])
