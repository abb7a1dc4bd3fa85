"""How a feed is written: valid Atom, RSS and JSON Feed for every text, with nothing lost on the way back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from time import mktime
from typing import Any
from uuid import UUID

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html

from app.render.feeds import FeedDocument, FeedEntry, atom, jsonfeed, rss
from app.render.feeds.model import characters, language_tag
from tests.render.feed_rules import LANG, NAMES, check_atom, check_json_feed, check_rss

MOMENT = datetime(2031, 3, 5, 6, 7, 8, tzinfo=UTC)
NASTY = (
    "<script>alert(1)</script>",
    "</title></entry>]]><evil/>",
    "]]>",
    "&lt;b&gt; &amp; &unknown; &#0; &#xD800;",
    "p < 0.05 & q > 1",
    "x" * 100_000,
    "NUL \x00 bell \x07 escape \x1b[31m C1 \x80\x9f",
    "lone \ud800 \udfff surrogates",
    "\u202eright to left\u202c \u200b\u200d zero width \ufeff",
    "\ufffe\uffff noncharacters",
    "unbalanced $ and \\frac{",
    '" onmouseover="alert(1)',
    "javascript:alert(1)",
    "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>&y;",
)


def entry(number: int = 1, **changes: Any) -> FeedEntry:
    plain = FeedEntry(
        id=f"urn:uuid:00000000-0000-5000-8000-{number:012}",
        title=f"Title {number}",
        url=f"https://arxiv.org/abs/3103.{number:05}",
        published=MOMENT,
        updated=MOMENT + timedelta(hours=number),
        authors=("Ada Meadow", "Björn Wool"),
        categories=("cs.CL", "cs.AI"),
        content_html="<p lang='en'>one &lt; two</p>",
        summary="一句话 <b> 摘要",
        language="zh-Hans",
        position=number,
        title_language="en",
    )
    return replace(plain, **changes)


def feed(*entries: FeedEntry, **changes: Any) -> FeedDocument:
    plain = FeedDocument(
        id="urn:uuid:00000000-0000-5000-9000-000000000000",
        title="cs.CL",
        subtitle="New papers.",
        rights="Thank you to arXiv.",
        language="zh-Hans",
        updated=max((one.updated for one in entries), default=MOMENT),
        entries=entries,
        subject_url="https://arxiv.org/list/cs.CL/new",
        self_url="https://zhaiyao.example/v1/channels/cs.CL/feed?entries=papers&language=zh",
        home_url="https://zhaiyao.example/channels/cs.CL",
    )
    return replace(plain, **changes)


def test_every_format_is_valid_and_says_all_of_an_entry() -> None:
    document = feed(entry(1), entry(2, authors=(), categories=(), summary=None, url=None))
    root = check_atom(atom(document), document.self_url)
    channel = check_rss(rss(document), document.self_url)
    written = check_json_feed(jsonfeed(document), document.self_url)
    first = root.find("atom:entry", NAMES)
    assert first.findtext("atom:published", namespaces=NAMES) == "2031-03-05T06:07:08Z"
    assert first.findtext("atom:updated", namespaces=NAMES) == "2031-03-05T07:07:08Z"
    assert first.find("atom:title", NAMES).get(LANG) == "en" and first.get(LANG) is None
    assert root.get(LANG) == "zh-Hans"
    item = channel.find("item")
    assert item.findtext("pubDate") == "Wed, 05 Mar 2031 06:07:08 GMT"
    assert [one.text for one in item.findall("dc:creator", NAMES)] == ["Ada Meadow", "Björn Wool"]
    assert item.findtext("dc:language", namespaces=NAMES) == "zh-Hans"
    # An RSS description is HTML (RSS profile), so that plain text is escaped in it; a title is plain text.
    assert html.fragment_fromstring(item.findtext("description"), "p").text == "一句话 <b> 摘要"
    assert "Thank you to arXiv." in channel.findtext("description")
    assert written["items"][0] == {
        "id": entry().id,
        "url": "https://arxiv.org/abs/3103.00001",
        "title": "Title 1",
        "content_html": "<p lang='en'>one &lt; two</p>",
        "summary": "一句话 <b> 摘要",
        "date_published": "2031-03-05T06:07:08Z",
        "date_modified": "2031-03-05T07:07:08Z",
        "authors": [{"name": "Ada Meadow"}, {"name": "Björn Wool"}],
        "tags": ["cs.CL", "cs.AI"],
        "language": "zh-Hans",
        "_zhaiyao": {"position": 1},
    }
    assert "Thank you to arXiv." in written["description"]
    assert root.findtext("atom:rights", namespaces=NAMES) == "Thank you to arXiv."


def test_addresses_that_are_not_known_are_left_out_but_rss_has_its_link() -> None:
    document = feed(entry(url=None), self_url=None, home_url=None)
    assert check_atom(atom(document)).findall("atom:link", NAMES) == []
    channel = check_rss(rss(document))
    assert channel.findtext("link") == "https://arxiv.org/list/cs.CL/new"
    assert channel.findall("atom:link", NAMES) == [] and channel.find("item/link") is None
    assert not {"home_page_url", "feed_url", "next_url"} & check_json_feed(jsonfeed(document)).keys()


def test_pages_are_linked_by_the_names_of_rfc_5005() -> None:
    pages = {
        "first_url": "https://z.example/1",
        "previous_url": "https://z.example/2",
        "next_url": "https://z.example/4?a=b&c=d",
    }
    document = feed(entry(), **pages)
    for parent in (check_atom(atom(document), document.self_url), check_rss(rss(document), document.self_url)):
        links = {link.get("rel"): link.get("href") for link in parent.findall("atom:link", NAMES)}
        assert [links[rel] for rel in ("first", "previous", "next")] == list(pages.values())
    assert check_json_feed(jsonfeed(document), document.self_url)["next_url"] == pages["next_url"]


def test_a_feed_without_entries_is_valid() -> None:
    document = feed()
    check_atom(atom(document), document.self_url)
    check_rss(rss(document), document.self_url)
    assert check_json_feed(jsonfeed(document), document.self_url)["items"] == []


@pytest.mark.parametrize("text", NASTY, ids=lambda text: ascii(text[:20]))
def test_no_text_breaks_out_of_its_element_or_is_lost(text: str) -> None:
    check_read_back(nasty_entry(text))


@given(st.text(st.characters(exclude_categories=[]), min_size=1))
@settings(max_examples=60, deadline=None)
def test_any_text_is_read_back(text: str) -> None:
    check_read_back(nasty_entry(text))


def nasty_entry(text: str) -> FeedEntry:
    return entry(title=text, authors=(text,), categories=(text,), content_html=text, summary=text, language=text)


def check_read_back(one: FeedEntry) -> None:
    """Assert that lxml and json read every text of an entry as it was, except for what no document can hold."""
    document = feed(one, title=one.title, subtitle=one.title, language=one.language)
    text = characters(one.title)
    root = check_atom(atom(document), document.self_url)
    for path in ("title", "subtitle", "entry/title", "entry/author/name", "entry/content", "entry/summary"):
        assert root.findtext("/".join(f"atom:{name}" for name in path.split("/")), namespaces=NAMES) == text, path
    assert root.find("atom:entry/atom:category", NAMES).get("term") == text
    channel = check_rss(rss(document), document.self_url)
    for path in ("title", "item/title", "item/dc:creator", "item/category", "item/content:encoded"):
        assert channel.findtext(path, namespaces=NAMES) == text, path
    item = check_json_feed(jsonfeed(document), document.self_url)["items"][0]
    assert [item[name] for name in ("title", "content_html", "summary")] == [text] * 3
    assert item["authors"] == [{"name": text}] and item["tags"] == [text]


def test_feedparser_reads_what_lxml_reads() -> None:
    entries = [entry(number, title=f"{number}: p < 0.05 & <x> $a_1$ “引”") for number in range(1, 40)]
    document = feed(*entries)
    for write in (atom, rss):
        read = feedparser.parse(write(document))
        assert not read.bozo
        assert read.feed.title == "cs.CL" and read.feed.language == "zh-Hans"
        assert [link.href for link in read.feed.links if link.rel == "self"] == [document.self_url]
        for one, found in zip(entries, read.entries, strict=True):
            assert (found.id, found.title, found.link) == (one.id, one.title, one.url)
            assert [author.name for author in found.authors] == list(one.authors)
            assert [tag.term for tag in found.tags] == list(one.categories)
            assert mktime(found.published_parsed) == mktime(one.published.timetuple())
            assert mktime(found.updated_parsed) == mktime(one.updated.timetuple())
            assert [content.value for content in found.content] == ['<p lang="en">one &lt; two</p>']


def test_dates_are_english_and_in_utc() -> None:
    east = datetime(2031, 1, 1, 5, 30, 0, 250_000, tzinfo=timezone(timedelta(hours=8)))
    document = feed(entry(published=east, updated=datetime(2031, 2, 3, 4, 5, 6)))  # noqa: DTZ001  (naive is UTC)
    item = check_rss(rss(document), document.self_url).find("item")
    assert item.findtext("pubDate") == "Tue, 31 Dec 2030 21:30:00 GMT"
    assert item.findtext("atom:updated", namespaces=NAMES) == "2031-02-03T04:05:06Z"


def test_bytes_are_the_same_every_time_and_end_their_line() -> None:
    for write in (atom, rss, jsonfeed):
        assert write(feed(entry())) == write(feed(entry()))
        assert write(feed(entry())).endswith(b"\n")


@pytest.mark.parametrize(
    ("language", "tag"), [("zh-Hans", "zh-Hans"), ("zh_TW", "zh-TW"), ("", "und"), ("a b", "und"), ("\ud800", "und")]
)
def test_a_language_is_a_tag(language: str, tag: str) -> None:
    assert language_tag(language) == tag


def test_ids_in_these_tests_are_uuids() -> None:
    assert UUID(entry().id.removeprefix("urn:uuid:")).version == 5
