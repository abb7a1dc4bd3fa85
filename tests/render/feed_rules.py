"""The rules of the feed formats' validators, as assertions: RFC 4287, RFC 5005, RSS 2.0 and its profile, JSON Feed 1.1."""

import json
import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from lxml import etree

NAMES = {
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "xml": "http://www.w3.org/XML/1998/namespace",
}
LANG = f"{{{NAMES['xml']}}}lang"
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)").fullmatch
RFC_822 = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT"
).fullmatch
URN = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}").fullmatch
TAG = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*").fullmatch
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")

FEED_ONCE = {"id", "title", "subtitle", "updated", "rights", "generator"}
ENTRY_ONCE = {"id", "title", "published", "updated", "summary", "content"}


def check_atom(written: bytes, self_url: str | None = None) -> etree._Element:
    """Assert that an Atom feed is valid, and give its root."""
    root = _well_formed(written)
    assert root.tag == _atom("feed")
    _count(root, required={"id", "title", "updated"}, once=FEED_ONCE, many={"link", "entry", "author"})
    assert root.find(_atom("author")) is not None  # of entries without an author of their own
    _check_links(root.findall(_atom("link")), self_url)
    entries = root.findall(_atom("entry"))
    for entry in entries:
        _count(
            entry, required={"id", "title", "updated", "content"}, once=ENTRY_ONCE, many={"link", "author", "category"}
        )
        assert entry.findtext(_atom("content")) is not None and entry.find(_atom("content")).get("type") == "html"
        assert [link.get("rel") for link in entry.findall(_atom("link"))] in ([], ["alternate"])
        assert all(category.get("term") for category in entry.findall(_atom("category")))
    _check_ids([_text(one, "atom:id") for one in (root, *entries)])
    for name in ("updated", "published"):
        for element in root.iter(_atom(name)):
            assert RFC_3339(element.text or "") and datetime.fromisoformat(element.text or "")
    if entries:
        moments = [datetime.fromisoformat(_text(entry, "atom:updated")) for entry in entries]
        assert datetime.fromisoformat(_text(root, "atom:updated")) == max(moments)
    for person in root.iter(_atom("author")):
        assert [child.tag for child in person] == [_atom("name")] and person[0].text
    assert root.get(LANG)
    return root


def check_rss(written: bytes, self_url: str | None = None) -> etree._Element:
    """Assert that an RSS 2.0 feed is valid, and give its channel."""
    root = _well_formed(written)
    assert root.tag == "rss" and dict(root.attrib) == {"version": "2.0"}
    (channel,) = root
    _count(
        channel,
        required={"title", "link", "description"},
        once={"title", "link", "description", "language", "lastBuildDate", "generator"},
        many={"item", _atom("link")},
        namespace="",
    )
    assert channel.findtext("title") and channel.findtext("description")
    assert _is_absolute(channel.findtext("link") or "")
    assert TAG(channel.findtext("language") or "")
    _check_mail_date(channel.findtext("lastBuildDate") or "")
    _check_links(channel.findall(_atom("link")), self_url)
    content, language = f"{{{NAMES['content']}}}encoded", f"{{{NAMES['dc']}}}language"
    once = {"title", "link", "description", "guid", "pubDate", content, language, _atom("updated")}
    for item in channel.findall("item"):
        many = {"category", f"{{{NAMES['dc']}}}creator"}
        _count(item, required={"title", "guid", "pubDate", content}, once=once, many=many, namespace="")
        assert item.findtext("title")
        assert item.find("guid").get("isPermaLink") == "false"
        _check_mail_date(item.findtext("pubDate") or "")
        assert item.find("link") is None or _is_absolute(item.findtext("link") or "")
        assert TAG(item.findtext(language) or "")
    _check_ids([item.findtext("guid") or "" for item in channel.findall("item")])
    return channel


def check_json_feed(written: bytes, self_url: str | None = None) -> dict[str, Any]:
    """Assert that a JSON Feed is valid, and give it."""
    feed: dict[str, Any] = json.loads(written)
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["title"] and isinstance(feed["items"], list)
    assert feed.get("feed_url") == self_url
    texts = {"version", "title", "home_page_url", "feed_url", "description", "next_url", "language"}
    assert feed.keys() <= texts | {"authors", "items"}
    assert all(isinstance(feed[name], str) for name in texts & feed.keys())
    for item in feed["items"]:
        texts = {"id", "url", "title", "content_html", "summary", "date_published", "date_modified", "language"}
        assert item.keys() <= texts | {"authors", "tags", "_zhaiyao"}
        assert all(isinstance(item[name], str) for name in texts & item.keys())
        assert "content_html" in item  # or content_text
        assert RFC_3339(item["date_published"]) and RFC_3339(item["date_modified"])
        assert all(author.keys() == {"name"} and author["name"] for author in item.get("authors", ()))
        assert TAG(item["language"])
        assert all(isinstance(tag, str) and tag for tag in item.get("tags", ()))
        assert item.get("url") is None or _is_absolute(item["url"])
    assert all(_is_absolute(feed[name]) for name in ("home_page_url", "feed_url", "next_url") if name in feed)
    _check_ids([item["id"] for item in feed["items"]])
    assert not CONTROL.search(json.dumps(feed, ensure_ascii=False))
    assert not re.search(r"\\u00[01][0-9a-f]", written.decode().replace("\\\\", ""))
    return feed


def _well_formed(written: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    root = etree.fromstring(written, parser)
    for element in root.iter():
        assert isinstance(element.tag, str)  # no comment, no processing instruction
        values = [element.text or "", *map(str, element.attrib.values())]
        assert not any(CONTROL.search(value) for value in values)
        assert len(element) == 0 or not (element.text or "").strip()  # text only in leaves: nothing broke out
        assert not (element.tail or "").strip()
    return root


def _count(
    element: etree._Element, *, required: set[str], once: set[str], many: set[str], namespace: str = NAMES["atom"]
) -> None:
    def whole(names: set[str]) -> set[str]:
        return {f"{{{namespace}}}{name}" if namespace and name[0] != "{" else name for name in names}

    tags = [child.tag for child in element]
    assert set(tags) <= whole(once) | whole(many)
    assert whole(required) <= set(tags)
    for name in whole(once):
        assert tags.count(name) <= 1, name


def _check_links(links: list[etree._Element], self_url: str | None) -> None:
    assert all(_is_absolute(link.get("href")) for link in links)
    assert [link.get("href") for link in links if link.get("rel") == "self"] == ([self_url] if self_url else [])
    rels = [link.get("rel") for link in links]
    assert len(rels) == len(set(rels))
    assert set(rels) <= {"self", "alternate", "first", "last", "previous", "next"}  # RFC 5005's names


def _check_ids(ids: list[str]) -> None:
    assert all(map(URN, ids)), ids
    assert len(ids) == len(set(ids))


def _check_mail_date(text: str) -> None:
    assert RFC_822(text), text
    assert parsedate_to_datetime(text).strftime("%a")[:3] == text[:3]


def _is_absolute(url: str | None) -> bool:
    parts = urlsplit(url or "")
    return parts.scheme in ("http", "https") and bool(parts.netloc) and (url or "").isascii() and " " not in (url or "")


def _text(element: etree._Element, path: str) -> str:
    return str(element.findtext(path, namespaces=NAMES))


def _atom(name: str) -> str:
    return f"{{{NAMES['atom']}}}{name}"
