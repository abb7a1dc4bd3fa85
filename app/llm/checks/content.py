"""Are the numbers and the formulas of the paper still there?"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from app.llm.checks.finding import MATH, Answer, Finding

_SCALES: Final = {
    "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12,
    "k": 1e3, "m": 1e6, "b": 1e9, "bn": 1e9, "t": 1e12,
    "十": 10, "百": 1e2, "千": 1e3, "万": 1e4, "萬": 1e4, "十万": 1e5, "百万": 1e6, "百萬": 1e6, "千万": 1e7, "千萬": 1e7,
    "亿": 1e8, "億": 1e8, "十亿": 1e9, "十億": 1e9, "百亿": 1e10, "千亿": 1e11, "万亿": 1e12, "兆": 1e12, "만": 1e4, "억": 1e8,
    "tausend": 1e3, "millionen": 1e6, "milliarden": 1e9, "mille": 1e3, "millions": 1e6, "milliards": 1e9,
    "mil": 1e3, "millones": 1e6, "milhões": 1e6, "milioni": 1e6, "miliardi": 1e9, "тыс": 1e3, "тысяч": 1e3,
    "млн": 1e6, "миллиона": 1e6, "миллионов": 1e6, "млрд": 1e9, "миллиарда": 1e9, "миллиардов": 1e9,
}  # fmt: skip
_NUMBER: Final = re.compile(
    # The digit comes first, as that is found fast; what may not stand before it is looked for then.
    r"(?P<digits>\d(?<![a-z\d_].)(?<!\d[.,].)(?<![a-z]-.)\d*(?:[.,]\d+)*)"
    rf"(?: ?(?P<scale>{'|'.join(sorted(_SCALES, key=len, reverse=True))})(?![a-zа-я]))?"
)
_NARROW: Final = re.compile(r"(?<=\d)(?:[\u00a0\u2009\u202f]|\\,|\{,\})(?=\d{3}(?!\d))")
_WORDS: Final = {
    word: float(value)
    for value, words in {
        12: "twelve dozen", 13: "thirteen", 14: "fourteen", 15: "fifteen", 16: "sixteen", 17: "seventeen", 18: "eighteen",
        19: "nineteen", 20: "twenty", 30: "thirty", 40: "forty", 50: "fifty half", 60: "sixty", 70: "seventy", 80: "eighty",
        90: "ninety", 100: "hundred hundreds double doubles", 1000: "thousand thousands", 10**6: "million millions",
        10**9: "billion billions",
    }.items()
    for word in words.split()
}  # fmt: skip
_ONES: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TENS: Final = [word for word, value in _WORDS.items() if 20 <= value <= 90 and word != "half"]
_WORD: Final = re.compile(r"[a-z]+")
_TWO_WORDS: Final = re.compile(rf"({'|'.join(_TENS)})[- ]({'|'.join(_ONES)})\b")
_NUMERAL: Final = re.compile("[零〇一二两兩三四五六七八九十百千万萬亿億]{1,12}")
_DIGITS: Final = {
    character: value
    for value, characters in enumerate(("零〇", "一", "二两兩", *"三四五六七八九"))
    for character in characters
}
_UNITS: Final = {"十": 10, "百": 100, "千": 1000}
_MYRIADS: Final = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}


def _numbers(text: str) -> dict[str, frozenset[float]]:
    """Every number in digits, as written, with all that it may mean: ``1,000`` may be a thousand, or, in German, one."""
    text = _NARROW.sub("", text.lower())
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).replace("٫", ".").replace("٬", ",")
    found = {}
    for digits, scale in dict.fromkeys(_NUMBER.findall(text)):
        values = {_value(form) for form in _forms(digits)}
        if scale:
            values |= {value * _SCALES[scale] for value in values}
        found[f"{digits} {scale}".rstrip()] = frozenset(float(f"{value:.9g}") for value in values)
    return found


_GROUPS: Final = re.compile(r"\d{1,3}(?:(?:,\d{3})+(?:\.\d+)?|(?:\.\d{3})+(?:,\d+)?)")
"""``1,234.5`` or ``1.234,5``."""


def _forms(digits: str) -> Iterator[str]:
    if digits.isdecimal():
        yield digits
        return
    if _GROUPS.fullmatch(digits):
        first = next(character for character in digits if character in ".,")
        yield digits.replace(first, "").replace(",", ".")
    yield digits.replace(",", ".")


def _value(form: str) -> float:
    """``1.2.3`` is a version or a list; as good as any is what its first two parts say."""
    return float(".".join(re.split("[.,]", form)[:2])[:60])


def _numerals(text: str) -> set[float]:
    """The values of numbers in Chinese characters, up to the hundreds of millions."""
    return {_numeral(match[0]) for match in _NUMERAL.finditer(text)}


def _numeral(characters: str) -> float:
    total = section = digit = 0
    for character in characters:
        if character in _DIGITS:
            digit = _DIGITS[character]
        elif character in _UNITS:
            section += (digit or 1) * _UNITS[character]
            digit = 0
        else:
            total += max(1, section + digit) * _MYRIADS[character]
            section = digit = 0
    return float(total + section + digit)


def _said(text: str, numbers: dict[str, frozenset[float]]) -> set[float]:
    """All values that a text may be said to hold, in digits (its ``numbers``), characters or English words."""
    return {value for values in numbers.values() for value in values} | _numerals(text) | _in_words(text)


def _in_words(text: str) -> set[float]:
    """Numbers in English words, one or two words each: ``twenty-eight``, ``thousands``."""
    text = text.lower()
    return {_WORDS[word] for word in _WORDS.keys() & set(_WORD.findall(text))} | {
        _WORDS[ten] + _ONES.index(one) + 1 for ten, one in _TWO_WORDS.findall(text)
    }


def _telling(numbers: dict[str, frozenset[float]]) -> dict[str, frozenset[float]]:
    """The numbers that say something: small whole ones are written as words, or are part of a name, too often."""
    return {written: values for written, values in numbers.items() if all(value > 12 or value % 1 for value in values)}


_MANY: Final = 4


def check_numbers(answer: Answer) -> Iterator[Finding]:
    """numbers: the abstract's numbers are in its translation, and the summaries' numbers are in the paper."""
    title, abstract = answer.source("title"), answer.source("abstract")
    numbers = _numbers(abstract)
    translation = answer.texts.get("abstract")
    if translation:
        telling, said = _telling(numbers), _said(translation, _numbers(translation))
        lost = [written for written, values in telling.items() if not values & said]
        if lost:
            many = len(telling) >= _MANY and 4 * len(lost) > 3 * len(telling)
            yield Finding("numbers", f"Numbers of the paper are not in the abstract: {', '.join(lost[:5])}.", many)
    said = _said(f"{title}\n{abstract}", _numbers(title) | numbers)
    for name in ("tldr", "tldr_en"):
        telling = _telling(_numbers(answer.texts.get(name, "")))
        new = [written for written, values in telling.items() if not values & said]
        if new:
            yield Finding("numbers", f"The {name} has numbers that are not in the paper: {', '.join(new[:5])}.", False)


# Typography, not content; its argument is prose in the end.
_STYLE: Final = re.compile(
    r"\\(?:text(?:it|bf|tt|sc|rm|sf|sl|up|normal)?|emph|math(?:bf|rm|it|sf|tt|cal|bb|frak|scr|ds)?|boldsymbol|bm|operatorname|"
    r"displaystyle|left|right|[bB]igg?[lr]?|limits|unicode\{x\w+\}|[,;:!]|quad|qquad)(?![A-Za-z])\*?"
)
_COMMAND: Final = re.compile(r"\\([A-Za-z]+)")
_GREEK: Final = {
    name: chr(code)
    for code in (*range(0x391, 0x3AA), *range(0x3B1, 0x3CA))
    for words in [unicodedata.name(chr(code), "").split()]
    if len(words) == 4 and words[2] == "LETTER"
    for name in [words[3].title() if words[1] == "CAPITAL" else words[3].lower()]
} | {"lambda": "λ", "Lambda": "Λ", "ell": "l"}
_FUNCTIONS: Final = re.compile(
    r"log|ln|exp|sinh?|cosh?|tanh?|min|max|sup|inf|lim|det|arg(?:min|max)?|poly|mod|dim|ker|deg"
)
# Words and units in a formula may be translated, or moved out of it.
_UPRIGHT: Final = re.compile(r"\\(?:text\w*|emph|operatorname|mathrm|mathsf|mathtt)\{[^{}]*\}")


_NO_LETTER: Final = re.compile("[^A-Za-z0-9\u0391-\u03c9]")


def check_formulas(answer: Answer) -> Iterator[Finding]:
    """formulas: those of the abstract are in its translation, as TeX or spelt out."""
    translation = answer.texts.get("abstract")
    source = answer.source("abstract")
    # ``$\\mathbf{C}$hannel`` is a word with its first letter in bold.
    formulas = [match[0] for match in MATH.finditer(source) if not source[match.end() : match.end() + 1].isalpha()]
    skeletons = dict.fromkeys(
        skeleton for formula in dict.fromkeys(formulas) if (skeleton := _skeleton_if_telling(formula))
    )
    if not skeletons or translation is None:
        return
    words = _skeleton(translation).split()
    together = "".join(words)
    # A short one would be found in any word: it must stand alone, though perhaps in pieces, as ``x 2`` for ``$x^2$``.
    alone = {"".join(words[at : at + length]) for length in (1, 2, 3) for at in range(len(words))}
    lost = [one for one in skeletons if one not in alone and (len(one) <= 3 or one not in together)]
    if lost:
        most = 2 * len(lost) > len(skeletons)
        yield Finding("formulas", "Formulas of the paper are not in the abstract; copy them as they are.", most)


def _skeleton_if_telling(formula: str) -> str:
    """Empty for a formula that is only an operator, a number or a word in another type, which may well be put in words."""
    skeleton = _skeleton(_UPRIGHT.sub(" ", formula)).replace(" ", "")
    # Hardly anyone says 10^{-15} in words, as one may 10^5 or 98 %.
    return "" if skeleton.isdecimal() and "^{" not in formula else skeleton


def _skeleton(text: str) -> str:
    """Letters (Greek ones too) and digits; everything else is a blank. A formula has the same in TeX and spelt out."""
    plain = _COMMAND.sub(_spelt, _STYLE.sub("", text))
    return _NO_LETTER.sub(" ", unicodedata.normalize("NFKC", plain))


def _spelt(match: re.Match[str]) -> str:
    name = match[1]
    if _FUNCTIONS.fullmatch(name):
        return name
    return _GREEK.get(name.removeprefix("var"), " ")
