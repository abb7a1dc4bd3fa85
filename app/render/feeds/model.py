"""A feed as plain data, and the three ways to write it: Atom, RSS 2.0 and JSON Feed 1.1.

Rules come from RFC 4287 (Atom), RFC 5005 section 3 (paged feeds), the RSS 2.0 specification with the RSS Advisory Board's
Best Practices Profile (titles are plain text, descriptions HTML, ``atom:link`` names the feed itself), and jsonfeed.org's
version 1.1. Every text is data: XML's and JSON's writers escape it, and the few characters that XML cannot hold become U+FFFD
in all three.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape

from lxml import etree

from app.render.media import MEDIA_TYPES
from app.render.text import instant

ATOM = "http://www.w3.org/2005/Atom"
CONTENT = "http://purl.org/rss/1.0/modules/content/"
DUBLIN_CORE = "http://purl.org/dc/elements/1.1/"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
CATEGORY_SCHEME = "http://arxiv.org/schemas/atom"  # as arXiv's own feeds say it
GENERATOR = "Zhaiyao"


# What XML 1.0 (section 2.2) does not know as a character, and the control characters that it advises against.
NOT_TEXT = re.compile("[^\t\n\r\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LANGUAGE_TAG = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*").fullmatch


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One entry: a paper or a digest.

    ``id`` is an address that never changes; ``url`` the page that the entry is about. ``title`` and ``summary`` are plain text
    on one line, ``content_html`` a safe HTML fragment that marks its own languages. ``language`` is that of the entry (BCP 47);
    ``title_language`` and ``summary_language`` are for a title or summary in another one. ``position`` counts from 1 within the
    digest, because all papers of a day have one date.
    """

    id: str
    title: str
    url: str | None
    published: datetime
    updated: datetime
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    content_html: str
    summary: str | None
    language: str
    position: int
    title_language: str | None = None
    summary_language: str | None = None


@dataclass(frozen=True, slots=True)
class FeedDocument:
    """A feed, whole. Addresses of the service are ``None`` when it is not known where it is reached.

    ``subject_url`` is the page at arXiv that the feed is about: RSS demands a link of every channel. ``rights`` is arXiv's
    acknowledgement. ``first_url``, ``previous_url`` and ``next_url`` lead through the pages of a long feed (RFC 5005), which all
    have the same ``id``.
    """

    id: str
    title: str
    subtitle: str
    rights: str
    language: str
    updated: datetime
    entries: tuple[FeedEntry, ...]
    subject_url: str
    self_url: str | None = None
    home_url: str | None = None
    first_url: str | None = None
    previous_url: str | None = None
    next_url: str | None = None
    generator: str = GENERATOR


def characters(text: str) -> str:
    """A text with what XML cannot hold or advises against (control characters, lone surrogates) replaced by U+FFFD."""
    return NOT_TEXT.sub("\ufffd", text)


def language_tag(language: str) -> str:
    """A well-formed BCP 47 tag; ``und``, the tag for an unknown language, where it is none."""
    tag = language.replace("_", "-")
    return tag if LANGUAGE_TAG(tag) else "und"


def atom(feed: FeedDocument) -> bytes:
    """A feed as Atom (RFC 4287). The feed's author is the service: entries name their papers' own."""
    root = etree.Element(f"{{{ATOM}}}feed", {LANG: language_tag(feed.language)}, nsmap={None: ATOM})
    _atom(root, "id", feed.id)
    _atom(root, "title", feed.title)
    _atom(root, "subtitle", feed.subtitle)
    _atom(root, "updated", instant(feed.updated))
    _atom(_atom(root, "author"), "name", feed.generator)
    _atom_links(root, feed, "atom")
    if feed.home_url:
        _atom(root, "link", rel="alternate", type="text/html", href=feed.home_url)
    _atom(root, "rights", feed.rights).set(LANG, "en")
    _atom(root, "generator", feed.generator)
    for entry in feed.entries:
        _atom_entry(root, entry, feed.language)
    return _document(root)


def _atom_entry(root: etree._Element, entry: FeedEntry, feed_language: str) -> None:
    element = _atom(root, "entry")
    if entry.language != feed_language:
        element.set(LANG, language_tag(entry.language))
    _atom(element, "id", entry.id)
    _speak(_atom(element, "title", entry.title), entry.title_language, entry.language)
    if entry.url:
        _atom(element, "link", rel="alternate", type="text/html", href=entry.url)
    _atom(element, "published", instant(entry.published))
    _atom(element, "updated", instant(entry.updated))
    for name in entry.authors:
        _atom(_atom(element, "author"), "name", name)
    for category in entry.categories:
        _atom(element, "category", term=category, scheme=CATEGORY_SCHEME)
    if entry.summary:
        _speak(_atom(element, "summary", entry.summary), entry.summary_language, entry.language)
    _atom(element, "content", entry.content_html, type="html")


