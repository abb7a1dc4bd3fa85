"""arXiv's listings, in every format and era, read into the types of ``app.arxiv.entries`` (FACTS section 2).

The reader is strict. A document is read whole or refused with a reason, because a listing that is silently
short, and an error that looks like a quiet day, are how the older system lost papers.
"""

from typing import Any, Final

from lxml import etree

from app.arxiv.entries import Feed
from app.arxiv.feed.current import ATOM, read_atom, read_rss2
from app.arxiv.feed.document import read
from app.arxiv.feed.fields import shorten
from app.arxiv.feed.legacy import RDF, read_rss1
from app.errors import FeedRejected

__all__ = ["parse_feed"]

_READERS: Final = {"rss": read_rss2, ATOM + "feed": read_atom, RDF + "RDF": read_rss1}


def parse_feed(body: bytes, *, max_bytes: int = 20_000_000) -> Feed:
    """Read one listing document as received: RSS 2.0, Atom or RSS 1.0, of any era.

    An item that is listed twice in the same version comes once, with the strongest announce type. How many
    items a whole listing may have is the caller's business. Raises FeedRejected, and nothing else, with one
    of the reasons ``too_large``, ``empty_body``, ``html``, ``not_xml``, ``truncated``, ``forbidden_xml``,
    ``unknown_format``, ``error_feed``, ``no_date`` and ``bad_item``.
    """
    root = read(body, max_bytes)
    reader = _READERS.get(root.tag)
    if reader is None:
        raise _unknown(f"Its outermost element is {shorten(root.tag, 80)}.")
    feed = reader(root)
    if not feed.entries:
        _refuse_false_emptiness(root)
    return feed


def _refuse_false_emptiness(root: Any) -> None:
    """Refuse a document without entries that is not a listing of an empty day.

    The search API answers in Atom too, and items in another namespace are not seen by the readers.
    """
    title = (root.findtext(ATOM + "title") or "").strip().lower()
    if title.startswith(("arxiv query", "arxiv search")):
        raise _unknown("It is an answer of arXiv's search API.")
    for element in root.iter(etree.Element):
        if etree.QName(element).localname in ("item", "entry"):
            raise _unknown("Its items are in a namespace that no listing uses.")


def _unknown(why: str) -> FeedRejected:
    return FeedRejected("unknown_format", f"The document is XML but no arXiv listing. {why}")
