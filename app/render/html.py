"""A digest as HTML: one complete page that loads nothing and runs nothing, and fragments for feeds.

Every text is escaped; formulas are MathML, Unicode characters or TeX, as the reader asks. The markup is in
``digest.html.j2`` (the page), ``paper.html.j2`` and ``summary.html.j2`` (the fragments) and ``style.css.j2``.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, urlencode

from markupsafe import Markup, escape

from app.arxiv.display import may_have_tex, reads_same
from app.render import phrases
from app.render.document import DigestDocument, DigestItem, Math, Provenance, View
from app.render.i18n import Translator, direction, translator
from app.render.mathml import math_html
from app.render.media import MEDIA_TYPES
from app.render.templates import environment, policy_for
from app.render.text import encodable, instant, one_line, plain, web_address
from app.render.unicode_math import plain_math

ENVIRONMENT = environment(Path(__file__).parent)
PAGE = ENVIRONMENT.get_template("digest.html.j2")
PAPER = ENVIRONMENT.get_template("paper.html.j2")
SUMMARY = ENVIRONMENT.get_template("summary.html.j2")
STYLE = Markup(ENVIRONMENT.get_template("style.css.j2").render())  # noqa: S704  (our own file)
POLICY = policy_for(STYLE)

ANCHOR = re.compile(r"[A-Za-z0-9./-]+").fullmatch
STATES = {"pending", "running", "done", "failed"}

# A page shows so many authors at once; of a longer list, the rest is folded, so that the summary stays in sight.
FIRST_AUTHORS = 10
FOLDED_FROM = 15
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A paper as it is shown. Texts that would repeat another one are empty.

    ``tldr`` is in the language ``tldr_lang``; where there is none, it is empty and ``status_word`` stands in its place.
    Of a long list of authors ``more_authors`` are the later ones, and ``more_word`` says how many they are.
    """

    number: int
    anchor: str
    arxiv_id: str
    title: Markup
    translated_title: Markup
    abs: str
    pdf: str
    tldr: Markup
    tldr_lang: str
    tldr_en: Markup
    translation: Markup
    abstract: Markup
    is_cut: bool
    authors: Markup
    more_authors: Markup
    more_word: str
    categories: tuple[str, ...]
    announce_type: str
    withdrawn: bool
    notes: tuple[tuple[str, Markup], ...]
    status: str
    status_word: str
    reasons: tuple[str, ...]
    provenance: Markup


def render(document: DigestDocument, view: View) -> str:
    """Return a digest as a page; anchors of papers (``#p-2404.02342``) stay the same over revisions."""
    language = plain(document.language)
    digest = _digest(document, view.math)
    return PAGE.render(
        **digest,
        heading=_heading(str(digest["title"])),
        direction=direction(language),
        style=STYLE,
        policy=POLICY,
        home=_home(view),
        channel=_channel(document, view),
        feeds=_feeds(document, view),
        made_at=_minute(document.created_at),
    )


def digest_html(document: DigestDocument, math: Math) -> Markup:
    """Return a digest as a fragment for a feed's entry: receipt, table and details, in well-formed XML too."""
    receipt = plain(phrases.receipt_line(document, translator(document.language)))
    fragment = SUMMARY.render(**_digest(document, math), receipt=receipt, paper=_paper)
    return Markup(fragment)  # noqa: S704  (rendered with autoescape)


def paper_html(item: DigestItem, language: str, math: Math) -> Markup:
    """Return what there is to say of a paper as a fragment for a feed's entry, without its title if it has another one.

    ``language`` is the digest's. There are only p, a, strong, em, small, time and formulas; it is well-formed XML too.
    """
    _ = translator(language)
    return _paper(_entry(item.position, item, plain(language), math, _), plain(language), _)


def text_html(text: str | None, math: Math) -> Markup:
    """Return one of arXiv's texts as safe HTML on one line, its formulas as asked for."""
    if math is Math.MATHML:
        return math_html(text)
    return escape(plain_math(text, math))


def _digest(document: DigestDocument, math: Math) -> dict[str, object]:
    """Return what the page and the fragment of a digest have in common."""
    _ = translator(document.language)
    language = plain(document.language)
    return {
        "_": _,
        "language": language,
        "title": plain(document.title) or plain(document.channel) or plain(document.id),
        "counts": phrases.counts(document, _),
        "missing": [plain(arxiv_id) for arxiv_id in document.receipt.missing],
        "dates": phrases.dates(document),
        "revision": document.revision,
        "incomplete": plain(phrases.incomplete_line(document, _)),
        "untranslated": phrases.untranslated_line(document, _),
        "empty": phrases.empty_line(document, _),
        "entries": [_entry(number, item, language, math, _) for number, item in enumerate(document.items, 1)],
        "acknowledgement": phrases.ACKNOWLEDGEMENT,
    }


