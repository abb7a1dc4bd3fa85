"""The older system's RSS, from the raw texts: read by a parser, it gives the same channel and the same items.

What is known of it comes from the public repository qhduan/cn-chat-arxiv (its ``cn_chat_arxiv.py`` and the ``*.xml`` that it
wrote): RSS 2.0 in ASCII with character references, without an XML declaration; a channel of title, link and description; an
item for each paper that the Markdown shows, in the same order (``app.render.classic``), of which the title is the one-line
summary and the description seven HTML paragraphs. Items had no guid, date, author or category, so there are none here.

Its descriptions held the raw texts as if they were HTML. They do here, except that what would act as HTML is defused.
"""

import re

from lxml import etree
from lxml.html import defs

from app.render.classic import join_lines, shown
from app.render.document import ClassicTexts, DigestDocument, View
from app.render.feeds.model import characters
from app.render.text import one_line, web_address

HOME = "https://github.com/qhduan/cn-chat-arxiv"

# A "<" begins markup before a letter, "/", "!" or "?" (HTML, section 13.2.5.6). Papers write such things as <term, definition>:
# an element that HTML does not know, closed, and without an attribute's value, does nothing, and so stays as it was.
MARKUP = re.compile(r"<(?=[A-Za-z/!?])(?:(?P<name>[A-Za-z][^\s/<>]*+)[^<>=]*+>)?")
# lxml's list of HTML's elements, and those that it lacks.
ELEMENTS = frozenset(
    {
        *defs.tags,
        *("bdi", "bgsound", "data", "dialog", "fencedframe", "frame", "image", "listing", "main", "multicol", "nextid"),
        *("nobr", "noembed", "noframes", "picture", "plaintext", "portal", "rb", "rtc", "search", "slot", "spacer"),
        *("template", "xmp"),
    }
)


def render(document: DigestDocument, view: View) -> bytes:
    """The digest as the older system's RSS: links descending as text, papers without a Chinese text left out."""
    name = one_line(document.channel) or one_line(document.title)
    rss = etree.Element("rss", version="2.0")
    channel = etree.SubElement(rss, "channel")
    _add(channel, "title", f"Chat Arxiv {name}")
    _add(channel, "link", HOME)
    _add(channel, "description", f"This is arxiv RSS feed for {name}")
    for paper in shown(document):
        item = etree.SubElement(channel, "item")
        _add(item, "title", paper.tldr or "")
        _add(item, "link", web_address(paper.link))
        _add(item, "description", _description(paper))
    written: bytes = etree.tostring(rss, encoding="us-ascii", xml_declaration=False)
    return written + b"\n"


def _description(paper: ClassicTexts) -> str:
    """The seven paragraphs; ``en_tldr`` is the only key the older renderer read, so a misspelt one gives an empty one."""
    paragraphs = (
        join_lines(paper.translated_title),
        paper.title,
        paper.link,
        paper.tldr or "",
        paper.en_tldr or "",
        join_lines(paper.translated_abstract),
        join_lines(paper.abstract),
    )
    return "\n".join(f"<p>\n{MARKUP.sub(_defused, text)}\n</p>" for text in paragraphs)


def _defused(markup: re.Match[str]) -> str:
    name = markup["name"]
    return markup[0] if name and name.lower() not in ELEMENTS else f"&lt;{markup[0][1:]}"


def _add(parent: etree._Element, name: str, text: str) -> None:
    etree.SubElement(parent, name).text = characters(text)
