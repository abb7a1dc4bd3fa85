r"""arXiv's TeX texts as values of BibTeX fields, which any BibTeX reads and any LaTeX sets (for ``app.render.bib``).

Texts stay as they are wherever that is possible. What changes:

* **Braces** are balanced twice over, because BibTeX counts ``\{`` as a brace and others do not: those without a partner of their
  own kind become commands (``\textbraceleft{}``, in formulas ``\lbrace{}``).
* **Characters that act in TeX** and are meant as characters get a backslash: ``% & # _ ^ $`` outside formulas; inside, ``%`` and
  ``#``, because a percent sign takes the rest of the line away. Which dollars are formulas is decided in ``app.arxiv.formulas``.
* **Commands that act on the machine or the document** of whoever cites the paper (``\input``, ``\write``, ``\def``, ``\csname``,
  ``\end``) are printed instead of executed.

The display form (``app.arxiv.display``) of the result is that of the text, but for the last point and percent signs in formulas.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from app.arxiv.formulas import find_formulas
from app.render.names import split_name
from app.render.text import plain

_ENVIRONMENT: Final = (
    r"\\(?:begin|end)\{(?:equation|displaymath|math|align|alignat|flalign|gather|multline|eqnarray|split|array|subarray|[dr]?cases"
    r"|[bBpvV]?matrix|smallmatrix|aligned|alignedat|gathered)\*?\}"
)
_TOKEN: Final = re.compile(rf"{_ENVIRONMENT}|\\[A-Za-z]+|\\.|[{{}}%&#_$\\]|\^+|[^{{}}%&#_^$\\]+", re.DOTALL)
_REFUSED: Final = re.compile(
    r"\\(?:.*(?:input|include|import|write|shell|verb|package|command|environment).*|(?:direct|late)?lua.*|pdf.*|special"
    r"|read|readline|(?:open|close)(?:in|out)|subfile|bibliography|addbibresource|immediate|href|hyper.*"
    r"|(?:re)?new(?!line$).*|provide.*|Declare.*|[egx]?def|(?:future)?let|(?:cat|lc|uc|sf|math|del)code|active|.*csname|lowercase|uppercase|scantokens"
    r"|Explsyntax.*|make.*|AtBegin.*|AtEnd.*|every.*|output|expandafter|after.*|loop|repeat|begin|end|endinput|endgroup"
    r"|begingroup|bgroup|egroup|stop|dump|bye|.*message|typeout|show.*|.*mode|documentclass|usefont|font|csstring)"
)
_AND: Final = re.compile(r"(?:^|\s)and(?:\s|$)", re.IGNORECASE)


class _Token(NamedTuple):
    text: str
    in_formula: bool


def tex(text: str | None) -> str:
    """Return a text on one line, fit to stand in the braces of a field; ``""`` for ``None``."""
    line = plain(text)
    if not any(character in line for character in "\\{}%&#_^$"):
        return line
    tokens = list(_tokens(line))
    for at in _without_partner(tokens):
        text, in_formula = tokens[at]
        side = "left" if text[-1] == "{" else "right"
        written = f"\\{side[0]}brace{{}}" if in_formula else f"\\textbrace{side}{{}}"
        tokens[at] = _Token(written, in_formula)
    return "".join([token.text for token in tokens])


def person(name: str) -> str:
    """Return a name as BibTeX's rules of names split it; braces keep whole what they would split wrongly.

    A suffix goes where BibTeX looks for it: "Sample, Jr., Ada".
    """
    written = tex(name)
    if _AND.search(written) or written.lower() == "others":
        return f"{{{written}}}"
    parts = split_name(written)
    if parts is None:
        return f"{{{written}}}" if " " in written or "," in written else written
    return f"{parts.family}, {parts.suffix}, {parts.given}" if parts.suffix else written


def _tokens(line: str) -> Iterator[_Token]:
    position = 0
    for formula in find_formulas(line):
        yield from _text_tokens(line[position : formula.start])
        yield from _formula_tokens(formula.written)
        position = formula.end
    yield from _text_tokens(line[position:])


def _text_tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        piece = match[0]
        follows = text[match.end() : match.end() + 1]
        if piece[0] == "^":
            piece = "\\textasciicircum{}" * len(piece)
        elif piece in ("%", "&", "#", "_", "$"):
            piece = f"\\{piece}"
        elif piece == "\\\\" and follows in ("", "{", "}"):
            piece = "\\\\ "  # or else there are readers to whom the brace behind it is escaped
        elif piece == "\\" or piece[:2] in ("\\(", "\\)", "\\[", "\\]") or _is_refused(piece, False):
            piece = f"\\textbackslash{{}}{piece[1:]}"
        yield _Token(piece, False)


def _formula_tokens(written: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(written):
        piece = match[0]
        follows = written[match.end() : match.end() + 1]
        if piece in ("%", "#"):
            piece = f"\\{piece}"
        elif piece[0] == "^":
            piece = "{}".join(piece)  # Two of them at once spell any character by its code.
        elif piece == "\\\\" and follows in ("{", "}"):
            piece = "\\\\ "
        elif piece == "\\" or _is_refused(piece, True):
            piece = f"\\backslash{{}}{piece[1:]}"
        yield _Token(piece, True)


def _is_refused(piece: str, in_formula: bool) -> bool:
    if piece.endswith("}") and piece != "\\}":  # an environment of mathematics, which is in its place in formulas only
        return piece[0] == "\\" and not in_formula
    return bool(_REFUSED.fullmatch(piece))


def _without_partner(tokens: list[_Token]) -> list[int]:
    """Return the places of the braces without a partner, those with a backslash and those without each for themselves."""
    alone: list[int] = []
    for opening, closing in (("{", "}"), ("\\{", "\\}")):
        opened: list[int] = []
        for at, token in enumerate(tokens):
            if token.text == opening:
                opened.append(at)
            elif token.text == closing:
                if opened:
                    opened.pop()
                else:
                    alone.append(at)
        alone += opened
    return alone
