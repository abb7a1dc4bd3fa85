"""How much each word of a query says: the rarer it is among all papers, the more. What is asked for by its words alone.

The weight of a word is its inverse document frequency in hundredths, a whole number, so that sums of weights are exact and
pages of one list agree with each other.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from math import log
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.search import stemming
from app.search.asking import quoted
from app.search.lexemes import lexeme
from app.search.syntax import And, In, Or, Phrase, Query, Term, Word

MAX_COUNTED: Final = 64
"""Words without a count for which the papers are counted at once; of further ones there are few papers anyway."""

EVERY: Final = 10**9
"""More papers than there are: how many a filter or a beginning names, nobody has counted."""

COUNTED_TO: Final = 2_000
"""Papers that are counted then; a word that became common since the last count is taken for as common as that."""


@dataclass(frozen=True, slots=True)
class Lexeme:
    """What the index is looked up for: a stem, or (``is_pair``) a bigram of a script without blanks."""

    text: str
    is_pair: bool = False


@dataclass(frozen=True, slots=True)
class Weights:
    """How many papers have each lexeme (0: none), in the order of the question, and of how many papers there are."""

    papers: dict[str, int]
    total: int

    def of(self, one: Lexeme) -> int:
        """The weight; 0 for what no paper has."""
        papers = self.papers.get(one.text, 0)
        return max(1, round(100 * log(1 + self.total / papers))) if papers else 0

    def of_term(self, term: Term) -> int:
        """A phrase says as much as its rarest word, and a little more than that."""
        weights = sorted((self.of(one) for one in lexemes_of(_words(term))), reverse=True)
        return weights[0] + sum(weights[1:]) // 10 if weights else 0


def terms_of(query: Query) -> list[Term]:
    """The words and phrases that a paper may have, authors left out, in their order, each once."""
    return list(dict.fromkeys(_terms(query)))


def _terms(query: Query) -> Iterator[Term]:
    match query:
        case Word() | Phrase() if query.where is not In.AUTHOR:
            yield query
        case And() | Or():
            for part in query.parts:
                yield from _terms(part)


def _words(term: Term) -> tuple[str, ...]:
    return (term.text,) if isinstance(term, Word) else term.words


def at_most(query: Query, weights: Weights) -> int:
    """How many papers, about and at most, the index names for a query: the first guess of a plan."""
    match query:
        case Word() | Phrase() if query.where is not In.AUTHOR and not (isinstance(query, Word) and query.is_prefix):
            spellings = {stemming.parts(_words(query), is_joined=is_joined) for is_joined in (False, True)}
            return sum(min(weights.papers.get(one.text, 0) for one in lexemes_of(words)) for words in spellings)
        case And():
            return min(at_most(part, weights) for part in query.parts)
        case Or():
            return sum(at_most(part, weights) for part in query.parts)
        case _:
            return EVERY


def lexemes_of(words: Sequence[str]) -> list[Lexeme]:
    """What stands for words in the index, each once: compounds in parts and in one, other scripts in pairs."""
    found: dict[Lexeme, None] = {}
    for is_unspaced, group in groupby(words, stemming.is_unspaced):
        run = tuple(group)
        if is_unspaced:
            pairs = [one + other for one, other in pairwise(run)] or [run[0]]
            found.update(dict.fromkeys(Lexeme(pair, True) for pair in pairs))
            continue
        for is_joined in (False, True):
            found.update(dict.fromkeys(Lexeme(lexeme(word)) for word in stemming.parts(run, is_joined=is_joined)))
    return list(found)


def lexemes_of_terms(terms: Iterable[Term]) -> list[Lexeme]:
    """As ``lexemes_of``, of several terms."""
    return list(dict.fromkeys(one for term in terms for one in lexemes_of(_words(term))))


_KNOWN: Final = text("SELECT term, papers FROM search_terms WHERE term = ANY(:terms) OR term = ''")
_COUNT: Final = text(
    f"""
    SELECT term.lexeme, (SELECT count(*) FROM (
        SELECT FROM search_documents WHERE words @@ CAST(term.query AS tsquery) LIMIT {COUNTED_TO}) AS found)
    FROM unnest(CAST(:words AS text[]), CAST(:word_queries AS text[])) AS term(lexeme, query)
    UNION ALL
    SELECT term.lexeme, (SELECT count(*) FROM (
        SELECT FROM search_documents WHERE bigrams @@ CAST(term.query AS tsquery) LIMIT {COUNTED_TO}) AS found)
    FROM unnest(CAST(:pairs AS text[]), CAST(:pair_queries AS text[])) AS term(lexeme, query)
    """  # noqa: S608 - a number that is written above
)


async def weigh(session: AsyncSession, lexemes: Sequence[Lexeme]) -> Weights:
    """In how many papers these are, from the last count (``indexing.count_terms``), or counted now."""
    counts = {}
    for term, papers in await session.execute(_KNOWN, {"terms": [one.text for one in lexemes]}):
        counts[term] = papers
    missing = [one for one in lexemes if one.text not in counts][:MAX_COUNTED]
    if missing:
        words, pairs = ([one.text for one in missing if one.is_pair is is_pair] for is_pair in (False, True))
        parameters = {
            "words": words,
            "word_queries": list(map(quoted, words)),
            "pairs": pairs,
            "pair_queries": [quoted(pair, is_prefix=len(pair) == 1) for pair in pairs],
        }
        for term, papers in await session.execute(_COUNT, parameters):
            counts[term] = papers
    return Weights({one.text: counts.get(one.text, 0) for one in lexemes}, max(counts.values(), default=1))
