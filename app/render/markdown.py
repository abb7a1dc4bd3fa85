"""Markdown: a table of one-line summaries, then one GFM footnote per paper.

The layout is the older system's, with a heading and a receipt in front; every text is escaped so that it reads back as
it is (``app.render.text``).
"""

import re
from functools import lru_cache

from app.render import phrases
from app.render.document import DigestDocument, DigestItem
from app.render.text import PLAIN_URL, escape, web_address
from app.render.vocabulary import Words
from app.render.words import words_for

TABLE_HEAD = "| Ref | Title | Summary |\n| --- | --- | --- |\n"
GAP = "\n\n    "  # between the paragraphs of a footnote
PLAIN_NAME = re.compile(r"[A-Za-z0-9.-]+").fullmatch


def render(document: DigestDocument) -> str:
    """Return a digest as GitHub-flavoured Markdown (CommonMark with tables and footnotes)."""
    words = words_for(document.language)
    head = _head(document, words)
    foot = escape(phrases.ACKNOWLEDGEMENT) + "\n"
    if not document.items:
        return f"{head}{escape(phrases.empty_line(document, words))}\n\n---\n\n{foot}"
    pieces = [head, f"# {words.summaries}\n\n{TABLE_HEAD}"]
    details = [f"\n# {words.details}"]
    for number, item in enumerate(document.items, 1):
        row, paragraphs = _row_and_paragraphs(number, item, words)
        pieces.append(row)
        # The long texts go into the one join at the end as they are: to join them here would copy them twice.
        footnote = [GAP] * (2 * len(paragraphs))
        footnote[0] = f"\n\n[^{number}]: "
        footnote[1::2] = paragraphs
        details += footnote
    pieces += details
    pieces.append(f"\n\n---\n\n{foot}")
    return "".join(pieces)


def _head(document: DigestDocument, words: Words) -> str:
    title = escape(document.title) or escape(document.channel) or escape(document.id)
    if document.channel and PLAIN_NAME(document.channel):
        # A category's name stays legible in its own heading: "cs.CL", although "cs\\.CL" is how a text would have it.
        title = title.replace(escape(document.channel), document.channel)
    # A run of "#" at the end of a heading would be taken for its closing sequence.
    title = title[:-1] + "\\#" if title.endswith("#") and not title.endswith("\\#") else title
    lines = [f"# {title}", escape(phrases.receipt_line(document, words))]
    lines.append(escape(phrases.untranslated_line(document, words)))
    return "".join(f"{line}\n\n" for line in lines if line)


def _row_and_paragraphs(number: int, item: DigestItem, words: Words) -> tuple[str, list[str]]:
    """Return a paper's table row and its footnote's paragraphs: what there is of it, each text once.

    The row has the sentence in the digest's language, else the English one, else the state of the summary.
    """
    title = escape(item.title) or escape(item.arxiv_id)
    tldr_en = escape(item.tldr_en)
    summary = escape(item.tldr) or tldr_en or escape(phrases.status(item, words))
    abstract = escape(item.abstract)
    if item.abstract_is_cut and abstract:
        abstract += f" … ({words.cut})"
    url = web_address(item.links.abs)
    paragraphs: list[str] = []
    for text in (
        escape(item.translated_title),
        title,
        _link(url if PLAIN_URL(url) else escape(url), url),
        summary,
        tldr_en,
        escape(item.translated_abstract),
        abstract,
        _people(item, words),
    ):
        if text and text not in paragraphs:
            paragraphs.append(text)
    return f"| [^{number}] | {_link(title, url)} | {summary} |\n", paragraphs


def _link(text: str, url: str) -> str:
    """Return a link with a text that is already Markdown, or the text alone for an address that cannot be linked."""
    return f"[{text}]({url.replace('&', '&amp;')})" if url else text


def _people(item: DigestItem, words: Words) -> str:
    """Return the line of authors and categories."""
    names = escape(phrases.authors(item, words))
    parts = [f"{words.authors}{words.colon}{names}"] if names else []
    categories = _categories(item.primary_category, item.categories)
    if categories:
        parts.append(f"{words.categories}{words.colon}{categories}")
    return " · ".join(parts)


@lru_cache(maxsize=2048)
def _categories(primary: str | None, others: tuple[str, ...]) -> str:
    """Return the categories as code spans, which keep ``cs.AI`` from becoming a link to a domain."""
    names = phrases.categories(primary, others)
    return ", ".join([f"`{name}`" if PLAIN_NAME(name) else escape(name) for name in names])
