"""What somebody typed or pasted: a query, or a text to find papers like.

A query that cannot be read is an error that points at the place (``parse``). But whoever pastes an abstract has written no
query: a stray quotation mark, or a colon, in it means nothing. So a text is searched for its words if it is longer than
any query, or if it cannot be read and has so many words, and no prefix, that it is prose.
"""

import re
from dataclasses import dataclass
from typing import Final

from app.errors import InvalidQuery
from app.search import stemming
from app.search.lexing import PREFIXES
from app.search.parsing import MAX_LENGTH, parse
from app.search.syntax import Query
from app.search.weighing import Lexeme, lexemes_of

MAX_PASTED: Final = 20_000
"""Characters of a text that papers are searched like."""

PROSE: Final = 12
"""Words from which on a text that is no query is prose; Chinese has no blanks, and counts by characters."""

_has_prefix: Final = re.compile(rf"(?:^|[\s(-])(?:{'|'.join(PREFIXES)}):\S", re.IGNORECASE).search
_has_operator: Final = re.compile(r"(?<!\S)(?:OR|AND)(?!\S)").search


@dataclass(frozen=True, slots=True)
class Prose:
    """A text that is no query, as the words that it has, each once."""

    lexemes: tuple[Lexeme, ...]


def read(text: str) -> Query | Prose:
    """What a text asks for; ``InvalidQuery``."""
    if len(text) > MAX_PASTED:
        raise InvalidQuery(
            f"The text has {len(text):,} characters, and {MAX_PASTED:,} are allowed; make it shorter.", MAX_PASTED
        )
    try:
        return parse(text)
    except InvalidQuery:
        is_long = len(text) > MAX_LENGTH
        words = stemming.words(text)
        if not words or not (is_long or (len(words) >= PROSE and not _has_prefix(text) and not _has_operator(text))):
            raise
        return Prose(tuple(lexemes_of(words)))
