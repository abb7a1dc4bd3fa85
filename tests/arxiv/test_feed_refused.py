"""Documents that are refused: each with its reason and one plain sentence, never as an empty day."""

import random
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.arxiv import ids
from app.arxiv.feed import parse_feed
from app.errors import FeedRejected

FIXTURES = Path(__file__).parent / "fixtures"
CURRENT = (FIXTURES / "rss2-current.xml").read_bytes()
LEGACY = (FIXTURES / "rss1.xml").read_bytes()
ATOM = (FIXTURES / "atom-current.xml").read_bytes()
EMPTY = (FIXTURES / "rss2-empty.xml").read_bytes()

REASONS = {
    "too_large",
    "empty_body",
    "html",
    "not_xml",
    "truncated",
    "forbidden_xml",
    "unknown_format",
    "error_feed",
    "no_date",
    "bad_item",
}


def refuse(body: bytes, **limits: int) -> FeedRejected:
    with pytest.raises(FeedRejected) as refused:
        parse_feed(body, **limits)
    error = refused.value
    assert error.reason in REASONS
    assert "\n" not in error.detail
    assert error.detail[0].isupper()
    assert error.detail[-1] in ".;"
    assert len(error.detail) < 500
    return error


def changed(body: bytes, *changes: tuple[str, str]) -> bytes:
    text = body.decode()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty_body"),
        (b" \n\t ", "empty_body"),
        (b"\xef\xbb\xbf\n", "empty_body"),
        (b"<!DOCTYPE html><html><body>Sorry</body></html>", "html"),
        (b"<!doctype HTML PUBLIC '-//W3C//DTD HTML 4.01//EN'>\n<html>", "html"),
        (b"\n<html lang='en'><p>unclosed", "html"),
        (b"<?xml version='1.0'?><!-- hello --><!DOCTYPE html [<!ENTITY a 'b'>]><html/>", "html"),
        (b"<html xmlns='http://www.w3.org/1999/xhtml'><body/></html>", "html"),
        (b"<x:html xmlns:x='http://www.w3.org/1999/xhtml'/>", "html"),
        (b"<p>Please name a category, such as <a href='/rss/cs'>cs</a>.</p>", "html"),
        (b"Rate exceeded.", "not_xml"),
        (b'{"error": "busy"}', "not_xml"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not_xml"),
        (b"\x00\x01", "not_xml"),
        (b"<rss><channel></rss>", "not_xml"),
        (b"<rss><channel>&nbsp;</channel></rss>", "not_xml"),
        (b"<rss><dc:creator/></rss>", "not_xml"),
        (b"<rss version=2.0></rss>", "not_xml"),
        (b"<rss>\x0b</rss>", "not_xml"),
        (b"<rss>\xff\xfe</rss>", "not_xml"),
        (b"<?xml version='1.0' encoding='klingon'?><rss/>", "not_xml"),
        (b"<?xml version='1.0' encoding='utf-16'?><rss/>", "not_xml"),
        (b"<rss/><rss/>", "not_xml"),
        (b"<rss/>trailing", "not_xml"),
        (b"<a>" * 400 + b"</a>" * 400, "not_xml"),
        (b"<", "truncated"),
        (b"<?xml version='1.0'", "truncated"),
        (b"<rss version='2.0'><channel><title>cs upd", "truncated"),
        (b"<rss version='2.0'><channel></channel></rs", "truncated"),
        (b"<rss><!-- unfinished", "truncated"),
        (b"<rss><![CDATA[ unfinished", "truncated"),
        (b"<rss>\xc3", "truncated"),
        (b"<!DOCTYPE rss><rss/>", "forbidden_xml"),
        (b"<?xml version='1.0'?>\n<!-- a -->\n<!DOCTYPE rss [<!ENTITY a 'b'>]><rss>&a;</rss>", "forbidden_xml"),
        (b"<!DOCTYPE rss SYSTEM 'file:///etc/passwd'><rss/>", "forbidden_xml"),
        ("<!DOCTYPE rss [<!ENTITY a 'b'>]><rss/>".encode("utf-16"), "forbidden_xml"),
        (b"<opml/>", "unknown_format"),
        (b"<feed><title>cs updates on arXiv.org</title></feed>", "unknown_format"),
        (b"<x:rss xmlns:x='urn:x'/>", "unknown_format"),
        (b"<rss version='2.0'/>", "no_date"),
        (b"<rss version='2.0'><channel><title>cs updates on arXiv.org</title></channel></rss>", "no_date"),
        (b"<feed xmlns='http://www.w3.org/2005/Atom'/>", "no_date"),
    ],
)
def test_reasons(body: bytes, reason: str) -> None:
    assert refuse(body).reason == reason


