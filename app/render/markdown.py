"""Markdown: a table of one-line summaries, then one GFM footnote per paper.

The layout is the older system's, with a heading and a receipt in front; every text is escaped so that it reads back as
it is (``app.render.text``). arXiv's texts and those made from them are shown in their display form, formulas as TeX or in
Unicode characters.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from app.arxiv.display import display
from app.render import phrases
from app.render.document import DigestDocument, DigestItem, Math, View
from app.render.i18n import Translator, translator
from app.render.text import PLAIN_URL, escape, web_address
from app.render.unicode_math import unicode_math

TABLE_HEAD = "| Ref | Title | Summary |\n| --- | --- | --- |\n"
GAP = "\n\n    "  # between the paragraphs of a footnote
MAX_REMEMBERED = 8_000  # characters of abstracts; together with the number of entries it bounds the memory taken
PLAIN_NAME = re.compile(r"[A-Za-z0-9.-]+").fullmatch


def render(document: DigestDocument, view: View) -> str:
    """Return a digest as GitHub-flavoured Markdown (CommonMark with tables and footnotes)."""
    _ = translator(document.language)
    head = _head(document, _)
    foot = escape(phrases.ACKNOWLEDGEMENT) + "\n"
    if not document.items:
        return f"{head}{escape(phrases.empty_line(document, _))}\n\n---\n\n{foot}"
    pieces = [head, "# " + _("Summaries") + f"\n\n{TABLE_HEAD}"]
    details = ["\n# " + _("Details")]
    for number, item in enumerate(document.items, 1):
        row, footnote = _paper(item, _, view.math)
        pieces.append(f"| [^{number}] | {row} |\n")
        details.append(f"\n\n[^{number}]: ")
        details += footnote  # The long texts go into the one join at the end; to join them here would copy them twice.
    pieces += details
    pieces.append(f"\n\n---\n\n{foot}")
    return "".join(pieces)


def _head(document: DigestDocument, _: Translator) -> str:
    title = escape(document.title) or escape(document.channel) or escape(document.id)
    if document.channel and PLAIN_NAME(document.channel):
        # A category's name stays legible in its own heading: "cs.CL", although "cs\.CL" is how a text would have it.
        title = title.replace(escape(document.channel), document.channel)
    # A run of "#" at the end of a heading would be taken for its closing sequence.
    title = title[:-1] + "\\#" if title.endswith("#") and not title.endswith("\\#") else title
    lines = [f"# {title}", escape(phrases.receipt_line(document, _))]
    lines.append(escape(phrases.incomplete_line(document, _)))
    lines.append(escape(phrases.untranslated_line(document, _)))
    return "".join(f"{line}\n\n" for line in lines if line)


class Texts(NamedTuple):
    """All that a paper's row and footnote are made of."""

    arxiv_id: str
    url: str
    title: str | None
    translated_title: str | None
    tldr: str | None
    tldr_en: str | None
    status: str
    translated_abstract: str | None
    abstract: str | None
    cut: str
    authors: tuple[str, ...]
    primary_category: str | None
    categories: tuple[str, ...]
    math: Math
    translate: Translator


def _paper(item: DigestItem, _: Translator, math: Math) -> tuple[str, tuple[str, ...]]:
    """Return a paper's table row without its number, and what its footnote consists of."""
    texts = Texts(
        item.arxiv_id,
        item.links.abs,
        item.title,
        item.translated_title,
        item.tldr,
        item.tldr_en,
        "" if item.tldr and not item.tldr.isspace() else phrases.status(item, _),
        item.translated_abstract,
        item.abstract,
        _("only the beginning of the abstract is known") if item.abstract_is_cut else "",
        tuple(phrases.authors(item, _)),
        item.primary_category,
        item.categories,
        math,
        _,
    )
    is_long = len(item.abstract or "") + len(item.translated_abstract or "") > MAX_REMEMBERED
    return _write(texts) if is_long else _write_remembered(texts)


def _write(texts: Texts) -> tuple[str, tuple[str, ...]]:
    """Return the row and the footnote of a paper: what there is of it, each text once.

    The row has the sentence in the digest's language, else the English one, else the state of the summary.
    """
    title = _shown(texts.title, texts.math) or escape(texts.arxiv_id)
    tldr_en = _shown(texts.tldr_en, texts.math)
    summary = _shown(texts.tldr, texts.math) or tldr_en or escape(texts.status)
    abstract = _shown(texts.abstract, texts.math)
    if texts.cut and abstract:
        abstract += f" … ({texts.cut})"
    url = web_address(texts.url)
    footnote: list[str] = []
    for text in (
        _shown(texts.translated_title, texts.math),
        title,
        _link(url if PLAIN_URL(url) else escape(url), url),
        summary,
        tldr_en,
        _shown(texts.translated_abstract, texts.math),
        abstract,
        _people(texts),
    ):
        if text and text not in footnote:
            footnote += (GAP, text)
    return f"{_link(title, url)} | {summary}", tuple(footnote[1:])


# Digests repeat papers: a revision those of the one before, channels each other's, and each digest is asked for often.
_write_remembered = lru_cache(maxsize=2_048)(_write)


def _shown(text: str | None, math: Math) -> str:
    if not text:
        return ""
    return escape(unicode_math(text) if math is Math.UNICODE else display(text))


def _link(text: str, url: str) -> str:
    """Return a link with a text that is already Markdown, or the text alone for an address that cannot be linked."""
    return f"[{text}]({url.replace('&', '&amp;')})" if url else text


def _people(texts: Texts) -> str:
    """Return the line of authors and categories; code spans keep ``cs.AI`` from becoming a link to a domain."""
    _ = texts.translate
    form = unicode_math if texts.math is Math.UNICODE else display
    names = escape(", ".join(map(form, texts.authors)))
    parts = [phrases.labelled(_, _("Authors"), names)] if names else []
    categories = phrases.categories(texts.primary_category, texts.categories)
    spans = ", ".join([f"`{name}`" if PLAIN_NAME(name) else escape(name) for name in categories])
    if spans:
        parts.append(phrases.labelled(_, _("Categories"), spans))
    return " · ".join(parts)
