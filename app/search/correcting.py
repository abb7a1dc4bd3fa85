"""Words that no paper has, or just one, put right: the word of the papers' own that is spelled most alike.

Alike are words that share trigrams, three letters in a row; of those, difflib's measure of similarity decides, then the
number of papers. Needs no extension of Postgres: the trigrams are an array beside each counted term.
"""

from collections.abc import Mapping
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.search.lexemes import lexeme
from app.search.syntax import And, In, Or, Phrase, Query, Word, both, either
from app.search.weighing import Lexeme, Weights, lexemes_of_terms, terms_of

MAX_WORDS: Final = 4
"""Misspelt words that are put right in one query; who misspells more has written something else."""

ALIKE: Final = 0.75
_SHORTEST, _LONGEST = 4, 40

_NEAREST: Final = text(
    """
    SELECT wanted.word, term.term, term.papers, count(*) AS shared
    FROM unnest(CAST(:words AS text[]), CAST(:trigrams AS text[])) AS wanted(word, trigram)
    JOIN search_terms AS term ON term.trigrams @> ARRAY[wanted.trigram]
    WHERE abs(length(term.term) - length(wanted.word)) <= 2
    GROUP BY 1, 2, 3
    HAVING count(*) * 3 >= length(wanted.word)
    """
)


async def corrected(session: AsyncSession, query: Query, weights: Weights) -> Query | None:
    """The query with every misspelt word put right; None where there is none, or nothing is alike."""
    unknown = [one.text for one in lexemes_of_terms(terms_of(query)) if _may_be_misspelt(one, weights)]
    if not unknown or len(unknown) > MAX_WORDS:
        return None
    pairs = [(word, trigram) for word in unknown for trigram in sorted(_trigrams(word))]
    rows = await session.execute(
        _NEAREST, {"words": [word for word, _ in pairs], "trigrams": [trigram for _, trigram in pairs]}
    )
    best: dict[str, tuple[float, int, str]] = {}
    for word, near, papers, _ in rows:
        alike = SequenceMatcher(None, word, near, autojunk=False).ratio()
        # What is put into the query must be found as it stands.
        if alike >= ALIKE and lexeme(near) == near:
            best[word] = max(best.get(word, (0.0, 0, "")), (alike, papers, near))
    return respelled(query, {word: near for word, (_, _, near) in best.items()}) if best else None


def _may_be_misspelt(one: Lexeme, weights: Weights) -> bool:
    is_word = one.text.isascii() and one.text.isalpha() and _SHORTEST <= len(one.text) <= _LONGEST
    return is_word and not one.is_pair and weights.papers.get(one.text, 0) <= 1


def _trigrams(word: str) -> set[str]:
    padded = f"  {word} "
    return {padded[place : place + 3] for place in range(len(padded) - 2)}


def respelled(query: Query, spellings: Mapping[str, str]) -> Query:
    """The query with other words for those of these stems, exclusions and authors left as they are."""
    match query:
        case Word() | Phrase() if query.where is In.AUTHOR:
            return query
        case Word():
            spelled = spellings.get(lexeme(query.text))
            return replace(query, text=spelled, is_prefix=False) if spelled else query
        case Phrase():
            return replace(query, words=tuple(spellings.get(lexeme(word), word) for word in query.words))
        case And():
            return both([respelled(part, spellings) for part in query.parts])
        case Or():
            return either([respelled(part, spellings) for part in query.parts])
        case _:
            return query
