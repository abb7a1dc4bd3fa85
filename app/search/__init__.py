"""Search: the language of queries, and whether one paper is what a query looks for. The language: docs/search.md.

``parse`` makes a tree of a text; ``match`` holds it against a paper in memory, for channels and previews. The tree is also
what an index is asked with: its nodes are in ``syntax``, how words are compared is in ``stemming``.
"""

from app.search.finding import Translations, candidate, find_papers, find_translations
from app.search.indexing import Extent, extent, is_complete, rebuild, tidy
from app.search.matching import Candidate, Match, Prepared, excluded, match, prepare
from app.search.names import follows
from app.search.ordering import Key, Sort
from app.search.parsing import MAX_DEPTH, MAX_LENGTH, MAX_TERMS, as_term, parse
from app.search.searching import Hit, Matched, Results, like, may_be, required, search
from app.search.syntax import Query

__all__ = [
    "MAX_DEPTH",
    "MAX_LENGTH",
    "MAX_TERMS",
    "Candidate",
    "Extent",
    "Hit",
    "Key",
    "Match",
    "Matched",
    "Prepared",
    "Query",
    "Results",
    "Sort",
    "Translations",
    "as_term",
    "candidate",
    "excluded",
    "extent",
    "find_papers",
    "find_translations",
    "follows",
    "is_complete",
    "like",
    "match",
    "may_be",
    "parse",
    "prepare",
    "rebuild",
    "required",
    "search",
    "tidy",
]
