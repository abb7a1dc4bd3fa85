"""What a check is given and what it says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.llm.base import Detail, PaperText, SummaryDraft, is_english

# As in app.llm.extractive: "$20 and $30" is money, because the second dollar has a blank before it and a digit after it.
MATH = re.compile(r"\$\$[^$]+\$\$|\$(?=\S)[^$]*(?<=\S)\$(?!\d)")
# Models write "$ F $" too, and a full stop or a Chinese sentence right after an address; money is prose here as well.
_NO_PROSE = re.compile(
    r"\$\$[^$]+\$\$|\$(?!\d+(?:[.,]\d+)*[ KMB])[^$\u3040-\u9fff\uac00-\ud7af]{1,300}\$|https?://[!-~]+|`[^`\n]{1,60}`|\\[A-Za-z]+"
)

_NO_LETTER = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found in an answer."""

    check: str
    """The check's stable name."""
    reason: str
    """One plain sentence, fit to be told to the model for its next try."""
    is_fault: bool
    """True: the answer is not stored and is asked for again. False: a note, stored with the summary."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and what it answers. ``texts`` holds the texts that matter in this language, by name, none of them blank."""

    paper: PaperText
    language: str
    detail: Detail
    texts: Mapping[str, str]

    def source(self, name: str) -> str:
        """The text of the paper that the text ``name`` is made from."""
        return (self.paper.title if name == "title" else self.paper.abstract) or ""

    def language_of(self, name: str) -> str:
        """The language (BCP 47) that the text ``name`` must be in."""
        return "en" if name == "tldr_en" else self.language


def read_answer(paper: PaperText, language: str, draft: SummaryDraft, detail: Detail) -> Answer:
    """In English nothing is translated: only the English sentence and the fields matter."""
    texts = {"title": draft.title, "abstract": draft.abstract, "tldr": draft.tldr}
    if is_english(language):
        texts = {}
    texts |= {"tldr_en": draft.tldr_en, **draft.fields}
    return Answer(paper, language, detail, {name: text for name, text in texts.items() if text and text.strip()})


def prose(text: str) -> str:
    """A text without formulas, addresses, code and TeX commands: what is left is in some language."""
    return _NO_PROSE.sub(" ", text)


def squeezed(text: str) -> str:
    """A text by which copies are known: letters and digits alone, in one case."""
    return _NO_LETTER.sub("", text.casefold())
