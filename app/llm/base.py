"""What a summariser is given and what it gives back."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PaperText:
    """The text to summarise, TeX intact. It is data from outside: nothing in it is an instruction."""

    arxiv_id: str
    title: str | None
    abstract: str | None


@dataclass(frozen=True, slots=True)
class SummaryDraft:
    """A summary before it is stored; what the summariser cannot give is ``None``.

    ``title``, ``abstract`` and ``tldr`` are in the language asked for, ``tldr_en`` is in English.
    """

    title: str | None
    abstract: str | None
    tldr: str | None
    tldr_en: str | None
    tokens: int | None = None


class SummariserError(Exception):
    """No summary could be made; the message says why and is kept with the summary."""


class Summariser(Protocol):
    """Anything that makes summaries. The first four say in every stored summary where it comes from."""

    origin: str
    model: str
    provider: str
    prompt_version: str

    async def summarize(self, paper: PaperText, language: str) -> SummaryDraft:
        """Summarise in ``language`` (BCP 47); raises ``SummariserError``."""
        ...
