"""The tree of a query: what the parser makes and what the matching, and later the index, read.

Every kind of node writes itself as canonical text, from which ``parse`` makes the same tree again. Words are folded
(``app.search.stemming``), not stemmed. Trees are flat (no ``And`` in an ``And``, no ``Or`` in an ``Or``), no part is there
twice, and an ``And`` or ``Or`` has at least two parts.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeAlias

from app.search.stemming import is_unspaced, running_text


class In(StrEnum):
    """Where words are looked for; the values are the prefixes of the language."""

    TEXT = ""
    """Title, abstract, and their translations."""
    TITLE = "ti"
    ABSTRACT = "abs"
    AUTHOR = "au"


class Feature(StrEnum):
    """What ``has:`` can ask of a paper."""

    SUMMARY = "summary"
    WITHDRAWN = "withdrawn"
    DOI = "doi"


class Day(StrEnum):
    """The days of a paper: its first announcement (arXiv's batch date) and its first submission (UTC)."""

    ANNOUNCED = "announced"
    SUBMITTED = "submitted"


@dataclass(frozen=True, slots=True)
class Word:
    """One word; ``pre-training`` is one, with its hyphen. ``is_prefix`` asks for every word that begins so."""

    text: str
    where: In = In.TEXT
    is_prefix: bool = False

    def __str__(self) -> str:
        return _within(self.where) + self.text + "*" * self.is_prefix


@dataclass(frozen=True, slots=True)
class Phrase:
    """Two or more words in a row. A run of Chinese characters is one, of a word for each character.

    Of an author it is a name, given names first.
    """

    words: tuple[str, ...]
    where: In = In.TEXT

    def __str__(self) -> str:
        text = running_text(self.words)
        return _within(self.where) + (text if all(map(is_unspaced, self.words)) else f'"{text}"')


@dataclass(frozen=True, slots=True)
class InCategory:
    """The paper is in this category or archive, under any of its names; ``name`` is the canonical one."""

    name: str

    def __str__(self) -> str:
        return f"cat:{self.name}"


@dataclass(frozen=True, slots=True)
class HasId:
    """The paper with this canonical identifier, in whatever version."""

    arxiv_id: str

    def __str__(self) -> str:
        return f"id:{self.arxiv_id}"


@dataclass(frozen=True, slots=True)
class Has:
    """The paper has this feature."""

    feature: Feature

    def __str__(self) -> str:
        return f"has:{self.feature}"


@dataclass(frozen=True, slots=True)
class Between:
    """A day of the paper lies in this period, both ends included; a period may be open at one end."""

    day: Day
    from_: date | None
    to: date | None

    def __str__(self) -> str:
        if self.from_ == self.to:
            return f"{self.day}:{self.from_}"
        return f"{self.day}:{self.from_ or ''}..{self.to or ''}"


@dataclass(frozen=True, slots=True)
class Not:
    """Everything that the query does not find; never of another ``Not``."""

    query: "Query"

    def __str__(self) -> str:
        return f"-{_bracketed(self.query)}"


@dataclass(frozen=True, slots=True)
class And:
    """What every part finds."""

    parts: tuple["Query", ...]

    def __str__(self) -> str:
        return " ".join(map(_bracketed, self.parts))


@dataclass(frozen=True, slots=True)
class Or:
    """What any part finds."""

    parts: tuple["Query", ...]

    def __str__(self) -> str:
        return " OR ".join(map(_bracketed, self.parts))


Term: TypeAlias = Word | Phrase
Filter: TypeAlias = InCategory | HasId | Has | Between
Query: TypeAlias = Term | Filter | Not | And | Or


def both(parts: list[Query]) -> Query:
    """One query that finds what every part finds; of one part, that part."""
    return _flat(And, parts)


def either(parts: list[Query]) -> Query:
    """One query that finds what any part finds; of one part, that part."""
    return _flat(Or, parts)


def without(query: Query) -> Query:
    """One query that finds what this one does not."""
    return query.query if isinstance(query, Not) else Not(query)


def _flat(kind: type[And] | type[Or], parts: list[Query]) -> Query:
    flat: dict[Query, None] = {}
    for part in parts:
        flat.update(dict.fromkeys(part.parts if isinstance(part, kind) else (part,)))
    unique = tuple(flat)
    return unique[0] if len(unique) == 1 else kind(unique)


def _within(where: In) -> str:
    return f"{where}:" if where else ""


def _bracketed(query: Query) -> str:
    # An And inside an Or needs no brackets; they are for whoever reads how the query was understood.
    return f"({query})" if isinstance(query, And | Or) else str(query)
