"""arXiv's texts for HTML: plain text in its display form, TeX formulas as MathML.

Which dollars are formulas is decided in ``app.arxiv.formulas``. What cannot be converted, or is not certainly safe, is
shown as its source.
"""

import re
from functools import lru_cache
from unicodedata import lookup, name
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element
from markupsafe import Markup, escape

from app.arxiv.display import display_pieces
from app.arxiv.formulas import MAX_SOURCE
from app.render.text import CONTROL, encodable, plain

MAX_BRACES = 30  # nested; deeper input only serves to exhaust the converter's recursion
MAX_NESTING = 60  # of elements in the result
MAX_MARKUP = 20_000  # characters; bounds what the cache may hold

# Macros could expand without bound; links, styles and classes have no place in a formula.
REFUSED = re.compile(
    r"\\(?:(?:new|renew|provide)(?:command|environment)|[egx]?def|let|DeclareMathOperator"
    r"|href|url|style|class|cssId|htmlData|includegraphics|require|unicode|input|include)(?![A-Za-z])"
    r"|\\begin\{eqnarray"  # its ampersands would be shown
)
LONE_PERCENT = re.compile(r"(?<!\\)((?:\\\\)*)%")
REFERENCE = re.compile(r"&#x([0-9A-Fa-f]{1,6});")

ARITY = {"mfrac": 2, "msub": 2, "msup": 2, "msubsup": 3, "munder": 2, "mover": 2, "munderover": 3, "mroot": 2}
CONTAINERS = {"mrow", "mstyle", "msqrt", "mpadded", "mphantom", "menclose", "mtable", "mtr", "mtd", *ARITY}
ROWS = {"mrow", "mstyle", "msqrt", "mtd"}
THIN_SPACE = '<mspace width="0.1667em"></mspace>'
TOKENS = {"mi", "mn", "mo", "mtext", "mspace"}
LENGTH = re.compile(r"-?\d?(?:\.\d{1,4})?(?:em|ex|px|pt|mu)?|(?:negative)?(?:thin|medium|thick)mathspace").fullmatch
WORD = re.compile(r"[a-z0-9 -]{1,60}").fullmatch
LENGTHS = {"width", "height", "depth", "lspace", "rspace", "voffset", "minsize", "maxsize", "mathsize"}
LENGTHS |= {"linethickness", "rowspacing", "columnspacing"}
WORDS = {"mathvariant", "stretchy", "fence", "form", "separator", "displaystyle", "scriptlevel", "accent"}
WORDS |= {"accentunder", "movablelimits", "largeop", "symmetric", "notation", "linebreak"}
WORDS |= {"columnalign", "columnlines", "rowlines", "rowalign"}

# Browsers follow MathML Core, which knows only the variant "normal"; the others are characters of their own.
VARIANTS = {
    "bold": "BOLD",
    "italic": "ITALIC",
    "bold-italic": "BOLD ITALIC",
    "double-struck": "DOUBLE-STRUCK",
    "script": "SCRIPT",
    "bold-script": "BOLD SCRIPT",
    "fraktur": "FRAKTUR",
    "bold-fraktur": "BOLD FRAKTUR",
    "sans-serif": "SANS-SERIF",
    "bold-sans-serif": "SANS-SERIF BOLD",
    "sans-serif-italic": "SANS-SERIF ITALIC",
    "sans-serif-bold-italic": "SANS-SERIF BOLD ITALIC",
    "monospace": "MONOSPACE",
}


class NotConvertibleError(Exception):
    """A formula whose MathML is incomplete, or holds something that is not on the list of what MathML needs."""


def math_html(text: str | None) -> Markup:
    """Return a text as safe HTML on one line, its formulas as MathML or, where that fails, as their source."""
    line = plain(text)
    pieces = display_pieces(line)
    if pieces == [line]:
        return escape(line)
    return Markup("").join(
        escape(piece) if isinstance(piece, str) else formula_html(piece.source, piece.is_displayed) for piece in pieces
    )


def formula_html(source: str, display: bool) -> Markup:
    """Return a formula as MathML, or its source in ``<code class="math">`` where it cannot be converted safely."""
    if len(source) <= MAX_SOURCE:
        markup = _mathml(source, display)
        if markup is not None:
            return Markup(markup)  # noqa: S704  (every name is from a list here, every text escaped)
    return Markup('<code class="math">{}</code>').format(source)


