"""Names of people as reference managers want them: family name, given names, suffix (for ``bib`` and ``ris``).

arXiv prints names as "First Last" or "First Last Jr." (``app.arxiv.authors``) and does not say which part is the family name.
The rule is BibTeX's own: the last word, with the words before it from the first one on that begins with a small letter
("Ludwig van Beethoven" is "van Beethoven, Ludwig").
"""

import re
from typing import Final, NamedTuple

MAX_LENGTH: Final = 200  # characters; no person's name is longer, and a longer one is left whole
_WORD: Final = re.compile(r"(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\S)+")  # TeX's braces keep a word together: Erd{\H o}s
_SUFFIX: Final = re.compile(r"(?:[JS]r\.?|I{2,3}|IV)", re.IGNORECASE)
_GROUP: Final = re.compile(r"\b(?:collaborations?|consortium|group|team)\b", re.IGNORECASE)


class PersonName(NamedTuple):
    """A name in its parts; ``given`` and ``suffix`` may be ``""``."""

    family: str
    given: str
    suffix: str


def split_name(name: str) -> PersonName | None:
    """Return a name's parts; ``None`` for what is to be left whole: a group, a single word, a name with a stray comma."""
    words = _WORD.findall(name) if len(name) <= MAX_LENGTH else []
    suffix = words.pop() if len(words) > 1 and _SUFFIX.fullmatch(words[-1]) else ""
    if suffix:
        words[-1] = words[-1].rstrip(",")
    if len(words) + bool(suffix) < 2 or any("," in word for word in words) or _GROUP.search(name):
        return None
    start = next((at for at, word in enumerate(words[:-1]) if word[0].islower()), len(words) - 1)
    return PersonName(" ".join(words[start:]), " ".join(words[:start]), suffix)
