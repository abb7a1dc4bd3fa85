"""The log of papers, summaries and digests that changed, in an order in which nothing can be missed.

Two steps. Triggers leave a mark of each entity that a transaction changes, in that transaction. The sequencer, one at a time,
gives the entities of committed marks new places at the end of the log. So places are given after commit, and whoever has seen
one has seen, or can see, all before it: a writer that commits late only gets a later place, and holds nobody up.

The log has one row for each entity, at its last change; so it is complete from its beginning, and nothing need ever be
thrown away. Whether an entity was deleted is not what a mark says, but what the sequencer finds: then the order of marks does
not matter. Decision 0017 has the reasons.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ARRAY, Text, bindparam, text
from sqlalchemy.exc import DBAPIError

from app.db import Database
from app.errors import CursorExpired
from app.models import ChangeKind

logger = logging.getLogger(__name__)

BATCH = 10_000
"""Marks that one transaction of the sequencer takes: some tenths of a second."""

READER_MARKS = 20_000
"""Marks that a reader takes before it answers; there may be more, which it says."""

_LOCKED = "55P03"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the log: after ``position``, as it was in ``epoch``."""

    epoch: str
    position: int


@dataclass(frozen=True, slots=True)
class Change:
    """An entity that changed; ``changed_at`` is when the log took it up, never before its commit."""

    kind: ChangeKind
    key: str
    is_deleted: bool
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes in the order of the log; ``place`` is behind the last. ``has_more``: there are more already."""

    changes: tuple[Change, ...]
    place: Place
    has_more: bool


@dataclass(frozen=True, slots=True)
class Start:
    """Where to read from: behind a place; or from the first change at or after ``since``; or (neither) from the end."""

    place: Place | None = None
    since: datetime | None = None


BEGINNING = Start(Place("", 0))


async def read_changes(
    database: Database, start: Start, *, limit: int, kinds: Sequence[ChangeKind] = tuple(ChangeKind)
) -> ChangePage:
    """A page of the log. Every change that was committed before the call is on it or on a later one.

    Only if the page is not full and there are marks, they are given their places first. ``CursorExpired`` for a place in a
    time that the database does not remember.
    """
    page, is_behind = await _read(database, start, limit, kinds)
    if is_behind and (len(page.changes) < limit or start.place is None):
        await sequence(database, READER_MARKS)
        page, _ = await _read(database, start, limit, kinds)
    return page


async def sequence(database: Database, at_most: int | None = None) -> int:
    """Give the entities of committed marks their places, in transactions of bounded size, and return how many marks it took.

    Marks that are committed meanwhile may wait for the next call. If another sequencer is long at work this one gives up.
    """
    taken, begin = 0, "(0,0)"
    try:
        while at_most is None or taken < at_most:
            async with database.transaction() as session:
                # Nobody waits long: neither for another sequencer nor for a table that is being rebuilt.
                await session.execute(text("SET LOCAL lock_timeout = '2s'"))
                await session.execute(_LOCK)
                if not taken:
                    await session.execute(_BEGIN_EPOCH)
                count, last = (await session.execute(_MOVE, {"begin": begin, "most": BATCH})).one()
            taken += count
            if count < BATCH:
                break
            begin = last
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCKED:
            raise
        logger.warning("the log of changes is held by somebody else; it goes on later")
    return taken


async def _read(database: Database, start: Start, limit: int, kinds: Sequence[ChangeKind]) -> tuple[ChangePage, bool]:
    """A page as the log is now, and whether the sequencer has something to do."""
    place = start.place
    asked = {
        "kinds": list(kinds),
        "most": limit + 1,
        "epoch": place.epoch if place and place.position else None,
        "after": place.position if place else None,
        "since": start.since,
    }
    async with database.transaction() as session:
        rows = (await session.execute(_READ, asked)).all()
    log, found = rows[0], [row for row in rows if row.position is not None]
    is_behind = (log.has_marks or not log.is_current) and not log.is_read_only
    if asked["epoch"] is not None and (log.ends_at is None or log.after > log.ends_at):
        raise CursorExpired(
            "The database was restored to a time before this cursor; empty the copy and begin again without a cursor."
        )
    page = ChangePage(
        tuple(Change(ChangeKind(row.kind), row.key, row.is_deleted, row.changed_at) for row in found[:limit]),
        Place(log.epoch, found[:limit][-1].position if found else log.after),
        has_more=len(found) > limit or (log.has_marks and not log.is_read_only),
    )
    return page, is_behind


_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('changes'))")

_SERVER = """
    concat_ws('/', extract(epoch FROM pg_postmaster_start_time()),
        (SELECT oid FROM pg_database WHERE datname = current_database()), CAST('changes'::regclass AS oid))
