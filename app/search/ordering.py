"""The candidates of a query, named by the index in the order that is asked for, from any place in it on."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import ColumnElement, Date, DateTime, Select, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Paper, SearchDocument
from app.search import ranking
from app.search.asking import condition, needs_paper
from app.search.ranking import Place
from app.search.syntax import In, Query
from app.search.weighing import Weights, at_most, terms_of

Sort: TypeAlias = Literal["relevance", "id", "announced", "submitted"]
"""The orders of a search: by relevance the best first, by the others the newest first, or the oldest."""

_LEAST_NAMED, _MOST_NAMED = 200, 4_000
"""Candidates that are named at once: the first time, and after several times in which too few of them matched."""


FEW: Final = 10_000
"""Papers that are all found and sorted. Where more may be, Postgres may go through the papers in order until it has enough, for
which it takes rare phrases of common words to be less rare than they are.
"""


@dataclass(frozen=True, slots=True)
class Order:
    """An order, and what must hold of each ``Paper`` in it."""

    sort: Sort
    descending: bool
    conditions: Sequence[ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Key:
    """Where a page ends, and how its order came about, so that the next page goes on in the same order.

    ``value`` is the score, or the day or instant as ISO text, of the last paper, ``shown`` the number of papers until there.
    ``papers`` are the counts of the words, of ``total``; ``query`` is what was searched in place of what was asked for. All of
    it is JSON's.
    """

    order_key: str
    value: int | str | None = None
    matched: str = "all"
    shown: int = 0
    papers: tuple[int, ...] = ()
    total: int = 0
    query: str | None = None


Named: TypeAlias = tuple[int | str | None, str]
"""A paper's value in the order, as in a ``Key``, and its key."""

_List: TypeAlias = Callable[[Key | None], Select[Any, str]]


async def candidates(
    session: AsyncSession, query: Query, weights: Weights, order: Order, after: Key | None
) -> AsyncIterator[list[Named]]:
    """The papers behind ``after`` that the query may find, in lists that grow."""
    for behind in _lists(query, weights, order, after):
        last, size = after, _LEAST_NAMED
        while True:
            rows = await session.execute(behind(last).limit(size))
            named = [(value.isoformat() if isinstance(value, date) else value, key) for value, key in rows]
            if named:
                yield named
            if len(named) < size:
                break
            last, size = Key(named[-1][1], named[-1][0]), min(size * 4, _MOST_NAMED)


def _lists(query: Query, weights: Weights, order: Order, after: Key | None) -> list[_List]:
    """The lists that, one behind the other, are the order; each is asked for what is behind a key."""
    holds, with_paper = condition(query), needs_paper(query) or bool(order.conditions)
    # What is no column cannot be read in order from an index, so that Postgres finds them all and sorts them.
    is_few = at_most(query, weights) <= FEW
    key: ColumnElement[str] = SearchDocument.order_key.concat("") if is_few else SearchDocument.order_key.expression
    if order.sort != "relevance":
        return [partial(_by_time, holds, with_paper, order, key)]
    weighted = sorted(
        (
            (term, weight)
            for term in terms_of(query)
            if term.where is not In.ABSTRACT and (weight := weights.of_term(term))
        ),
        key=lambda one: -one[1],
    )[: ranking.MAX_TITLE_TERMS]

    def by_relevance(last: Key | None, *, in_title: bool | None) -> Select[Any, str]:
        place = Place(int(last.value or 0), last.order_key) if last is not None else None
        if place is not None and place.score and in_title is False:
            place = None
        found = ranking.with_all(holds, weighted, with_paper=with_paper, in_title=in_title, after=place, key=key)
        return found.where(*order.conditions)

    if is_few and weighted:
        return [partial(by_relevance, in_title=None)]
    # A page that ends among the papers without a word in the title goes on there.
    has_titles = bool(weighted) and (after is None or bool(after.value))
    return [partial(by_relevance, in_title=in_title) for in_title in (True, False) if has_titles or not in_title]


_NEVER: Final = datetime.min.replace(tzinfo=UTC)


def _by_time(
    holds: ColumnElement[bool], with_paper: bool, order: Order, key: ColumnElement[str], last: Key | None
) -> Select[Any, str]:
    """By id, or by a day; a paper whose day nobody knows stands with the first of all."""
    columns: list[Any] = [key]
    bounds: list[Any] = [last.order_key] if last is not None else []
    value: ColumnElement[Any] = literal(None)
    if order.sort == "announced":
        value = func.coalesce(Paper.first_announced_on, literal(date.min, Date))
        bounds = [literal(date.fromisoformat(str(last.value)), Date), *bounds] if last is not None else []
    elif order.sort == "submitted":
        value = func.coalesce(Paper.submitted_at, literal(_NEVER, DateTime(timezone=True)))
        instant = datetime.fromisoformat(str(last.value)) if last is not None else _NEVER
        bounds = [literal(instant, DateTime(timezone=True)), *bounds] if last is not None else []
    if order.sort != "id":
        columns = [value, *columns]
    query = select(value, SearchDocument.order_key).where(holds)
    if with_paper or order.sort != "id":
        query = query.join(Paper, Paper.order_key == SearchDocument.order_key).where(*order.conditions)
    if bounds:
        place, bound = tuple_(*columns), tuple_(*bounds)
        query = query.where(place < bound if order.descending else place > bound)
    return query.order_by(*(column.desc() if order.descending else column for column in columns))
