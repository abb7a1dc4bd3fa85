r"""From a text to the words by which it is searched; the one rule, for queries and for papers alike.

* **TeX** is read as on arXiv's pages (``app.arxiv.display``); the words of a formula are searched like others.
* **Letters** are compared in NFKC and without case (``ＢＥＲＴ`` is ``bert``), accents and other marks (``Erdős`` is ``erdos``,
  ``Łódź`` is ``lodz``); a Greek letter is its name, as in TeX (``β-decay`` is ``beta-decay``). Invisible characters go.
* **Words** are runs of letters and digits; everything else parts words. In scripts that are written without blanks
  (Chinese, Japanese, Thai, ...; Korean too, for its endings) each character is a word of its own.
* **Compounds**, words joined by a hyphen or an apostrophe, are found in every spelling: ``pre-training``, ``pre training``
  and ``pretraining``. A possessive goes: ``Zipf's`` is ``zipf``.
* **Stems**: English words are compared by their Snowball stems (``models`` is ``model``, ``studies`` is ``study``), in quotes
  too. A word with a digit or with a letter beyond a to z is compared as it is. The plural of an acronym, which Snowball
  leaves because it has no vowel, goes too: ``LLMs`` and ``llms`` are ``llm``, but ``GPS`` is not ``GPs``.

Nothing here raises, and the time is linear in the length of the text.
"""

import re
import threading
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain, pairwise
from typing import Final

from Stemmer import Stemmer

from app.arxiv.display import display