def _paper(entry: Entry, language: str, _: Translator) -> Markup:
    return Markup(PAPER.render(entry=entry, language=language, _=_))  # noqa: S704  (rendered with autoescape)


def _entry(number: int, item: DigestItem, language: str, math: Math, _: Translator) -> Entry:
    title = one_line(item.title) or one_line(item.arxiv_id)
    translated_title = one_line(item.translated_title)
    tldr = one_line(item.tldr)
    tldr_en = one_line(item.tldr_en)
    abstract = one_line(item.abstract)
    translation = one_line(item.translated_abstract)
    names = phrases.authors(item, _)
    shown = FIRST_AUTHORS if len(names) >= FOLDED_FROM else len(names)
    return Entry(
        number=number,
        anchor=f"p-{item.arxiv_id}" if ANCHOR(item.arxiv_id) else f"p{number}",
        arxiv_id=plain(item.arxiv_id),
        title=text_html(title, math),
        translated_title=_unless_same(translated_title, title, math),
        abs=web_address(item.links.abs),
        pdf=web_address(item.links.pdf),
        tldr=text_html(tldr or tldr_en, math),
        tldr_lang=language if tldr else "en",
        tldr_en=_unless_same(tldr_en, tldr, math) if tldr else Markup(),
        translation=_unless_same(translation, abstract, math),
        abstract=text_html(abstract, math),
        is_cut=item.abstract_is_cut and bool(abstract),
        authors=_names(names[:shown], math),
        more_authors=_names(names[shown:], math),
        more_word=phrases.labelled(_, _("and more authors"), len(item.authors) + item.authors_omitted - shown),
        categories=tuple(plain(category) for category in phrases.categories(item.primary_category, item.categories)),
        announce_type=plain(phrases.announce_type(item.announce_type or "", _)),
        withdrawn=item.withdrawn,
        notes=_notes(item, math, _),
        status=item.summary_status if item.summary_status in STATES else "",
        status_word=plain(phrases.status(item, _)),
        reasons=tuple(plain(phrases.reason(reason, _)) for reason in item.reasons),
        provenance=_provenance(item.summary, _) if item.summary else Markup(),
    )


def _unless_same(text: str, other: str, math: Math) -> Markup:
    """Return a text for HTML, or nothing if a reader would see what the other one says."""
    return Markup() if reads_same(text, other) else text_html(text, math)


def _names(names: list[str], math: Math) -> Markup:
    joined = ", ".join(names)
    if "$" not in joined and not may_have_tex(joined):
        return escape(plain(joined))
    return Markup(", ").join([text_html(name, math) for name in names])


def _provenance(summary: Provenance, _: Translator) -> Markup:
    """Return where a summary comes from, with its instant as the page writes instants."""
    made_at = phrases.minute(summary.made_at)
    parts = phrases.provenance(summary, _)
    return Markup(" · ").join([_minute(summary.made_at) if part == made_at else plain(part) for part in parts])


def _minute(moment: datetime) -> Markup:
    """Return an instant to the minute in UTC, for people and for programs."""
    return Markup('<time datetime="{}Z">{}</time>').format(instant(moment)[:16], phrases.minute(moment))


def _notes(item: DigestItem, math: Math, _: Translator) -> tuple[tuple[str, Markup], ...]:
    """Return what the authors say of the paper, and where it was published, as far as it is known."""
    doi = one_line(item.doi)
    link = Markup('<a href="{}" rel="noopener">{}</a>').format(
        f"https://doi.org/{quote(doi, safe='/.()-_:;')}", plain(doi)
    )
    notes = (
        (_("Comments"), text_html(item.comments, math)),
        (_("Journal reference"), text_html(item.journal_ref, math)),
        ("DOI", link if doi else Markup()),
    )
    return tuple(note for note in notes if note[1])


def _heading(title: str) -> Markup:
    """Return a digest's title, the days in it kept on one line: browsers would break them after a hyphen."""
    return Markup(DAY.sub(r'<span class="day">\g<0></span>', str(escape(title))))  # noqa: S704  (escaped)


def _home(view: View) -> str:
    """Return the address of the service's first page; ``""`` where it is not known or no web address."""
    return web_address(f"{view.base_url}/") if view.base_url else ""


def _channel(document: DigestDocument, view: View) -> str:
    """Return the address of the channel's page; ``""`` where there is none."""
    slug = quote(encodable(document.channel), safe="") if document.channel else ""
    return f"{_home(view)}channels/{slug}" if slug and _home(view) else ""


def _feeds(document: DigestDocument, view: View) -> list[tuple[str, str]]:
    """Return the channel's feeds in the digest's language, as (media type, address)."""
    if not _channel(document, view):
        return []
    slug = quote(encodable(document.channel or ""), safe="")
    language = urlencode({"language": encodable(document.language)})
    return [
        (media_type, f"{_home(view)}v1/channels/{slug}/feed.{suffix}?{language}")
        for suffix, media_type in MEDIA_TYPES.items()
    ]