"""
"""Changes whenever the data may have become other than this server left them: every restored copy begins with it."""

_END = "(SELECT position FROM changes ORDER BY changed_at DESC, position DESC LIMIT 1)"
_EPOCH = "(SELECT {} FROM change_epochs ORDER BY number DESC LIMIT 1)"

_BEGIN_EPOCH = text(
    f"""
    INSERT INTO change_epochs (epoch, server, began_after)
    SELECT gen_random_uuid(), {_SERVER}, coalesce({_END}, 0)
    WHERE {_SERVER} IS DISTINCT FROM {_EPOCH.format("server")}
    """  # noqa: S608 - of constants
)

# The marks from a row of the table on, as they lie there: no index is needed, and dead ones are passed over once.
# One statement, so that what it deletes and what it looks at are of one moment. Only the holder of the lock deletes marks.
_MOVE = text(
    """
    WITH taken AS (
        DELETE FROM change_marks WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM change_marks WHERE ctid >= CAST(CAST(:begin AS text) AS tid) LIMIT :most))
        RETURNING ctid AS place, kind, key
    ), touched AS (
        SELECT kind, key FROM taken WHERE kind <> 'texts'
        UNION
        SELECT 'summary', CAST(summary.id AS text)
        FROM taken JOIN summaries AS summary ON summary.arxiv_id = taken.key WHERE taken.kind = 'texts'
    ), judged AS (
        SELECT kind, key, NOT CASE kind
            WHEN 'paper' THEN EXISTS (SELECT FROM papers WHERE arxiv_id = key)
            WHEN 'summary' THEN EXISTS (SELECT FROM summaries WHERE id = CAST(key AS bigint))
            ELSE EXISTS (SELECT FROM digests WHERE id = key AND revision > 0) END AS is_deleted
        FROM touched
    ), moved AS (
        INSERT INTO changes (kind, key, is_deleted, changed_at)
        SELECT kind, key, is_deleted, greatest(
            statement_timestamp(), (SELECT changed_at FROM changes ORDER BY changed_at DESC LIMIT 1))
        FROM judged
        WHERE NOT is_deleted OR EXISTS (  -- what nobody has seen need not be called deleted, nor anything twice
            SELECT FROM changes AS known
            WHERE known.kind = judged.kind AND known.key = judged.key AND NOT known.is_deleted)
        ORDER BY kind = 'digest', kind, key
        ON CONFLICT (kind, key) DO UPDATE SET
            position = excluded.position, is_deleted = excluded.is_deleted, changed_at = excluded.changed_at
    )
    SELECT count(*), CAST(max(place) AS text) FROM taken
    """
)

# What is asked of the log and the page, in one statement: so they are of one moment, and a poll is cheap.
_READ = text(
    f"""
    WITH log AS (
        SELECT {_EPOCH.format("epoch")} AS epoch,
            {_SERVER} IS NOT DISTINCT FROM {_EPOCH.format("server")} AS is_current,
            EXISTS (SELECT FROM change_marks) AS has_marks,
            current_setting('transaction_read_only') = 'on' AS is_read_only,
            coalesce(:after,
                (SELECT position - 1 FROM changes WHERE changed_at >= :since ORDER BY changed_at, position LIMIT 1),
                {_END}, 0) AS after,
            (SELECT coalesce(
                (SELECT began_after FROM change_epochs AS later
                 WHERE later.number > mine.number ORDER BY later.number LIMIT 1), {_END}, 0)
             FROM change_epochs AS mine WHERE mine.epoch = :epoch) AS ends_at
    )
    SELECT log.*, page.* FROM log LEFT JOIN LATERAL (
        SELECT change.kind, change.key, change.position, change.is_deleted, change.changed_at
        FROM unnest(:kinds) AS wanted(kind)
        CROSS JOIN LATERAL (
            SELECT * FROM changes WHERE changes.kind = wanted.kind AND changes.position > log.after
            ORDER BY changes.position LIMIT :most) AS change
        ORDER BY change.position LIMIT :most
    ) AS page ON true
    ORDER BY page.position
    """  # noqa: S608 - of constants
).bindparams(bindparam("kinds", type_=ARRAY(Text)))
