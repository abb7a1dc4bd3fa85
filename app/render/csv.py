"""A digest as a table for programs and spreadsheets: one row per paper, the texts as arXiv gives them (RFC 4180).

* **UTF-8 with a byte order mark**, because Excel reads a file without one in the machine's old code page and shows Chinese as
  rubbish. Programs read it with ``encoding="utf-8-sig"``; pandas and LibreOffice need nothing.
* **No formulas.** A spreadsheet executes a cell that begins with ``=``, ``+``, ``-`` or ``@`` (OWASP, "CSV injection"), so an
  apostrophe is put before such a character (``defused``). ``undefused`` gives the text back. Where the semicolon is the list
  separator, as in German or French Excel, a semicolon within a text begins a cell too, so that the rule holds there as well.
* **No acknowledgement**: a table has no place for a sentence. Who shows the data to readers adds it.
"""

import csv
import re
from collections.abc import Callable
from datetime import datetime
from io import StringIO
from typing import Final

from app.render import phrases
from app.render.document import DigestDocument, DigestItem, Provenance, View
from app.render.text import encodable, instant

BOM: Final = "\ufeff"

# What a spreadsheet may strip from the beginning of a cell or take for the end of one: blanks, control characters, marks
# without width, the semicolon; the apostrophe is among them so that ``undefused`` finds exactly what ``defused`` has added.
_LEAD: Final = (
    "['\\s\\x00-\\x1f\\x7f-\\x9f\\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufffd;"
    # The other characters of format, most of which nobody sees either.
    "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f]"
)
_TRIGGER: Final = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"  # also their wide and small forms
_CALM: Final = re.compile(r"[^\W_][^;\t\r\n]*").fullmatch  # nearly all texts: nothing leads, nothing separates
_RUN: Final = re.compile(f"(\\A{_LEAD}*+|{_LEAD}++)([{_TRIGGER}])?")
_SEPARATOR: Final = re.compile(r"[;\t\r\n]")
_LED: Final = re.compile(f"{_LEAD}[{_TRIGGER}]")
_STRIPPED: Final = re.compile(r"'*[\t\r\n]")  # at the beginning; OWASP names them although no formula follows


def render(document: DigestDocument, view: View) -> str:
    """Return the digest as CSV with a header line, ``,`` as separator and CRLF line ends; a text that is missing is empty."""
    file = StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for item in document.items:
        writer.writerow([defused(encodable(column(item) or "")) for column in COLUMNS.values()])
    return BOM + file.getvalue()


def defused(text: str) -> str:
    """Return a text with an apostrophe before each ``= + - @`` with which a cell could begin.

    A cell could begin with one at the start of the text and after a semicolon, tab or line break, whatever blanks,
    control characters, marks without width and apostrophes stand between. A text that begins with a tab or line break gets
    an apostrophe in front.
    """
    if _CALM(text):
        return text
    text = _with_quotes(text)
    return f"'{text}" if _STRIPPED.match(text) else text


def undefused(text: str) -> str:
    """Return the text that ``defused`` was given."""
    if text.startswith("'") and _STRIPPED.match(text):
        text = text[1:]
    return _without_quotes(text)


def _rewrite(text: str, rewritten: Callable[[str, str], str]) -> str:
    """Rewrite the places where a cell could begin with a formula, each given as what leads to it and the character."""

    def replace(match: re.Match[str]) -> str:
        lead, trigger = match[1], match[2]
        begins_cell = match.start() == 0 or _SEPARATOR.search(lead)
        return rewritten(lead, trigger) if trigger and begins_cell else match[0]

    # Nearly always only the start counts: without a separator, or without anything that a lead ends in.
    return _RUN.sub(replace, text, count=0 if _SEPARATOR.search(text) and _LED.search(text) else 1)


def _with_quotes(text: str) -> str:
    return _rewrite(text, lambda lead, trigger: f"{lead}'{trigger}")


def _without_quotes(text: str) -> str:
    return _rewrite(text, lambda lead, trigger: f"{lead.removesuffix(chr(39))}{trigger}")


def _list(texts: tuple[str, ...]) -> str:
    """Return texts in one cell, joined by ``; ``; a semicolon of their own becomes a full-width one, so that none is split."""
    return "; ".join([text.replace(";", "\uff1b") for text in texts])


def _instant(moment: datetime | None) -> str:
    return instant(moment) if moment else ""


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _of_summary(part: Callable[[Provenance], str | None]) -> Callable[[DigestItem], str | None]:
    """What makes a column from a paper's summary, empty where it has none."""
    return lambda item: part(item.summary) if item.summary else None


COLUMNS: Final[dict[str, Callable[[DigestItem], str | None]]] = {
    "position": lambda item: str(item.position),
    "arxiv_id": lambda item: item.arxiv_id,
    "version": lambda item: str(item.version) if item.version is not None else None,
    "title": lambda item: item.title,
    "translated_title": lambda item: item.translated_title,
    "tldr": lambda item: item.tldr,
    "tldr_en": lambda item: item.tldr_en,
    "abstract": lambda item: item.abstract,
    "abstract_is_cut": lambda item: _flag(item.abstract_is_cut),
    "translated_abstract": lambda item: item.translated_abstract,
    "authors": lambda item: _list(tuple(author.name for author in item.authors)),
    "authors_omitted": lambda item: str(item.authors_omitted),
    "primary_category": lambda item: item.primary_category,
    "categories": lambda item: _list(phrases.categories(item.primary_category, item.categories)),
    "announce_type": lambda item: item.announce_type,
    "announced_on": lambda item: item.announced_on.isoformat() if item.announced_on else None,
    "submitted_at": lambda item: _instant(item.submitted_at),
    "updated_at": lambda item: _instant(item.updated_at),
    "doi": lambda item: item.doi,
    "journal_ref": lambda item: item.journal_ref,
    "comments": lambda item: item.comments,
    "license": lambda item: item.license,
    "withdrawn": lambda item: _flag(item.withdrawn),
    "abs_url": lambda item: item.links.abs,
    "pdf_url": lambda item: item.links.pdf,
    "summary_status": lambda item: item.summary_status,
    "summary_error": lambda item: item.summary_error,
    "summary_origin": _of_summary(lambda summary: summary.origin),
    "summary_model": _of_summary(lambda summary: summary.model),
    "summary_prompt_version": _of_summary(lambda summary: summary.prompt_version),
    "summary_stale": _of_summary(lambda summary: _flag(summary.stale)),
}
"""Each column's name and how a paper fills it. Instants are UTC, days and instants ISO 8601, lists joined by ``; ``."""
