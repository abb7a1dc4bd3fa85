"""What the feeds of digests hold: entries, ids, dates, titles, languages."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html

from app.render.document import DigestDocument, IncompleteListing, ItemAuthor, Links, Math, Period, View
from app.render.feeds import FeedDocument, FeedHead, atom, digest_feed, digests_feed, jsonfeed, papers_feed, rss
from app.render.phrases import ACKNOWLEDGEMENT
from tests.render import archive
from tests.render.documents import ALL_FIELDS, COUNTING, EMPTY, MADE_AT, STALE, UNTRANSLATED, document, item
from tests.render.feed_rules import check_atom, check_json_feed, check_rss
from tests.render.golden_files import check_golden
from tests.render.rendering import render

HERE = View(Math.UNICODE, "https://zhaiyao.example")
NOWHERE = View(Math.UNICODE)
HEAD = FeedHead(
    channel="cs.CL",
    title="cs.CL: Computation and Language",
    language="zh",
    created_at=MADE_AT,
    self_url="https://zhaiyao.example/v1/channels/cs.CL/feed.atom",
    home_url="https://zhaiyao.example/channels/cs.CL",
)
DAY = timedelta(days=1)


def day(number: int, *items: Any, **changes: Any) -> DigestDocument:
    """A digest of a later day, its papers dated like itself."""
    made = MADE_AT + number * DAY
    dated = [replace(one, added_at=one.added_at or made, changed_at=one.changed_at or made) for one in items]
    on = date(2031, 3, 4) + number * DAY
    plain = document(*dated, id=f"digest-{number}", created_at=made, first_created_at=made, period=Period(on, on))
    return replace(plain, language="zh", title=f"cs.CL, {on}", **changes)


def canonical(fragment: str) -> bytes:
    """An HTML fragment with its attributes in order: feedparser sorts them."""
    tree = html.fragment_fromstring(fragment.strip(), create_parent="div")
    written: bytes = etree.tostring(tree, method="c14n")
    return written


def check_all(feed: FeedDocument) -> None:
    check_atom(atom(feed), feed.self_url)
    check_rss(rss(feed), feed.self_url)
    check_json_feed(jsonfeed(feed), feed.self_url)


@pytest.mark.parametrize("format", ["rss", "atom"])
def test_golden(format: str) -> None:
    check_golden(f"all-fields-zh.{format}", render(ALL_FIELDS, format, base_url="https://zhaiyao.example"))
    check_golden(f"empty-zh.{format}", render(EMPTY, format))


def test_golden_json_feed_of_papers() -> None:
    feed = papers_feed([ALL_FIELDS], HERE, replace(HEAD, next_url="https://zhaiyao.example/next"))
    check_golden("papers-zh.feed.json", jsonfeed(feed).decode())


@pytest.mark.parametrize("format", ["rss", "atom"])
def test_a_digest_gives_one_entry_for_each_paper_and_links_to_itself(format: str) -> None:
    check = {"rss": check_rss, "atom": check_atom}[format]
    check(render(ALL_FIELDS, format).encode())
    address = f"https://zhaiyao.example/v1/digests/{ALL_FIELDS.id}.{format}"
    check(render(ALL_FIELDS, format, base_url="https://zhaiyao.example").encode(), address)
    check(
        render(ALL_FIELDS, format, math="mathml", base_url="https://zhaiyao.example").encode(), f"{address}?math=mathml"
    )
    read = feedparser.parse(render(ALL_FIELDS, format, base_url="https://zhaiyao.example"))
    assert [entry.link for entry in read.entries] == [one.links.abs for one in ALL_FIELDS.items]
    assert read.feed.link == f"https://zhaiyao.example/v1/digests/{ALL_FIELDS.id}.html"
    assert ACKNOWLEDGEMENT in (read.feed.description if format == "rss" else read.feed.rights)


def test_titles_are_translated_and_in_unicode_or_tex_and_contents_as_asked() -> None:
    by_math = {math: digest_feed(document(COUNTING, language="zh"), View(math)).entries[0] for math in Math}
    assert by_math[Math.UNICODE].title.startswith("用 O(n log n) 个梦数羊")
    assert by_math[Math.MATHML].title == by_math[Math.UNICODE].title
    assert by_math[Math.TEX].title == COUNTING.translated_title
    assert "<math" in by_math[Math.MATHML].content_html
    assert "<math" not in by_math[Math.UNICODE].content_html + by_math[Math.TEX].content_html
    assert "$O(n \\log n)$" in by_math[Math.TEX].content_html


def test_a_paper_without_texts_keeps_a_title() -> None:
    bare = digest_feed(document(item(title=None, summary_status="pending")), NOWHERE).entries[0]
    assert (bare.title, bare.summary) == ("3103.00001", None)


def test_english_texts_of_a_chinese_digest_are_marked_english() -> None:
    translated, untranslated = (
        digest_feed(ALL_FIELDS, NOWHERE).entries[0],
        digest_feed(UNTRANSLATED, NOWHERE).entries[0],
    )
    assert (translated.language, translated.title_language, translated.summary_language) == ("zh", "zh", "zh")
    assert (untranslated.language, untranslated.title_language, untranslated.summary_language) == ("en", "en", "en")
    half = digest_feed(document(replace(STALE, translated_title=None), language="zh"), NOWHERE).entries[0]
    assert (half.language, half.title_language, half.summary_language) == ("zh", "en", "zh")
    assert 'xml:lang="en"' in render(document(replace(STALE, translated_title=None), language="zh"), "atom")


def test_names_and_categories() -> None:
    entry = digest_feed(ALL_FIELDS, NOWHERE).entries[0]
    assert entry.authors == ("Ada Meadow", "Björn Wool", "杨小绵")
    assert entry.categories == ("cs.CL", "cs.AI")
    twice = item(primary_category="cs.LG", categories=("cs.CL", "cs.LG", " "), authors=(ItemAuthor(" "),))
    entry = digest_feed(document(twice), NOWHERE).entries[0]
    assert (entry.authors, entry.categories) == ((), ("cs.LG", "cs.CL"))


def test_ids_never_change() -> None:
    """The numbers are written down: a reader that sees another id shows every paper once more."""
    first = digest_feed(ALL_FIELDS, HERE)
    assert first.id == "urn:uuid:f98965ac-5b69-5f55-ad83-097a6edef7dc"
    assert first.entries[0].id == "urn:uuid:8c1eebee-707c-5732-9836-a5d6f9102274"
    later = replace(ALL_FIELDS, revision=9, title="x", created_at=MADE_AT + DAY, items=ALL_FIELDS.items[::-1])
    assert {entry.id for entry in digest_feed(later, NOWHERE).entries} == {entry.id for entry in first.entries}
    (digest,) = digests_feed([ALL_FIELDS], HERE, HEAD).entries
    assert digest.id == "urn:uuid:66df9380-15d5-5c5f-8ab9-cee0553d5793"


def test_ids_differ_by_channel_language_and_kind() -> None:
    def ids(**changes: Any) -> set[str]:
        changed = replace(document(COUNTING), **changes)
        head = replace(HEAD, channel=changed.channel or "", language=changed.language)
        feeds = [digest_feed(changed, HERE), papers_feed([changed], HERE, head), digests_feed([changed], HERE, head)]
        return {feed.id for feed in feeds} | {entry.id for feed in feeds for entry in feed.entries}

    plain = ids()
    assert len(plain) == 5  # three feeds, a digest, and a paper that is the same in both of its feeds
    assert len(plain & ids(language="zh")) == 1  # the digest, whose own id says it all
    assert len(plain & ids(channel="cs.AI")) == 2  # this and its feed of papers
    assert not ids(channel=None, id="one") & ids(channel=None, id="two") - ids(channel=None)


def test_updated_moves_only_when_the_content_does() -> None:
    first = day(0, item("3103.00001"), item("3103.00002"))
    unchanged, changed = first.items
    later = MADE_AT + 3 * DAY
    second = replace(first, revision=2, created_at=later, items=(unchanged, replace(changed, changed_at=later)))
    for feed in (digest_feed(second, HERE), papers_feed([second], HERE, HEAD)):
        assert [entry.updated for entry in feed.entries] == [MADE_AT, later]
        assert [entry.published for entry in feed.entries] == [MADE_AT, MADE_AT]
        assert feed.updated == later
    (entry,) = digests_feed([second], HERE, HEAD).entries
    assert (entry.published, entry.updated) == (MADE_AT, later)
    assert digest_feed(replace(first, revision=2, created_at=later), HERE).updated == MADE_AT


def test_without_dates_of_its_own_a_paper_has_the_digests() -> None:
    made = replace(document(item()), first_created_at=MADE_AT - DAY)
    (entry,) = digest_feed(made, HERE).entries
    assert (entry.published, entry.updated) == (MADE_AT - DAY, MADE_AT)


def test_papers_of_several_digests_come_newest_first_and_once() -> None:
    older = day(0, item("3103.00002", title="old"), item("3103.00001"))
    newer = day(1, item("3103.00003"), item("3103.00002", title="new"))
    for order in ([older, newer], [newer, older]):
        feed = papers_feed(order, HERE, HEAD)
        assert [entry.url for entry in feed.entries] == [
            f"https://arxiv.org/abs/3103.{number}" for number in ("00003", "00002", "00001")
        ]
        assert feed.entries[1].title == "new"
        check_all(feed)


def test_digests_come_newest_first_with_the_whole_digest_as_content() -> None:
    feed = digests_feed([day(0, COUNTING), day(1, STALE), day(2)], HERE, HEAD)
    assert [entry.url for entry in feed.entries] == [f"{HERE.base_url}/v1/digests/digest-{n}.html" for n in (2, 1, 0)]
    assert "数羊是一个经典问题" in feed.entries[2].content_html
    assert all(ACKNOWLEDGEMENT in entry.content_html for entry in feed.entries)
    assert feed.self_url == HEAD.self_url and feed.home_url == HEAD.home_url
    check_all(feed)


def test_an_empty_day_and_a_failed_source_are_entries_that_say_so() -> None:
    failed = IncompleteListing("cs.CL", date(2031, 3, 5), "failed")
    source_failed = day(1)
    source_failed = replace(source_failed, receipt=replace(source_failed.receipt, incomplete=(failed,)))
    none_stored = day(2)
    none_stored = replace(none_stored, receipt=replace(none_stored.receipt, announced=3, missing=("1", "2", "3")))
    none_fits = day(3)
    none_fits = replace(none_fits, receipt=replace(none_fits.receipt, announced=3, stored=3, not_matching=3))
    english = [replace(one, language="en") for one in (day(0), source_failed, none_stored, none_fits)]
    feed = digests_feed(english, HERE, HEAD)
    assert [entry.summary for entry in reversed(feed.entries)] == [
        "Nothing was announced.",
        "What was announced could not be read, so that papers may be missing here. · "
        "listings not read whole: cs.CL March 5, 2031 (failed)",
        "None of the announced papers is stored yet.",
        "None of the announced papers belongs to this digest.",
    ]
    check_all(feed)
    alone = digest_feed(english[1], HERE)
    assert alone.entries == () and "cs.CL March 5, 2031 (failed)" in alone.subtitle
    check_all(alone)


def test_a_feed_without_entries_has_its_heads_date() -> None:
    assert papers_feed([], HERE, HEAD).updated == MADE_AT
    assert digest_feed(EMPTY, HERE).updated == EMPTY.created_at
    check_all(papers_feed([], HERE, HEAD))


@pytest.mark.parametrize(
    ("channel", "link"),
    [
        ("cs.CL", "https://arxiv.org/list/cs.CL/new"),
        ("econ", "https://arxiv.org/list/econ/new"),
        ("cs.NA", "https://arxiv.org/list/math.NA/new"),
        ("my-channel", "https://arxiv.org/"),
        (None, "https://arxiv.org/"),
    ],
)
def test_a_channel_without_the_services_address_links_to_arxiv(channel: str | None, link: str) -> None:
    assert check_rss(rss(digest_feed(document(channel=channel), NOWHERE))).findtext("link") == link


def test_a_title_gets_its_day_once() -> None:
    titles = [
        digest_feed(document(title=title, period=period), NOWHERE).title
        for title, period in (
            ("cs.CL", Period(date(2031, 3, 4), date(2031, 3, 4))),
            ("cs.CL, 2031-03-04", Period(date(2031, 3, 4), date(2031, 3, 4))),
            ("cs.CL", Period(date(2031, 3, 3), date(2031, 3, 7))),
            ("My papers", None),
        )
    ]
    assert titles == [
        "cs.CL · March 4, 2031",
        "cs.CL, 2031-03-04",
        "cs.CL · Mar 3 – 7, 2031",
        "My papers",
    ]


def test_links_that_are_no_web_addresses_are_left_out() -> None:
    hostile = item(links=Links(abs="javascript:alert(1)", pdf="javascript:alert(1)"))
    assert digest_feed(document(hostile), HERE).entries[0].url is None
    check_all(digest_feed(document(hostile, id="../x?y#\ud800 z", title="\x00", language="\udfff"), HERE))


@pytest.mark.parametrize("math", list(Math))
def test_real_nasty_texts(samples: Path, math: Math) -> None:
    lines = (samples / "text-edge-cases.jsonl").read_text("utf-8").splitlines()
    items = [
        item(f"3103.{number:05}", title=case.get("title"), abstract=case.get("abstract"), tldr=case.get("title"))
        for number, case in enumerate(map(json.loads, lines))
    ]
    feed = digest_feed(document(*items), View(math))
    assert len(feed.entries) == len(items)
    check_all(feed)


ANY_TEXT = st.text(st.characters(exclude_categories=[]) | st.sampled_from("<>&$\\{}]\x00\ud800\u202e"), max_size=60)


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, st.sampled_from(Math))
@settings(max_examples=80, deadline=None)
def test_any_texts_give_valid_feeds(one: str, two: str, three: str, math: Math) -> None:
    hostile = item(
        f"3103.{one}",
        title=two,
        translated_title=three,
        tldr=one,
        abstract=two,
        authors=(ItemAuthor(three, (one,)),),
        primary_category=two,
        categories=(three,),
        links=Links(abs=f"https://arxiv.org/abs/{one}", pdf=three),
        summary_error=one,
    )
    digest = document(hostile, id=f"a{two}", channel=three, title=one, language=two)
    view = View(math, "https://zhaiyao.example")
    head = replace(HEAD, channel=f"c{one}", title=two, language=three)
    for feed in (digest_feed(digest, view), papers_feed([digest], view, head), digests_feed([digest], view, head)):
        check_all(feed)
        assert len(feed.entries) == 1


@archive.needs_archive
@pytest.mark.parametrize("write", [atom, rss])
def test_the_archive_is_read_back_whole(write: Any) -> None:
    papers = list(archive.papers().values())[::8]
    feed = digest_feed(document(*papers, language="zh"), HERE)
    read = feedparser.parse(write(feed), sanitize_html=False)
    assert not read.bozo
    for entry, found in zip(feed.entries, read.entries, strict=True):
        assert (found.id, found.title, found.link) == (entry.id, entry.title, entry.url)
        (content,) = found.content
        assert canonical(content.value) == canonical(entry.content_html)
