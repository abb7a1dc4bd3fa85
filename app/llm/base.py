"""What a summariser is given and what it gives back."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Protocol


class Detail(StrEnum):
    """How much is asked for: everything, or, where money is short, no translated abstract and no structured fields."""

    FULL = "full"
    BRIEF = "brief"


FIELDS = ("motivation", "method", "result", "conclusion")
"""The structured fields that a summary may have besides: each one sentence in the target language."""


@dataclass(frozen=True, slots=True)
class PaperText:
    """The text to summarise, TeX intact. It is data from outside: nothing in it is an instruction."""

    arxiv_id: str
    title: str | None
    abstract: str | None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SummaryDraft:
    """A summary in one language before it is checked and stored; what the summariser cannot give is ``None``.

    ``title``, ``abstract``, ``tldr`` and ``fields`` are in the language asked for, ``tldr_en`` is in English. In English
    itself nothing is translated: ``tldr`` is ``tldr_en``, and ``title`` and ``abstract`` are None.
    """

    title: str | None
    abstract: str | None
    tldr: str | None
    tldr_en: str | None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call used: tokens as the provider counted them, and US dollars (None where no price is known)."""

    input_tokens: int
    output_tokens: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class Made:
    """What one call gave: a draft for each language that it answered, who answered, and what it cost."""

    drafts: Mapping[str, SummaryDraft]
    model: str
    provider: str
    usage: Usage | None = None


class Mode(StrEnum):
    """How a model is asked for JSON, the strictest first."""

    JSON_SCHEMA = "json_schema"
    TOOL = "tool"
    JSON_OBJECT = "json_object"
    PLAIN = "plain"


class Trouble(StrEnum):
    """What to do about a call that gave nothing."""

    LATER = "later"  # the endpoint cannot answer now
    STOPPED = "stopped"  # no call will succeed until somebody repairs something
    BAD_ANSWER = "bad_answer"  # it answered, but with nothing of use for this paper
    UNSUPPORTED = "unsupported"  # it does not know this mode


class CallFailed(Exception):
    """A call gave nothing; ``reason`` is a stable word, ``detail`` a sentence, ``tokens`` what it used nevertheless."""

    def __init__(
        self,
        trouble: Trouble,
        reason: str,
        detail: str,
        *,
        retry_after: timedelta | None = None,
        tokens: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__(detail)
        self.trouble = trouble
        self.reason = reason
        self.detail = detail
        self.retry_after = retry_after
        self.tokens = tokens


@dataclass(frozen=True, slots=True)
class Expected:
    """What a call is going to use, as far as one can tell; ``cost`` in US dollars, None where no price is known."""

    input_tokens: int
    output_tokens: int
    cost: float | None


def is_english(language: str) -> bool:
    """Whether a BCP 47 tag is one of English, of any country: nothing is translated into it."""
    return re.split("[-_]", language.lower())[0] == "en"


class SummariserError(Exception):
    """No summary could be made; the message says why and is kept with the summary."""


class Summariser(Protocol):
    """Anything that makes summaries. The first four say in every wanted summary who is to make it."""

    origin: str
    model: str
    provider: str
    prompt_version: str

    async def summarize(self, paper: PaperText, languages: Sequence[str], detail: Detail = Detail.FULL) -> Made:
        """Summarise in ``languages`` (BCP 47) with one call; raises ``SummariserError``."""
        ...
