"""What the readers of all feed formats share: text, dates, names of things, errors about one item."""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

from lxml import etree

from app.arxiv import authors, ids
from app.arxiv.calendar import EASTERN
from app.arxiv.entries import AnnounceType, Author, Entry
from app.arxiv.ids import ArxivId
from app.errors import FeedRejected, InvalidArxivId

DC: Final = "{http://purl.org/dc/elements/1.1/}"

_TITLE_END: Final = " updates on arXiv.org"
_LONGEST_DATE: Final = 60
_ADDRESS: Final = re.compile(r"/(?:rss|atom)/([^/?#\s]+)/?(?:[?#]|$)")


def text_of(element: Any) -> str:
    """The text of an element with everything inside it, comments and processing instructions left out.

    Nothing is unescaped or stripped: after XML parsing ``$a<b$ and c>d`` is plain text (FACTS 9.1).
    """
    if len(element):
        return str(element.xpath("string()"))
    return element.text or ""


def find_text(parent: Any, tag: str) -> str | None:
    """The text of the first child with this tag, without blanks around it; ``None`` when absent or blank."""
    child = parent.find(tag)
    return None if child is None else text_of(child).strip() or None


def raw_of(element: Any) -> str:
    """The XML of an item as received, without what follows it."""
    return str(etree.tostring(element, encoding="unicode", with_tail=False))


def read_time(text: str) -> datetime | None:
    """An RFC 822 or ISO 8601 time, with its zone if it names one; ``None`` when it cannot be read."""
    if len(text) > _LONGEST_DATE:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def eastern_day(text: str | None) -> date | None:
    """The day in US Eastern time of a time in a feed; ``None`` when absent or unreadable.

    A time without a zone is taken as Eastern already: arXiv's batches are dated midnight there.
    """
    return _eastern_day(text) if text and len(text) <= _LONGEST_DATE else None


@lru_cache(maxsize=64)
def _eastern_day(text: str) -> date | None:
    # Cached because every item of a listing carries the same day.
    time = read_time(text)
    if time is None:
        return None
    try:
        return time.date() if time.tzinfo is None else time.astimezone(EASTERN).date()
    except (OverflowError, ValueError):
        return None


def instant(text: str | None) -> datetime | None:
    """A time as an instant in UTC; ``None`` when absent, unreadable or without a zone."""
    time = read_time(text) if text else None
    if time is None or time.tzinfo is None:
        return None
    try:
        return time.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def listed_categories(title: str | None, *addresses: str | None) -> tuple[str, ...]:
    """The categories that a document is about: from its title, else from its address, as written there.

    ``cs, math updates on arXiv.org`` and ``http://rss.arxiv.org/rss/cs+math`` both give ``("cs", "math")``.
    """
    if title and title.endswith(_TITLE_END):
        return tuple(name.strip() for name in title.removesuffix(_TITLE_END).split(",") if name.strip())
    for address in addresses:
        if address and (found := _ADDRESS.search(address)):
            return tuple(name for name in unquote(found[1]).split("+") if name)
    return ()


def creators_of(elements: Iterable[Any]) -> tuple[tuple[Author, ...], int]:
    """The authors in the ``dc:creator`` elements of a current item, and how many the document left out.

    From 2024-01-31 to 02-13 the names were ``a`` child elements instead of one line (FACTS 2.7).
    """
    found: list[Author] = []
    omitted = 0
    for element in elements:
        read, more = anchors_of(element) if len(element) else authors.parse_creator(element.text or "")
        found.extend(read)
        omitted += more
    return tuple(found), omitted


def anchors_of(element: Any) -> tuple[tuple[Author, ...], int]:
    """The authors in a ``dc:creator`` whose names are child elements."""
    names = ((text_of(child) if isinstance(child.tag, str) else "", child.tail or "") for child in element)
    return authors.parse_anchors(element.text or "", names)


class ItemError(Exception):
    """What is wrong with an item, told to ``read_items``, which knows the item's place in the document."""

    def __init__(self, detail: str, reason: str = "bad_item") -> None:
        super().__init__(detail)
        self.detail = detail
        self.reason = reason


def read_items(
    items: Iterable[Any], read: Callable[[Any], Entry], name: Callable[[Any], str | None]
) -> tuple[Entry, ...]:
    """Entries in their order, each version of a paper once, with the strongest of its announce types.

    A paper that is new here is new even where it is listed a second time as a cross-list (FACTS 2.2).
    ``name`` tells a person which item is meant. One item that cannot be read is the end of the whole document
    (FeedRejected): leaving the item out would lose a paper silently.
    """
    merged: dict[tuple[str, int | None], Entry] = {}
    for number, item in enumerate(items, 1):
        try:
            entry = read(item)
        except ItemError as error:
            named = name(item)
            place = f"item {number} ({shorten(named, 80)})" if named else f"item {number}"
            raise FeedRejected(error.reason, f"The listing is refused because of {place}: {error.detail}.") from None
        key = (entry.arxiv_id, entry.version)
        known = merged.setdefault(key, entry)
        if known is not entry and _STRENGTH[entry.announce_type] < _STRENGTH[known.announce_type]:
            merged[key] = entry
    return tuple(merged.values())


_STRENGTH: Final = {kind: place for place, kind in enumerate(AnnounceType)}


def paper_in(source: str, text: str) -> ArxivId:
    """The paper that a part of an item names; ``source`` is the part's name. Raises ItemError."""
    try:
        return ids.parse(text)
    except InvalidArxivId:
        raise ItemError(f"its {source} {shorten(text, 80)!r} holds no arXiv identifier") from None


def agreed(papers: list[tuple[str, ArxivId]]) -> ArxivId:
    """The one paper that all sources name; the version may be missing from some. Raises ItemError."""
    first_source, found = papers[0]
    for source, paper in papers[1:]:
        versions = {found.version, paper.version} - {None}
        if paper.id != found.id or len(versions) > 1:
            raise ItemError(f"its {first_source} names {found}, but its {source} names {paper}")
        found = found if found.version is not None else paper
    return found


def unknown_type(word: str) -> ItemError:
    """The error for an announce type that arXiv has not used so far: guessing could hide a new paper."""
    return ItemError(f"its announce type {shorten(word, 40)!r} is unknown")


def no_date(detail: str) -> FeedRejected:
    """The refusal of a document whose day is not known."""
    return FeedRejected("no_date", detail)


def shorten(text: str, limit: int) -> str:
    """One line of at most ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."
