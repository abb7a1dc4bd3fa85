"""Is everything there, once, whole, and of a sensible length?"""

import re
from collections.abc import Iterator
from typing import Final

from app.llm.base import Detail, is_english
from app.llm.checks.finding import Answer, Finding, prose, squeezed
from app.llm.checks.language import weight
from app.llm.extractive import split_sentences


def check_missing(answer: Answer) -> Iterator[Finding]:
    """missing-title, missing-abstract, missing-tldr, missing-tldr-en: every text is there and not blank."""
    wanted = ["tldr_en"]
    if not is_english(answer.language):
        wanted.insert(0, "tldr")
        if answer.detail is Detail.FULL and answer.source("abstract").strip():
            wanted.insert(0, "abstract")
        if answer.source("title").strip():
            wanted.insert(0, "title")
    for name in wanted:
        if not any(map(str.isalnum, answer.texts.get(name, ""))):
            yield Finding(f"missing-{name.replace('_', '-')}", f"The {name} is missing.", True)


def check_copies(answer: Answer) -> Iterator[Finding]:
    """copy: nothing of the paper was left untranslated, and no two texts are the same."""
    if is_english(answer.language):
        return
    found = {name: squeezed(text) for name, text in answer.texts.items()}
    for name in ("title", "abstract"):
        # A title of one or two words is a name; longer ones that are all names are too rare to let copies through.
        source, text = answer.source(name), found.get(name)
        if text and len(source.split()) > 2 and text.startswith(squeezed(source[:40])) and text == squeezed(source):
            yield Finding("copy", f"The {name} is the paper's own, untranslated.", True)
            return
    for name in ("abstract", "tldr"):
        if name in found and _holds_a_sentence(found[name], answer.source("abstract")):
            yield Finding("copy", f"The {name} holds a sentence of the paper that was not translated.", True)
            return
    seen: dict[str, str] = {}
    short_source = not _SENTENCE_END.search(answer.source("abstract").strip())
    for name, text in found.items():
        # An abstract of one sentence is its own summary.
        if text in seen and not (short_source and {name, seen[text]} <= {"abstract", "tldr"}):
            yield Finding("copy", f"The {name} is the same text as the {seen[text]}.", True)
        seen.setdefault(text, name)


# Rougher than split_sentences, which takes long for texts of thousands of sentences; a piece of one proves as much.
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


def _holds_a_sentence(letters: str, source: str) -> bool:
    """Whether a squeezed text holds a sentence of the source, longer than any name of a theorem or of a book."""
    # The beginning is looked for first, as hardly one is ever found.
    return any(
        squeezed(sentence[:40]) in letters
        and squeezed(sentence) in letters
        and len(re.findall(r"\b[a-z]{2,}\b", prose(sentence))) >= 8
        for sentence in _SENTENCE_END.split(source)
    )


_RUN: Final = 12
"""Characters; a run of so many letters that comes twice is no accident."""


def check_repeated(answer: Answer) -> Iterator[Finding]:
    """repeated: no text says the same twice over, whole or in a loop."""
    for name, text in answer.texts.items():
        letters = squeezed(text)
        runs = len(letters) - _RUN + 1
        if runs > _RUN and len({letters[at : at + _RUN] for at in range(runs)}) < 0.6 * runs:
            yield Finding("repeated", f"The {name} says the same thing more than once.", True)


LEAST, MOST = 0.48, 2.5
"""A translated abstract's length as a part of the source's, both in letters of English; 1 is usual."""
_LEAST_UNENDED: Final = 0.75
"""The same for one that stops in the middle of a sentence."""
_SHORT_SOURCE: Final = 100
"""Letters; of less, lengths vary too much."""


def check_length(answer: Answer) -> Iterator[Finding]:
    """length: the abstract is translated whole, and the title and the sentences are no essays."""
    source, translation = answer.source("abstract"), answer.texts.get("abstract")
    if translation and len(source) >= _SHORT_SOURCE:
        ratio = _ratio(translation, source)
        if ratio < LEAST:
            yield Finding("length", "The abstract is much shorter than the paper's; translate all of it.", True)
        elif ratio > MOST:
            yield Finding("length", "The abstract is much longer than the paper's; translate it and add nothing.", True)
    title = answer.texts.get("title")
    if title and weight(title) > 3 * len(answer.source("title")) + 60:
        yield Finding("length", "The title is much longer than the paper's; translate it and add nothing.", True)
    for name in ("tldr", "tldr_en"):
        text = answer.texts.get(name)
        if text and weight(text) > max(1.5 * len(source), 600) and weight(text) > 2 * len(answer.source("title")):
            yield Finding("length", f"The {name} is longer than the abstract; give one sentence.", True)
        elif text and weight(text) > 700:
            yield Finding("length", f"The {name} is long for one sentence.", False)


_ENDS: Final = re.compile(r"[.!?。！？｡।॥؟۔։።។][\"'’”»」』)）\]\s*$}]*$")
_DOTS: Final = re.compile(r"(?:…|\.{2,}|。{2,})[\"'’”»」』)）\]\s]*$")
# Thai, Lao and Burmese do without a full stop or have their own; an address ends an abstract often, without one.
_ENDS_OTHERWISE: Final = re.compile(r"(?:[\u0e00-\u0eff\u1000-\u109f]|https?://\S+|www\.\S+)[\s)）}]*$")


def check_cut_short(answer: Answer) -> Iterator[Finding]:
    """cut-short: the translated abstract ends where a sentence ends, if the paper's does."""
    source, translation = answer.source("abstract").strip(), answer.texts.get("abstract", "").strip()
    if not translation or not _is_ended(source) or _is_ended(translation) or _ENDS_OTHERWISE.search(translation[-200:]):
        return
    low = len(source) >= _SHORT_SOURCE and _ratio(translation, source) < _LEAST_UNENDED
    yield Finding("cut-short", "The abstract stops in the middle; translate it to its end.", low)


def _is_ended(text: str) -> bool:
    return bool(_ENDS.search(text[-20:])) and not _DOTS.search(text[-20:])


def _ratio(translation: str, source: str) -> float:
    """Formulas and addresses are the same in both, and say nothing of how much was translated."""
    return weight(" ".join(prose(translation).split())) / max(1.0, weight(" ".join(prose(source).split())))


_STOP: Final = re.compile(r"(?<=[。！？｡।॥؟۔])")


_SENTENCES_IN: Final = 1000
"""Characters in which sentences are counted: enough for four, and little enough for the splitter."""


def count_sentences(text: str) -> int:
    """Sentences of any script; a piece without a few letters is none."""
    pieces = (piece for part in _STOP.split(text[:_SENTENCES_IN]) for piece in split_sentences(part))
    return sum(sum(map(str.isalpha, piece)) >= 4 for piece in pieces)


def check_one_sentence(answer: Answer) -> Iterator[Finding]:
    """one-sentence: each of the two summaries is one. Two or three are bearable; four are another abstract.

    Only that one refuses an answer which readers of this language are shown first.
    """
    shown = "tldr_en" if is_english(answer.language) else "tldr"
    for name in ("tldr", "tldr_en"):
        count = count_sentences(answer.texts.get(name, ""))
        if count > 1:
            yield Finding("one-sentence", f"The {name} has {count} sentences; give one.", count >= 4 and name == shown)