def rss(feed: FeedDocument) -> bytes:
    """A feed as RSS 2.0, with content:encoded, dc:creator, dc:language, and Atom's links and updates."""
    root = etree.Element("rss", version="2.0", nsmap={"atom": ATOM, "content": CONTENT, "dc": DUBLIN_CORE})
    channel = etree.SubElement(root, "channel")
    _rss(channel, "title", feed.title)
    _rss(channel, "link", feed.home_url or feed.subject_url)
    _rss(channel, "description", escape(f"{feed.subtitle} {feed.rights}", quote=False))
    _rss(channel, "language", language_tag(feed.language))
    _rss(channel, "lastBuildDate", _mail_date(feed.updated))
    _rss(channel, "generator", feed.generator)
    _atom_links(channel, feed, "rss")
    for entry in feed.entries:
        _rss_item(channel, entry)
    return _document(root)


def _rss_item(channel: etree._Element, entry: FeedEntry) -> None:
    item = etree.SubElement(channel, "item")
    _rss(item, "title", entry.title)
    if entry.url:
        _rss(item, "link", entry.url)
    if entry.summary:
        _rss(item, "description", escape(entry.summary, quote=False))
    _rss(item, f"{{{CONTENT}}}encoded", entry.content_html)
    for name in entry.authors:
        _rss(item, f"{{{DUBLIN_CORE}}}creator", name)
    for category in entry.categories:
        _rss(item, "category", category)
    _rss(item, "guid", entry.id).set("isPermaLink", "false")
    _rss(item, "pubDate", _mail_date(entry.published))
    _atom(item, "updated", instant(entry.updated))
    _rss(item, f"{{{DUBLIN_CORE}}}language", language_tag(entry.language))


def jsonfeed(feed: FeedDocument) -> bytes:
    """A feed as JSON Feed 1.1; ``_zhaiyao.position``, the place within the digest, is an extension as its rules allow."""
    written: dict[str, object] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.home_url,
        "feed_url": feed.self_url,
        "next_url": feed.next_url,
        "description": f"{feed.subtitle} {feed.rights}",
        "authors": [{"name": feed.generator}],
        "language": language_tag(feed.language),
        "items": [_json_item(entry) for entry in feed.entries],
    }
    return (json.dumps(_json_object(written), ensure_ascii=False, indent=1) + "\n").encode()


def _json_item(entry: FeedEntry) -> dict[str, object]:
    written: dict[str, object] = {
        "id": entry.id,
        "url": entry.url,
        "title": entry.title,
        "content_html": entry.content_html,
        "summary": entry.summary,
        "date_published": instant(entry.published),
        "date_modified": instant(entry.updated),
        "authors": [{"name": characters(name)} for name in entry.authors] or None,
        "tags": [characters(category) for category in entry.categories] or None,
        "language": language_tag(entry.language),
        "_zhaiyao": {"position": entry.position},
    }
    return _json_object(written)


def _json_object(written: dict[str, object]) -> dict[str, object]:
    """The members that have a value, their texts fit for a document."""
    present = {key: value for key, value in written.items() if value is not None}
    return {key: characters(value) if isinstance(value, str) else value for key, value in present.items()}


def _atom_links(parent: etree._Element, feed: FeedDocument, format: str) -> None:
    links = {"self": feed.self_url, "first": feed.first_url, "previous": feed.previous_url, "next": feed.next_url}
    for rel, url in links.items():
        if url:
            _atom(parent, "link", rel=rel, type=MEDIA_TYPES[format], href=url)


def _atom(parent: etree._Element, name: str, text: str | None = None, **attributes: str) -> etree._Element:
    safe = {key: characters(value) for key, value in attributes.items()}
    element = etree.SubElement(parent, f"{{{ATOM}}}{name}", safe)
    if text is not None:
        element.text = characters(text)
    return element


def _rss(parent: etree._Element, name: str, text: str) -> etree._Element:
    element = etree.SubElement(parent, name)
    element.text = characters(text)
    return element


def _speak(element: etree._Element, language: str | None, around: str) -> None:
    """Mark the language of a text that is not in the language around it."""
    if language and language != around:
        element.set(LANG, language_tag(language))


def _mail_date(moment: datetime) -> str:
    """RFC 822's date with four digits of the year, English in every locale: ``Wed, 05 Mar 2031 06:07:08 GMT``."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return format_datetime(aware, usegmt=True)


def _document(root: etree._Element) -> bytes:
    written: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return written
