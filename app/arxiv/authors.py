"""The author lines of arXiv's feeds and records, read into ordered authors (FACTS 2.3, 2.7 and 9.3).

Names stay as arXiv prints them, TeX intact. Only blanks around them and hard wraps inside them go.

In the feeds' lines the text inside one pair of parentheses is kept as one affiliation. The feed separates the
affiliations of an author by ``, `` or ``,``, but an affiliation may hold commas of its own (``Lloyds Banking
Group, London, UK`` is one, ``MPA, Harvard/CfA`` are two), so that splitting would be a guess that cannot be undone.
The records' lines are as the submitter typed them; they are read by the rules of arXiv's own parser, from which
the feeds' lines are made.
"""

import html
import re
from collections.abc import Iterable, Sequence
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

# The rules below are those of arXiv's own parser of author lines (arxiv-base, arxiv/authors), on one line without
# double blanks.
_BETWEEN_NAMES: Final = re.compile(" ?[,:] ?(?:(?:and|&) )?| (?:and|&) ")
# "V.P.Mineev" is printed "V. P. Mineev"; the dot accent of TeX ("\.z") stays.
_INITIAL: Final = re.compile(r"\.(?<!\\\.)(?=[^ ,:])")
_ET_AL: Final = re.compile(r"et\.? al\.?(?: |$)", re.IGNORECASE)
_AND: Final = re.compile(" (?:and|&) ", re.IGNORECASE)
_COLLABORATION: Final = re.compile(" (?:collaboration|group|team)", re.IGNORECASE)
_ENUMERATION: Final = re.compile(r"\( ?\( ?(?:\d{1,4}|[a-z])\)")
_ENUMERATED: Final = re.compile(r" ?(\d{1,4}|[a-z])\) ?(\S.*)")
_NUMBERS: Final = re.compile("[0-9, ]+")
_LETTER: Final = re.compile(r"[^\W_]")
_NO_NAME: Final = re.compile(rf"{_ET_AL.pattern}|(?:{_SUFFIX.pattern})$|[\W_]*$", re.IGNORECASE)


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


def parse_author_line(line: str) -> tuple[Author, ...]:
    """Read the author line of ``arXivRaw`` and the snapshot: ``A. B. Smith (1), C. Doe and E. Roe (2) ((1) X, (2) Y)``.

    Gives what arXiv's own parser gives: names as "First Last Suffix", a blank after each initial; of an affiliation
    the text up to the next parenthesis, its "and" turned into a comma; an author without an affiliation has that of
    the next one who has one, unless it is a collaboration at the start of the line. "et al" is nobody. Where arXiv's
    parser loses part of the line, this one does not: parentheses without a partner are plain characters, the name of
    a collaboration is never cut (``D\\O Collaboration``), ``(1, 2)`` names two affiliations and ``(a)`` one. A part without
    any letter, such as a lone colon, is no author. Never raises.
    """
    text = " ".join(line.split())
    if "(" not in text and ")" not in text:
        # Most lines are names and commas only, and those with thousands of authors always are.
        names = _BETWEEN_NAMES.split(_INITIAL.sub(". ", text))
        if not any(map(_NO_NAME.match, names)):
            return tuple(map(Author, names))
    return _read_line(text)


def authors_from_parsed(parsed: Iterable[Sequence[str]]) -> tuple[Author, ...]:
    """Read authors that are given in parts: for each a list of last, first, suffix, affiliation...

    This is the snapshot's ``authors_parsed``, Unicode with hard wraps. Names become "First Last Suffix". An entry whose
    name has no letter is left out: the colon behind a collaboration is one.
    """
    return tuple(
        Author(name, tuple(filter(None, map(one_line, entry[3:]))) if len(entry) > 3 else ())
        for entry in parsed
        if _LETTER.search(name := one_line(" ".join((*entry[1::-1], *entry[2:3]))))
    )


def one_line(text: str) -> str:
    """The text with every run of blanks and line ends turned into one blank."""
    return " ".join(text.split())


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


def _read_line(text: str) -> tuple[Author, ...]:
    """The authors of a line in which parentheses, suffixes or empty parts occur."""
    rest, enumerated = _take_enumeration(text)
    names: list[str] = []
    affiliations: list[tuple[str, ...]] = []
    start = 0
    for begin, end in (*_groups(rest), (len(rest), len(rest))):
        directly_before = _add_names(names, rest[start:begin])
        affiliations += [()] * (len(names) - len(affiliations))
        if directly_before and begin < end:
            stop = _PARENTHESIS.search(rest, begin + 1)
            written = rest[begin + 1 : stop.start() if stop else end].strip()
            affiliations[-1] = _affiliations(written, enumerated)
        start = end
    if not names:
        # Nothing but parentheses, such as "(The Group)": better an odd name than a paper of nobody.
        return (Author(text),) if _LETTER.search(text) else ()
    _fill_backwards(names, affiliations)
    return tuple(map(Author, names, affiliations))


def _add_names(names: list[str], segment: str) -> bool:
    """Append the names between two groups; whether a group behind the segment directly follows a name."""
    named = False
    segment = segment.removeprefix("and ").removeprefix("& ") if names else segment
    for part in _BETWEEN_NAMES.split(_INITIAL.sub(". ", segment)):
        name = part.strip()
        et_al = _ET_AL.match(name)
        if et_al:
            name = name[et_al.end() :]
        named = _LETTER.search(name) is not None
        if named and names and _SUFFIX.fullmatch(name):
            names[-1] = f"{names[-1]}, {name}"
        elif named:
            names.append(name)
    return named


def _take_enumeration(text: str) -> tuple[str, dict[str, str]]:
    """The line without its list ``((1) Univ. A, (2) Univ. B)``, and the list.

    Inside an affiliation a parenthesis ends it, as it does for arXiv. A list that is not closed, which is frequent,
    runs to the end of the line.
    """
    found = _ENUMERATION.search(text)
    if found is None:
        return text, {}
    start = found.start()
    end = next((end for begin, end in _groups(text) if begin == start), len(text))
    listed: dict[str, str] = {}
    for piece in text[start + 1 : end].rstrip().removesuffix(")").split("("):
        entry = _ENUMERATED.match(piece)
        if entry:
            listed[entry[1]] = entry[2].rstrip(" .,;").removesuffix(" and").rstrip(" .,;")
    return f"{text[:start]},{text[end:]}", {key: name for key, name in listed.items() if name}


def _affiliations(written: str, enumerated: dict[str, str]) -> tuple[str, ...]:
    """The affiliations that a group behind a name means: itself, or those whose numbers it holds."""
    written = _AND.sub(",", written)
    keys = [key.strip() for key in written.split(",")]
    if _NUMBERS.fullmatch(written) or all(key in enumerated for key in keys):
        return tuple(enumerated[key] for key in keys if key in enumerated)
    return (written,) if written else ()


def _fill_backwards(names: list[str], affiliations: list[tuple[str, ...]]) -> None:
    """Give the authors without affiliations those of the next author who has some.

    "A, B (X)" means that both are at X. Collaborations at the start of the line are at no place.
    """
    first = 0
    while first < len(names) and _COLLABORATION.search(names[first]):
        first += 1
    later: tuple[str, ...] = ()
    for place in range(len(names) - 1, first - 1, -1):
        later = affiliations[place] or later
        affiliations[place] = later
