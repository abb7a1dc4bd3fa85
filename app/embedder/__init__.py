"""Embeddings: texts as vectors whose angle says how alike in meaning they are. Pure: knows neither papers nor the database.

The model comes with the optional extra ``embeddings`` and is imported only where it is used
(docs/decisions/0020-embedding-model.md). One backend behind ``Embedder``; another one is another ``load``.
"""

from app.embedder.model import DIMENSIONS, EXTRA, MAX_CHARACTERS, MODEL, Embedder, Kind, is_installed, literal, load
from app.embedder.process import EmbeddingProcess, open_process

__all__ = [
    "DIMENSIONS",
    "EXTRA",
    "MAX_CHARACTERS",
    "MODEL",
    "Embedder",
    "EmbeddingProcess",
    "Kind",
    "is_installed",
    "literal",
    "load",
    "open_process",
]
