"""From the tree of a query to a condition that the index answers, which holds for every paper that the query may find.

It is as tight as the index can tell: whether the paper is what the query looks for is decided by the matching. Where the
index knows exactly, exclusions narrow too; otherwise they are left to the matching.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from functools import reduce
from itertools import groupby, pairwise
from typing import TypeAlias

from sqlalchemy import ColumnElement, and_, cast, exists, false, func, literal, not_, or_
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.orm import InstrumentedAttribute

from app.arxiv import taxonomy
from app.models import Paper, SearchDocument, Summary, SummaryStatus
from app.search import names, stemming
from app.search.lexemes import BEYOND, MAX_LETTERS, lexeme
from app.search.syntax import (
    And,
    Between,
    Day,
    Feature,
    Filter,
    Has,
    HasId,
    In,
    InCategory,
    Not,
    Or,
    Phrase,
    Query,
    Term,
    Word,
)

Vector: TypeAlias = InstrumentedAttribute[str]
Condition: TypeAlias = ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class _Lookup:
    """A tsquery for one vector, or that it does not hold."""

    vector: Vector
    query: str
    is_negative: bool = False

    def condition(self) -> Condition:
        holds = matches(self.vector, self.query)
        return not_(holds) if self.is_negative else holds


_Part: TypeAlias = _Lookup | Condition


def matches(vector: Vector, query: str) -> Condition:
    """That a vector has what a tsquery asks for."""
    return vector.bool_op("@@")(cast(literal(query), TSQUERY))


def condition(query: Query) -> Condition:
    """What holds of ``Paper`` and ``SearchDocument``, joined, for every paper that the query may find."""
    return _sql(_may(query))


def title_condition(term: Term) -> Condition:
    """What holds of ``SearchDocument`` if a title has the words, in whatever order."""
    titled = replace(term, where=In.TITLE)
    return _sql(_term(titled, with_oversized=False))


def needs_paper(query: Query) -> bool:
    """Whether the condition asks about the paper itself, not only about its words."""
    match query:
        case Word() | Phrase():
            return False
        case Not():
            return needs_paper(query.query)
        case And() | Or():
            return any(map(needs_paper, query.parts))
        case _:
            return True


def _may(query: Query) -> _Part:
    """What holds for all papers that match, and maybe for others."""
    match query:
        case Word() | Phrase():
            return _author(query) if query.where is In.AUTHOR else _term(query, with_oversized=True)
        case And():
            return _all_of(map(_may, query.parts))
        case Or():
            return _any_of(map(_may, query.parts))
        case Not():
            return _negated(_must(query.query))
        case _:
            return _filter(query, exactly=False)


def _must(query: Query) -> _Part:
    """What holds for papers that match only, and maybe not for all of them."""
    match query:
        case Word() | Phrase():
            return _term(query, with_oversized=False) if _is_exact(query) else false()
        case And():
            return _all_of(map(_must, query.parts))
        case Or():
            return _any_of(map(_must, query.parts))
        case Not():
            return _negated(_may(query.query))
        case _:
            return _filter(query, exactly=True)


def _sql(part: _Part) -> Condition:
    return part.condition() if isinstance(part, _Lookup) else part


def _negated(part: _Part) -> _Part:
    if isinstance(part, _Lookup):
        return replace(part, is_negative=not part.is_negative)
    # What is unknown of a paper, such as the day of its submission, does not hold of it.
    return not_(func.coalesce(part, false()))


def _all_of(parts: Iterable[_Part]) -> _Part:
    """Parts joined by and. Lookups in the same vector become one; an exclusion alone is none, for Postgres would answer it
    from the whole index.
    """
    lookups, others = _by_vector(parts, " & ")
    alone: list[_Part] = []
    for part in others:
        if isinstance(part, _Lookup) and (one := lookups.get(part.vector.key)):
            lookups[part.vector.key] = replace(one, query=f"({one.query}) & !({part.query})")
        else:
            alone.append(part)
    return _one_of(lookups, alone, and_)


def _any_of(parts: Iterable[_Part]) -> _Part:
    """Parts joined by or, lookups in the same vector as one."""
    return _one_of(*_by_vector(parts, " | "), or_)


def _by_vector(parts: Iterable[_Part], operator: str) -> tuple[dict[str, _Lookup], list[_Part]]:
    """The lookups, one for each vector, and everything else, exclusions too."""
    lookups: dict[str, _Lookup] = {}
    others: list[_Part] = []
    for part in parts:
        if not isinstance(part, _Lookup) or part.is_negative:
            others.append(part)
        elif before := lookups.get(part.vector.key):
            lookups[part.vector.key] = replace(before, query=f"{before.query}{operator}({part.query})")
        else:
            lookups[part.vector.key] = replace(part, query=f"({part.query})")
    return lookups, others


def _one_of(lookups: dict[str, _Lookup], others: Sequence[_Part], combine: Callable[..., Condition]) -> _Part:
    parts: list[_Part] = [*lookups.values(), *others]
    return parts[0] if len(parts) == 1 else combine(*map(_sql, parts))


def quoted(word: str, *, weight: str = "", is_prefix: bool = False) -> str:
    """A lexeme as a tsquery has it, in a weight or as a beginning."""
    flags = "*" * is_prefix + weight
    escaped = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'" + (f":{flags}" if flags else "")


def _is_exact(term: Term) -> bool:
    """Whether a paper matches if, and only if, the index says so: one word, or one or two characters, without a star."""
    if term.where is In.AUTHOR:
        return False
    if isinstance(term, Word):
        is_pair = stemming.is_unspaced(term.text) and term.where is not In.ABSTRACT
        return is_pair or (
            not term.is_prefix
            and not stemming.is_unspaced(term.text)
            and "-" not in term.text
            and len(term.text) <= MAX_LETTERS
        )
    return len(term.words) == 2 and all(map(stemming.is_unspaced, term.words)) and term.where is not In.ABSTRACT


def _term(term: Term, *, with_oversized: bool) -> _Part:
    """Words as they stand apart or in one, whichever the paper has; with the papers of which the index has not everything."""
    words = (term.text,) if isinstance(term, Word) else term.words
    is_prefix = isinstance(term, Word) and term.is_prefix
    spellings = dict.fromkeys(stemming.parts(words, is_joined=is_joined) for is_joined in (False, True))
    oversized = f" | {quoted(BEYOND)}" if with_oversized else ""
    return _any_of([_spelling(one, term.where, is_prefix, oversized) for one in spellings])


def _spelling(words: tuple[str, ...], where: In, is_prefix: bool, oversized: str) -> _Part:
    in_title = where is In.TITLE
    word_vector = SearchDocument.title_words if in_title else SearchDocument.words
    pair_vector = SearchDocument.title_bigrams if in_title else SearchDocument.bigrams
    weight = "B" if where is In.ABSTRACT else ""
    lookups: list[_Part] = []
    for is_unspaced, group in groupby(words, stemming.is_unspaced):
        run = list(group)
        if is_unspaced:
            pairs = [quoted(one + other) for one, other in pairwise(run)]
            query = " & ".join(pairs) or quoted(run[0], is_prefix=True)
            lookups.append(_Lookup(pair_vector, f"({query}){oversized}"))
            continue
        queries = [quoted(lexeme(word), weight=weight) for word in run]
        if is_prefix:
            queries[-1] = _beginning(run[-1], weight)
        # The title's own vector has no places.
        beside = [f"({one} <-> {other})" for one, other in pairwise(queries)] if not in_title else []
        lookups.append(_Lookup(word_vector, f"({' & '.join(beside or queries)}){oversized}"))
    return _all_of(lookups)


def _beginning(word: str, weight: str) -> str:
    """Every stem of a word that begins so: those that begin so themselves, and those that Snowball may leave of such a word."""
    queries = [quoted(word[:MAX_LETTERS], weight=weight, is_prefix=True)]
    if stemming.is_english(word):
        queries += (quoted(one, weight=weight) for one in sorted(stemming.shorter_stems(word)))
    return f"({' | '.join(queries)})" if len(queries) > 1 else queries[0]


def _author(term: Term) -> _Part:
    """Names of which each word is a part, or which are one person's: then the family name, or the whole, is the same."""
    words = (term.text,) if isinstance(term, Word) else term.words
    is_prefix = isinstance(term, Word) and term.is_prefix
    text = " ".join(words)
    if is_prefix:
        found = [" & ".join(quoted(word[:MAX_LETTERS], is_prefix=True) for word in words)]
    else:
        full = [word for word in words if len(word) > 1] or list(words)
        found = [" & ".join(map(_part_of_name, full)), *map(_name_lexeme, names.same_person(text))]
    if characters := [one for one in text if stemming.is_unspaced(one)]:
        found.append(" & ".join(map(quoted, characters)))
    return _Lookup(SearchDocument.author_words, " | ".join(f"({one})" for one in [*found, quoted(BEYOND)]))


