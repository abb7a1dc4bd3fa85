"""Line ends in the texts of bibliographic records (FACTS 9.1).

The old servers and the snapshot wrap texts at about 80 columns. A wrap is not the author's, and is joined by one blank, even
after a hyphen; a line of an abstract that begins with a blank begins a paragraph, and that is the author's.
"""

import re
from typing import Final


def unwrap(text: str) -> str:
    """One line: a title, comments, a journal reference, an author line."""
    if "\n" not in text:
        return text.strip()
    return " ".join(line for line in map(str.strip, text.split("\n")) if line)


def unwrap_abstract(text: str) -> str:
    """An abstract without hard wraps; the author's own paragraphs begin on lines of their own."""
    text = text.strip()
    if "\n" not in text:
        return text
    paragraphs: list[list[str]] = []
    for line in text.split("\n"):
        words = line.strip()
        if words and (not paragraphs or line[0] in " \t"):
            paragraphs.append([words])
        elif words:
            paragraphs[-1].append(words)
    return "\n".join(" ".join(lines) for lines in paragraphs)


_WITHDRAWN: Final = re.compile(
    r"^\W*withdrawn\b|\b(?:paper|article|manuscript|submission|preprint|work|version)\b[^.;]{0,60}\bwithdrawn\b",
    re.IGNORECASE,
)
_WITHDRAWN_BEGINNING: Final = 300
"""Characters in which an abstract that stands in for a withdrawn paper says so."""


def says_withdrawn(text: str | None) -> bool:
    """Whether comments, or an abstract, say that the paper was withdrawn; for sources without versions (FACTS 10.3)."""
    return bool(text and _WITHDRAWN.search(text[:_WITHDRAWN_BEGINNING]))
