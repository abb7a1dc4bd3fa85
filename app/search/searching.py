"""One search, as the API and the command line ask for it: a cascade from what has everything to what has some of it.

1. **all**: papers that are what the query looks for. The index names candidates in the order that is asked for, and the
   matching decides about those that are about to be shown.
2. **near**: where nothing is, and a word is in no paper, the same with that word put right (``correcting``).
3. **some**: where nothing is, in the order by relevance, papers with some of the words. What is no word (filters, exclusions,
   authors) must hold. A text that was pasted is searched so from the start.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import among
from app.errors import InvalidQuery
from app.models import Paper, SearchDocument
from app.search import correcting, indexing, ranking, snippets
from app.search.asking import condition
from app.search.finding import plan_by_index, see
from app.search.lexemes import lexeme
from app.search.matching import Candidate, Match, Prepared, match, prepare
from app.search.ordering import Key, Order, Sort, candidates
from app.search.parsing import parse
from app.search.ranking import Place
from app.search.reading import MAX_PASTED, Prose, read
from app.search.stemming import words
from app.search.syntax import And, Query, both
from app.search.weighing import Lexeme, Weights, lexemes_of, lexemes_of_terms, terms_of, weigh

MAX_BEST: Final = 1_000
"""Papers that the order by relevance has; the other orders have all."""

MAX_LOOKED_AT: Final = 10_000
"""Papers that the index may name in vain for one search, which takes seconds; nobody waits for more of them."""

EXTENT_SECONDS: Final = 60.0
"""How long a process believes its count of the papers that are indexed."""

MAX_KEPT: Final = 24
"""Words whose counts a key keeps; for longer texts they are looked up again, and pages may overlap after a new count."""


class Matched(StrEnum):
    """What the papers of an answer have of what was asked for."""

    ALL = "all"
    NEAR = "near"
    SOME = "some"


@dataclass(frozen=True, slots=True)
class Hit:
    """A paper that was found. ``title_html`` and ``snippets`` are escaped, with ``<mark>`` around what was looked for.

    ``snippets`` are the best passage of the abstract, and, where a translation has hits, its title and best passage.
    """

    arxiv_id: str
    score: float
    words: tuple[str, ...] = ()
    title_html: str | None = None
    snippets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Results:
    """A page. ``searched`` is the query that was searched in place of the one that was asked for, if another was.

    ``indexed`` of the ``stored`` papers can be found, by a count of at most a minute ago.
    """

    hits: list[Hit]
    next: Key | None
    matched: Matched
    searched: str | None
    indexed: int
    stored: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """A search as it was asked for."""

    session: AsyncSession
    order: Order
    limit: int
    highlight: bool


async def search(
    session: AsyncSession,
    text: str,
    *,
    conditions: Sequence[ColumnElement[bool]] = (),
    sort: Sort = "relevance",
    descending: bool = True,
    limit: int = 20,
    after: Key | None = None,
    highlight: bool = False,
) -> Results:
    """A page of the papers that a text finds, those for which ``conditions`` over ``Paper`` hold, behind ``after``.

    ``InvalidQuery`` if the text is none. ``after`` is the ``next`` of an answer to the same call.
    """
    asked = _Asked(session, Order(sort, descending, conditions), limit, highlight)
    query = parse(after.query) if after is not None and after.query is not None else read(text)
    await plan_by_index(session)
    weights = await _weights(session, query, after)
    if after is not None:
        matched = Matched(after.matched)
        if matched is Matched.SOME or isinstance(query, Prose):
            hits = await _some(asked, query, weights, after)
        else:
            hits = await _all(asked, query, weights, after)
        return await _results(asked, hits, weights, matched, after.query)
    if not isinstance(query, Prose):
        if hits := await _all(asked, query, weights, None):
            return await _results(asked, hits, weights, Matched.ALL, None)
        if near := await correcting.corrected(session, query, weights):
            weights = await _weights(session, near, None)
            if hits := await _all(asked, near, weights, None):
                searched = _as_printed(near, query, [hit for hit, _ in hits])
                return await _results(asked, hits, weights, Matched.NEAR, searched)
            weights = await _weights(session, query, None)
    hits = await _some(asked, query, weights, None) if sort == "relevance" else []
    is_some = bool(hits) or isinstance(query, Prose)
    return await _results(asked, hits, weights, Matched.SOME if is_some else Matched.ALL, None)


async def like(
    session: AsyncSession, text: str, *, limit: int, conditions: Sequence[ColumnElement[bool]] = ()
) -> list[tuple[str, float]]:
    """The papers that share the rarest words with a text, whatever it holds: no part of it is read as a query. Scores fall."""
    query = Prose(tuple(lexemes_of(words(text[:MAX_PASTED]))))
    await plan_by_index(session)
    weights = await _weights(session, query, None)
    places = await ranking.with_some(session, query.lexemes, weights, conditions=conditions)
    keys = [place.order_key for place in places[:limit]]
    rows = await session.execute(select(Paper.order_key, Paper.arxiv_id).where(among(Paper.order_key, keys)))
    ids = {row.order_key: row.arxiv_id for row in rows}
    return [(ids[place.order_key], place.score / 100) for place in places[:limit] if place.order_key in ids]


def _lexemes(query: Query | Prose) -> tuple[Lexeme, ...]:
    return query.lexemes if isinstance(query, Prose) else tuple(lexemes_of_terms(terms_of(query)))


async def _weights(session: AsyncSession, query: Query | Prose, after: Key | None) -> Weights:
    """How much the words say; on a later page as much as on the first."""
    lexemes = _lexemes(query)
    if after is not None and len(after.papers) == len(lexemes):
        return Weights(dict(zip((one.text for one in lexemes), after.papers, strict=True)), after.total)
    return await weigh(session, lexemes)


_Found: TypeAlias = list[tuple[Hit, Key]]
"""Hits, each with the key of a page that ends there: one more than the page takes, if there is another page."""


async def _results(asked: _Asked, hits: _Found, weights: Weights, matched: Matched, searched: str | None) -> Results:
    extent = await _extent(asked.session)
    key = None
    if len(hits) > asked.limit:
        papers = tuple(weights.papers.values()) if len(weights.papers) <= MAX_KEPT else ()
        last = hits[asked.limit - 1][1]
        key = replace(last, matched=str(matched), query=searched, papers=papers, total=weights.total)
    return Results([hit for hit, _ in hits[: asked.limit]], key, matched, searched, extent.indexed, extent.stored)


_extents: Final[WeakKeyDictionary[Any, tuple[float, indexing.Extent]]] = WeakKeyDictionary()


async def _extent(session: AsyncSession) -> indexing.Extent:
    engine = session.get_bind()
    until, known = _extents.get(engine, (0.0, None))
    if known is None or until < time.monotonic():
        if known is not None:  # Others believe the last count meanwhile: counting is not for all of them at once.
            _extents[engine] = (time.monotonic() + EXTENT_SECONDS, known)
        known = await indexing.extent(session)
        _extents[engine] = (time.monotonic() + EXTENT_SECONDS, known)
    return known


async def _all(asked: _Asked, query: Query, weights: Weights, after: Key | None) -> _Found:
    """The papers behind ``after`` that are what the query looks for, one more than the page takes."""
    shown = after.shown if after else 0
    wanted = asked.limit + 1
    if asked.order.sort == "relevance":
        wanted = min(wanted, MAX_BEST - shown)
    marks = snippets.sought(terms_of(query), apart=False) if asked.highlight else None

    def look(seen: Candidate) -> Hit | None:
        prepared = prepare(seen)
        answer = match(query, prepared)
        return None if answer is None else _hit(prepared, answer, marks)

    found: _Found = []
    looked_at = 0
    async for named in candidates(asked.session, query, weights, asked.order, after):
        # No more at a time than are likely to be shown: to look at a paper costs half a millisecond.
        for first in range(0, len(named), wanted):
            if looked_at >= MAX_LOOKED_AT:
                raise InvalidQuery(
                    f"More than {MAX_LOOKED_AT:,} papers have these words, but otherwise; ask for something rarer.",
                    0,
                )
            some = named[first : first + wanted]
            looked_at += len(some)
            hits = await _look_at(asked.session, [key for _, key in some], look)
            for value, key in some:
                if hit := hits.get(key):
                    shown += 1
                    score = value / 100 if isinstance(value, int) else 0.0
                    found.append((replace(hit, score=score), Key(key, value, shown=shown)))
            if len(found) >= wanted:
                return found[:wanted]
    return found


async def _some(asked: _Asked, query: Query | Prose, weights: Weights, after: Key | None) -> _Found:
    """The papers behind ``after`` with some of the words, one more than the page takes."""
    required = _required(query)
    conditions = list(asked.order.conditions)
    if required is not None:
        conditions.append(may_be(required))
    places = await ranking.with_some(asked.session, _lexemes(query), weights, conditions=conditions)
    if after is not None:
        last = Place(int(after.value or 0), after.order_key)
        places = [place for place in places if place < last]
    marks = _sought_apart(query) if asked.highlight else None

    def look(seen: Candidate) -> Hit | None:
        prepared = prepare(seen)
        answer = match(required, prepared) if required is not None else Match((), (), 0.0)
        return None if answer is None else _hit(prepared, answer, marks)

    found: _Found = []
    shown = after.shown if after else 0
    for first in range(0, len(places), asked.limit + 1):
        some = places[first : first + asked.limit + 1]
        hits = await _look_at(asked.session, [place.order_key for place in some], look)
        for place in some:
            if hit := hits.get(place.order_key):
                shown += 1
                found.append((replace(hit, score=place.score / 100), Key(place.order_key, place.score, shown=shown)))
        if len(found) > asked.limit:
            break
    return found[: asked.limit + 1]


async def _look_at(
    session: AsyncSession, order_keys: Sequence[str], look: Callable[[Candidate], Hit | None]
) -> dict[str, Hit]:
    """What ``look`` finds at these papers, by their keys; it is called in a thread, so that others have their turn."""
    seen = await see(session, order_keys)

    def looking() -> dict[str, Hit]:
        return {key: hit for key, one in seen.items() if (hit := look(one)) is not None}

    return await asyncio.to_thread(looking)


def required(text: str) -> Query | None:
    """What must hold of a paper that a text finds by some of its words, or by its meaning; None if nothing must."""
    return _required(read(text))


def may_be(query: Query) -> ColumnElement[bool]:
    """What holds of ``Paper`` for every indexed paper that the query finds; the matching decides (``find_papers``)."""
    documents = select(SearchDocument.order_key).where(SearchDocument.order_key == Paper.order_key, condition(query))
    return documents.exists()


def _required(query: Query | Prose) -> Query | None:
    """The parts without a word that a paper may have: filters, exclusions, authors, and alternatives of them."""
    if isinstance(query, Prose):
        return None
    parts = query.parts if isinstance(query, And) else (query,)
    kept = [part for part in parts if not terms_of(part)]
    return both(kept) if kept else None


def _sought_apart(query: Query | Prose) -> list[snippets.Sought]:
    if isinstance(query, Prose):
        return [snippets.Sought(tuple(one.text) if one.is_pair else (one.text,)) for one in query.lexemes]
    return snippets.sought(terms_of(query), apart=True)


def _hit(paper: Prepared, answer: Match, marks: Sequence[snippets.Sought] | None) -> Hit:
    seen, words = paper.candidate, (*answer.words, *answer.authors)
    if marks is None:
        return Hit(seen.arxiv_id, 0.0, words)
    titles = [snippets.marked(line, marks) for line in paper.titles]
    own = titles[0][0] if seen.title else None
    found = [snippets.passage(line, marks) for line in paper.abstracts]
    if not seen.abstract:
        found = [None, *found]
    translated = [html for html, has_marks in titles[bool(seen.title) :] if has_marks]
    passages = dict.fromkeys(filter(None, (found[0] if found else None, *translated, *found[1:])))
    return Hit(seen.arxiv_id, 0.0, words, own, tuple(passages))


def _as_printed(near: Query, query: Query, hits: Sequence[Hit]) -> str:
    """The query that was searched, its corrected words as the first papers print them and not as stems."""
    old = {one.text for one in _lexemes(query)}
    new = {one.text for one in _lexemes(near)} - old
    printed: dict[str, str] = {}
    for hit in hits:
        for word in (word for shown in hit.words for word in words(shown)):
            if lexeme(word) in new:
                printed.setdefault(lexeme(word), word)
    return str(correcting.respelled(near, printed))
