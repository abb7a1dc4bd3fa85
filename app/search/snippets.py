"""Where a text says what was looked for: its best passage, in plain Unicode as a reader sees it, with the words marked.

What comes out is HTML of which ``<mark>`` is the only element; everything of the text is escaped.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Final

from app.search import stemming
from app.search.lexemes import lexeme, lexemes
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


def marked(line: Line, wanted: Sequence[Sought]) -> tuple[str, bool]:
    """A whole text with the words marked, and whether there are any."""
    marks = _marks(line, wanted)
    return _html(line.shown, marks, 0, len(line.shown)), bool(marks)


def passage(line: Line, wanted: Sequence[Sought]) -> str | None:
    """The passage of a text that has most of what is wanted, with it marked; None if there is nothing of it."""
    marks = _marks(line, wanted)
    if not marks:
        return None
    shown = line.shown
    length = LENGTH // 2 if any(map(stemming.is_unspaced, line.split.split()[:20])) else LENGTH
    best = _best(shown, marks, length)
    first = 0 if best <= _LEAD or len(shown) <= length else _boundary(shown, range(best - _LEAD, best), best)
    last = len(shown)
    if last - first > length:
        last = _boundary(shown, range(first + length, best, -1), first + length)
    inside = [mark for mark in marks if first <= mark[0] and mark[1] <= last]
    return "… " * (first > 0) + _html(shown, inside, first, last).strip() + " …" * (last < len(shown))


def _marks(line: Line, wanted: Sequence[Sought]) -> list[tuple[int, int]]:
    """The places of what is wanted, in order and apart from each other; none where the text reads otherwise than its words."""
    words = line.split.split()
    found = _in_rows(words, wanted)
    single = {one.stems[0] for one in wanted if len(one.stems) == 1 and one.beginning is None}
    has_compounds = line.joined is not None and not single.isdisjoint(lexemes(line.joined.split()))
    if not found and not has_compounds:
        return []
    # Only now, because to find where words stand takes as long as all else, and most texts have nothing to mark.
    spans = stemming.printed_spans(line.shown)
    if len(spans) != len(words):
        return []
    if has_compounds:
        found |= _compounds(line.shown, spans, words, single)
    marks: list[tuple[int, int]] = []
    for first, behind in sorted(found):
        start, end = spans[first][0], spans[behind - 1][1]
        if marks and start <= marks[-1][1]:
            marks[-1] = (marks[-1][0], max(end, marks[-1][1]))
        else:
            marks.append((start, end))
    return marks


def _in_rows(words: Sequence[str], wanted: Sequence[Sought]) -> set[tuple[int, int]]:
    """The first of the words in each row that is wanted, and the one behind it."""
    stems = lexemes(words)
    known = set(stems)
    found: set[tuple[int, int]] = set()
    for one in wanted:
        count = len(one.stems)
        if not known.issuperset(one.stems):
            continue
        if one.beginning is not None:
            found.update(
                (number - count, number + 1)
                for number, word in enumerate(words)
                if word.startswith(one.beginning)
                and number >= count
                and tuple(stems[number - count : number]) == one.stems
            )
        elif count:
            number = -1
            for _ in range(stems.count(one.stems[0])):
                number = stems.index(one.stems[0], number + 1)
                if count == 1 or tuple(stems[number : number + count]) == one.stems:
                    found.add((number, number + count))
    return found


def _compounds(
    shown: str, spans: Sequence[tuple[int, int]], words: Sequence[str], single: set[str]
) -> set[tuple[int, int]]:
    """The compounds that, written in one, are among these words."""
    found: set[tuple[int, int]] = set()
    first = 0
    for number in range(1, len(spans) + 1):
        if number < len(spans) and shown[spans[number - 1][1] : spans[number][0]] in ("-", "'"):
            continue
        if number - first > 1 and lexeme("".join(words[first:number])) in single:
            found.add((first, number))
        first = number
    return found


def _best(shown: str, marks: Sequence[tuple[int, int]], length: int) -> int:
    """Where the passage begins that has the most different words, then the most of all, then the first one."""
    words = [shown[first:last].lower() for first, last in marks]
    starts = [start for start, _ in marks]
    best = (0, 0, 0)
    for number, start in enumerate(starts):
        inside = words[number : bisect_left(starts, start + length - _LEAD)]
        best = max(best, (len(set(inside)), len(inside), -start))
    return -best[2]


def _boundary(shown: str, places: Iterable[int], otherwise: int) -> int:
    """The first of these places that lies behind a blank or a mark of a sentence."""
    return next((place for place in places if shown[place - 1] in " ,;。，；、"), otherwise)


def _html(shown: str, marks: Iterable[tuple[int, int]], first: int, last: int) -> str:
    parts, place = [], first
    for start, end in marks:
        parts += [escape(shown[place:start]), "<mark>", escape(shown[start:end]), "</mark>"]
        place = end
    return "".join((*parts, escape(shown[place:last])))
