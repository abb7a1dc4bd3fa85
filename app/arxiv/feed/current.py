"""RSS 2.0 and Atom, from 31 January 2024 on (FACTS 2.3, 2.4 and the later eras of 2.7).

Both formats carry the same items under other element names, so one reader serves both with a table of names.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from app.arxiv import ids
from app.arxiv.entries import AnnounceType, Entry, Feed
from app.arxiv.feed.fields import (
    DC,
    ItemError,
    agreed,
    creators_of,
    eastern_day,
    find_text,
    instant,
    listed_categories,
    no_date,
    paper_in,
    raw_of,
    read_items,
    shorten,
    text_of,
    unknown_type,
)
from app.arxiv.ids import ArxivId
from app.errors import FeedRejected, InvalidArxivId

ATOM: Final = "{http://www.w3.org/2005/Atom}"
_ARXIV: Final = "{http://arxiv.org/schemas/atom}"

# The regular expression of FACTS 2.3, but open to any type and with an optional "Abstract:". A type that is
# not known yet must be noticed, and the label must never stay in an abstract.
_LABEL: Final = re.compile(
    r"\s*arXiv:(?P<paper>\S+)\s+Announce Type:[ \t]*(?P<type>[^\s:]*)(?=\s|\Z)(?:\s+Abstract:)?\s*"
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """The element names of one format, in ElementTree notation."""

    item: str
    paper: str
    title: str
    description: str
    published: str
    category: str
    link: str


RSS2: Final = Dialect("item", "guid", "title", "description", "pubDate", "category", "link")
ATOM1: Final = Dialect(
    ATOM + "entry",
    ATOM + "id",
    ATOM + "title",
    ATOM + "summary",
    ATOM + "published",
    ATOM + "category",
    ATOM + "link",
)


def read_rss2(root: Any) -> Feed:
    """Read an ``rss`` element. Raises FeedRejected with ``no_date``, ``error_feed`` or ``bad_item``."""
    channel = root.find("channel")
    if channel is None:
        raise no_date("The RSS document has no channel, so its day is not known.")
    title = find_text(channel, "title")
    refuse_error_feed(title, find_text(channel, "description"))
    # A feed holds what is announced on the day it is made (FEED_NUM_DAYS = 1), so that the time of its making
    # stands in where the date of the batch is missing.
    times = (find_text(channel, "pubDate"), find_text(channel, "lastBuildDate"))
    day = eastern_day(times[0]) or eastern_day(times[1])
    entries = _entries(root, RSS2, day)
    return Feed(
        format="rss2",
        categories=listed_categories(title, find_text(channel, "link")),
        announced_on=_known(day or _latest_day(entries)),
        generated_at=instant(times[1]),
        entries=entries,
    )


def read_atom(root: Any) -> Feed:
    """Read an Atom ``feed`` element. Raises FeedRejected with ``no_date``, ``error_feed`` or ``bad_item``.

    The feed has no date of its own but ``updated``, the time of its making. Its US Eastern day is the day of
    the batch, because a feed holds only what is announced on the day it is made (FEED_NUM_DAYS = 1, FACTS
    2.2). Entries say their day in ``published`` since 2024-08-26; where they do, the feed's day is theirs.
    """
    title = find_text(root, ATOM + "title")
    refuse_error_feed(title, find_text(root, ATOM + "subtitle"))
    updated = find_text(root, ATOM + "updated")
    entries = _entries(root, ATOM1, eastern_day(updated))
    links = [link.get("href") for link in root.iterfind(ATOM + "link")]
    return Feed(
        format="atom",
        categories=listed_categories(title, find_text(root, ATOM + "id"), *links),
        announced_on=_known(_latest_day(entries) or eastern_day(updated)),
        generated_at=instant(updated),
        entries=entries,
    )


def refuse_error_feed(title: str | None, description: str | None) -> None:
    """Raise FeedRejected for the well-formed feed that arXiv sends in place of an error page (FACTS 2.1)."""
    if title and title.startswith("Feed error for query"):
        cause = shorten(description or title, 300)
        raise FeedRejected("error_feed", f"The document is an error report of arXiv, not a listing: {cause}")


def _latest_day(entries: tuple[Entry, ...]) -> date | None:
    return max((entry.announced_on for entry in entries), default=None)


def _known(day: date | None) -> date:
    if day is None:
        raise no_date("The document has no date that can be read, so its day is not known.")
    return day


def _entries(root: Any, dialect: Dialect, feed_day: date | None) -> tuple[Entry, ...]:
    return read_items(
        root.iter(dialect.item),
        lambda item: _entry(item, dialect, feed_day),
        lambda item: find_text(item, dialect.paper) or find_text(item, dialect.link),
    )


def _entry(item: Any, dialect: Dialect, feed_day: date | None) -> Entry:
    """Read one item; ``feed_day`` serves where the item has no day of its own, as before 2024-08-26."""
    texts: dict[str, str] = {}
    links: list[str] = []
    categories: list[str] = []
    creators: list[Any] = []
    # One pass over the children costs less than a search for each name.
    for child in item:
        tag = child.tag
        if tag == dialect.category:
            categories.append((child.get("term") or text_of(child)).strip())
        elif tag == dialect.link:
            links.append((child.get("href") or text_of(child)).strip())
        elif tag == _CREATOR:
            creators.append(child)
        elif tag not in texts:
            texts[tag] = (text_of(child) if len(child) else child.text or "").strip()
        elif tag in (dialect.paper, dialect.title, dialect.description):
            raise ItemError("it has two ids, titles or descriptions, as if two items had run into one")
    description = texts.get(dialect.description, "")
    label = _LABEL.match(description)
    paper = _paper(texts.get(dialect.paper, ""), links, label)
    day = eastern_day(texts.get(dialect.published)) or feed_day
    if day is None:
        raise ItemError("neither it nor the document has a date that can be read", "no_date")
    authors, omitted = creators_of(creators)
    listed = tuple(dict.fromkeys(filter(None, categories)))
    return Entry(
        arxiv_id=paper.id,
        version=paper.version,
        announce_type=_type(texts.get(_ANNOUNCE_TYPE, ""), label),
        announced_on=day,
        title=texts.get(dialect.title) or None,
        abstract=(description[label.end() :] if label else description) or None,
        authors=authors,
        authors_omitted=omitted,
        primary_category=listed[0] if listed else None,
        categories=listed,
        license=texts.get(_RIGHTS) or None,
        doi=texts.get(_DOI) or None,
        journal_ref=texts.get(_JOURNAL_REF) or None,
        raw=raw_of(item),
    )


_CREATOR: Final = DC + "creator"
_RIGHTS: Final = DC + "rights"
_ANNOUNCE_TYPE: Final = _ARXIV + "announce_type"
_DOI: Final = _ARXIV + "DOI"
_JOURNAL_REF: Final = _ARXIV + "journal_reference"
_TYPES: Final = {kind.value: kind for kind in AnnounceType}


def _paper(guid: str, links: list[str], label: re.Match[str] | None) -> ArxivId:
    """The paper of an item: from its guid, else its label, else its link; all that name one must agree."""
    papers = [("guid", paper_in("guid", guid))] if guid else []
    # Comparing the endings first spares nearly every item the reading of the same id three times.
    if label and not guid.endswith(":" + label["paper"]):
        papers.append(("description", paper_in("description", label["paper"])))
    for link in links:
        if papers and link.endswith("/" + papers[0][1].id):
            continue
        # A link that names no paper contradicts nothing. If arXiv should send readers to another kind of page
        # one day, the listing is as good as before.
        with suppress(InvalidArxivId):
            papers.append(("link", ids.parse(link)))
    if not papers:
        raise ItemError("neither its guid nor its link holds an arXiv identifier")
    return agreed(papers)


def _type(word: str, label: re.Match[str] | None) -> AnnounceType:
    """The announce type: from its element, else from the label of the description (eras of FACTS 2.7)."""
    labelled = label["type"] if label else ""
    for named in (labelled, word):
        if named and named not in _TYPES:
            raise unknown_type(named)
    if not (word or labelled):
        raise ItemError("it has no announce type")
    return _TYPES[word or labelled]
