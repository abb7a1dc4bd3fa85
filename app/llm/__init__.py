"""Summarisers: who reads an abstract and says in one sentence what is new, and translates it.

``make_summariser`` is the one place that chooses: the configured language models, or the built-in extractive summariser.
"""

from typing import TYPE_CHECKING, Any, TypeGuard

from app.llm.base import (
    FIELDS,
    CallFailed,
    Detail,
    Expected,
    Made,
    Mode,
    PaperText,
    Summariser,
    SummariserError,
    SummaryDraft,
    Trouble,
    is_english,
)
from app.llm.extractive import ExtractiveSummariser

if TYPE_CHECKING:
    from app.config import Settings
    from app.llm.chain import ModelChain

__all__ = [
    "FIELDS",
    "CallFailed",
    "Detail",
    "Expected",
    "ExtractiveSummariser",
    "Made",
    "Mode",
    "PaperText",
    "Summariser",
    "SummariserError",
    "SummaryDraft",
    "Trouble",
    "is_chain",
    "is_english",
    "make_summariser",
]


def make_summariser(settings: "Settings | None" = None) -> "Summariser | ModelChain":
    """The summariser of these settings: the chain of models, or, if none is configured, the extractive one.

    Raises ``ConfigurationError`` if a model cannot be used as it is configured.
    """
    if settings is None or not settings.llm_model:
        return ExtractiveSummariser()
    # Only here, because the libraries behind it take a second and 60 MB.
    from app.llm.chain import ModelChain
    from app.llm.chat import LanguageModel
    from app.llm.glossary import Glossary, load_glossary
    from app.llm.prices import PriceOverride

    key = settings.llm_api_key.get_secret_value() if settings.llm_api_key else None
    return ModelChain(
        [LanguageModel(name, settings.llm_base_url, key, settings.llm_timeout) for name in settings.llm_model],
        fields=settings.llm_fields,
        glossary=load_glossary(settings.llm_glossary) if settings.llm_glossary else Glossary.empty(),
        price=PriceOverride(*map(float, settings.llm_price)) if settings.llm_price else None,
    )


def is_chain(summariser: Any) -> "TypeGuard[ModelChain]":
    """Whether a summariser is a chain of language models, whose calls are limited and paid for."""
    return bool(summariser.origin == "llm")
