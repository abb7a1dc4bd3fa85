"""Papers by the name of an author: the one place that knows how SQL compares names.

The rule is that of ``au:`` in searches (``app.search.names``): case, accents and punctuation do not count, the words may come in
any order, an initial stands for every name that begins so, but one word must be there in full.
"""

import re
from typing import Final

from sqlalchemy import ColumnElement, Text, and_, any_, column, exists, func, literal, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB

from app.errors import InvalidInput
from app.models import Paper, SearchDocument
from app.search.asking import author_condition
from app.search.names import in_order
from app.search.stemming import UNSPACED, fold

MAX_WORDS: Final = 10

_WORD: Final = re.compile(r"[^\W_]+")
_MARKS: Final = "[\u0300-\u036f]"
_has_unspaced: Final = re.compile(f"[{UNSPACED}]").search


def written_by(name: str) -> ColumnElement[bool]:
    """The condition that a paper has an author of this name; ``InvalidInput`` if it has no word in full.

    The index of searches names the papers, and their authors are looked at one by one.
    """
    words = _WORD.findall(fold(in_order(name)))
    if not any(len(word) > 1 or _has_unspaced(word) for word in words) or len(words) > MAX_WORDS:
        raise InvalidInput("author: write a name with at least one word in full, such as 'Ada Sample' or 'A. Sample'.")
    author = func.jsonb_array_elements(Paper.authors).table_valued(column("value", JSONB), name="author")
    shown = author.c.value["display_name"].astext
    bare = func.regexp_replace(func.normalize(func.lower(shown), literal_column("NFKD")), _MARKS, "", "g")
    plain = func.translate(bare, "øłđħŧıðƀɨʉɖ", "oldhtidbiud")
    spaced = literal(" ", Text) + func.regexp_replace(plain, "[^[:alnum:]]+", " ", "g") + literal(" ", Text)
    exactly = exists().select_from(author).where(and_(*(spaced.like(_pattern(word)) for word in words)))
    # An array is made before anything else; of a join Postgres might think that it is cheaper the other way round.
    named = select(SearchDocument.order_key).where(author_condition(words)).scalar_subquery()
    return and_(Paper.order_key == any_(func.array(named)), exactly)


def _pattern(word: str) -> str:
    """Where a word is in a name: by itself, as the beginning of one, or anywhere where nobody writes blanks."""
    if _has_unspaced(word):
        return f"%{word}%"
    return f"% {word} %" if len(word) > 1 else f"% {word}%"