def author_condition(words: Sequence[str]) -> Condition:
    """What holds of ``SearchDocument`` for every paper one of whose authors has these folded words, none with a hyphen, as parts
    of the name; the letters of initials do not narrow.
    """
    parts = [part for word in words for part in (word if any(map(stemming.is_unspaced, word)) else [word])]
    named = " & ".join(_name_lexeme(part) for part in parts if len(part) > 1 or stemming.is_unspaced(part))
    return matches(SearchDocument.author_words, f"({named}) | {quoted(BEYOND)}")


def _part_of_name(word: str) -> str:
    """As ``names`` compares it: the word, what its hyphens join, or the same in one."""
    pieces = " & ".join(_name_lexeme(piece) for piece in word.split("-") if piece)
    return f"({_name_lexeme(word.replace('-', ''))} | ({pieces}))" if "-" in word else _name_lexeme(word)


def _name_lexeme(part: str) -> str:
    return quoted(part[:MAX_LETTERS])


def _filter(wanted: Filter, *, exactly: bool) -> Condition:
    match wanted:
        case InCategory():
            # ``listed_in`` has an index, but may name categories that a paper has left.
            column = Paper.categories if exactly else Paper.listed_in
            return and_(column.overlap(sorted(taxonomy.names_or_same(wanted.name))))
        case HasId():
            return Paper.arxiv_id == wanted.arxiv_id
        case Has():
            return _has(wanted.feature)
        case Between():
            return _between(wanted)


def _has(feature: Feature) -> Condition:
    if feature is Feature.SUMMARY:
        return exists().where(
            Summary.arxiv_id == Paper.arxiv_id,
            Summary.status == SummaryStatus.DONE,
            Summary.released_at.is_(None),
        )
    return Paper.withdrawn.is_(True) if feature is Feature.WITHDRAWN else func.coalesce(Paper.doi, "") != ""


def _between(wanted: Between) -> Condition:
    conditions: list[Condition] = []
    if wanted.day is Day.ANNOUNCED:
        conditions += [Paper.first_announced_on >= wanted.from_] if wanted.from_ else []
        conditions += [Paper.first_announced_on <= wanted.to] if wanted.to else []
    else:
        conditions += [Paper.submitted_at >= datetime.combine(wanted.from_, time.min, UTC)] if wanted.from_ else []
        conditions += [Paper.submitted_at <= datetime.combine(wanted.to, time.max, UTC)] if wanted.to else []
    return reduce(and_, conditions)
