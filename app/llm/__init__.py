"""Summarisers: who reads an abstract and says in one sentence what is new.

``make_summariser`` is the one place that chooses. A language model comes in here: a module of this package with a class
that fits ``Summariser``, and its choice below.
"""

from app.llm.base import PaperText, Summariser, SummariserError, SummaryDraft
from app.llm.extractive import ExtractiveSummariser

__all__ = ["PaperText", "Summariser", "SummariserError", "SummaryDraft", "make_summariser"]


def make_summariser() -> Summariser:
    """The summariser that this process uses: the built-in extractive one, which needs no key and no network."""
    return ExtractiveSummariser()
