"""Whether one paper is what a query looks for, which words say so, and how much.

The paper's texts are prepared once (``prepare``) and matched as often as wanted. A prepared text is a line of folded words
with one blank around each, so that words and phrases are found by one regular expression; only words that begin like the one
wanted are stemmed. Nothing here raises, whatever the texts hold.

**Score.** For each word or phrase of the query that is not excluded: 0.6 if a title has it, and 0.4 n/(n+1) if the abstracts
have it n times; for ``au:`` 1 if an author is so named; 0 where it is not found, as in an alternative. The score is their
mean, from 0 to 1, and 0 for a query of filters only. How rare a word is, is left to the index.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

from app.arxiv import taxonomy
from app.arxiv.display import display
from app.search import stemming
from app.search.names import is_named
from app.search.parsing import as_term
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

IN_TITLE: Final = 0.6
"""What a word in a title adds to the score; the rest, up to 1, is for how often the abstracts have it."""

MAX_SHOWN: Final = 120
"""Characters of a phrase as it is printed; what is longer, for the marks between its words, is given as words only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A paper as far as queries can ask about it. Texts are as arXiv gives them (TeX intact).

    ``arxiv_id`` is canonical; ``categories`` under any of their names; ``announced_on`` is the batch date, ``submitted_on`` the
    UTC day of version 1. Translations are in any language; one-line summaries belong to ``translated_abstracts``.
    """

    arxiv_id: str
    title: str | None = None
    abstract: str | None = None
    translated_titles: Sequence[str] = ()
    translated_abstracts: Sequence[str] = ()
    authors: Sequence[str] = ()
    categories: Sequence[str] = ()
    has_summary: bool = False
    withdrawn: bool = False
    doi: str | None = None
    announced_on: date | None = None
    submitted_on: date | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """Why a paper is what the query looks for.

    ``words`` are the words and phrases of the query as the paper has them, and ``authors`` those who were asked for, as arXiv
    prints them; both in the order of the query, each once. ``score`` is from 0 to 1.
    """

    words: tuple[str, ...]
    authors: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True)
class Line:
    """A text in its readable form, and its words in a line: compounds taken apart, and in one if there are any."""

    shown: str
    split: str
    joined: str | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A candidate whose texts are ready to be searched many times."""

    candidate: Candidate
    titles: tuple[Line, ...]
    abstracts: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where words stand: ``count`` words from this index of the line, which is ``shown``'s joined one or not."""

    shown: str
    line: str
    index: int
    count: int
    is_joined: bool

    def printed(self) -> str:
        """The words as the text has them."""
        first = self.line.count(" ", 0, self.index)
        printed = stemming.printed(self.shown, first, self.count, is_joined=self.is_joined)
        if printed is not None and printed.isprintable() and len(printed) <= MAX_SHOWN:
            return printed
        return stemming.running_text(tuple(self.line[1:-1].split(" ")[first : first + self.count]))


@dataclass(frozen=True, slots=True)
class _Hit:
    """A word or phrase that was found, or an author, and what it adds to the score."""

    found: _Place | str
    value: float


def prepare(candidate: Candidate) -> Prepared:
    """The candidate with its texts made ready."""
    titles, abstracts = (
        (candidate.title, *candidate.translated_titles),
        (candidate.abstract, *candidate.translated_abstracts),
    )
    return Prepared(candidate, _lines(titles), _lines(abstracts))


def match(query: Query, candidate: Candidate | Prepared) -> Match | None:
    """How a paper answers a query; None if it does not. Prepare a candidate that is matched more than once."""
    prepared = candidate if isinstance(candidate, Prepared) else prepare(candidate)
    hits = _hits(query, prepared)
    if hits is None:
        return None
    asked = _count(query)
    return Match(
        words=_distinct(hit.found.printed() for hit in hits if isinstance(hit.found, _Place)),
        authors=_distinct(hit.found for hit in hits if isinstance(hit.found, str)),
        score=sum(hit.value for hit in hits) / asked if asked else 0.0,
    )


def excluded(words: Iterable[str], candidate: Candidate | Prepared) -> str | None:
    """The first of these words and phrases that title, abstract or a translation of them has; None if there is none.

    They are no queries: several words are a phrase, with or without quotes. One without letters and digits is never found.
    """
    prepared = candidate if isinstance(candidate, Prepared) else prepare(candidate)
    for text in words:
        term = as_term(text)
        if term is not None and _term(term, prepared) is not None:
            return text
    return None


def _lines(texts: Iterable[str | None]) -> tuple[Line, ...]:
    return tuple(_line(text) for text in texts if text)


def _line(text: str) -> Line:
    shown = stemming.clean(text)
    folded = stemming.fold_clean(shown)
    return Line(shown, stemming.split_line(folded), stemming.joined_line(folded))