def formula_tree(source: str, display: bool) -> Element:
    """Return a formula as the converter's tree of MathML elements, none of them checked yet.

    Raises ``NotConvertibleError`` for what is too long or too deep, defines macros, or is not understood.
    """
    source = source.strip()
    if len(source) > MAX_SOURCE or REFUSED.search(source) or _brace_depth(source) > MAX_BRACES:
        raise NotConvertibleError(source[:60])
    try:
        # An unescaped percent sign starts a TeX comment and would take the rest of the formula away.
        return convert_to_element(LONE_PERCENT.sub(r"\1\\%", source), display="block" if display else "inline")
    except Exception as error:  # The converter raises whatever bad input leads it to, RecursionError included.
        raise NotConvertibleError(source[:60]) from error


def token_text(element: Element) -> str:
    """Return the characters of a token; the converter writes symbols as hexadecimal references, which are resolved.

    Raises ``NotConvertibleError`` for a command that the converter does not know.
    """
    text = REFERENCE.sub(lambda match: chr(int(match[1], 16)), element.text or "")
    if element.tag == "mtext":
        return text
    if len(text) > 1 and text[0] == "\\":
        raise NotConvertibleError(text)
    variant = element.get("mathvariant", "")
    return "".join(_styled(character, VARIANTS[variant]) for character in text) if variant in VARIANTS else text


@lru_cache(maxsize=2_048)
def _mathml(source: str, display: bool) -> str | None:
    try:
        body = _serialise_all(formula_tree(source, display), 1)
    except (NotConvertibleError, RecursionError, ValueError):  # A reference beyond Unicode is a ValueError.
        return None
    if len(body) > MAX_MARKUP or body == "<mrow></mrow>":
        return None
    return f'<math display="block">{body}</math>' if display else f"<math>{body}</math>"


def _brace_depth(source: str) -> int:
    depth = deepest = 0
    for character in source:
        depth += (character == "{") - (character == "}")
        deepest = max(deepest, depth)
    return deepest


def _serialise(element: Element, depth: int) -> str:
    """Return an element as markup. Raises NotConvertibleError for anything that is not on the lists above."""
    tag = element.tag
    if depth > MAX_NESTING or tag not in CONTAINERS | TOKENS or (element.tail or "").strip():
        raise NotConvertibleError(tag)
    if len(element) != ARITY.get(tag, len(element)):
        raise NotConvertibleError(tag)
    variant = element.get("mathvariant", "")
    attributes = "".join(
        _attribute(name, value) for name, value in element.items() if not _is_spelt(tag, variant, name)
    )
    if tag in TOKENS:
        if len(element):
            raise NotConvertibleError(tag)
        text = CONTROL.sub("\ufffd", encodable(token_text(element)))
        return f"<{tag}{attributes}>{escape(text)}</{tag}>"
    if (element.text or "").strip():
        raise NotConvertibleError(tag)
    return f"<{tag}{attributes}>{_serialise_all(element, depth + 1)}</{tag}>"


def _serialise_all(parent: Element, depth: int) -> str:
    """Return an element's children as markup, with TeX's thin space between a function's name and a bare argument."""
    parts: list[str] = []
    previous: Element | None = None
    for child in parent:
        if previous is not None and parent.tag in ROWS and "mo" not in (previous.tag, child.tag):
            parts.append(THIN_SPACE if _is_function(previous) or _is_function(child) else "")
        parts.append(_serialise(child, depth))
        previous = child
    return "".join(parts)


def _is_function(element: Element) -> bool:
    """Tell whether an element is a name like ``log``, with or without indices."""
    if element.tag in ("msub", "msup", "msubsup") and len(element):
        return _is_function(element[0])
    return element.tag == "mi" and len(element.text or "") > 1 and (element.text or "").isalpha()


def _is_spelt(tag: str, variant: str, name: str) -> bool:
    """Tell whether an attribute is dropped because the variant is written with characters of its own."""
    return name == "mathvariant" and tag != "mtext" and variant in VARIANTS


def _attribute(name: str, value: str) -> str:
    allowed = LENGTH if name in LENGTHS else WORD if name in WORDS else None
    if allowed is None or not allowed(value):
        raise NotConvertibleError(name)
    return f' {name}="{value}"'


@lru_cache(maxsize=1024)
def _styled(character: str, style: str) -> str:
    """Return a letter or digit in a mathematical style; some letters are older than the block and named otherwise."""
    if not (character.isascii() and character.isalnum()):
        return character
    kind = "DIGIT" if character.isdigit() else "CAPITAL" if character.isupper() else "SMALL"
    spelt = name(character).removeprefix("DIGIT ") if kind == "DIGIT" else character.upper()
    older = {"FRAKTUR": "BLACK-LETTER"}.get(style, style)
    for candidate in (f"MATHEMATICAL {style} {kind} {spelt}", f"{older} {kind} {spelt}"):
        try:
            return lookup(candidate)
        except KeyError:
            continue
    return "\u210e" if (style, character) == ("ITALIC", "h") else character
