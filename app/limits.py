"""Rate limits that hold over all API processes: the database counts, and gives each process a few requests at a time.

A window is a stretch of the database's clock. A process takes a sixteenth of what is left of a caller's window (100 at the
most, one at the least) and lets that many requests pass without asking again, so that a large limit costs a statement every
hundred requests and a small one is exact. What a process took and does not use is lost with the window: all processes together
never let more pass than the limit, and with several of them a caller may be stopped a little before it.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from app.db import Database
from app.rates import Rate

MAX_CALLERS = 10_000
"""Callers that a process remembers; of one that it forgets, it has lost what it took for it."""

_FORGET_EVERY = 500
_TRIES = 3

_LEASE = """
INSERT INTO rate_windows AS at (subject, starts_at, ends_at, taken)
SELECT $1, start, start + length, greatest(1, least(100, ($2::integer + 15) / 16))
FROM (SELECT $3::integer * interval '1 second' AS length) AS given,
     LATERAL (SELECT date_bin(length, clock_timestamp(), timestamptz 'epoch') AS start) AS present
ON CONFLICT (subject) DO UPDATE SET
    starts_at = greatest(at.starts_at, excluded.starts_at),
    ends_at = greatest(at.ends_at, excluded.ends_at),
    taken = CASE WHEN excluded.starts_at > at.starts_at THEN excluded.taken
            ELSE at.taken + least($2 - at.taken, greatest(1, least(100, ($2 - at.taken + 15) / 16))) END
RETURNING new.taken - CASE WHEN old.starts_at = new.starts_at THEN old.taken ELSE 0 END AS granted,
          $2 - new.taken AS beyond, extract(epoch FROM new.ends_at - clock_timestamp())::float8 AS seconds
"""
_FORGET = "DELETE FROM rate_windows WHERE ends_at < clock_timestamp()"


@dataclass(slots=True)
class _Allowance:
    """What this process may still let pass of a caller's window, and what was not given out when it asked last."""

    left: int = 0
    beyond: int = 0
    ends: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, how many more may as far as this process knows, and in how many seconds the window ends."""

    passes: bool
    remaining: int
    seconds: int


class Limiter:
    """One process's share of every caller's limit."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._allowances: OrderedDict[str, _Allowance] = OrderedDict()
        self._leases = 0

    async def take(self, database: Database, who: str, rate: Rate) -> Verdict:
        """Count one request of a caller; asks the database only when what was taken before is used up."""
        subject = f"{who} {rate}"
        allowance = self._allowances.get(subject)
        if allowance is None:
            allowance = self._allowances[subject] = _Allowance()
            if len(self._allowances) > MAX_CALLERS:
                self._allowances.popitem(last=False)
        else:
            self._allowances.move_to_end(subject)
        if self._must_ask(allowance):
            async with allowance.lock:  # of many that find it empty at once, one asks
                for _ in range(_TRIES):  # a window may end while its share is on the way
                    if not self._must_ask(allowance):
                        break
                    await self._lease(database, subject, rate, allowance)
        passes = allowance.left > 0 and self._clock() < allowance.ends
        if passes:
            allowance.left -= 1
        seconds = max(1, math.ceil(allowance.ends - self._clock()))
        return Verdict(passes, allowance.left + allowance.beyond, seconds)

    def _must_ask(self, allowance: _Allowance) -> bool:
        """Whether the window is over, or what was taken of it is used up and more may be there."""
        return self._clock() >= allowance.ends or (allowance.left == 0 and allowance.beyond > 0)

    async def _lease(self, database: Database, subject: str, rate: Rate, allowance: _Allowance) -> None:
        # Counted from before the statement: what is taken of a window must never be used after its end.
        before = self._clock()
        row = await database.ask(_LEASE, subject, rate.count, rate.seconds)
        allowance.left, allowance.beyond = row["granted"], row["beyond"]
        allowance.ends = before + row["seconds"]
        self._leases += 1
        if self._leases % _FORGET_EVERY == 0:
            await forget_past(database)


async def forget_past(database: Database) -> None:
    """Drop the windows that are over, so that the table is as large as the callers of the present."""
    await database.ask(_FORGET)
