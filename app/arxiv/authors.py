"""The author lines of arXiv's feeds, read into ordered authors (FACTS 2.3, 2.7 and 9.3).

Names stay as arXiv prints them, TeX intact. Only blanks around them and hard wraps inside them go.

The text inside one pair of parentheses is kept as one affiliation. The feed separates the affiliations of an
author by ``, `` or ``,``, but an affiliation may hold commas of its own (``Lloyds Banking Group, London, UK``
is one, ``MPA, Harvard/CfA`` are two), so that splitting would be a guess that cannot be undone.
"""

import html
import re
from collections.abc import Iterable
from typing import Final

from app.arxiv.entries import Author

_OMITTED: Final = re.compile(r",?\s{0,9}\bet\.? al\.?\s{0,9}\((\d{1,6}) additional authors? not shown\)")
_PARENTHESIS: Final = re.compile(r"[()]")
_SEPARATOR: Final = re.compile(r"[,:]")
# Bounded, so that a long line of opened anchors that are never closed costs no more than a good one.
_ANCHOR: Final = re.compile(r"<a\b[^>]{0,2000}>(.{0,500}?)</a>", re.IGNORECASE | re.DOTALL)
# arXiv's own parser leaves "G. David Forney, Jr." with its comma, so such a part is no person (FACTS 9.3).
_SUFFIX: Final = re.compile(r"[JjSs][Rr]\.?|I{2,3}|IV")
_SUFFIX_PART: Final = re.compile(rf", ?(?:{_SUFFIX.pattern}) ?(?:,|$)")


def parse_creator(text: str) -> tuple[tuple[Author, ...], int]:
    """Read the ``dc:creator`` line of RSS 2.0 and Atom, ``A. B (Univ. X, Dept. Y), C. D``.

    Names are joined by commas, each with its affiliations in parentheses behind it. Gives the authors and how
    many the line says it left out. Never raises: a part that is not understood is a name. Parentheses without
    a partner are plain characters, so that one of them cannot swallow the authors behind it.
    """
    line, omitted = _take_omitted(" ".join(text.split()))
    if "(" not in line and not _SUFFIX_PART.search(line):
        # Most lines are names and commas only, and those with thousands of authors always are.
        return tuple(map(Author, filter(None, map(str.strip, line.split(","))))), omitted
    authors: list[Author] = []
    _add(authors, _split(line, ","))
    return tuple(authors), omitted


def parse_legacy_creator(markup: str) -> tuple[tuple[Author, ...], int]:
    """Read the ``dc:creator`` of RSS 1.0 after XML parsing: anchors like ``<a href="...">R. Aaij</a>``.

    Knows ``et al. (909 additional authors not shown)``, an affiliation behind an anchor and the colon behind
    a collaboration. The texts are HTML and are unescaped once. A line without an anchor is split at its
    commas and colons.
    """
    pieces = _ANCHOR.split(markup)
    head, names, tails = pieces[0], pieces[1::2], pieces[2::2]
    pairs = [(html.unescape(name), html.unescape(tail)) for name, tail in zip(names, tails, strict=True)]
    return parse_anchors(html.unescape(head), pairs)


def parse_anchors(head: str, anchors: Iterable[tuple[str, str]]) -> tuple[tuple[Author, ...], int]:
    """Read authors that are given one by one, each as a name and the text that follows it.

    ``head`` is the text before the first. This is the shape of RSS 1.0 and of the feeds of February 2024,
    whose ``dc:creator`` has ``a`` child elements.
    """
    authors: list[Author] = []
    head, omitted = _take_omitted(" ".join(head.split()))
    _add(authors, _split(head, ",:"))
    for name, tail in anchors:
        rest, more = _take_omitted(" ".join(tail.split()))
        omitted += more
        # What stands before the first separator belongs to this author; the rest are authors without an anchor.
        own, *others = _split(rest, ",:")
        _add(authors, (" ".join(f"{name} {own}".split()), *others))
    return tuple(authors), omitted


def _take_omitted(text: str) -> tuple[str, int]:
    """The text without its "et al. (N additional authors not shown)", and N."""
    if "additional author" not in text:
        return text, 0
    omitted = sum(int(number) for number in _OMITTED.findall(text))
    return _OMITTED.sub("", text), omitted


def _add(authors: list[Author], parts: Iterable[str]) -> None:
    """Append the authors of the parts between the commas; empty parts vanish, a suffix goes to its name."""
    for part in parts:
        name = part.strip()
        if not name:
            continue
        author = _author(name) if name[-1] == ")" else Author(name)
        if authors and not authors[-1].affiliations and _SUFFIX.fullmatch(author.name):
            author = Author(f"{authors.pop().name}, {author.name}", author.affiliations)
        authors.append(author)


def _author(name: str) -> Author:
    """The author of one part; groups in parentheses at its end are affiliations, others part of the name."""
    affiliations: list[str] = []
    name_end = len(name)
    for start, end in reversed(_groups(name)):
        # A part that is nothing but groups keeps the first as its name, or the author would have none.
        if end != name_end or start == 0:
            break
        affiliations.append(name[start + 1 : end - 1].strip())
        name_end = start - (name[start - 1] == " ")
    return Author(name[:name_end], tuple(text for text in reversed(affiliations) if text))


def _split(text: str, separators: str) -> list[str]:
    """Split at the separators that are outside every pair of parentheses."""
    groups = _groups(text)
    parts: list[str] = []
    start = 0
    group = 0
    for match in _SEPARATOR.finditer(text):
        at = match.start()
        while group < len(groups) and groups[group][1] <= at:
            group += 1
        inside = group < len(groups) and groups[group][0] <= at
        if not inside and match[0] in separators:
            parts.append(text[start:at])
            start = at + 1
    parts.append(text[start:])
    return parts


def _groups(text: str) -> list[tuple[int, int]]:
    """Start and end of every outermost matched pair of parentheses, in order."""
    opened: list[int] = []
    groups: list[tuple[int, int]] = []
    for match in _PARENTHESIS.finditer(text):
        if match[0] == "(":
            opened.append(match.start())
        elif opened:
            start = opened.pop()
            while groups and groups[-1][0] > start:
                groups.pop()
            groups.append((start, match.end()))
    return groups