def test_entity_bombs_are_refused_before_they_go_off() -> None:
    levels = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10}'>" for n in range(1, 12))
    bomb = f"<!DOCTYPE rss [<!ENTITY e0 'tea'>{levels}]><rss><channel><title>&e11;</title></channel></rss>"
    assert refuse(bomb.encode()).reason == "forbidden_xml"
    assert refuse(bomb.encode("utf-16")).reason in ("forbidden_xml", "not_xml")


def test_size_limit() -> None:
    assert refuse(CURRENT, max_bytes=len(CURRENT) - 1).reason == "too_large"
    assert parse_feed(CURRENT, max_bytes=len(CURRENT)).entries


@pytest.mark.parametrize("body", [CURRENT, ATOM, LEGACY], ids=["rss2", "atom", "rss1"])
def test_no_beginning_of_a_document_passes(body: bytes) -> None:
    whole = body.rstrip()
    for end in range(1, len(whole), 7):
        assert refuse(whole[:end]).reason == "truncated"


def test_error_feed_gives_arxivs_own_reason() -> None:
    body = changed(
        EMPTY,
        ("<title>cs.CL updates on arXiv.org", "<title>Feed error for query: http://rss.arxiv.org/rss/tea"),
        ("cs.CL updates on the arXiv.org e-print archive.", "Bad archive 'tea'. Valid names are: " + "cs, " * 200),
    )
    error = refuse(body.replace(b"cs, </desc", b"cs.</desc"))
    assert error.reason == "error_feed"
    assert "Bad archive 'tea'." in error.detail


def test_error_feed_in_atom() -> None:
    body = (
        b"<feed xmlns='http://www.w3.org/2005/Atom'><title>Feed error for query: http://rss.arxiv.org/atom/tea</title>"
        b"<updated>2026-01-08T05:00:00+00:00</updated><subtitle>Bad archive 'tea'.</subtitle></feed>"
    )
    error = refuse(body)
    assert (error.reason, error.detail.endswith("Bad archive 'tea'.")) == ("error_feed", True)


ITEM_FAULTS = [
    (CURRENT, ("oai:arXiv.org:2601.00007v1", "oai:arXiv.org:teapot"), "item 1", "teapot"),
    (CURRENT, ("oai:arXiv.org:2601.00007v1", "oai:arXiv.org:2601.00008v1"), "item 1", "2601.00008v1"),
    (CURRENT, ("https://arxiv.org/abs/2404.02342", "https://arxiv.org/abs/2404.02343"), "item 2", "2404.02343"),
    (CURRENT, ("arXiv:2404.02342v3 Announce", "arXiv:2404.02343v3 Announce"), "item 2", "2404.02343v3"),
    (CURRENT, ("arXiv:2404.02342v3 Announce", "arXiv:2404.02342v4 Announce"), "item 2", "2404.02342v4"),
    (CURRENT, ("arXiv:2404.02342v3 Announce", "arXiv:tea Announce"), "item 2", "'tea'"),
    (CURRENT, ("announce_type>cross<", "announce_type>revived<"), "item 2", "'revived'"),
    (CURRENT, ("Announce Type: cross", "Announce Type: revived"), "item 2", "'revived'"),
    (ATOM, ("oai:arXiv.org:2601.04321v4", "oai:arXiv.org:v4"), "item 2", "guid"),
    (ATOM, ("announce_type>new<", "announce_type>old<"), "item 1", "'old'"),
    (LEGACY, ("arXiv:1906.00002v7", "arXiv:1906.00003v7"), "item 2", "1906.00003v7"),
    (LEGACY, ("<link>http://arxiv.org/abs/1906.00004", "<link>http://arxiv.org/abs/1906.0000x"), "item 4", "link"),
    (LEGACY, ('<item rdf:about="http://arxiv.org/abs/1906.00004', '<item rdf:about="x'), "item 4", "rdf:about"),
    (LEGACY, ("[nucl-th] UPDATED", "[nucl-th] REVIVED"), "item 2", "'REVIVED'"),
]


@pytest.mark.parametrize(("body", "change", "place", "shown"), ITEM_FAULTS)
def test_one_bad_item_refuses_the_document_and_is_named(
    body: bytes, change: tuple[str, str], place: str, shown: str
) -> None:
    error = refuse(changed(body, change))
    assert error.reason == "bad_item"
    assert f"{place} (" in error.detail
    assert shown in error.detail


def test_two_items_that_ran_into_one_are_noticed() -> None:
    start, end = (
        CURRENT.index(b"<guid", CURRENT.index(b"2404.02342")),
        CURRENT.index(b"<link>https://arxiv.org/abs/math"),
    )
    error = refuse(CURRENT[:start] + CURRENT[end:])
    assert (error.reason, "item 2 (" in error.detail) == ("bad_item", True)


