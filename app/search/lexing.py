"""The pieces of a query: brackets, operators, words, phrases and prefixes with their values, each with its place.

Characters are brought to one form first (NFKC, and the quotes, brackets and dashes that Chinese input methods and word
processors type), each with its place in the text as it was written, so that a message can point there.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from app.errors import InvalidQuery

PREFIXES: Final = ("ti", "abs", "au", "cat", "id", "has", "announced", "submitted")
"""What may stand before a colon."""

_ALIASES: Final = {"title": "ti", "abstract": "abs", "author": "au", "category": "cat", "arxiv": "id"}

# What NFKC leaves: quotation marks and dashes, which stand for the ASCII ones, and Chinese marks that part words.
_TYPED: Final = str.maketrans("“”„‟«»「」『』〝〞〟‐‑‒–−、。", '"' * 13 + "-" * 5 + ",,")

_BETWEEN: Final = re.compile(r"[\s,;]*")
# A minus excludes only where it touches what follows and nothing before: not in "a - b", "--help" and "SE(3)-equivariant".
_MINUS: Final = re.compile(r"(?<![^\s,;(])-(?![-\s,;)]|$)")
_ADDRESS: Final = re.compile(r'(?:https?://|doi:|oai:)[^\s"()]+', re.IGNORECASE)
_PREFIX: Final = re.compile(r"([A-Za-z]+):")
# TeX's umlaut, as in a title that was copied (Schr\\"odinger), is no quotation mark.
_QUOTED: Final = re.compile(r'"((?:\\"|[^"])*)(")?')
_BARE: Final = re.compile(r'(?:\\"|[^\s,;"()])+')
_VALUE: Final = re.compile(r'(?:\\"|[^\s"()])+')
_SHOWN: Final = 20


class Kind(Enum):
    """What a piece is. A ``WORD`` is whatever is written without a blank; an ``ADDRESS`` is a URL or a DOI."""

    OPEN = auto()
    CLOSE = auto()
    AND = auto()
    OR = auto()
    NOT = auto()
    WORD = auto()
    QUOTED = auto()
    ADDRESS = auto()


_OPERATORS: Final = {"AND": Kind.AND, "OR": Kind.OR, "NOT": Kind.NOT}


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a query; ``at`` is the place of its first character, prefix included, in the text as written.

    ``prefix`` is one of ``PREFIXES``, for a word, a phrase or an opening bracket that it restricts, otherwise empty.
    """

    kind: Kind
    text: str
    at: int
    prefix: str = ""


def pieces(written: str) -> list[Piece]:
    """The pieces of a query in order; ``InvalidQuery`` for an open quotation mark or a prefix that cannot be."""
    text, places = _normal(written)
    found: list[Piece] = []
    position = 0
    while (position := _end(_BETWEEN, text, position)) < len(text):
        piece, position = _piece(text, position, written, places)
        if piece.kind is Kind.NOT and piece.text == "NOT" and not (found and found[-1].kind is Kind.AND):
            piece = replace(piece, kind=Kind.WORD)  # "What NOT to Learn" is a title; whoever means it writes a minus.
        found.append(piece)
    return found


def refusal(what: str, written: str, at: int) -> InvalidQuery:
    """The error for a place in a query: the sentence says what to do, and the place is shown with the text around it."""
    before, behind = written[max(0, at - _SHOWN) : at], written[at : at + _SHOWN]
    if not before and not behind:
        return InvalidQuery(what, at)
    shown = "…" * (at > _SHOWN) + _visible(before) + "▸" + _visible(behind) + "…" * (at + _SHOWN < len(written))
    return InvalidQuery(f"At character {at + 1} ({shown}): {what}", at)


def _piece(text: str, start: int, written: str, places: list[int]) -> tuple[Piece, int]:
    """The piece that begins here, and where it ends."""
    at = places[start]
    if text[start] in "()":
        return Piece(Kind.OPEN if text[start] == "(" else Kind.CLOSE, text[start], at), start + 1
    if match := _MINUS.match(text, start):
        return Piece(Kind.NOT, "-", at), match.end()
    if match := _ADDRESS.match(text, start):
        return Piece(Kind.ADDRESS, match[0], at), match.end()
    prefix = ""
    position = start
    if match := _PREFIX.match(text, start):
        position = match.end()
        is_wide = written[places[position - 1]] != ":"
        prefix = _known(match[1], text[position : position + 1], is_wide, written, at)
        if not prefix:
            return Piece(Kind.WORD, match[1], at), position
    if match := _QUOTED.match(text, position):
        if match[2] is None:
            raise refusal("This quotation mark is never closed; write another one behind the phrase.", written, at)
        return Piece(Kind.QUOTED, match[1], at, prefix), match.end()
    if prefix and text[position] == "(":
        return Piece(Kind.OPEN, "(", at, prefix), position + 1
    match = (_VALUE if prefix else _BARE).match(text, position)
    assert match is not None, "every character begins a piece"
    kind = Kind.WORD if prefix else _OPERATORS.get(match[0], Kind.WORD)
    return Piece(kind, match[0], at, prefix), match.end()


def _known(name: str, following: str, is_wide: bool, written: str, at: int) -> str:
    """The prefix that a name before a colon means, empty if it means none; refuses one that is unknown or has no value.

    Titles have colons before a blank and, in Chinese, wide ones, or none of them ("DePT:分解提示"). There, a name that is
    unknown is text; everywhere else it is more likely misspelt.
    """
    has_value = following not in ("", ",", ";", ")") and not following.isspace()
    if name.lower() in PREFIXES:
        if not has_value:
            raise refusal(f"{name}: has nothing behind it; write its value without a blank in between.", written, at)
        return name.lower()
    if has_value and name.lower() in _ALIASES:
        return _ALIASES[name.lower()]
    if has_value and following.isascii() and not is_wide:
        known = " ".join(f"{prefix}:" for prefix in PREFIXES)
        what = f"There is no prefix {name}: (there are {known}); put text with a colon into quotes."
        raise refusal(what, written, at)
    return ""


def _normal(written: str) -> tuple[str, list[int]]:
    """The text in one form without invisible characters, and for each of its characters the place as written."""
    characters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(written):
        if character >= "\x7f":
            if unicodedata.category(character) == "Cf":
                continue
            character = unicodedata.normalize("NFKC", character.translate(_TYPED)).translate(_TYPED)
        characters.append(character)
        places += [place] * len(character)
    return "".join(characters), places


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return position if match is None else match.end()


def _visible(text: str) -> str:
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
