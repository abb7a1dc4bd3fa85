"""Papers' vectors in Postgres: the table, which are lacking, and what is near.

The table is a cache. It is made where the extension pgvector can be had, when there is first something to keep in it, so
that the schema does without; nothing but ``app.vectors`` speaks to it.
"""

from app.vectors.fusion import PAPER_WEIGHTS, QUERY_WEIGHTS, K, fuse
from app.vectors.nearest import Near, has_vector, nearest, nearest_to_paper
from app.vectors.table import (
    TABLE,
    Coverage,
    Passage,
    coverage,
    ensure_table,
    find_obstacle,
    forget_all,
    has_table,
    lacking,
    passages,
    save,
)

__all__ = [
    "PAPER_WEIGHTS",
    "QUERY_WEIGHTS",
    "TABLE",
    "Coverage",
    "K",
    "Near",
    "Passage",
    "coverage",
    "ensure_table",
    "find_obstacle",
    "forget_all",
    "fuse",
    "has_table",
    "has_vector",
    "lacking",
    "nearest",
    "nearest_to_paper",
    "passages",
    "save",
]
