"""Feeds: of one digest (the formats ``rss`` and ``atom``), and of a channel's digests or papers.

``of_digest`` says what a feed holds, ``model`` how it is written: ``atom(papers_feed(documents, view, head))``.
"""

from app.render.document import DigestDocument, Math, View
from app.render.feeds.model import FeedDocument, FeedEntry, atom, jsonfeed, rss
from app.render.feeds.of_digest import FeedHead, digest_feed, digests_feed, papers_feed
from app.render.media import MEDIA_TYPES

__all__ = [
    "MATH",
    "MEDIA_TYPES",
    "FeedDocument",
    "FeedEntry",
    "FeedHead",
    "atom",
    "digest_feed",
    "digests_feed",
    "jsonfeed",
    "papers_feed",
    "render_atom",
    "render_rss",
    "rss",
]

MATH = (Math.UNICODE, Math.MATHML, Math.TEX)  # of the contents; titles and summaries are plain text, without MathML


def render_atom(document: DigestDocument, view: View) -> bytes:
    """One digest as an Atom feed of its papers."""
    return atom(digest_feed(document, view, "atom"))


def render_rss(document: DigestDocument, view: View) -> bytes:
    """One digest as an RSS 2.0 feed of its papers."""
    return rss(digest_feed(document, view, "rss"))
