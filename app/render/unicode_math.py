r"""arXiv's texts in plain Unicode characters, formulas too: ``$\alpha_i \le \mathbb{R}^n$`` is ``αᵢ ≤ ℝⁿ``.

Which dollars are formulas is decided in ``app.arxiv.formulas``. A formula is read by the same converter as for MathML, and
its tree is written on one line: indices in small characters where Unicode has them all (else ``x_(ab)``), fractions with a
slash, accents as combining characters. A formula that the converter does not understand keeps its source, with the
symbols in it replaced.
"""

import re
from functools import lru_cache
from typing import Final
from unicodedata import combining, normalize
from xml.etree.ElementTree import Element

from latex2mathml.symbols_parser import convert_symbol

from app.arxiv.display import MAX_REMEMBERED, display, display_pieces, may_have_tex
from app.render.document import Math
from app.render.mathml import MAX_NESTING, NotConvertibleError, formula_tree, token_text
from app.render.text import one_line, plain

SUPERSCRIPTS: Final = str.maketrans(
    "0123456789+-−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWαβγδεθιφχ′″‴*∗†‡°∘",
    "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵅᵝᵞᵟᵋᶿᶥᵠᵡ′″‴**†‡°°",
)
SUBSCRIPTS: Final = str.maketrans(
    "0123456789+-−=()aehijklmnoprstuvxβγρφχ",
    "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ",
)
# What the converter puts over a base, as a combining character, and as a word where the base is longer than a character.
ACCENTS: Final = {
    "^": ("\u0302", "hat"),
    "~": ("\u0303", "tilde"),
    "¯": ("\u0304", "bar"),
    "―": ("\u0305", "bar"),
    "˙": ("\u0307", "dot"),
    "¨": ("\u0308", "ddot"),
    "ˇ": ("\u030c", "check"),
    "˘": ("\u0306", "breve"),
    "´": ("\u0301", "acute"),
    "`": ("\u0300", "grave"),
    "˚": ("\u030a", "ring"),
    "→": ("\u20d7", "vec"),
    "⃗": ("\u20d7", "vec"),
}
RELATIONS: Final = frozenset("=<>≤≥≦≧≪≫≠≡≈≃≅≂∼∝≜≝≐≔∈∉∋⊂⊃⊆⊇⊊⊋⊏⊐⊑⊒≺≻≼≽⪯⪰≲≳⩽⩾⊢⊨⊥∥∣∧∨⇒⇔⇐→←↔↦⟶⟵⟹⟺⟼↪↠⟷⇝↛:")
LARGE: Final = frozenset("∑∏∐∫∬∭∮⋃⋂⨁⨂⋁⋀⨆")
ROOTS: Final = {"2": "√", "3": "∛", "4": "∜"}
COMMAND: Final = re.compile(r"\\[A-Za-z]+")
NEGATED: Final = re.compile("\u29f8( ?)(\\S)")
LETTERS: Final = re.compile("[\U0001d400-\U0001d7ff]{2,}")  # two or more in a mathematical alphabet are a word
HAS_FORMULA: Final = re.compile(r"[$\\]").search


def unicode_math(text: str | None) -> str:
    """Return the display form of a text on one line, its formulas in Unicode characters; ``""`` for ``None``.

    Nothing raises; the time is linear in the length, apart from formulas of up to 2,000 characters each.
    """
    if not text:
        return ""
    if not HAS_FORMULA(text) and not may_have_tex(text):
        return one_line(text)
    return _shown_remembered(text) if len(text) <= MAX_REMEMBERED else _shown(text)


def plain_math(text: str | None, math: Math) -> str:
    """Return one of arXiv's texts as plain text on one line: its formulas as TeX, or else (there is no MathML in plain text)
    in Unicode characters.
    """
    return plain(display(text or "") if math is Math.TEX else unicode_math(text))


def _shown(text: str) -> str:
    pieces = display_pieces(text)
    return one_line("".join([piece if isinstance(piece, str) else formula_text(piece.source) for piece in pieces]))


_shown_remembered = lru_cache(maxsize=2_048)(_shown)


@lru_cache(maxsize=2_048)
def formula_text(source: str) -> str:
    """Return a formula, given without its delimiters, on one line in Unicode characters."""
    try:
        line = _row(list(formula_tree(source, False)), 1)
    except (NotConvertibleError, RecursionError, ValueError):
        line = ""
    line = LETTERS.sub(lambda word: normalize("NFKC", word[0]), line)  # so that it can be read aloud and searched for
    return normalize("NFC", one_line(NEGATED.sub("\\1\\2\u0338", line))) or _symbols(source)


def _symbols(source: str) -> str:
    """Return TeX with the commands that stand for one character replaced."""

    def character(command: re.Match[str]) -> str:
        code = convert_symbol(command[0])
        return chr(int(code, 16)) if code else command[0]

    return one_line(COMMAND.sub(character, source))


