r"""A digest as BibTeX: one ``@misc`` entry per paper with the fields of arXiv's own export, and more, in UTF-8.

* ``@misc`` even where a journal reference is known: it is free text ("Phys. Rev. D 76, 013009"; as often a conference), and to
  guess a journal from it would be wrong too often. It is shown as ``howpublished``, the comments as ``note``.
* Keys are ``sample2026:2601.00001``: family name of the first author and year of the id, in ASCII, and the id, which makes
  them unique. Titles stand in double braces, which keep their capitals.
* Non-ASCII characters stay as they are: biber reads UTF-8, and so does the LaTeX behind the older BibTeX.
* arXiv's texts are TeX and stay TeX, made such that BibTeX can read and LaTeX can set any of them (``app.render.bibtex``).
* arXiv's acknowledgement stands in front, where BibTeX reads nothing.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from app.arxiv.display import display
from app.arxiv.ids import order_key
from app.errors import InvalidArxivId
from app.render import phrases
from app.render.bibtex import person, tex
from app.render.document import DigestDocument, DigestItem, View
from app.render.names import split_name
from app.render.text import encodable, one_line, web_address

MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")  # BibTeX's macros
_NOT_IN_ID: Final = re.compile(r"[^A-Za-z0-9./-]+")
_NOT_IN_NAME: Final = re.compile("[^a-z]+")
# Letters that have no accent to be taken off.
_ASCII: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ß": "ss", "æ": "ae", "œ": "oe", "ı": "i"}
)


def render(document: DigestDocument, view: View) -> str:
    """Return the digest as BibTeX, one field per line; an empty digest has the acknowledgement only."""
    pieces = [f"% {phrases.ACKNOWLEDGEMENT}\n"]
    taken: set[str] = set()
    for item in document.items:
        key = _unique(_key(item), taken)
        fields = "".join([f"  {name} = {value},\n" for name, value in _fields(item) if value])
        pieces.append(f"\n@misc{{{key},\n{fields}}}\n")
    return "".join(pieces)


def _fields(item: DigestItem) -> Iterator[tuple[str, str]]:
    """Give a paper's fields as names and written values; ``""`` for a value that is not known."""
    submitted = item.submitted_at
    authors = [person(author.name) for author in item.authors if one_line(author.name)]
    if item.authors_omitted:
        authors.append("others")  # BibTeX's word for "et al."
    note = ". ".join(filter(None, ["Withdrawn" if item.withdrawn else "", tex(item.comments)]))
    yield "title", f"{{{_braced(tex(item.title) or tex(item.arxiv_id))}}}"
    yield "author", _braced(" and ".join(authors))
    yield "year", _braced(year(item))
    yield "month", MONTHS[submitted.month - 1] if submitted else ""
    yield "eprint", _braced(tex(item.arxiv_id))
    yield "archivePrefix", "{arXiv}"
    yield "primaryClass", _braced(tex(item.primary_category))
    yield "url", _braced(web_address(item.links.abs))
    yield "doi", _braced(quote(encodable(one_line(item.doi)), safe=" /:;()<>[]._-+,@~$&'*!=?"))
    yield "howpublished", _braced(tex(item.journal_ref))
    yield "note", _braced(note)
    yield "keywords", _braced(tex(", ".join(phrases.categories(item.primary_category, item.categories))))
    yield "abstract", _braced(tex(abstract(item)))


def year(item: DigestItem) -> str:
    """Return the year of the first version, else that of the id; ``""`` if neither tells."""
    return str(item.submitted_at.year) if item.submitted_at else _year(item.arxiv_id)


def abstract(item: DigestItem) -> str:
    """Return the abstract, with an ellipsis if only its beginning is known."""
    return f"{item.abstract} …" if item.abstract and item.abstract_is_cut else item.abstract or ""


def _braced(value: str) -> str:
    return f"{{{value}}}" if value else ""


def _key(item: DigestItem) -> str:
    shown = display(one_line(item.authors[0].name)) if item.authors else ""
    name = split_name(shown)
    letters = unicodedata.normalize("NFKD", (name.family if name else shown).lower().translate(_ASCII))
    family = _NOT_IN_NAME.sub("", letters)[:40] or "anonymous"
    return f"{family}{_year(item.arxiv_id)}:{_NOT_IN_ID.sub('-', item.arxiv_id)}"


def _year(arxiv_id: str) -> str:
    """Return the year of an id, which no later version changes; ``""`` for what is no arXiv id."""
    try:
        return order_key(arxiv_id)[:4]
    except InvalidArxivId:
        return ""


def _unique(key: str, taken: set[str]) -> str:
    """Return a key that differs from those taken in more than case, as BibTeX asks, and take it."""
    candidate, number = key, 1
    while candidate.lower() in taken:
        number += 1
        candidate = f"{key}-{number}"
    taken.add(candidate.lower())
    return candidate
