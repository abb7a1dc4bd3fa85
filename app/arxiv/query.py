"""The answers of arXiv's search API, from the present and the older servers (FACTS section 4).

The reader is as strict as that of the listings: an answer is read whole or refused with a reason. What the API does without a
word, leaving out papers that it does not find, is left to the caller to see with ``missing``.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lxml import etree

from app.arxiv import ids
from app.arxiv.entries import Author, Record, Version
from app.arxiv.feed.current import ATOM
from app.arxiv.feed.document import read
from app.arxiv.feed.fields import ItemError, agreed, find_text, instant, paper_in, raw_of, shorten, text_of
from app.arxiv.ids import ArxivId
from app.arxiv.texts import unwrap, unwrap_abstract
from app.errors import FeedRejected, InvalidArxivId

MAX_RESULTS: Final = 2000
"""The most records that one answer may be asked for (FACTS 4.1)."""

_ARXIV: Final = "{http://arxiv.org/schemas/atom}"
_OPENSEARCH: Final = "{http://a9.com/-/spec/opensearch/1.1/}"
_ONCE: Final = tuple(ATOM + name for name in ("id", "title", "summary", "published", "updated"))
_NUMBER: Final = re.compile(r"\d{1,9}", re.ASCII)

# By its shape and not by the taxonomy, because a category that is not known yet must be kept (FACTS 10.4). The MSC and ACM
# classes among the older server's terms ("Primary: 05C81", "I.2.7", "68T50; 62H30") all have capitals or digits in front.
_CATEGORY: Final = re.compile(r"[a-z]+(?:-[a-z]+)*(?:\.[A-Za-z]+(?:-[A-Za-z]+)*)?")


@dataclass(frozen=True, slots=True)
class Answer:
    """One page of results. ``total`` is how many there are in all, ``start`` the place of the first record, from 0.

    ``per_page`` is what was asked for, not what came.
    """

    total: int
    start: int
    per_page: int
    records: tuple[Record, ...]


def query_url(base: str, arxiv_ids: Sequence[str]) -> str:
    """The address that asks for these papers; ``base`` is the API's, such as ``https://export.arxiv.org/api/query``.

    An id without a version asks for the newest one. ``max_results`` is always there, because the API gives only the first ten
    papers without it. Raises InvalidArxivId, and ValueError for no ids or more than 2,000.
    """
    if not 0 < len(arxiv_ids) <= MAX_RESULTS:
        raise ValueError(f"The search API is asked for 1 to {MAX_RESULTS} papers at a time, not for {len(arxiv_ids)}.")
    # Commas stay as they are: arXiv's edge has refused them percent-encoded (FACTS 8.1).
    id_list = ",".join(str(ids.parse(arxiv_id)) for arxiv_id in arxiv_ids)
    return f"{base}?id_list={id_list}&max_results={len(arxiv_ids)}"


def parse_answer(body: bytes, *, max_bytes: int = 64_000_000) -> Answer:
    """Read one answer as received.

    Records have the format ``api``, and their texts are in Unicode where arXiv's own have TeX accents. The newest version is
    the one that the entry shows, so that a paper asked for with a version has that one. The API knows no licence, no datestamp
    and no withdrawal.

    Raises FeedRejected, and nothing else: ``api_error`` with arXiv's own words, ``empty_page`` for a page that is empty although
    its results do not end before it (ask again: FACTS 4.3), ``bad_item`` for an entry that cannot be read, ``unknown_format`` for
    other XML such as a listing, or with the reasons of ``app.arxiv.feed.document.read``.
    """
    root = read(body, max_bytes)
    if root.tag != ATOM + "feed":
        raise _unknown(f"Its outermost element is {shorten(root.tag, 80)}.")
    entries = root.findall(ATOM + "entry")
    if len(entries) != sum(1 for _ in root.iter("{*}entry")):
        raise _unknown("Its entries are not where or what they should be.")
    _refuse_errors(entries)
    total, start, per_page = (_count(root, name) for name in ("totalResults", "startIndex", "itemsPerPage"))
    if not entries and total > start:
        raise FeedRejected(
            "empty_page",
            f"The search API sent no entry from place {start:,} of {total:,} results on, a known fault of it; ask again.",
        )
    return Answer(total, start, per_page, tuple(_read(number, entry) for number, entry in enumerate(entries, 1)))


def missing(asked: Sequence[str], answer: Answer) -> list[str]:
    """The papers asked for that the answer left out without a word: canonical ids, each once, in the order asked.

    Raises InvalidArxivId.
    """
    found = {record.arxiv_id for record in answer.records}
    return [arxiv_id for arxiv_id in dict.fromkeys(ids.parse(text).id for text in asked) if arxiv_id not in found]


def _unknown(why: str) -> FeedRejected:
    return FeedRejected("unknown_format", f"The document is XML but no answer of arXiv's search API. {why}")


def _count(root: Any, name: str) -> int:
    text = find_text(root, _OPENSEARCH + name)
    if text is None or not _NUMBER.fullmatch(text):
        raise _unknown(f"It has no number in {name}.")
    return int(text)


def _refuse_errors(entries: list[Any]) -> None:
    """Raise FeedRejected for the entry that stands for an error, with HTTP status 400 or, at times, 200 (FACTS 4.3).

    A paper may be called "Error", so the title alone does not make one.
    """
    for entry in entries:
        address = find_text(entry, ATOM + "id") or ""
        titled = find_text(entry, ATOM + "title") == "Error"
        if "/api/errors" in address or (titled and "/abs/" not in address):
            cause = shorten(find_text(entry, ATOM + "summary") or address or "no reason is given", 300).rstrip(".")
            raise FeedRejected("api_error", f"The search API answered with an error: {cause}.")


def _read(number: int, entry: Any) -> Record:
    """The record of an entry; one that cannot be read refuses the answer, because leaving it out would lose a paper."""
    try:
        return _record(entry)
    except ItemError as error:
        named = find_text(entry, ATOM + "id")
        place = f"entry {number} ({shorten(named, 80)})" if named else f"entry {number}"
        raise FeedRejected("bad_item", f"The answer is refused because of {place}: {error.detail}.") from None


def _record(entry: Any) -> Record:
    for tag in _ONCE:
        if len(entry.findall(tag)) > 1:
            raise ItemError(f"it has two elements {etree.QName(tag).localname}, as if two entries had run into one")
    paper = _paper(entry)
    submitted_at, updated_at = (_time(entry, name) for name in ("published", "updated"))
    categories = _categories(entry)
    summary = find_text(entry, ATOM + "summary")
    return Record(
        arxiv_id=paper.id,
        version=paper.version,
        title=_line(entry, ATOM + "title"),
        abstract=unwrap_abstract(summary) if summary else None,
        authors=_authors(entry),
        primary_category=categories[0] if categories else None,
        categories=categories,
        comments=_line(entry, _ARXIV + "comment"),
        journal_ref=_line(entry, _ARXIV + "journal_ref"),
        # The present server gives each DOI an element, the older one all of them in one, with blanks between.
        doi=" ".join(_texts(entry, _ARXIV + "doi")) or None,
        license=None,
        submitted_at=submitted_at,
        updated_at=updated_at,
        versions=_versions(paper.version, submitted_at, updated_at),
        withdrawn=None,
        datestamp=None,
        converted=True,
        format="api",
        raw=raw_of(entry),
    )


def _paper(entry: Any) -> ArxivId:
    """The paper of the entry's id; the link to its page must agree, and has the version where the id has none (2007)."""
    papers = [("id", paper_in("id", find_text(entry, ATOM + "id") or ""))]
    for link in entry.iterfind(ATOM + "link"):
        if link.get("rel", "alternate") == "alternate":
            # A link to another kind of page contradicts nothing.
            with suppress(InvalidArxivId):
                papers.append(("link", ids.parse(link.get("href") or "")))
    return agreed(papers)


