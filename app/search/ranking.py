"""Papers in the order by relevance, by the index alone: those with everything that is asked for, or with some of it.

**Everything** (``with_all``): by the weights of the words and phrases that their titles have, then the newest first.

**Some** (``with_some``): candidates come from the rarest words, as many of them as have ``BUDGET`` papers together; their
number is bounded whatever is pasted in. Where those are few words, the next ones are looked up among these papers only, which the
index does without reading the others. The best ``MAX_SOME`` by the sum of weights are then looked at with all words: a
word in a title counts half as much again, and a paper's score shrinks a little as its text grows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    case,
    cast,
    func,
    literal,
    not_,
    or_,
    select,
    text,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import Integer, Text

from app.models import Paper, SearchDocument
from app.search.asking import Condition, quoted, title_condition
from app.search.syntax import Term, Word
from app.search.weighing import Lexeme, Weights

MAX_SOME: Final = 100
"""Papers that are ranked if none has everything."""

BUDGET: Final = 20_000
"""Postings that are looked at to find them."""

BUDGET_OF_TWO: Final = 50_000
"""The same where they are of two words only: among a million papers, many a paper lacks the rarest one."""

MAX_LOOKED_UP: Final = 32
"""Words that are looked up to find them, the rarest."""

MAX_TOLD_APART: Final = 8
"""Words, the rarest, that tell the papers found apart even where fewer use up the budget."""

MAX_TITLE_TERMS: Final = 8
"""Words and phrases, the rarest, that the order of those with everything looks for in titles."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a paper stands in an order by relevance: better ones are greater."""

    score: int
    order_key: str


def with_all(
    condition: Condition,
    weighted: Sequence[tuple[Term, int]],
    *,
    with_paper: bool,
    in_title: bool | None,
    after: Place | None,
    key: ColumnElement[str],
) -> Select[Any, str]:
    """Score and key of the papers for which a condition holds, the best first, behind ``after``.

    Of many papers there are two lists, one behind the other: those with a word ``in_title``, and, cheap to find however common
    the words are, those without, whose score is 0; None is both in one. ``with_paper``: the condition asks about ``Paper``,
    too. ``key`` is what orders papers of the same score.
    """
    titles = [(title_condition(term), weight) for term, weight in weighted]
    score: ColumnElement[int] = literal(0)
    # Where all have the same score, they are read in order from the index, and not all found and sorted. Not those with a phrase,
    # which Postgres takes for less rare than it is.
    is_word = len(weighted) == 1 and isinstance(weighted[0][0], Word)
    is_same = not titles or in_title is False or (in_title is True and is_word)
    if not is_same:
        score = reduce(add, (case((holds, weight), else_=0) for holds, weight in titles))
    elif in_title:
        score = literal(titles[0][1])
    query = select(score.label("score"), SearchDocument.order_key)
    if titles and in_title is not None:
        # Before all else: the words of titles stand in the row, the others have to be fetched.
        has_one = or_(*(holds for holds, _ in titles))
        query = query.where(has_one if in_title else not_(has_one))
    query = query.where(condition)
    if with_paper:
        query = query.join(Paper, Paper.order_key == SearchDocument.order_key)
    if after is not None and is_same:
        query = query.where(SearchDocument.order_key < after.order_key)
    elif after is not None:
        query = query.where(
            tuple_(score, SearchDocument.order_key) < tuple_(literal(after.score), literal(after.order_key))
        )
    return query.order_by(*([] if is_same else [score.desc()]), key.desc())


_RESCORE: Final = text(
    """
    SELECT document.order_key, (of_all.score * 2000 / (2000 + document.size))::int AS score
    FROM (
        SELECT order_key, words, bigrams, length(words) + length(bigrams) AS size,
               tsvector_to_array(title_words || title_bigrams) AS titles
        FROM search_documents WHERE order_key = ANY(:keys) OFFSET 0
    ) AS document
    CROSS JOIN LATERAL (
        SELECT sum(term.weight * (2 + (term.lexeme = ANY(titles))::int)) AS score
        FROM unnest(tsvector_to_array(words) || tsvector_to_array(bigrams)) AS own(lexeme)
        JOIN unnest(CAST(:lexemes AS text[]), CAST(:weights AS int[])) AS term(lexeme, weight) USING (lexeme)
    ) AS of_all
    ORDER BY 2 DESC, 1 DESC
    """
)


async def with_some(
    session: AsyncSession,
    lexemes: Sequence[Lexeme],
    weights: Weights,
    *,
    conditions: Sequence[ColumnElement[bool]],
) -> list[Place]:
    """The best papers that have any of these, the best first; ``conditions`` are over ``Paper``."""
    named = sorted((one for one in lexemes if weights.of(one)), key=lambda one: (-weights.of(one), one.text))
    if not named:
        return []
    keys = list(await session.scalars(_candidates(named, weights, conditions)))
    rows = await session.execute(
        _RESCORE,
        {"keys": keys, "lexemes": [one.text for one in named], "weights": [weights.of(one) for one in named]},
    )
    return [Place(score or 0, key) for key, score in rows]


def _within_budget(rarest: Sequence[Lexeme], weights: Weights) -> int:
    """How many of these, the rarest first, are looked up with all their papers; at least one."""
    postings = 0
    for number, one in enumerate(rarest[:MAX_LOOKED_UP]):
        postings += weights.papers[one.text]
        if number and postings > (BUDGET if number > 1 else BUDGET_OF_TWO):
            return number
    return min(len(rarest), MAX_LOOKED_UP)


def _candidates(
    rarest: Sequence[Lexeme], weights: Weights, conditions: Sequence[ColumnElement[bool]]
) -> Select[Any, str]:
    count = _within_budget(rarest, weights)
    chosen, others = rarest[:count], rarest[count : max(count, MAX_TOLD_APART)]
    found = []
    for is_pair, vector in ((False, SearchDocument.words), (True, SearchDocument.bigrams)):
        some = {one: _lookup(one) for one in chosen if one.is_pair is is_pair}
        if not some:
            continue
        any_of_these = " | ".join(some.values())
        some |= {one: f"({any_of_these}) & {_lookup(one)}" for one in others if one.is_pair is is_pair}
        queries, worth = list(some.values()), [weights.of(one) for one in some]
        rows = func.unnest(literal(queries, ARRAY(Text)), literal(worth, ARRAY(Integer)))
        term = rows.table_valued("query", "weight", name=f"term_{int(is_pair)}").render_derived()
        # One lookup for each word, and never a scan with all of them: that is what OFFSET 0 makes Postgres do.
        has = vector.bool_op("@@")(cast(term.c.query, TSQUERY))
        document = select(SearchDocument.order_key).where(has).offset(0).lateral(f"document_{int(is_pair)}")
        found.append(select(document.c.order_key, term.c.weight).join_from(term, document, true()))
    hits = union_all(*found).subquery("hit")
    query = select(hits.c.order_key)
    if conditions:
        query = query.join(Paper, Paper.order_key == hits.c.order_key).where(*conditions)
    return (
        query.group_by(hits.c.order_key)
        .order_by(func.sum(hits.c.weight).desc(), hits.c.order_key.desc())
        .limit(MAX_SOME)
    )


def _lookup(one: Lexeme) -> str:
    return quoted(one.text, is_prefix=one.is_pair and len(one.text) == 1)