UNSPACED: Final = (
    "\u0e01-\u0e3a\u0e40-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u1100-\u11ff\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u3130-\u318f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Ranges for a regular expression: the characters that are words of their own."""

# Characters of format, and the selectors of glyph variants.
_INVISIBLE: Final = (
    "\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff"
)
# Accents, and the points of Hebrew and Arabic, which readers leave out. The voice marks of Japanese are none of these.
_MARKS: Final = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
_has_invisible: Final = re.compile(f"[{_INVISIBLE}]").search
_remove_invisible: Final = re.compile(f"[{_INVISIBLE}]+").sub
_remove_marks: Final = re.compile(f"[{_MARKS}]+").sub

# Letters that Unicode does not take apart into a letter and an accent, as PostgreSQL's unaccent writes them.
_LETTERS: Final = dict(zip("øłđħŧıðƀɨʉɖ", "oldhtidbiud", strict=True)) | {"æ": "ae", "œ": "oe", "þ": "th", "ĸ": "k"}
_GREEK: Final = {
    unicodedata.lookup(f"GREEK SMALL LETTER {name}"): name.lower().replace("lamda", "lambda")
    for name in (
        *("ALPHA", "BETA", "GAMMA", "DELTA", "EPSILON", "ZETA", "ETA", "THETA", "IOTA", "KAPPA", "LAMDA", "MU"),
        *("NU", "XI", "OMICRON", "PI", "RHO", "SIGMA", "TAU", "UPSILON", "PHI", "CHI", "PSI", "OMEGA"),
    )
}
_PLAIN: Final = str.maketrans(_LETTERS | _GREEK)
_JOINERS: Final = str.maketrans("\u2010\u2011\u2012\u2013\u2212\u2018\u2019\u201b\u02bc\uff07", "-----'''''")

_has_joiner: Final = re.compile("[\u02bc\u2010-\u201b\u2212\uff07]").search
# Most texts that are not ASCII are Chinese, which has neither case nor accents; looking is faster than folding.
_has_foldable: Final = re.compile("[^\x00-\x7f\u3000-\u3098\u309b-\u9fff\uac00-\ud7a3]").search

_LETTER: Final = rf"[^\W_{UNSPACED}]"
_WORD: Final = re.compile(rf"[{UNSPACED}]|{_LETTER}+")
_COMPOUND: Final = re.compile(rf"[{UNSPACED}]|{_LETTER}+(?:[-']{_LETTER}+)*")
# The same for texts of ASCII, in two thirds of the time.
_ASCII_WORD: Final = re.compile("[A-Za-z0-9]+")
_ASCII_COMPOUND: Final = re.compile("[A-Za-z0-9]+(?:[-'][A-Za-z0-9]+)*")
_JOINED: Final = re.compile(rf"(?<={_LETTER})[-'](?={_LETTER})")
_POSSESSIVE: Final = re.compile(r"(?<=[^\W_])'s\b")
# It begins with what it looks for: ten times as fast as from the capitals on.
_ACRONYMS: Final = re.compile(r"s\b(?<=[A-Z]{2}s)")
# As they are printed: with marks that Unicode cannot put onto their letter, and with their possessive.
_PRINTED: Final = rf"(?:{_LETTER}[{_MARKS}]*)+"
_PRINTED_WORD: Final = re.compile(rf"(?:[{UNSPACED}]|{_PRINTED})(?:'[sS]\b)?")
_PRINTED_COMPOUND: Final = re.compile(rf"[{UNSPACED}](?:'[sS]\b)?|{_PRINTED}(?:[-']{_PRINTED})*")

# Commands that only say how a formula looks: "\mathcal{N}" is searched as N.
_LOOKS: Final = re.compile(r"\\(?:math[a-z]+|text[a-z]*|operatorname\*?|mbox|hbox|left|right|[bB]ig+[lr]?)(?![A-Za-z])")

_is_unspaced: Final = re.compile(f"[{UNSPACED}]").fullmatch
_has_only_letters: Final = re.compile("[a-z]{1,40}").fullmatch
_is_acronyms: Final = re.compile("[b-df-hj-np-tv-xz]{3,}(?<!s)s").fullmatch


def clean(text: str) -> str:
    """The text in plain Unicode as a reader sees it, but one spelling for what looks alike, and nothing invisible."""
    shown = display(text)
    if "\\" in shown:
        shown = _LOOKS.sub(" ", shown)
    if shown.isascii():
        return shown
    normal = unicodedata.normalize("NFKC", shown)
    if _has_invisible(normal):
        # What goes may have stood between a letter and its accent, so that only now they can become one.
        normal = unicodedata.normalize("NFKC", _remove_invisible("", normal))
    return normal.translate(_JOINERS) if _has_joiner(normal) else normal


def fold(text: str) -> str:
    """The text without case, accents, possessives and plurals of acronyms; what is equal then counts as equal."""
    return fold_clean(clean(text))


def fold_clean(text: str) -> str:
    """As ``fold``, for a text that is clean already."""
    text = _ACRONYMS.sub("", text)
    if text.isascii() or not _has_foldable(text):
        folded = text.lower()
    else:
        bare = _remove_marks("", unicodedata.normalize("NFD", text.casefold()))
        folded = unicodedata.normalize("NFKC", bare).translate(_PLAIN)
    return _POSSESSIVE.sub("", folded) if "'" in folded else folded


def words(text: str) -> list[str]:
    """The words of a query, folded, compounds whole and with hyphens: ``Pre-trained BERTs`` is ``pre-trained, bert``."""
    return [word.replace("'", "-") for word in _COMPOUND.findall(fold(text))]


def compounds(folded: str) -> list[str]:
    """The words of a folded text, compounds whole."""
    return (_ASCII_COMPOUND if folded.isascii() else _COMPOUND).findall(folded)


def is_unspaced(word: str) -> bool:
    """Whether a word is one character of a script without blanks."""
    return _is_unspaced(word) is not None


def running_text(words: tuple[str, ...]) -> str:
    """Words as one writes them: with blanks, but none between the characters of a script without blanks."""
    parts = [words[0]]
    for before, word in pairwise(words):
        parts += (word,) if is_unspaced(before) and is_unspaced(word) else (" ", word)
    return "".join(parts)


def split_line(folded: str) -> str:
    """The words of a folded text, compounds taken apart, each with one blank before and behind it: `` pre training ``."""
    return f" {' '.join((_ASCII_WORD if folded.isascii() else _WORD).findall(folded))} "


def joined_line(folded: str) -> str | None:
    """As ``split_line``, compounds written in one (`` pretraining ``); None where the text has none."""
    if "-" not in folded and "'" not in folded:
        return None
    joined = _JOINED.sub("", folded)
    return split_line(joined) if joined != folded else None


def printed(cleaned: str, first: int, count: int, *, is_joined: bool) -> str | None:
    """The stretch of a clean text whose words have these numbers in its line; None if the text reads otherwise."""
    found = (_PRINTED_COMPOUND if is_joined else _PRINTED_WORD).finditer(cleaned)
    spans = [match.span() for number, match in zip(range(first + count), found, strict=False) if number >= first]
    return cleaned[spans[0][0] : spans[-1][1]] if len(spans) == count else None


def printed_spans(cleaned: str) -> list[tuple[int, int]]:
    """Where the words of a clean text stand, compounds taken apart; as many as its line has, unless the text reads otherwise."""
    return [match.span() for match in _PRINTED_WORD.finditer(cleaned)]


def is_english(word: str) -> bool:
    """Whether a folded word is compared by its stem; what has other letters, digits, or more letters than a word, is not."""
    return _has_only_letters(word) is not None


_turn: Final = threading.Lock()  # the stemmer keeps the word that it is at, and queries are matched in threads
_snowball: Final = Stemmer("english", 0)  # what was stemmed is remembered here, not there


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    if _is_acronyms(word):
        return word[:-1]
    with _turn:
        stemmed: str = _snowball.stemWord(word)
    return stemmed


def stem(word: str) -> str:
    """What a folded word without a hyphen is compared by."""
    # Long words are not remembered: outside text must not fill the memory.
    return _stem(word) if is_english(word) else word


def beginning(stemmed: str) -> str:
    """Letters with which every word of this stem begins.

    Snowball cuts endings and may change the last letter of what is left (``happy`` is ``happi``), two of it in a few words
    only (``dying`` is ``die``, ``sensibility`` is ``sensibl``).
    """
    if not is_english(stemmed) or len(stemmed) == 1:
        return stemmed
    if len(stemmed) == 3 and stemmed.endswith("ie"):
        return stemmed[0]
    return stemmed[: -2 if stemmed.endswith("bl") else -1]


def _written(endings: str) -> tuple[str, ...]:
    """Endings, and how they are written before another one: "able" in "ability", "ize" in "izing", "ency" in "encies"."""
    forms = {(r"(?<=bl)e$", ""), ("ble$", "bil"), ("(?<=.)e$", ""), ("y$", "i")}
    return tuple(sorted({re.sub(old, new, one) for one in endings.split() for old, new in (*forms, ("$", ""))}))


# What Snowball takes away: endings, and what is behind the part of an ending that it leaves.
_ENDINGS: Final = _written(
    "able ably al alism ality alize ally ance ancy ant ate ation ational ative ator bility bly d dly e ed edly eed eedly ement "
    "ence ency ent ently er es ful fully fulness ible ic ical icate icity ied ies ility ing ingly ion ional ism ist ity ive "
    "iveness ivity ization ize izer l less lessly ly ment ness ogist ogy or ous ously ousness r s ses tional y"
)
# The same where no vowel with a consonant behind it stands before; where no vowel does; and behind a letter that is doubled.
_FIRST_ENDINGS: Final = _written("d dly e ed edly eed eedly es ied ies ing ingly s ses y")
_VOWELLESS_ENDINGS: Final = _written("ied ies s y")
_DOUBLING_ENDINGS: Final = _written("ed edly ing ingly")
_has_vowel: Final = re.compile("[aeiouy]").search
_has_syllable: Final = re.compile("[aeiouy][^aeiou]").search
# The letters that it puts in place of an ending, beside those of the word itself.
_CHANGED: Final = ("i", "e", "bl")


def shorter_stems(start: str) -> set[str]:
    """What may be left of an English word that begins so, and does not begin so itself; not all of it is a stem."""
    found: set[str] = {f"{start[0]}ie"} if start[1:2] == "y" else set()  # "dying" is "die"
    if start.startswith("ski"):
        found.add("sky")
    for length in range(1, len(start)):
        kept, rest = start[:length], start[length:]
        if rest[0] == kept[-1] and _is_begun(rest[1:], _DOUBLING_ENDINGS):
            found.add(kept)
        if not _has_vowel(kept):
            if length > 1 and _is_begun(rest, _VOWELLESS_ENDINGS):
                found.update((kept, f"{kept}i"))  # "svrs", "trying"
        elif _is_begun(rest, _ENDINGS if _has_syllable(kept) else _FIRST_ENDINGS):
            found.update((kept, *(kept + changed for changed in _CHANGED)))
    return {one for one in found if not one.startswith(start)}


def _is_begun(rest: str, first: Iterable[str]) -> bool:
    """Whether endings in a row may begin so, of which one is the ``first``."""
    reached = {len(one) for one in first if rest.startswith(one)}
    if any(one.startswith(rest) for one in first):
        return True
    for place in range(1, len(rest)):
        if place in reached:
            if any(one.startswith(rest[place:]) for one in _ENDINGS):
                return True
            reached.update(place + len(one) for one in _ENDINGS if rest.startswith(one, place))
    return len(rest) in reached


def parts(words: tuple[str, ...], *, is_joined: bool) -> tuple[str, ...]:
    """The words of a query as a line of a text has them: compounds taken apart, or written in one."""
    if is_joined:
        return tuple(word.replace("-", "") for word in words)
    return tuple(chain.from_iterable(word.split("-") for word in words))
