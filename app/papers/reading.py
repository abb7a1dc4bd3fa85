"""Reading papers as JSON: pages of filtered lists, papers by their ids, one paper whole.

Each is one statement, written by SQLAlchemy once for a question and then run by the driver. A page begins behind the last row of
the page before, by the order's own index, so that the thousandth costs what the first does, and rows that come or go in between
move nothing.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Date,
    DateTime,
    Integer,
    SQLColumnExpression,
    Text,
    bindparam,
    cast,
    func,
    literal_column,
    select,
    tuple_,
)

from app.db import Database, Prepared, prepare
from app.errors import NotFound
from app.models import Paper
from app.papers.as_json import detail_json, paper_json
from app.papers.filters import ANNOUNCED, SUBMITTED, PaperFilter, conditions


class Sort(StrEnum):
    """How a list of papers is ordered; by a date, papers of one day or instant are in the order of their ids. Relevance is for
    what a search has found.
    """

    ID = "id"
    ANNOUNCED = "announced"
    SUBMITTED = "submitted"
    RELEVANCE = "relevance"


class Direction(StrEnum):
    """Newest first, or oldest first. A paper without the date counts as older than all others."""

    DESC = "desc"
    ASC = "asc"


@dataclass(frozen=True, slots=True)
class Shown:
    """What is told of each paper: these fields (all, if None); with ``summaries`` those that speak for it, of one language if
    one is named.
    """

    fields: tuple[str, ...] | None = None
    summaries: bool = False
    language: str | None = None


@dataclass(frozen=True, slots=True)
class PaperQuery:
    """A list of papers: which, in which order, and what of them. Equal questions are one statement."""

    wanted: PaperFilter = field(default_factory=PaperFilter)
    sort: Sort = Sort.ID
    direction: Direction = Direction.DESC
    shown: Shown = Shown()


EVERYTHING: Final = Shown()

Key = tuple[date | datetime | None, str]
"""Where a page ends: the date that the list is ordered by (None if the paper has none, or it is ordered by id), ``order_key``."""

_KEYS: Final[dict[Sort, ColumnElement[Any]]] = {Sort.ANNOUNCED: ANNOUNCED, Sort.SUBMITTED: SUBMITTED}
_DATES: Final[dict[Sort, Any]] = {Sort.ANNOUNCED: Paper.first_announced_on, Sort.SUBMITTED: Paper.submitted_at}
# The driver writes these as -infinity, which is what a missing date counts as.
_OLDEST: Final[dict[Sort, date | datetime]] = {
    Sort.ANNOUNCED: date.min,
    Sort.SUBMITTED: datetime.min.replace(tzinfo=UTC),
}
_TYPES: Final[dict[Sort, Any]] = {Sort.ANNOUNCED: Date(), Sort.SUBMITTED: DateTime(timezone=True)}


@dataclass(frozen=True, slots=True)
class Page:
    """Papers as JSON texts; the key to continue after, None on the last page; and what changes whenever a text does, or the
    statement that wrote it. With summaries, which change by themselves, ``version`` is None.
    """

    texts: list[str]
    key: Key | None
    version: str | None


async def read_page(database: Database, query: PaperQuery, *, limit: int, after: Key | None = None) -> Page:
    """A page of a list, from the beginning or ``after`` the key of the page before.

    Raises ``InvalidInput`` for a filter that no paper could pass.
    """
    parameters: dict[str, Any] = {"limit": limit + 1}
    if after is not None:
        day, order_key = after
        parameters |= {"day": day if day is not None else _OLDEST.get(query.sort), "order_key": order_key}
    statement = _page(query, after is not None)
    rows = await database.fetch(statement, parameters)
    shown = rows[:limit]
    key: Key | None = None
    if len(rows) > limit:
        last = shown[-1]
        key = (last[3] if query.sort in _KEYS else None, last[1])
    version = None if query.shown.summaries else " ".join([statement.mark, *[f"{row[1]}:{row[2]}" for row in shown]])
    return Page([row[0] for row in shown], key, version)


FIRST_BATCH: Final = 20
BATCH: Final = 500
"""Papers that are read at a time for a stream: few megabytes, and the first bytes soon."""


async def read_all(database: Database, query: PaperQuery) -> AsyncIterator[list[str]]:
    """Every paper of a list as JSON texts, some at a time; between two reads no connection is held.

    As with pages, what is in the list all the time comes exactly once; what comes or goes meanwhile may be there or not.
    """
    after: Key | None = None
    size = FIRST_BATCH
    while True:
        page = await read_page(database, query, limit=size, after=after)
        if page.texts:
            yield page.texts
        if page.key is None:
            return
        after, size = page.key, BATCH


# Postgres gives a row another xmin, the number of the transaction that wrote it, whenever it is changed; but a restored copy may
# give the same number to something else.
_SERVER: Final = select(cast(func.pg_postmaster_start_time(), Text)).scalar_subquery()
_WRITTEN: Final = func.concat(literal_column("papers.xmin"), literal_column("' '"), _SERVER)


# Planned for each call's values: a category that half of the papers carry is read by the order's index, a rare one by its own. It
# is the limit, which is a parameter, that makes Postgres find the plan for any values too dear.
@lru_cache(maxsize=256)
def _page(query: PaperQuery, is_continued: bool) -> Prepared:
    ascending = query.direction is Direction.ASC
    key = _KEYS.get(query.sort)
    order = [Paper.order_key] if key is None else [key, Paper.order_key]
    columns: list[Any] = [cast(_json(query.shown), Text), Paper.order_key, _WRITTEN]
    if key is not None:
        columns.append(_DATES[query.sort])
    statement = select(*columns).where(*conditions(query.wanted))
    if is_continued:
        behind = [bindparam("order_key", type_=Text())]
        if key is not None:
            behind.insert(0, bindparam("day", type_=_TYPES[query.sort]))
        here, there = (tuple_(*order), tuple_(*behind)) if key is not None else (order[0], behind[0])
        statement = statement.where(here > there if ascending else here < there)
    ordered = [column.asc() if ascending else column.desc() for column in order]
    return prepare(statement.order_by(*ordered).limit(bindparam("limit", type_=Integer())))


def _json(shown: Shown) -> SQLColumnExpression[Any]:
    return paper_json(shown.fields, summaries=shown.summaries, language=shown.language)


async def read_papers(database: Database, arxiv_ids: Sequence[str], shown: Shown = EVERYTHING) -> dict[str, str]:
    """These papers as JSON texts by their ids, in the order in which they are named, without those that are not stored."""
    found = {row[0]: row[1] for row in await database.fetch(_by_ids(shown), {"arxiv_ids": list(arxiv_ids)})}
    return {arxiv_id: found[arxiv_id] for arxiv_id in dict.fromkeys(arxiv_ids) if arxiv_id in found}


@lru_cache(maxsize=64)
def _by_ids(shown: Shown) -> Prepared:
    named = bindparam("arxiv_ids", type_=ARRAY(Text))
    return prepare(select(Paper.arxiv_id, cast(_json(shown), Text)).where(Paper.arxiv_id == func.any(named)))


async def read_paper(database: Database, arxiv_id: str) -> str:
    """One paper by its canonical id, with its announcements and its newest raw record, as JSON; ``NotFound``."""
    rows = await database.fetch(_one(), {"arxiv_id": arxiv_id})
    if not rows:
        raise not_stored(arxiv_id)
    text: str = rows[0][0]
    return text


@lru_cache(maxsize=1)
def _one() -> Prepared:
    named = bindparam("arxiv_id", type_=Text())
    return prepare(select(cast(detail_json(), Text)).where(Paper.arxiv_id == named))


def not_stored(arxiv_id: str) -> NotFound:
    """What is said of a paper that is not here."""
    return NotFound(
        f"There is no paper {arxiv_id} here. It is stored when a listing or an archive that has it is read."
    )