def _time(entry: Any, name: str) -> datetime | None:
    """An instant in UTC, None where the entry has none. Raises ItemError for one that cannot be read."""
    text = find_text(entry, ATOM + name)
    time = instant(text)
    if text and time is None:
        raise ItemError(f"its {name} time {shorten(text, 80)!r} cannot be read")
    return time


def _versions(newest: int | None, submitted_at: datetime | None, updated_at: datetime | None) -> tuple[Version, ...]:
    """The versions that an entry tells of, oldest first: version 1 from ``published``, the one shown from ``updated``."""
    first = (Version(1, submitted_at),) if submitted_at and newest != 1 else ()
    return first if newest is None else (*first, Version(newest, updated_at))


def _categories(entry: Any) -> tuple[str, ...]:
    """The categories in the entry's order, but the primary one first; strings that are no category are left out."""
    primary = entry.find(_ARXIV + "primary_category")
    elements = ([] if primary is None else [primary]) + entry.findall(ATOM + "category")
    terms = ((element.get("term") or "").strip() for element in elements)
    return tuple(dict.fromkeys(term for term in terms if _CATEGORY.fullmatch(term)))


def _authors(entry: Any) -> tuple[Author, ...]:
    authors = ((_line(author, ATOM + "name"), author) for author in entry.iterfind(ATOM + "author"))
    return tuple(Author(name, tuple(_texts(author, _ARXIV + "affiliation"))) for name, author in authors if name)


def _texts(parent: Any, tag: str) -> list[str]:
    return [text for child in parent.iterfind(tag) if (text := unwrap(text_of(child)))]


def _line(parent: Any, tag: str) -> str | None:
    text = find_text(parent, tag)
    return unwrap(text) if text else None
