r"""Where formulas begin and end in arXiv's texts: the one rule, for the display form and for MathML alike.

* ``$...$`` follows pandoc's rule (``tex_math_dollars``): the opening dollar has no blank after it, the closing one none
  before it and no digit after it; so prices (``$20 and $30``) stay text.
* ``$$...$$``, ``\(...\)`` and ``\[...\]`` hold at least one character that is not blank.
* ``\begin{equation}...\end{equation}`` and the other environments of displayed mathematics.
* What reads as a sentence is none: a lost dollar would swallow everything up to the next formula.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

MAX_SOURCE: Final = 2_000  # characters; the longest formula in 65,000 abstracts is far below


class Formula(NamedTuple):
    """A formula: ``written`` is ``text[start:end]`` with its delimiters, ``source`` what MathML is made from."""

    start: int
    end: int
    written: str
    source: str
    is_displayed: bool


# A backslash before "\" or "$" begins neither a formula nor an environment; such pairs are passed over whole.
_START: Final = re.compile(
    r"\\[\\()\[\]$]|\$\$?"
    r"|\\begin\{(?P<name>(?:equation|displaymath|math|align|alignat|flalign|gather|multline|eqnarray)\*?)\}"
)
_HAS_START: Final = re.compile(r"\$|\\[(\[]|\\begin\{").search
_DOLLAR: Final = re.compile(r"\\.|\$", re.DOTALL)
# Sentences show by full-width punctuation or by several plain words in a row; words in a formula stand in braces
# (``\text{if and only if}``).
_PROSE: Final = re.compile(r"[。，；！？]|(?<![\\{A-Za-z])[A-Za-z]{3,}\s{1,9}[A-Za-z]{2,}\s{1,9}[A-Za-z]{2,}")
_BRACED_WORDS: Final = re.compile(r"\\(?:text[a-z]*|mbox|hbox|operatorname\*?|math[a-z]+) ?\{[^{}]*\}")
_CLOSING: Final = {"$$": "$$", "\\(": "\\)", "\\[": "\\]"}
_WITHOUT_ROWS: Final = {"equation", "displaymath", "math"}  # their content is a formula without the environment too


def find_formulas(text: str) -> Iterator[Formula]:
    """Yield the formulas of a text, in order.

    The time is linear in the length: a delimiter that is not closed once is never searched again.
    """
    if not _HAS_START(text):
        return
    position = 0
    unclosed: set[str] = set()
    while match := _START.search(text, position):
        position = match.end()
        name = match["name"]
        formula = _environment(text, match, name, unclosed) if name else _delimited(text, match, unclosed)
        if formula is not None:
            yield formula
            position = formula.end


def _environment(text: str, match: re.Match[str], name: str, unclosed: set[str]) -> Formula | None:
    closing = f"\\end{{{name}}}"
    end = -1 if closing in unclosed else text.find(closing, match.end())
    if end < 0:
        unclosed.add(closing)
        return None
    stop = end + len(closing)
    written = text[match.start() : stop]
    source = text[match.end() : end] if name.rstrip("*") in _WITHOUT_ROWS else written
    return Formula(match.start(), stop, written, source, name != "math")


def _delimited(text: str, match: re.Match[str], unclosed: set[str]) -> Formula | None:
    opening, start = match[0], match.end()
    closing = "$" if opening == "$" else _CLOSING.get(opening)
    if closing is None or closing in unclosed:
        return None
    end = _closing_dollar(text, start) if opening == "$" else text.find(closing, start)
    if end < 0:
        if opening != "$":
            unclosed.add(closing)
        return None
    source = text[start:end]
    if not source.strip() or _is_prose(source):
        return None
    stop = end + len(closing)
    return Formula(match.start(), stop, text[match.start() : stop], source, opening in ("$$", "\\["))


def _closing_dollar(text: str, start: int) -> int:
    """Return where the dollar that closes the formula stands, or -1: only the next dollar can."""
    if text[start : start + 1].isspace():
        return -1
    for match in _DOLLAR.finditer(text, start):
        if match[0] == "$":
            end = match.start()
            closes = end > start and not text[end - 1].isspace() and not text[end + 1 : end + 2].isdigit()
            return end if closes else -1
    return -1


def _is_prose(source: str) -> bool:
    return len(source) <= MAX_SOURCE and _PROSE.search(_BRACED_WORDS.sub("", source)) is not None
