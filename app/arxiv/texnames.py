r"""What the TeX commands of arXiv's texts stand for, outside formulas: tables for ``app.arxiv.display``, and nothing else.

The letters and symbols are those that arXiv itself converts (arxiv-base, ``arxiv/util/tex2utf.py``) and the commands of LaTeX's
``textcomp``, ``inputenc`` and babel that stand for one character. Greek is not among them: outside dollars, too, ``\beta`` is
a formula. Names are given without the backslash.
"""

from typing import Final

ESCAPED: Final = frozenset("%&_#{}")  # the dollar has a rule of its own
BLANKS: Final = frozenset(
    ["\\", " ", "\t", "\n", "\r", ",", "par", "newline", "linebreak", "quad", "qquad", "enspace", "thinspace", "space"]
)
INVISIBLE: Final = frozenset(["noindent", "nobreakdash", "allowbreak", "protect", "centering", "leavevmode", "relax"])

# Combining characters. Commands that are letters take theirs in braces or after a blank; ``\d`` and ``\b`` only in braces,
# because ``\d x`` is more often a macro of the author's own.
ACCENTS: Final = {
    "'": "\u0301",
    "`": "\u0300",
    "^": "\u0302",
    '"': "\u0308",
    "~": "\u0303",
    "=": "\u0304",
    ".": "\u0307",
    "H": "\u030b",
    "c": "\u0327",
    "k": "\u0328",
    "r": "\u030a",
    "u": "\u0306",
    "v": "\u030c",
    "d": "\u0323",
    "b": "\u0331",
}
ONLY_BRACED: Final = frozenset("db")

LETTERS: Final = {
    "AA": "Å",
    "AE": "Æ",
    "DH": "Ð",
    "DJ": "Đ",
    "ETH": "Ð",
    "IJ": "Ĳ",
    "L": "Ł",
    "NG": "Ŋ",
    "O": "Ø",
    "OE": "Œ",
    "SS": "ẞ",
    "TH": "Þ",
    "aa": "å",
    "ae": "æ",
    "dh": "ð",
    "dj": "đ",
    "eth": "ð",
    "i": "ı",
    "ij": "ĳ",
    "j": "ȷ",
    "l": "ł",
    "ng": "ŋ",
    "o": "ø",
    "oe": "œ",
    "ss": "ß",
    "th": "þ",
}

SYMBOLS: Final = {
    "-": "",  # where a word may be broken
    "/": "",
    "@": "",
    "BibTeX": "BibTeX",
    "LaTeX": "LaTeX",
    "LaTeXe": "LaTeX2e",
    "P": "¶",
    "S": "§",
    "TeX": "TeX",
    "copyright": "©",
    "dag": "†",
    "ddag": "‡",
    "dots": "…",
    "euro": "€",
    "flqq": "«",
    "frqq": "»",
    "glqq": "„",
    "grqq": "“",
    "guillemetleft": "«",
    "guillemetright": "»",
    "guillemotleft": "«",
    "guillemotright": "»",
    "guilsinglleft": "‹",
    "guilsinglright": "›",
    "item": "•",
    "ldots": "…",
    "pounds": "£",
    "quotedblbase": "„",
    "quotesinglbase": "‚",
    "slash": "/",
    "textasciicircum": "^",
    "textasciitilde": "~",
    "textbackslash": "\\",
    "textbar": "|",
    "textbraceleft": "{",
    "textbraceright": "}",
    "textbullet": "•",
    "textcent": "¢",
    "textcopyright": "©",
    "textdagger": "†",
    "textdegree": "°",
    "textellipsis": "…",
    "textemdash": "—",
    "textendash": "–",
    "texteuro": "€",
    "textexclamdown": "¡",
    "textgreater": ">",
    "textless": "<",
    "textmu": "µ",
    "textonehalf": "½",
    "textordfeminine": "ª",
    "textordmasculine": "º",
    "textparagraph": "¶",
    "textperiodcentered": "·",
    "textpm": "±",
    "textquestiondown": "¿",
    "textquotedbl": '"',
    "textquotedblleft": "“",
    "textquotedblright": "”",
    "textquoteleft": "‘",
    "textquoteright": "’",
    "textquotesingle": "'",
    "textregistered": "®",
    "textsection": "§",
    "textsterling": "£",
    "texttimes": "×",
    "texttrademark": "™",
    "textunderscore": "_",
    "textyen": "¥",
    "xspace": "",
}

# Fonts and sizes that hold to the end of their group.
_SWITCHES: Final = """
    bf em it rm sc sf sl tt bfseries itshape mdseries normalfont rmfamily scshape sffamily slshape ttfamily upshape
    tiny scriptsize footnotesize small normalsize large Large LARGE huge Huge
"""
_WRAPPERS: Final = """
    emph fbox hbox mbox nolinkurl path text textbf textit textmd textnormal textrm textsc textsf textsl texttt textup ul
    uline underline url
"""
_CITATIONS: Final = """
    Citep Citet autocite cite citealp citealt citeauthor citep citet citeyear footcite parencite textcite
"""
SWITCHES: Final = frozenset(_SWITCHES.split())
ADDRESSES: Final = frozenset(["href", "nolinkurl", "path", "url"])
# What stands before and after the argument of a command, in place of its name and braces, and the kind of the group.
ARGUMENTS: Final = {
    **dict.fromkeys(_WRAPPERS.split(), ("", "", "wrapper")),
    **dict.fromkeys(_CITATIONS.split(), ("[", "]", "wrapper")),
    **dict.fromkeys(["footnote", "thanks"], (" (", ")", "wrapper")),
    **dict.fromkeys(["enquote", "textquote"], ("“", "”", "wrapper")),
    "textsuperscript": ("^(", ")", "superscript"),
    "textsubscript": ("_(", ")", "subscript"),
}

SUPERSCRIPTS: Final = dict(zip("0123456789+-=()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾", strict=True))
SUBSCRIPTS: Final = dict(zip("0123456789+-=()", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎", strict=True))
