"""A digest as one complete HTML page: no script, nothing loaded from elsewhere, every text escaped, math as MathML."""

import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.arxiv.display import display, may_have_tex
from app.render import phrases
from app.render.document import DigestDocument, DigestItem, Provenance, View
from app.render.mathml import CONTROL, math_html
from app.render.text import instant, one_line, web_address
from app.render.vocabulary import Words
from app.render.words import direction, words_for

ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
    keep_trailing_newline=True,
)
ENVIRONMENT.filters["math"] = math_html

ANCHOR = re.compile(r"[A-Za-z0-9./-]+").fullmatch
STATES = {"pending", "running", "done", "failed"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A paper as the page shows it. Texts that would repeat another one are ``""``; ``tldr`` is then the status."""

    number: int
    anchor: str
    arxiv_id: str
    title: str
    heading: str
    abs: str
    pdf: str
    tldr: str
    tldr_lang: str | None
    has_tldr: bool
    tldr_en: str
    translation: str
    abstract: str
    is_cut: bool
    authors: Markup
    categories: tuple[str, ...]
    announce_type: str
    status: str
    status_word: str
    provenance: str


def render(document: DigestDocument, view: View) -> str:
    """Return a digest as a page; anchors of papers (``#p-2404.02342``) stay the same over revisions."""
    words = words_for(document.language)
    language = plain(document.language)
    return ENVIRONMENT.get_template("digest.html.j2").render(
        language=language,
        direction=direction(language),
        title=plain(document.title) or plain(document.channel) or plain(document.id),
        words=words,
        counts=phrases.counts(document, words),
        missing=[plain(arxiv_id) for arxiv_id in document.receipt.missing],
        dates=phrases.dates(document),
        made_at=instant(document.created_at),
        revision=document.revision,
        incomplete=phrases.incomplete_line(document, words),
        untranslated=phrases.untranslated_line(document, words),
        empty=phrases.empty_line(document, words),
        entries=[_entry(number, item, words, language) for number, item in enumerate(document.items, 1)],
        acknowledgement=phrases.ACKNOWLEDGEMENT,
    )


def plain(text: str | None) -> str:
    """Return a text on one line without the control characters that HTML forbids; escaping is the template's work."""
    return CONTROL.sub("\ufffd", one_line(text))


def _entry(number: int, item: DigestItem, words: Words, language: str) -> Entry:
    title = one_line(item.title) or one_line(item.arxiv_id)
    heading = one_line(item.translated_title) or title
    tldr = one_line(item.tldr)
    tldr_en = one_line(item.tldr_en)
    abstract = one_line(item.abstract)
    translation = one_line(item.translated_abstract)
    return Entry(
        number=number,
        anchor=f"p-{item.arxiv_id}" if ANCHOR(item.arxiv_id) else f"p{number}",
        arxiv_id=plain(item.arxiv_id),
        title=title,
        heading=title if _is_same(heading, title) else heading,
        abs=web_address(item.links.abs),
        pdf=web_address(item.links.pdf),
        tldr=tldr or tldr_en or plain(phrases.status(item, words)),
        tldr_lang=None if tldr else "en" if tldr_en else language,
        has_tldr=bool(tldr or tldr_en),
        tldr_en=tldr_en if tldr and not _is_same(tldr_en, tldr) else "",
        translation="" if _is_same(translation, abstract) else translation,
        abstract=abstract,
        is_cut=item.abstract_is_cut and bool(abstract),
        authors=_names(item, words),
        categories=tuple(plain(category) for category in phrases.categories(item.primary_category, item.categories)),
        announce_type=_announce_type(item, words),
        status=item.summary_status if item.summary_status in STATES else "",
        status_word=plain(phrases.status(item, words)),
        provenance=plain(_provenance(item.summary, words)) if item.summary else "",
    )


def _names(item: DigestItem, words: Words) -> Markup:
    names = phrases.authors(item, words)
    joined = ", ".join(names)
    is_plain = "$" not in joined and not may_have_tex(joined)
    return math_html(joined) if is_plain else Markup(", ").join(map(math_html, names))


def _is_same(text: str, other: str) -> bool:
    """Tell whether a reader sees the same text."""
    return text == other or display(text) == display(other)


def _announce_type(item: DigestItem, words: Words) -> str:
    kind = item.announce_type or ""
    known = {
        "new": words.new,
        "cross": words.cross,
        "replace": words.replace,
        "replace-cross": words.replace_cross,
    }
    return known.get(kind, plain(kind))


def _provenance(summary: Provenance, words: Words) -> str:
    """Return where a summary comes from: maker, prompt, paper version, tokens, instant, and whether it is stale."""
    origin = {
        "llm": words.llm,
        "extractive": words.extractive,
        "human": words.human,
        "imported": words.imported,
    }.get(summary.origin, summary.origin)
    maker = " / ".join(name for name in (summary.provider, summary.model) if name)
    parts = [f"{origin}{words.colon}{maker}" if maker else origin]
    if summary.prompt_version:
        parts.append(f"{words.prompt} {summary.prompt_version}")
    if summary.paper_version is not None:
        parts.append(f"{words.version} {summary.paper_version}")
    if summary.tokens is not None:
        parts.append(f"{words.tokens} {summary.tokens}")
    parts.append(instant(summary.made_at))
    if summary.stale:
        parts.append(words.stale)
    return " · ".join(parts)