def _row(elements: list[Element], depth: int, tight: bool = False) -> str:
    """Return elements beside each other; ``tight`` leaves out the blanks around relations, as indices have it."""
    line = ""
    previous: Element | None = None
    last = len(elements) - 1
    for index, element in enumerate(elements):
        text = _text(element, depth, tight)
        if previous is not None and _is_apart(previous, element):
            text = f" {text}"
        elif not tight and index < last and line:
            if text in RELATIONS and not (text == ":" and line[-1].isdigit()):
                text = f" {text} "
            elif text in (",", ";") and not _is_thousands(line, elements[index + 1]):
                text += " "
        if element.tag == "mfrac" and last and _touches(elements, index):
            text = f"({text})" if not text.startswith("(") else text
        line += text
        previous = element
    return line


def _is_apart(previous: Element, element: Element) -> bool:
    """Tell whether a blank stands between a name like ``log`` or a sum and what is beside it."""
    if "mo" in (previous.tag, element.tag) or "mspace" in (previous.tag, element.tag):
        return _is_name(previous) and element.tag != "mo" and element.tag != "mspace"
    return _is_name(previous) or _is_name(element)


def _is_thousands(line: str, following: Element) -> bool:
    """Tell whether a comma stands within a number: ``10,000``."""
    return line[-1:].isdigit() and following.tag == "mn" and len(following.text or "") == 3


def _is_name(element: Element) -> bool:
    while element.tag in ("msub", "msup", "msubsup", "munder", "mover", "munderover") and len(element):
        element = element[0]
    if element.tag == "mrow":  # \operatorname{rank}
        return len(element) > 1 and all(child.tag in ("mi", "mspace") for child in element)
    text = element.text or ""
    return text.isalpha() and len(text) > 1 if element.tag in ("mi", "mo") and "&" not in text else _is_large(text)


def _is_large(text: str) -> bool:
    return text.startswith("&#x") and chr(int(text[3:-1], 16)) in LARGE


def _touches(elements: list[Element], index: int) -> bool:
    """Tell whether a fraction stands beside something that could be taken for a part of it."""
    beside = elements[max(index - 1, 0) : index] + elements[index + 1 : index + 2]
    return any(element.tag not in ("mo", "mspace", "mtext") for element in beside)


def _text(element: Element, depth: int, tight: bool) -> str:
    """Return one element of MathML. Raises ``NotConvertibleError`` for what has no form on a line."""
    if depth > MAX_NESTING:
        raise NotConvertibleError(element.tag)
    children = list(element)
    match element.tag:
        case "mi" | "mn" | "mo" | "mtext":
            return token_text(element)
        case "mspace":
            return "" if tight or element.get("width", "").startswith("-") else " "
        case "mphantom":
            return ""
        case "mfrac":
            over, under = (_row([child], depth + 1, True) for child in children)
            return f"{over} choose {under}" if element.get("linethickness") == "0" else f"{_atom(over)}/{_atom(under)}"
        case "msqrt":
            return "√" + _atom(_row(children, depth + 1, True))
        case "mroot":
            radicand, degree = (_row([child], depth + 1, True) for child in children)
            return (ROOTS.get(degree) or _script(degree, SUPERSCRIPTS, "^") + "√") + _atom(radicand)
        case "msub" | "munder":
            base, below = children
            return _base(base, depth) + _script(_row([below], depth + 1, True), SUBSCRIPTS, "_")
        case "msup":
            base, above = children
            return _base(base, depth) + _script(_row([above], depth + 1, True), SUPERSCRIPTS, "^")
        case "mover":
            base, above = children
            return _accented(_row([base], depth + 1, True), _row([above], depth + 1, True))
        case "msubsup" | "munderover":
            base, below, above = children
            lower = _script(_row([below], depth + 1, True), SUBSCRIPTS, "_")
            return _base(base, depth) + lower + _script(_row([above], depth + 1, True), SUPERSCRIPTS, "^")
        case "mtable":
            return "; ".join(_text(child, depth + 1, tight) for child in children)
        case "mtr":
            return ", ".join(_text(child, depth + 1, tight) for child in children)
        case "mrow" | "mstyle" | "mpadded" | "menclose" | "mtd":
            return _row(children, depth + 1, tight) + (element.text or "").strip()
    raise NotConvertibleError(element.tag)


def _base(element: Element, depth: int) -> str:
    return _atom(_row([element], depth + 1, True))


def _atom(text: str) -> str:
    """Return a text in parentheses, unless it holds together without them."""
    letters = "".join([character for character in text if not combining(character)])
    holds = len(letters) <= 1 or letters.isalnum() or (text[0] == "(" and text.find(")") == len(text) - 1)
    return text if holds else f"({text})"


def _script(text: str, forms: dict[int, int], mark: str) -> str:
    """Return an index in small characters if Unicode has all of them, else after a mark."""
    text = text.strip()
    if all(ord(character) in forms for character in text):
        return text.translate(forms)
    return f"{mark}{text}" if len(text) == 1 else f"{mark}({text})"


def _accented(base: str, above: str) -> str:
    if above not in ACCENTS:
        return _atom(base) + _script(above, SUPERSCRIPTS, "^")
    mark, word = ACCENTS[above]
    if len(base) == 1:
        return base + mark
    return "".join(letter + "\u0305" for letter in base) if above == "―" and len(base) <= 3 else f"{word}({base})"
