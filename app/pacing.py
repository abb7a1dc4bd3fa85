"""Taking turns at a source: one clock in the database for all processes on all machines (DESIGN promise 7)."""

import asyncio
from datetime import timedelta

from sqlalchemy import text

from app.db import Database

_NEXT = text(
    """
    INSERT INTO rate_limits (key, next_at) VALUES (:key, clock_timestamp() + :interval)
    ON CONFLICT (key) DO UPDATE SET next_at = greatest(rate_limits.next_at, clock_timestamp()) + :interval
    RETURNING extract(epoch FROM next_at - :interval - clock_timestamp())::float AS seconds
    """
)


async def wait_turn(database: Database, key: str, interval: timedelta) -> None:
    """Return when this process may make its next request to ``key``, at least ``interval`` after the one before.

    The turn is booked in a short transaction of its own; the waiting happens outside it.
    """
    if interval <= timedelta(0):
        return
    async with database.transaction() as session:
        seconds: float = (await session.execute(_NEXT, {"key": key, "interval": interval})).scalar_one()
    await asyncio.sleep(max(0.0, seconds))