def test_item_without_any_id_or_type() -> None:
    start, end = CURRENT.index(b"<item>"), CURRENT.rindex(b"</item>") + len(b"</item>")
    no_id = refuse(CURRENT[:start] + b"<item><title>Tea</title></item>" + CURRENT[end:])
    assert (no_id.reason, "item 1:" in no_id.detail) == ("bad_item", True)
    no_type = b"<item><guid>oai:arXiv.org:2601.00007v1</guid></item>"
    assert "no announce type" in refuse(CURRENT[:start] + no_type + CURRENT[end:]).detail
    nameless = changed(LEGACY, ('<item rdf:about="http://arxiv.org/abs/1906.00004">', "<item>"))
    assert refuse(nameless.replace(b"<link>http://arxiv.org/abs/1906.00004</link>", b"")).reason == "bad_item"


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        (EMPTY, [("<pubDate>Sat, 10 Jan 2026 00:00:00 -0500", "<pubDate>soon"), ("05:00:01 +0000", "o'clock")]),
        (CURRENT, [("<pubDate>Thu, 08 Jan", "<pubDate>Thu, 38 Jan"), ("05:00:03 +0000", "o'clock")]),
        (LEGACY, [("<dc:date>2019", "<dc:date>x2019")]),
        (LEGACY, [("<dc:date>2019-06-04T20:30:00-05:00</dc:date>", "")]),
        (LEGACY, [('<channel rdf:about="http://arxiv.org/">', "<tunnel>"), ("</channel>", "</tunnel>")]),
    ],
)
def test_documents_without_a_day(body: bytes, changes: list[tuple[str, str]]) -> None:
    assert refuse(changed(body, *changes)).reason == "no_date"


def test_an_answer_of_the_search_api_is_no_empty_day() -> None:
    body = (
        b"<feed xmlns='http://www.w3.org/2005/Atom'><title>arXiv Query: search_query=all:tea</title>"
        b"<updated>2026-01-08T05:00:00+00:00</updated></feed>"
    )
    assert refuse(body).reason == "unknown_format"


@pytest.mark.parametrize(
    ("body", "change"),
    [
        (CURRENT, ("<item>", "<item xmlns='urn:tea'>")),
        (ATOM, ("<entry>", "<entry xmlns=''>")),
        (LEGACY, ("<item rdf", "<item xmlns='urn:tea' rdf")),
    ],
)
def test_items_that_no_reader_sees_are_no_empty_day(body: bytes, change: tuple[str, str]) -> None:
    assert refuse(changed(body, change)).reason == "unknown_format"


def survive(body: bytes) -> None:
    """Read, with papers that have ids, or refused: any other error fails the test."""
    with suppress(FeedRejected):
        feed = parse_feed(body)
        assert all(ids.parse(entry.arxiv_id).id == entry.arxiv_id for entry in feed.entries)


@given(st.binary(max_size=300))
def test_any_bytes(body: bytes) -> None:
    survive(body)


@given(st.text(max_size=300))
def test_any_text_in_a_title_or_date(text: str) -> None:
    for field in ("cs.CL updates on arXiv.org", "Sat, 10 Jan 2026 00:00:00 -0500"):
        survive(EMPTY.replace(field.encode(), text.encode(errors="replace")))


TOKENS = [b"<", b">", b"&", b"</item>", b"<item>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"\x00", b" xmlns=''"]
ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;"})


@given(
    st.sampled_from([CURRENT, ATOM, LEGACY]),
    st.randoms(use_true_random=False),
    st.integers(1, 6),
    st.lists(st.sampled_from(TOKENS) | st.binary(max_size=12), min_size=1, max_size=6),
)
def test_damaged_documents(body: bytes, dice: random.Random, wounds: int, inserts: list[bytes]) -> None:
    for _ in range(wounds):
        start = dice.randrange(len(body))
        body = body[:start] + dice.choice(inserts) + body[start + dice.choice((0, 0, 1, 5, 400)) :]
    survive(body)


@given(
    st.sampled_from([CURRENT, ATOM, LEGACY]),
    st.integers(0, 60),
    st.text(alphabet=st.characters(codec="utf-8"), max_size=60),
)
def test_any_text_in_any_element(body: bytes, which: int, text: str) -> None:
    parts = body.split(b"</")
    at = which % (len(parts) - 1)
    head, tag, _ = parts[at].rpartition(b">")
    clean = "".join(character for character in text if character.isprintable()).translate(ENTITIES)
    parts[at] = head + tag + clean.encode()
    survive(b"</".join(parts))
