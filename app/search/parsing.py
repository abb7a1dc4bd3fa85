"""From the text in a search box to the tree of ``app.search.syntax``. The language is described in docs/search.md."""

import re
from functools import lru_cache
from typing import Final, NoReturn

from app.arxiv import ids, taxonomy
from app.errors import InvalidArxivId, InvalidQuery, UnknownCategory
from app.search.lexing import Kind, Piece, pieces, refusal
from app.search.names import in_order
from app.search.periods import period
from app.search.stemming import is_unspaced, words
from app.search.syntax import (
    Between,
    Day,
    Feature,
    Has,
    HasId,
    In,
    InCategory,
    Phrase,
    Query,
    Term,
    Word,
    both,
    either,
    without,
)

MAX_LENGTH: Final = 1_000
"""Characters of a query, as it is written and as canonical text."""

MAX_TERMS: Final = 64
"""Words, phrases and filters of a query."""

MAX_DEPTH: Final = 20
"""Brackets within brackets."""

_ENDS: Final = (Kind.CLOSE, Kind.OR)
_WORDS_IN: Final = {str(where): where for where in (In.TITLE, In.ABSTRACT, In.AUTHOR)}


def parse(text: str) -> Query:
    """The tree of a query; ``InvalidQuery``, which points at the place, for a text that is none, and for nothing else.

    A query without any word or filter is none. One of exclusions only is: it finds everything else. The work is linear in
    the length, which is bounded, as are depth and number of terms.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidQuery(
            f"The query has {len(text):,} characters, and {MAX_LENGTH:,} are allowed; make it shorter.", MAX_LENGTH
        )
    query = _Parser(text).read()
    canonical = str(query)
    # The canonical text is what is stored and handed on, so it must be a query itself.
    if len(canonical) > MAX_LENGTH or _depth(canonical) > MAX_DEPTH:
        raise InvalidQuery(
            f"Written out in full the query has more than {MAX_LENGTH:,} characters or brackets more than {MAX_DEPTH} deep; "
            "make it shorter.",
            0,
        )
    return query


@lru_cache(maxsize=4_096)  # a channel's excluded words are held against each of its papers
def as_term(text: str) -> Term | None:
    """A text that is words and nothing else, such as a word or phrase that a channel excludes; None if it has none.

    A star at the end of one word asks for every word that begins so. Never raises.
    """
    found = tuple(words(text))
    if not found:
        return None
    if len(found) > 1:
        return Phrase(found)
    return Word(found[0], is_prefix=text.rstrip().endswith("*") and not is_unspaced(found[0]))


class _Parser:
    """Recursive descent: an alternative is of sequences, a sequence of operands; ``OR`` binds weakest.

    ``where`` is the prefix of the brackets that are being read. Punctuation alone is nothing to search for, and reads as None.
    """

    def __init__(self, written: str) -> None:
        self.written = written
        self.pieces = pieces(written)
        self.position = 0
        self.terms = 0

    def read(self) -> Query:
        """The whole query."""
        query = self._alternatives(In.TEXT, 0)
        if stray := self._peek():
            self._refuse("This closing bracket has no opening one; take it away.", stray)
        if query is None:
            raise InvalidQuery("The query has nothing to search for; write at least one word or filter.", 0)
        return query

    def _alternatives(self, where: In, depth: int) -> Query | None:
        first = self._sequence(where, depth)
        found = [] if first is None else [first]
        while (operator := self._peek()) and operator.kind is Kind.OR:
            self.position += 1
            following = self._sequence(where, depth)
            if not found or following is None:
                self._lacks_operand(operator, "behind" if found else "before")
            found.append(following)
        return either(found) if found else None

    def _sequence(self, where: In, depth: int) -> Query | None:
        found: list[Query] = []
        while (piece := self._peek()) and piece.kind not in _ENDS:
            if piece.kind is Kind.AND:
                self.position += 1
                following = self._peek()
                if not found or following is None or following.kind in (*_ENDS, Kind.AND):
                    self._lacks_operand(piece, "behind" if found else "before")
            elif (operand := self._operand(where, depth)) is not None:
                found.append(operand)
        return both(found) if found else None

    def _operand(self, where: In, depth: int) -> Query | None:
        negations: list[Piece] = []
        while (piece := self._peek()) and piece.kind is Kind.NOT:
            negations.append(piece)
            self.position += 1
        if not negations:
            return self._restricted(where, depth)
        if piece is None or piece.kind in (*_ENDS, Kind.AND) or (query := self._restricted(where, depth)) is None:
            self._refuse("Nothing follows that could be excluded; write a word there.", negations[-1])
        return without(query) if len(negations) % 2 else query

    def _restricted(self, where: In, depth: int) -> Query | None:
        """One word, phrase, group or filter."""
        piece = self.pieces[self.position]
        self.position += 1
        if where and (piece.prefix or piece.kind is Kind.ADDRESS):
            self._refuse(f"A prefix cannot stand within the brackets of {where}: so write it outside.", piece)
        where = _WORDS_IN.get(piece.prefix, where)
        if piece.kind is Kind.OPEN:
            if piece.prefix and piece.prefix not in _WORDS_IN:
                self._refuse(f"Brackets cannot follow {piece.prefix}: so write it before each value.", piece)
            return self._group(piece, where, depth)
        query = self._filter(piece) if piece.prefix and piece.prefix not in _WORDS_IN else self._term(piece, where)
        self.terms += query is not None
        if self.terms > MAX_TERMS:
            self._refuse(f"The query has more than {MAX_TERMS} words, phrases and filters; take some away.", piece)
        return query

    def _group(self, opening: Piece, where: In, depth: int) -> Query:
        if depth == MAX_DEPTH:
            self._refuse(f"Brackets stand more than {MAX_DEPTH} deep; take some away.", opening)
        query = self._alternatives(where, depth + 1)
        if self._peek() is None:
            self._refuse("This bracket is never closed; write another one behind its words.", opening)
        self.position += 1
        if query is None:
            self._refuse("These brackets hold nothing to search for; write a word inside or take them away.", opening)
        return query

    def _term(self, piece: Piece, where: In) -> Term | HasId | None:
        if piece.kind is Kind.ADDRESS:
            return self._id(piece)
        if piece.kind is Kind.WORD and not where and (found := _find_id(piece.text)):
            return found
        if piece.prefix and piece.text.startswith("-") and piece.kind is Kind.WORD:
            self._refuse(f"A minus stands before the prefix; write -{piece.prefix}: here.", piece)
        named = tuple(words(in_order(piece.text) if where is In.AUTHOR else piece.text))
        if not named:
            if piece.prefix or piece.kind is Kind.QUOTED:
                self._refuse("Here is no word to search for; write one, of letters or digits.", piece)
            return None
        if piece.kind is Kind.WORD and "*" in piece.text:
            return self._beginning(piece, named, where)
        return Phrase(named, where) if len(named) > 1 else Word(named[0], where)

    def _beginning(self, piece: Piece, named: tuple[str, ...], where: In) -> Term:
        if all(map(is_unspaced, named)):  # They are found within longer words anyway.
            return Phrase(named, where) if len(named) > 1 else Word(named[0], where)
        if len(named) > 1 or len(named[0]) < 2 or not _ends_in_one_star(piece.text):
            self._refuse("A star can only stand at the end of one word of two letters or more.", piece)
        return Word(named[0], where, is_prefix=True)

    def _filter(self, piece: Piece) -> Query:
        value = piece.text.strip(" ,;")
        if piece.prefix == "id":
            return self._id(piece)
        if piece.prefix == "cat":
            try:
                return InCategory(taxonomy.canonical(value.removesuffix(".*")))
            except UnknownCategory as error:
                self._refuse(error.detail.rstrip(".") + ".", piece)
        if piece.prefix == "has":
            if value.lower() not in list(Feature):
                self._refuse(f"has: takes {', '.join(Feature)}; write one of them.", piece)
            return Has(Feature(value.lower()))
        days = period(value)
        if days is None:
            forms = ", ".join(f"{piece.prefix}:{form}" for form in ("2026-01-12", "2026-01", "2026-01-12..2026-01-16"))
            self._refuse(f"This is no day or period; write one like {forms} or {piece.prefix}:>=2026-01-12.", piece)
        return Between(Day(piece.prefix), *days)

    def _id(self, piece: Piece) -> HasId:
        found = _find_id(piece.text.strip(" ,;"))
        if found is None:
            self._refuse("This is no arXiv identifier; write one like 2404.02342 or hep-th/9901001.", piece)
        return found

    def _peek(self) -> Piece | None:
        return self.pieces[self.position] if self.position < len(self.pieces) else None

    def _lacks_operand(self, operator: Piece, side: str) -> NoReturn:
        self._refuse(
            f'{operator.text} has nothing {side} it; write a word there, or "{operator.text}" in quotes.', operator
        )

    def _refuse(self, what: str, piece: Piece) -> NoReturn:
        raise refusal(what, self.written, piece.at)


_ends_in_one_star: Final = re.compile(r"[^*]+\*[.:!?]?").fullmatch  # Marks may follow, as in a title.


def _find_id(text: str) -> HasId | None:
    try:
        return HasId(ids.parse(text).id)
    except InvalidArxivId:
        return None


def _depth(canonical: str) -> int:
    deepest = depth = 0
    for character in canonical:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    return deepest
