r"""From arXiv's TeX text to the plain Unicode text that a reader sees.

arXiv takes ASCII only, so titles, abstracts and names hold TeX (FACTS 9.1). The raw text is what is stored; the display
form is derived from it, by these steps and no others:

1. A text without a backslash, ``~``, ``{``, a backquote, ``--`` and ``''`` is its own display form.
2. **Formulas** (``app.arxiv.formulas``) are left alone, byte for byte. The one exception is a formula that is nothing but
   ``\unicode{x2014}``, which becomes the character: authors write ``$\unicode{x2014}$`` for a dash.
3. The rest is read once, from left to right (``app.arxiv.texreader``):

   * *Accents*, ``\'e \"{o} \c c \v{s} \'{\i} {\aa} \L``, become composed letters, as on arXiv's own pages (arxiv-base, tex2utf).
     Without braces they count only where Unicode has the composed letter, so that ``don\'t`` stays.
   * *Characters*: ``\% \& \_ \# \$ \{ \}``, ``\ldots``, ``\textregistered`` and their like, ``\unicode{x2014}``.
   * *Wrappers* give their content: ``\emph{x}``, ``\textbf{x}``, ``{\it x}`` and ``\url{x}`` are ``x``; ``\href{u}{t}`` is
     ``t (u)``, ``\cite{k}`` is ``[k]``, ``\footnote{x}`` is `` (x)``, ``\textsuperscript{2}`` is ``²``. The name of a colour goes
     with its command.
   * *Blanks*: ``\\``, ``\ ``, ``\,``, ``\quad``, and ``~`` between words, are ordinary blanks. A ``~`` that says "about"
     (``~100``), "to" (``5~10``) or "distributed as" (``X ~ N(0,1)``), or that belongs to an address, stays.
   * *Dashes*: ``---`` and ``--`` within words or between blanks; not in arrows, options (``--help``) and addresses.
   * *Quotes*: pairs of which at least one half is TeX's. A quote that finds no partner stays.
   * *Braces* go where they hold one letter (``L{\'e}vy``), protect a capital (``{B}ayesian``) or belong to a command above.
     All others stay: they may be sets or placeholders.

4. **Everything else stays exactly as it is written**: unknown commands with their braces, commands whose argument is
   missing, Greek outside formulas, ``%``, ``<``, ``&``, ``^``, ``_``. In doubt, TeX is shown rather than something lost. Of a
   wrapper that is cut off, its opening goes if it would have added nothing (``\emph{x``).
5. **The formulas of the display form are those of the raw text**, so that whoever sets formulas finds them in both. Where a
   ``\$`` that became a dollar would make a formula of text (``US\$/A\$``), every ``\$`` stays as it is written; if that does not
   help, and also where nothing visible would be left, the raw text is the display form.

The time is linear in the length, and no input raises.
"""

from functools import lru_cache
from typing import Final

from app.arxiv.formulas import Formula, find_formulas
from app.arxiv.texreader import TexReader

MAX_REMEMBERED: Final = 3_000  # characters; together with the number of entries it bounds the memory taken


def display(text: str) -> str:
    """Return the display form of a text."""
    if not may_have_tex(text):
        return text
    return _display_remembered(text) if len(text) <= MAX_REMEMBERED else _display(text)


def reads_same(text: str, other: str) -> bool:
    """Whether a reader sees the same in both."""
    return text == other or display(text) == display(other)


def may_have_tex(text: str) -> bool:
    """Tell, fast, whether a text could differ from its display form."""
    return "\\" in text or "~" in text or "{" in text or "`" in text or "--" in text or "''" in text


def display_pieces(text: str) -> list[str | Formula]:
    """Return the display form in pieces: texts, and formulas as they stand in the raw text."""
    if not may_have_tex(text) and "$" not in text:
        return [text]
    for dollar in ("$", "\\$"):
        pieces = TexReader(text, dollar).read()
        if _keeps_formulas(pieces) and not _is_blank(pieces):
            return pieces
    return _raw_pieces(text)


def _keeps_formulas(pieces: list[str | Formula]) -> bool:
    """Tell whether a reader of the joined pieces takes the same stretches for formulas."""
    meant = [piece.written for piece in pieces if isinstance(piece, Formula)]
    return [formula.written for formula in find_formulas(_join(pieces))] == meant


def _is_blank(pieces: list[str | Formula]) -> bool:
    return all(isinstance(piece, str) and not piece.strip() for piece in pieces)


def _raw_pieces(text: str) -> list[str | Formula]:
    pieces: list[str | Formula] = []
    position = 0
    for formula in find_formulas(text):
        pieces += (text[position : formula.start], formula)
        position = formula.end
    return [*pieces, text[position:]]


def _join(pieces: list[str | Formula]) -> str:
    return "".join([piece if isinstance(piece, str) else piece.written for piece in pieces])


def _display(text: str) -> str:
    return _join(display_pieces(text))


_display_remembered = lru_cache(maxsize=2_048)(_display)  # The same papers are shown again and again.
