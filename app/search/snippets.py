"""Where a text says what was looked for: its best passage, in plain Unicode as a reader sees it, with the words marked.

What comes out is HTML of which ``<mark>`` is the only element; everything of the text is escaped.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Final

from app.search import stemming
from app.search.lexemes import lexeme
from app.search.matching import Line
from app.search.syntax import Term, Word

LENGTH: Final = 240
"""Characters of a passage, but of Chinese and the like, which says more in one, half as many."""

_LEAD: Final = 40
"""Characters before the first marked word of a passage."""


@dataclass(frozen=True, slots=True)
class Sought:
    """Words in a row, as stems; of the last one the beginning, if ``beginning`` is set."""

    stems: tuple[str, ...]
    beginning: str | None = None


def sought(terms: Iterable[Term], *, apart: bool) -> list[Sought]:
    """What to mark for these words and phrases; ``apart``: the words of a phrase one by one, other scripts in pairs."""
    found: dict[Sought, None] = {}
    for term in terms:
        words = (term.text,) if isinstance(term, Word) else term.words
        for is_joined in (False, True):
            parts = stemming.parts(words, is_joined=is_joined)
            stems = tuple(map(lexeme, parts))
            if isinstance(term, Word) and term.is_prefix:
                found[Sought(stems[:-1], parts[-1])] = None
            elif not apart:
                found[Sought(stems)] = None
            else:
                found.update(dict.fromkeys(map(Sought, _apart(stems))))
    return list(found)


def _apart(stems: tuple[str, ...]) -> list[tuple[str, ...]]:
    pairs = [
        (one, other) for one, other in pairwise(stems) if stemming.is_unspaced(one) and stemming.is_unspaced(other)
    ]
    return [*((one,) for one in stems if not stemming.is_unspaced(one) or len(stems) == 1), *pairs]


@dataclass(frozen=True, slots=True)
class _Text:
    """A readable text, where each of its words stands, and the words folded; none if the text reads otherwise."""

    shown: str
    spans: list[tuple[int, int]]
    words: list[str]


def marked(line: Line, wanted: Sequence[Sought]) -> tuple[str, bool]:
    """A whole text with the words marked, and whether there are any."""
    read = _read(line)
    marks = _marks(read, wanted)
    return _html(read.shown, marks, 0, len(read.shown)), bool(marks)


def passage(line: Line, wanted: Sequence[Sought]) -> str | None:
    """The passage of a text that has most of what is wanted, with it marked; None if there is nothing of it."""
    read = _read(line)
    marks = _marks(read, wanted)
    if not marks:
        return None
    shown = read.shown
    length = LENGTH // 2 if any(map(stemming.is_unspaced, read.words[:20])) else LENGTH
    best = max(marks, key=lambda mark: (_worth(shown, marks, mark[0], length), -mark[0]))[0]
    first = 0 if best <= _LEAD or len(shown) <= length else _boundary(shown, range(best - _LEAD, best), best)
    last = len(shown)
    if last - first > length:
        last = _boundary(shown, range(first + length, best, -1), first + length)
    inside = [mark for mark in marks if first <= mark[0] and mark[1] <= last]
    return "… " * (first > 0) + _html(shown, inside, first, last).strip() + " …" * (last < len(shown))


def _read(line: Line) -> _Text:
    words, spans = line.split.split(), stemming.printed_spans(line.shown)
    return _Text(line.shown, spans, words) if len(spans) == len(words) else _Text(line.shown, [], [])


def _marks(read: _Text, wanted: Sequence[Sought]) -> list[tuple[int, int]]:
    """The places of what is wanted, in order and apart from each other."""
    stems = list(map(lexeme, read.words))
    at: dict[str, list[int]] = {}
    for number, stem in enumerate(stems):
        at.setdefault(stem, []).append(number)
    found = [
        (number, number + len(one.stems))
        for one in wanted
        if one.stems and one.beginning is None
        for number in at.get(one.stems[0], ())
        if tuple(stems[number : number + len(one.stems)]) == one.stems
    ]
    beginnings = [one for one in wanted if one.beginning is not None]
    for number, word in enumerate(read.words if beginnings else ()):
        for one in beginnings:
            before = number - len(one.stems)
            if word.startswith(one.beginning or "") and before >= 0 and tuple(stems[before:number]) == one.stems:
                found.append((before, number + 1))
    found += _compounds(read, {one.stems[0] for one in wanted if len(one.stems) == 1 and one.beginning is None})
    marks: list[tuple[int, int]] = []
    for first, behind in sorted(set(found)):
        start, end = read.spans[first][0], read.spans[behind - 1][1]
        if marks and start <= marks[-1][1]:
            marks[-1] = (marks[-1][0], max(end, marks[-1][1]))
        else:
            marks.append((start, end))
    return marks


def _compounds(read: _Text, single: set[str]) -> list[tuple[int, int]]:
    """The compounds that, written in one, are among these words."""
    found: list[tuple[int, int]] = []
    first = 0
    if "-" not in read.shown and "'" not in read.shown:
        return []
    for number in range(1, len(read.spans) + 1):
        joined = number < len(read.spans) and read.shown[read.spans[number - 1][1] : read.spans[number][0]] in (
            "-",
            "'",
        )
        if joined:
            continue
        if number - first > 1 and lexeme("".join(read.words[first:number])) in single:
            found.append((first, number))
        first = number
    return found


def _worth(shown: str, marks: Sequence[tuple[int, int]], start: int, length: int) -> tuple[int, int]:
    """How many different words a passage has, and how many in all."""
    inside = [shown[first:last].lower() for first, last in marks if start <= first < start + length - _LEAD]
    return len(set(inside)), len(inside)


def _boundary(shown: str, places: Iterable[int], otherwise: int) -> int:
    """The first of these places that lies behind a blank or a mark of a sentence."""
    return next((place for place in places if shown[place - 1] in " ,;。，；、"), otherwise)


def _html(shown: str, marks: Iterable[tuple[int, int]], first: int, last: int) -> str:
    parts, place = [], first
    for start, end in marks:
        parts += [escape(shown[place:start]), "<mark>", escape(shown[start:end]), "</mark>"]
        place = end
    return "".join((*parts, escape(shown[place:last])))
