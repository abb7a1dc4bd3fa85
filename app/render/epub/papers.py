"""A paper as the book shows it: which texts, in which language, and what is known about it besides."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup, escape

from app.arxiv.display import reads_same
from app.render import phrases
from app.render.document import DigestItem, Math
from app.render.i18n import Translator
from app.render.mathml import math_html
from app.render.text import one_line, plain, web_address
from app.render.unicode_math import plain_math

MATHML = "http://www.w3.org/1998/Math/MathML"
Show = Callable[[str], Markup]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something known about a paper: its label, and texts of arXiv's (``texts``) or of this service (``said``)."""

    label: str
    texts: tuple[str, ...] = ()
    said: str = ""


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper of the book; texts that are not there, or that would repeat another one, are ``""``.

    ``summary`` is the sentence in the digest's language, else the English one, else the state of the summary.
    """

    number: int
    file: str
    arxiv_id: str
    title: str
    heading: str
    heading_lang: str
    abs: str
    pdf: str
    summary: str
    summary_lang: str
    has_summary: bool
    tldr_en: str
    translation: str
    abstract: str
    is_cut: bool
    withdrawn: bool
    facts: tuple[Fact, ...]
    provenance: str


def shower(math: Math) -> Show:
    """Return what turns a text of arXiv's into XHTML, its formulas shown in this way."""
    return _with_mathml if math is Math.MATHML else lambda text: escape(plain_math(text, math))


def paper(item: DigestItem, number: int, _: Translator, *, file: str, language: str) -> Paper:
    """Return what the book shows of its ``number``-th paper, whose details stand in ``file``."""
    title = one_line(item.title) or one_line(item.arxiv_id)
    heading = one_line(item.translated_title)
    is_translated = bool(heading) and not reads_same(heading, title)
    tldr, tldr_en = one_line(item.tldr), one_line(item.tldr_en)
    abstract, translation = one_line(item.abstract), one_line(item.translated_abstract)
    return Paper(
        number=number,
        file=file,
        arxiv_id=plain(item.arxiv_id),
        title=title if is_translated else "",
        heading=heading if is_translated else title,
        heading_lang=language if is_translated else "en",
        abs=web_address(item.links.abs),
        pdf=web_address(item.links.pdf),
        summary=tldr or tldr_en or plain(phrases.status(item, _)),
        summary_lang="en" if tldr_en and (not tldr or reads_same(tldr, tldr_en)) else language,
        has_summary=bool(tldr or tldr_en),
        tldr_en=tldr_en if tldr and not reads_same(tldr_en, tldr) else "",
        translation="" if reads_same(translation, abstract) else translation,
        abstract=abstract,
        is_cut=item.abstract_is_cut and bool(abstract),
        withdrawn=item.withdrawn,
        facts=tuple(fact for fact in _facts(item, _) if fact.said or any(fact.texts)),
        provenance=plain(" · ".join(phrases.provenance(item.summary, _))) if item.summary else "",
    )


def _facts(item: DigestItem, _: Translator) -> tuple[Fact, ...]:
    said = partial(map, plain)
    return (
        Fact(_("Authors"), texts=tuple(phrases.authors(item, _))),
        Fact(_("Categories"), said=", ".join(said(phrases.categories(item.primary_category, item.categories)))),
        Fact(_("Announced as"), said=plain(phrases.announce_type(item.announce_type or "", _))),
        Fact(_("Why it is here"), said="; ".join(said(phrases.reason(why, _) for why in item.reasons))),
        Fact(_("Comments"), texts=(one_line(item.comments),)),
        Fact(_("Journal reference"), texts=(one_line(item.journal_ref),)),
        Fact(_("DOI"), said=plain(item.doi)),
        Fact(_("License"), said=web_address(item.license or "")),
        Fact(_("Summary"), said=plain(phrases.status(item, _))),
    )


def _with_mathml(text: str) -> Markup:
    # HTML knows where MathML begins, XML wants to be told. Texts are escaped, so that "<math" is an element.
    return Markup(str(math_html(text)).replace("<math", f'<math xmlns="{MATHML}"'))  # noqa: S704
