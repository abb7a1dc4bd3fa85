"""A digest for reference managers (Zotero, EndNote, Mendeley): RIS, one record per paper, written by rispy.

* The type is ``UNPB``, "unpublished work": of the specification's types the one for a preprint. A journal reference is free text
  and may name a conference or a book, so that it goes into a note (``N1``), and ``DO`` leads to what was published.
* Reference managers know no TeX: texts are in their display form (``app.arxiv.display``), each on one line, formulas as
  ``$...$`` or, with math=unicode, in Unicode characters.
* Lines end with CR LF, as the specification asks; UTF-8, which it does not know and every reader of today does.
* It is data for programs: arXiv's acknowledgement has no field of its own and is left out.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from rispy import RisWriter

from app.render import phrases
from app.render.bib import abstract, year
from app.render.document import DigestDocument, DigestItem, View
from app.render.i18n import Translator, translator
from app.render.names import split_name
from app.render.text import plain, web_address
from app.render.unicode_math import plain_math

TYPE: Final = "UNPB"
Show = Callable[[str | None], str]
Fields = dict[str, str | list[str]]


class Writer(RisWriter):  # type: ignore[misc]
    """rispy's writer without the running number before each record, which is no part of the format."""

    NEWLINE = "\r\n"

    def set_header(self, count: int) -> str:
        """Return nothing to stand before a record."""
        return ""


def render(document: DigestDocument, view: View) -> str:
    """Return the digest as RIS; ``rispy.loads`` reads it back. An empty digest is an empty line."""
    show = partial(plain_math, math=view.math)
    _ = translator(document.language)
    return str(Writer().formats([_record(item, show, _) for item in document.items])) or "\r\n"


def _record(item: DigestItem, show: Show, _: Translator) -> Fields:
    """Return a paper under rispy's names of the fields, without those that are empty."""
    submitted = item.submitted_at
    notes = [
        show(item.tldr) or show(item.tldr_en),
        _("Withdrawn") if item.withdrawn else "",
        _noted(_, _("Comments"), show(item.comments)),
        _noted(_, _("Journal reference"), show(item.journal_ref)),
    ]
    fields: Fields = {
        "type_of_reference": TYPE,
        "id": plain(item.arxiv_id),
        "title": show(item.title) or plain(item.arxiv_id),
        "translated_title": show(item.translated_title),
        "authors": [_author(author.name, show) for author in item.authors],
        "abstract": show(abstract(item)),
        "year": year(item),
        "date": f"{submitted:%Y/%m/%d}" if submitted else "",
        "doi": plain(item.doi),
        "urls": [_address(item.links.abs)],
        "file_attachments1": _address(item.links.pdf),
        "publisher": "arXiv",
        "name_of_database": "arXiv",
        "accession_number": f"arXiv:{plain(item.arxiv_id)}",
        "keywords": [plain(name) for name in phrases.categories(item.primary_category, item.categories)],
        "language": "en",
        "notes": [note for note in notes if note],
    }
    return {name: value for name, value in fields.items() if value and value != [""]}


def _author(name: str, show: Show) -> str:
    """Return a name as "Last, First, Suffix"; a group or a single word as it is."""
    shown = show(name)
    parts = split_name(shown)
    return ", ".join(filter(None, parts)) if parts else shown


def _noted(_: Translator, label: str, text: str) -> str:
    return phrases.labelled(_, label, text) if text else ""


def _address(url: str) -> str:
    return web_address(url).replace(";", "%3B")  # A semicolon separates addresses in a UR field.
