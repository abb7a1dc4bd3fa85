"""Bytes to an XML tree, or the exact reason why not.

A parser of feeds that forgives shows half a listing as a whole one, so this one is strict: a document that is
not well-formed to its last byte is refused, and so is every construct that arXiv never sends and attackers
do.
"""

import re
from typing import Any, Final

from lxml import etree

from app.errors import FeedRejected

_BOM: Final = b"\xef\xbb\xbf"
_BEFORE_ROOT: Final = re.compile(rb"\s*(?:<\?.*?\?>|<!--.*?-->)", re.DOTALL)
_HTML: Final = re.compile(rb"\s*<(?:!doctype\s+html|html|head|body|title|meta|center|div|p|h1)\b", re.IGNORECASE)
_DOCTYPE: Final = re.compile(rb"\s*<!doctype", re.IGNORECASE)


def read(body: bytes, max_bytes: int) -> Any:
    """The root element of an XML document.

    Raises FeedRejected with ``too_large``, ``empty_body``, ``html``, ``forbidden_xml``, ``truncated`` or
    ``not_xml``.
    """
    if len(body) > max_bytes:
        raise FeedRejected(
            "too_large",
            f"The document has {len(body):,} bytes, which is more than the {max_bytes:,} that are read.",
        )
    start = len(_BOM) if body.startswith(_BOM) else 0
    if not body[start : start + 1000].strip() and not body[start:].strip():
        raise FeedRejected("empty_body", "The document is empty.")
    _refuse_by_beginning(body, start)
    try:
        root = etree.fromstring(body, _parser())
    except (etree.XMLSyntaxError, LookupError, ValueError) as error:
        raise _not_readable(body, error) from error
    # The look at the beginning does not see a declaration in UTF-16; the parsed document does.
    if root.getroottree().docinfo.doctype:
        raise _forbidden()
    if etree.QName(root).localname.lower() == "html":
        raise _html()
    return root


def _parser() -> Any:
    """A new parser, because lxml's are not safe to share between threads that feed them."""
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False)


def _refuse_by_beginning(body: bytes, start: int) -> None:
    """Refuse HTML and document type declarations before any XML parser sees them."""
    while match := _BEFORE_ROOT.match(body, start):
        start = match.end()
    if _HTML.match(body, start):
        raise _html()
    if _DOCTYPE.match(body, start):
        raise _forbidden()


def _not_readable(body: bytes, error: Exception) -> FeedRejected:
    """Tell a document that simply stops early from one that is wrong.

    The push parser makes the difference exact: it complains about what is wrong as soon as it sees it, and
    about what is missing only when it is told that nothing more will come.
    """
    parser = _parser()
    try:
        parser.feed(body)
        # Some faults, such as an entity without a declaration, are only noted while more may come.
        stops_early = not parser.feed_error_log and b"<" in body[:8]
    except (etree.XMLSyntaxError, LookupError, ValueError):
        stops_early = False
    if stops_early:
        return FeedRejected("truncated", f"The document stops early, after {len(body):,} bytes; fetch it again.")
    cause = " ".join(str(getattr(error, "msg", None) or error).split())[:200]
    return FeedRejected("not_xml", f"The document is not well-formed XML: {cause}.")


def _html() -> FeedRejected:
    return FeedRejected("html", "The document is a web page, not a listing.")


def _forbidden() -> FeedRejected:
    return FeedRejected(
        "forbidden_xml",
        "The document has a DOCTYPE or entity declaration, which arXiv's listings never have.",
    )
