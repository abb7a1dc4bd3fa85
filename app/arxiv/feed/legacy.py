"""RSS 1.0, until 31 January 2024 (FACTS 2.7): what stored feeds and older archives hold.

An item has few elements. Its title carries the id, the version, the primary category and the announce type in
a suffix, and its description and authors are HTML, escaped once more than XML needs.
"""

import html
import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from app.arxiv import authors
from app.arxiv.entries import AnnounceType, Author, Entry, Feed
from app.arxiv.feed.fields import (
    DC,
    ItemError,
    agreed,
    anchors_of,
    find_text,
    instant,
    listed_categories,
    no_date,
    paper_in,
    raw_of,
    read_items,
    read_time,
    text_of,
    unknown_type,
)
from app.arxiv.ids import ArxivId

RDF: Final = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
RSS1: Final = "{http://purl.org/rss/1.0/}"

# The regular expression of FACTS 2.7, open to any kind, so that one that was never seen is noticed.
_SUFFIX: Final = re.compile(
    r"\(arXiv:(?P<paper>[^\s()]{1,60}) \[(?P<primary>[^\]]{1,60})\](?: (?P<kind>[^()]{1,60}))?\)$"
)
_KINDS: Final = {None: AnnounceType.NEW, "UPDATED": AnnounceType.REPLACE, "CROSS LISTED": AnnounceType.CROSS}
_PARAGRAPH: Final = re.compile(r"<p\b[^>]{0,200}>(.*?)(?:</p>|\Z)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class LegacyTitle:
    """A title of the legacy feed, taken apart; without a suffix, ``title`` is the whole and the rest is None.

    ``paper`` is the id with its version as written, ``kind`` the word behind the bracket (``UPDATED``).
    """

    title: str
    paper: str | None = None
    primary: str | None = None
    kind: str | None = None

    @property
    def announce_type(self) -> AnnounceType | None:
        """What the suffix says; None for a title without one. Raises ItemError for a kind that was never seen."""
        if self.paper is None:
            return None
        if self.kind not in _KINDS:
            raise unknown_type(self.kind or "")
        return _KINDS[self.kind]


def split_title(text: str) -> LegacyTitle:
    """Take the suffix `` (arXiv:2401.16658v1 [cs.CL])`` and the full stop that the feed added off a title."""
    title = _joined(text)
    suffix = _SUFFIX.search(title)
    if suffix is None:
        return LegacyTitle(title)
    bare = _without_full_stop(title[: suffix.start()].rstrip())
    return LegacyTitle(bare, suffix["paper"], suffix["primary"].strip(), suffix["kind"])


def read_rss1(root: Any) -> Feed:
    """Read an ``rdf:RDF`` element. Raises FeedRejected with ``no_date`` or ``bad_item``.

    The day is that of the channel's ``dc:date`` as written, whatever its zone: arXiv wrote 20:30 -05:00 all
    year, which is the same day in New York in summer, too.
    """
    channel = root.find(RSS1 + "channel")
    if channel is None:
        raise no_date("The RSS 1.0 document has no channel, so its day is not known.")
    written = find_text(channel, DC + "date")
    time = read_time(written) if written else None
    if time is None:
        raise no_date("The channel of the RSS 1.0 document has no date that can be read, so its day is not known.")
    day = time.date()
    return Feed(
        format="rss1",
        categories=listed_categories(find_text(channel, RSS1 + "title"), find_text(channel, RSS1 + "link")),
        announced_on=day,
        generated_at=instant(written),
        entries=read_items(root.iter(RSS1 + "item"), lambda item: _entry(item, day), _name),
    )


def _name(item: Any) -> str | None:
    return item.get(RDF + "about") or find_text(item, RSS1 + "link")


def _entry(item: Any, day: date) -> Entry:
    """Read one item. One without a title has neither version nor category, but it is a paper and is kept."""
    title = split_title(find_text(item, RSS1 + "title") or "")
    paper = _paper(
        title=title.paper or "",
        link=find_text(item, RSS1 + "link") or "",
        about=(item.get(RDF + "about") or "").strip(),
    )
    found, omitted = _authors(item.find(DC + "creator"))
    return Entry(
        arxiv_id=paper.id,
        version=paper.version,
        announce_type=title.announce_type or AnnounceType.NEW,
        announced_on=day,
        title=title.title or None,
        abstract=_abstract(item.find(RSS1 + "description")),
        authors=found,
        authors_omitted=omitted,
        primary_category=title.primary,
        categories=(title.primary,) if title.primary else (),
        license=None,
        doi=None,
        journal_ref=None,
        raw=raw_of(item),
    )


def _paper(*, title: str, link: str, about: str) -> ArxivId:
    """The paper that title, link and ``rdf:about`` name; all that are there must be readable and agree."""
    sources = (("title", title), ("link", link), ("rdf:about", about))
    papers = [(source, paper_in(source, text)) for source, text in sources if text]
    if not papers:
        raise ItemError("nothing in it holds an arXiv identifier")
    return agreed(papers)


def _without_full_stop(title: str) -> str:
    """The title without the full stop that the feed put there.

    The feed adds one to every title that has none at its end, so whether a single one is the authors' cannot
    be known; it is dropped, and so is the one after ``?`` or ``!``. An ellipsis is the authors': the feed
    would not add to it.
    """
    return title if title.endswith("..") else title.removesuffix(".")


def _abstract(description: Any) -> str | None:
    """The first paragraph as text, hard wraps joined by one blank.

    Later paragraphs are appeals for donations that arXiv appended in fund-drive weeks (FACTS 2.7). Where the
    paragraphs are real elements, XML parsing has already done the unescaping that their escaped form still
    needs.
    """
    if description is None:
        return None
    paragraph = next(description.iter("p", RSS1 + "p"), None)
    if paragraph is not None:
        return _joined(text_of(paragraph)) or None
    text = text_of(description)
    match = _PARAGRAPH.search(text)
    return _joined(html.unescape(match[1] if match else text)) or None


def _authors(creator: Any) -> tuple[tuple[Author, ...], int]:
    if creator is None:
        return (), 0
    return anchors_of(creator) if len(creator) else authors.parse_legacy_creator(creator.text or "")


def _joined(text: str) -> str:
    """The text with each hard wrap turned into one blank, even after a hyphen (FACTS 9.1)."""
    return " ".join(line for line in map(str.strip, text.split("\n")) if line)