def _hits(query: Query, prepared: Prepared) -> list[_Hit] | None:
    """What of the query was found, in its order; None if the paper is not what it looks for."""
    match query:
        case Word() | Phrase():
            hit = _term(query, prepared)
            return None if hit is None else [hit]
        case Not():
            return [] if _hits(query.query, prepared) is None else None
        case And():
            found: list[_Hit] = []
            for part in query.parts:
                hits = _hits(part, prepared)
                if hits is None:
                    return None
                found += hits
            return found
        case Or():
            alternatives = [hits for part in query.parts if (hits := _hits(part, prepared)) is not None]
            return [hit for hits in alternatives for hit in hits] if alternatives else None
        case _:
            return [] if _passes(query, prepared.candidate) else None


def _passes(wanted: Filter, candidate: Candidate) -> bool:
    match wanted:
        case InCategory():
            return not _names(wanted.name).isdisjoint(candidate.categories)
        case HasId():
            return candidate.arxiv_id == wanted.arxiv_id
        case Has():
            return {
                Feature.SUMMARY: candidate.has_summary,
                Feature.WITHDRAWN: candidate.withdrawn,
                Feature.DOI: bool(candidate.doi),
            }[wanted.feature]
        case Between():
            day = candidate.announced_on if wanted.day is Day.ANNOUNCED else candidate.submitted_on
            return (
                day is not None
                and (wanted.from_ is None or wanted.from_ <= day)
                and (wanted.to is None or day <= wanted.to)
            )


_names = lru_cache(maxsize=512)(taxonomy.names_or_same)


def _term(term: Term, prepared: Prepared) -> _Hit | None:
    if term.where is In.AUTHOR:
        words, is_prefix = ((term.text,), term.is_prefix) if isinstance(term, Word) else (term.words, False)
        for author in prepared.candidate.authors:
            if is_named(words, author, is_prefix=is_prefix):
                return _Hit(display(author), 1.0)
        return None
    finder = _finder(term)
    in_titles, title = finder.find(prepared.titles if term.where is not In.ABSTRACT else ())
    in_abstracts, abstract = finder.find(prepared.abstracts if term.where is not In.TITLE else ())
    place = title or abstract
    if place is None:
        return None
    value = IN_TITLE * bool(in_titles) + (1 - IN_TITLE) * in_abstracts / (in_abstracts + 1)
    return _Hit(place, value)


@dataclass(frozen=True, slots=True)
class _Finder:
    """Finds a word or phrase in lines, in both spellings of compounds."""

    split: "_Pattern"
    joined: "_Pattern"

    def find(self, lines: Iterable[Line]) -> tuple[int, _Place | None]:
        """How often the lines have it, and where the first of them that has it does."""
        total, place = 0, None
        for line in lines:
            times, index = self.split.find(line.split)
            found = (line.shown, line.split, index, self.split.length, False)
            # Without compounds, in what is wanted and in the text, the second search would be the first.
            if line.joined is not None or self.joined is not self.split:
                joined = line.joined or line.split
                more, index = self.joined.find(joined)
                if more > times:
                    times, found = more, (line.shown, joined, index, self.joined.length, line.joined is not None)
            if times and place is None:
                place = _Place(*found)
            total += times
        return total, place


@dataclass(frozen=True, slots=True)
class _Pattern:
    """Words in a row: a regular expression whose groups are the words that must have these stems."""

    expression: re.Pattern[str]
    stems: tuple[str, ...]
    length: int

    def find(self, line: str) -> tuple[int, int]:
        """How often a line has the words, and the index of the first time."""
        indexes = [
            found.start()
            for found in self.expression.finditer(line)
            if tuple(map(stemming.stem, found.groups())) == self.stems
        ]
        return len(indexes), indexes[0] if indexes else -1


@lru_cache(maxsize=1_024)
def _finder(term: Term) -> _Finder:
    words = (term.text,) if isinstance(term, Word) else term.words
    is_prefix = isinstance(term, Word) and term.is_prefix
    split, joined = (stemming.parts(words, is_joined=is_joined) for is_joined in (False, True))
    pattern = _pattern(split, is_prefix)
    return _Finder(pattern, pattern if joined == split else _pattern(joined, is_prefix))


def _pattern(words: tuple[str, ...], is_prefix: bool) -> _Pattern:
    stems: list[str] = []
    expressions: list[str] = []
    for number, word in enumerate(words, start=1):
        stemmed = stemming.stem(word)
        if is_prefix and number == len(words):
            expressions.append(re.escape(word) + "[^ ]*")
        elif not stemming.is_english(word):
            expressions.append(re.escape(word))
        else:
            expressions.append(f"({stemming.beginning(stemmed)}[^ ]*)")
            stems.append(stemmed)
    # Only the first word is passed over, so that what overlaps is seen too.
    first, *others = expressions
    return _Pattern(re.compile(f" {first}(?= {''.join(f'{other} ' for other in others)})"), tuple(stems), len(words))


def _count(query: Query) -> int:
    """The words and phrases that a paper can have."""
    match query:
        case Word() | Phrase():
            return 1
        case And() | Or():
            return sum(map(_count, query.parts))
        case _:
            return 0


def _distinct(texts: Iterator[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for text in texts:
        found.setdefault(stemming.fold(text), text)
    return tuple(found.values())
